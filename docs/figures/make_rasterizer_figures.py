"""Makes the pictures of docs/rasterizer.md and fills its tables.

    python docs/figures/make_rasterizer_figures.py

Writes docs/images/rasterizer_*.png and docs/figures/rasterizer_numbers.json, and replaces each
table in docs/rasterizer.md and
docs/decisions/antialias.md that stands between `<!-- table: name -->` and `<!-- end -->`. Those of
bias and error are computed here and repeat exactly; times are those of
docs/benchmarks/rasterizer.json and operators.json, which `benchmarks/rasterizer.py --json` and
`benchmarks/operators.py --json` write.
"""

import json
import re
import sys
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import rasterizer_figures as figures
import rasterizer_soft_figures as soft_figures
import rasterizer_texture_figures as texture_figures
import torch
from rasterizer_measures import accuracy_rows, channel_rows, cosine_rows

from lightning_rast.ops import LightningRastWarning

ROOT = Path(__file__).resolve().parents[2]
IMAGES, TEXT = ROOT / "docs" / "images", ROOT / "docs" / "rasterizer.md"
DECISION = ROOT / "docs" / "decisions" / "antialias.md"
NUMBERS = Path(__file__).with_name("rasterizer_numbers.json")
TIMES = ROOT / "docs" / "benchmarks" / "rasterizer.json"
OPERATORS = TIMES.with_name("operators.json")

Rows = list[list[object]]


def time_rows(kind: str) -> Rows:
    """The benchmark's rows, ms per view, after their header."""
    rows = json.loads(TIMES.read_text())[kind]
    columns = list(dict.fromkeys(name for row in rows for name in row["times"]))
    header = ["mesh", "faces", "image", "threads", *columns]
    keys = ("mesh", "faces", "size", "threads")
    return [header] + [
        [*(row[key] for key in keys), *(number(row["times"].get(name)) for name in columns)]
        for row in rows
    ]


def ratio_rows(kind: str, ours: str) -> Rows:
    """By how much `ours` is faster than each peer, with one thread and with two."""
    rows = json.loads(TIMES.read_text())[kind]
    cases = dict.fromkeys((row["mesh"], row["faces"], row["size"]) for row in rows)
    times = {
        ((row["mesh"], row["faces"], row["size"]), row["threads"]): row["times"] for row in rows
    }
    peers = ["llvmpipe"] if kind == "visibility" else []
    header = ["DEODR, 1 : 1", "DEODR, 1 : 2", "DRTK *, 2 : 2"]
    for peer in peers:
        header += [f"{peer}, 1 : 1", f"{peer}, 2 : 2"]
    out: Rows = [["mesh", "faces", "image", *header]]
    for case in cases:
        one, two = times[case, 1], times[case, 2]
        pairs = [
            (one.get("DEODR"), one[ours]),
            (one.get("DEODR"), two[ours]),
            (two.get("DRTK, 2 threads *"), two[ours]),
        ]
        for peer in peers:
            pairs += [(one.get(peer), one[ours]), (two.get(peer), two[ours])]
        out.append(
            [*case, *("-" if peer is None else f"{peer / mine:.1f}" for peer, mine in pairs)]
        )
    return out


PAIR_COUNTS = {"in reach": "within reach", "of 4x4": "of 4 × 4 blocks", "of 8x8": "of 8 × 8 blocks"}


def pair_rows() -> Rows:
    """Pairs of a pixel and a face in a view by three counts, thousands, and ns for each."""
    rows = [row for row in json.loads(TIMES.read_text())["soft"] if row["threads"] == 1]
    columns = [f"{title}, {what}" for title in PAIR_COUNTS.values() for what in ("10³", "ns each")]
    out: Rows = [["semantics", "faces", "image", *columns]]
    for name in ("softras", "pixel", "pytorch3d"):
        for row in rows:
            line: list[object] = [name, row["faces"], row["size"]]
            for kind in PAIR_COUNTS:
                line.append(f"{row['notes'][f'{name} pairs {kind}'] / 1000:.0f}")
                line.append(f"{row['notes'][f'{name} ns {kind}']:.2f}")
            out.append(line)
    return out


def operator_rows() -> Rows:
    """ms forward + backward of each operator."""
    rows = json.loads(OPERATORS.read_text())["rows"]
    cases = list(dict.fromkeys((row["faces"], row["size"], row["threads"]) for row in rows))
    header = [
        f"{faces} faces, {size} px, {threads} thread{'s' if threads > 1 else ''}"
        for faces, size, threads in cases
    ]
    cells = {
        (row["operator"], (row["faces"], row["size"], row["threads"])): " + ".join(
            number(row[stage]) for stage in ("forward", "backward") if stage in row
        )
        for row in rows
    }
    names = dict.fromkeys(row["operator"] for row in rows)
    return [
        ["operator", *header],
        *([name, *(cells[name, case] for case in cases)] for name in names),
    ]


def number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}" if value < 1000 else f"{value:.0f}"


def tables(numbers: dict) -> dict[str, Rows]:
    bias: Rows = [["model", "½ level beyond the true outline, px"]]
    bias += [[name, f"{value:+.2f}"] for name, value in numbers["bias_px"].items()]
    hidden: Rows = [["γ", "share of the gradient to colours that reaches hidden vertices"]]
    hidden += [[gamma, f"{share:.0%}"] for gamma, share in numbers["hidden_share"].items()]
    kinds = ("visibility", "silhouette", "soft", "others")
    return {
        "bias": bias,
        "hidden": hidden,
        "operators": operator_rows(),
        "accuracy": accuracy_rows(),
        "cosines": cosine_rows(),
        "channels": channel_rows(),
        **{kind: time_rows(kind) for kind in kinds if TIMES.is_file()},
        "soft_pairs": pair_rows(),
        "visibility_ratios": ratio_rows("visibility", "lightning_rast"),
        "silhouette_ratios": ratio_rows("silhouette", "antialias"),
    }


def markdown(rows: Rows) -> str:
    header, *body = rows
    lines = [header, ["---"] * len(header), *body]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def fill_in(text: str, filled: dict[str, Rows]) -> str:
    """The text with every marked table replaced."""

    def table(match: re.Match[str]) -> str:
        rows = filled.get(match[1])
        return (
            match[0]
            if rows is None
            else f"<!-- table: {match[1]} -->\n{markdown(rows)}\n<!-- end -->"
        )

    return re.sub(r"<!-- table: (\w+) -->\n.*?<!-- end -->", table, text, flags=re.DOTALL)


def main() -> None:
    torch.set_num_threads(1)
    # The picture of a hard image's gradient is meant to lack outlines.
    warnings.simplefilter("ignore", LightningRastWarning)
    numbers: dict = {}
    for name, make in (figures.FIGURES | texture_figures.FIGURES | soft_figures.FIGURES).items():
        path = IMAGES / f"rasterizer_{name}.png"
        make(numbers).savefig(path, dpi=110, metadata={"Software": None})
        print(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1000:.0f} kB")
    filled = tables(numbers)
    numbers["tables"] = {name: filled[name] for name in ("bias", "accuracy", "cosines", "channels")}
    NUMBERS.write_text(json.dumps(numbers, indent=1, ensure_ascii=False) + "\n")
    for text in (TEXT, DECISION):
        text.write_text(fill_in(text.read_text(), filled))


if __name__ == "__main__":
    main()

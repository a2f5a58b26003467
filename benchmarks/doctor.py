"""Whether the doctor names what is wrong: good views, spoiled in every way.

python benchmarks/doctor.py --masks DIR ... --page docs/benchmarks/doctor.md
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.doctor_cases import (
    Break,
    breaks,
    half_blank,
    mask_sets,
    noisy_cameras,
    rendered_sets,
)
from benchmarks.stopwatch import product_commit
from lightning_rast.data import Views
from lightning_rast.doctor.diagnosis import Diagnosis, diagnose


def main(argv: Sequence[str] | None = None) -> int:
    args = _parser().parse_args(argv)
    record = json.loads(args.json.read_text()) if args.json and args.json.is_file() else {}
    sets = [*rendered_sets(), *mask_sets(args.masks)]
    for name, views in sets:
        if args.sets and not any(part in name for part in args.sets):
            continue
        rows = record.setdefault(name, {})
        for label, spoiled, broken in _cases(views):
            if label in rows and not args.again:
                continue
            began = time.process_time()
            found = diagnose(spoiled, pixel_centers="integer" if broken else None)
            rows[label] = _row(found, broken, views)
            seconds = time.process_time() - began
            print(
                f"{name}: {label}: {rows[label]['said']} ({seconds:.1f} s of the processor)",
                flush=True,
            )
            if args.json:
                args.json.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    page = _page(record)
    print(page)
    if args.page:
        args.page.write_text(page, encoding="utf-8")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--masks", nargs="+", type=Path, default=[], metavar="DIR")
    parser.add_argument("--sets", nargs="+", metavar="NAME", help="only these")
    parser.add_argument("--json", type=Path, help="results are added to this file")
    parser.add_argument("--again", action="store_true", help="repeat what is in it")
    parser.add_argument("--page", type=Path, help="write the page of markdown here, too")
    return parser


def _cases(views: Views) -> list[tuple[str, Views, Break | None]]:
    """Good ones (with None) first."""
    bad = [1, len(views) // 2]
    good = [
        ("good", views),
        ("cameras off by 3 pixels", noisy_cameras(views, pixels=3.0)),
        ("two half-blank masks", half_blank(views, bad)),
    ]
    return [
        *((label, case, None) for label, case in good),
        *((broken.name, broken.spoil(views), broken) for broken in breaks(views)),
    ]


def _row(found: Diagnosis, broken: Break | None, views: Views) -> dict:
    fixes = ",".join(found.fixes)
    centers = f"pixel_centers={found.pixel_centers}" if found.pixel_centers else ""
    said = " + ".join(part for part in (fixes, centers) if part) or (
        "agree" if found.agree else "no cause found"
    )
    if broken is None:
        right = "yes" if found.agree else "no"
    elif broken.pixel_centers:
        right = "yes" if found.pixel_centers == broken.pixel_centers and not fixes else "no"
    else:
        wanted = {broken.fixes, *broken.also}
        right = "yes" if found.fixes in wanted else "tied" if wanted & set(found.equal) else "no"
    return {
        "commit": product_commit(),
        "said": said,
        "right": right,
        "iou": round(float(found.ious.mean()), 3),
        "mended_iou": round(float(found.mended_ious.mean()), 3),
        "odd": [view.name for view in found.odd],
        "num_views": len(views),
    }


def _page(record: dict) -> str:
    sets = list(record)
    labels = list(dict.fromkeys(label for rows in record.values() for label in rows))
    broken = [label for label in labels if not _is_good(label)]
    named = [record[s][b]["right"] for s in sets for b in broken if b in record[s]]
    yes, tied = named.count("yes"), named.count("tied")
    good = [record[s][b]["right"] for s in sets for b in labels if _is_good(b) and b in record[s]]
    commits = {row["commit"] for rows in record.values() for row in rows.values()}
    lines = [
        "# What the doctor names",
        "",
        "Made by `benchmarks/doctor.py`: good views, spoiled in each way; [doctor](../doctor.md)",
        "says what it does. A cell holds what it named, and the mean IoU of hull and masks before",
        "and after the remedy. **Bold** is wrong.",
        "",
        f"The first cause that it names is right in **{yes} of {len(named)}** broken cases;",
        f"in {tied} more the right one is named as fitting as well. Of good views, also with",
        "inexact cameras and with two masks of which half is blank,",
        f"{good.count('yes')} of {len(good)} are said to agree.",
        f"Rows are of these states of the library: {', '.join(sorted(commits))}.",
        "",
        "| | " + " | ".join(f"{s} ({record[s]['good']['num_views']})" for s in sets) + " |",
        "|---|" + "---|" * len(sets),
    ]
    for label in labels:
        cells = [_cell(record[s].get(label)) for s in sets]
        lines.append(f"| {label} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _is_good(label: str) -> bool:
    return label in ("good", "cameras off by 3 pixels", "two half-blank masks")


def _cell(row: dict | None) -> str:
    if row is None:
        return ""
    said = row["said"].replace(",", ", ")
    text = said if row["right"] == "yes" else f"**{said}**"
    if row["right"] == "tied":
        text += " (right one: fits as well)"
    if row["odd"]:
        text += f"; odd: {', '.join(row['odd'][:3])}" + (" ..." if len(row["odd"]) > 3 else "")
    change = f"{row['iou']:.3f}"
    if row["mended_iou"] != row["iou"]:
        change += f" -> {row['mended_iou']:.3f}"
    return f"{text} {change}"


if __name__ == "__main__":
    sys.exit(main())

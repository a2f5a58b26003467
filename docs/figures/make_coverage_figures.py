"""Makes the pictures and tables of docs/coverage.md.

    python docs/figures/make_coverage_figures.py             pictures, numbers, tables in the text
    python docs/figures/make_coverage_figures.py --timing    measures the time per stage as well

Writes docs/images/coverage_*.png and docs/figures/coverage_numbers.json, and replaces each table in
docs/coverage.md that stands between `<!-- table: name -->` and `<!-- end -->`. All of it repeats
exactly, but for the times, which are kept from the last run with --timing.
"""

import argparse
import datetime
import json
import platform
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import coverage_geometry as geometry
import coverage_gradients as gradients
import coverage_measures as measures
import coverage_soft_figures as soft
import torch

from lightning_rast.scene import Mesh, icosphere, load_mesh, torus
from tests.ops.contour_meshes import noisy_sphere

ROOT = Path(__file__).resolve().parents[2]
IMAGES, TEXT = ROOT / "docs" / "images", ROOT / "docs" / "coverage.md"
NUMBERS = Path(__file__).with_name("coverage_numbers.json")

FIGURES = {
    "contour": geometry.contour_figure,
    "pixel": geometry.pixel_figure,
    "gradient": gradients.gradient_figure,
    "kinks": gradients.kink_figure,
    "soft_profile": soft.profile_figure,
    "soft_picture": soft.picture_figure,
}
HEADERS = {
    "checks": ["check", "result"],
    "contour_edges": ["mesh", "faces", "contour edges", "of all edges"],
    "differences": [
        "mesh, image",
        "moved",
        "gradient and op, 1e-4 px",
        "gradient and op, 0.25 px",
        "op and reference, 0.25 px",
    ],
    "accuracy": ["mesh", "faces", "boundary pixels", *(f"{n} x {n}" for n in measures.SAMPLES)],
    "soups": ["soups of few faces", "soups", "float64", "float64, sheared reference", "float32"],
    "half_level": [
        "σ, px²",
        "sqrt(asinh(1) σ)",
        "one layer",
        "two layers, 40 px faces",
        "4 px faces",
        "1 px faces",
    ],
    "bias": ["coverage", "error of the best radius, px", "vertices with gradient"],
    "time": [
        "mesh", "faces", "image", "project", "sign", "weight", "bin", "sweep", "record", "total"
    ],
}  # fmt: skip


def model_meshes() -> dict[str, Mesh]:
    names = ("avocado", "kettle", "tree")
    return {name: load_mesh(ROOT / "data" / "models" / f"{name}.glb") for name in names}


def checks(numbers: dict) -> list[list[object]]:
    """Small numbers that the text mentions beside the pictures."""
    winding, moved, kinks = numbers["winding"], numbers["gradient_figure"], numbers["kinks"]
    pixels = [
        [f"pixel \"{name}\": coverage by slabs in plain Python; by the op",
         f"{pixel['by_slabs']:.8f}; {pixel['by_op']:.8f}"]
        for name, pixel in numbers["pixel"].items()
    ]  # fmt: skip
    return [
        ["section 2, right: points where n is not the number of faces over them",
         f"{winding['different']} of {winding['samples']}"],
        *pixels,
        ["section 5: vertices with a gradient in the picture",
         f"{moved['with_gradient']} of {moved['vertices']}"],
        ["section 5: derivative at exactly 0 for each of the three kinks",
         "; ".join(f"{value + 0.0:.4g}" for value in kinks.values())],
        ["section 9: soft coverage on a seam of large faces, two layers",
         f"{numbers['seam']['two_large_faces_a_layer']:.4f}"],
    ]  # fmt: skip


def tables(numbers: dict) -> dict[str, list[list[object]]]:
    noisy = noisy_sphere()
    rough = {"noisy sphere": Mesh(noisy.verts.float(), noisy.faces)}
    return {
        "checks": checks(numbers),
        "contour_edges": geometry.count_table(geometry.spheres() | model_meshes() | rough),
        "differences": gradients.difference_table(),
        "accuracy": measures.accuracy_table(),
        "soups": measures.soup_table(),
        "half_level": soft.level_table(),
        "bias": soft.bias_table(),
    }


def timing() -> dict[str, object]:
    meshes = {
        "sphere": icosphere(5),
        "finer sphere": icosphere(6),
        "ring": torus(256, 128, radius=0.7, tube_radius=0.3),
    }
    noisy = noisy_sphere()
    meshes["noisy sphere"] = Mesh(noisy.verts.float(), noisy.faces)
    date = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d")
    rows = measures.time_table(meshes, (16, 256, 1024), repeats=40)
    return {"rows": rows, "machine": f"{processor()}, one thread, {date}"}


def processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def markdown(name: str, rows: list[list[object]]) -> str:
    header = HEADERS[name]
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def fill_in(text: str, numbers: dict) -> str:
    """The text with every marked table replaced."""

    def table(match: re.Match[str]) -> str:
        name = match[1]
        rows = numbers["tables"][name] if name != "time" else numbers["timing"]["rows"]
        note = f"\n\nMeasured on {numbers['timing']['machine']}." if name == "time" else ""
        return f"<!-- table: {name} -->\n{markdown(name, rows)}{note}\n<!-- end -->"

    return re.sub(r"<!-- table: (\w+) -->\n.*?<!-- end -->", table, text, flags=re.DOTALL)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--timing", action="store_true", help="measure the time per stage again")
    options = parser.parse_args()
    torch.set_num_threads(1)

    earlier = json.loads(NUMBERS.read_text()) if NUMBERS.is_file() else {}
    numbers: dict = {}
    IMAGES.mkdir(parents=True, exist_ok=True)
    for name, make in FIGURES.items():
        path = IMAGES / f"coverage_{name}.png"
        make(numbers).savefig(path, dpi=110, metadata={"Software": None})
        print(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1000:.0f} kB")
    numbers["tables"] = tables(numbers)
    numbers["timing"] = timing() if options.timing or "timing" not in earlier else earlier["timing"]
    NUMBERS.write_text(json.dumps(numbers, indent=1, ensure_ascii=False) + "\n")
    if TEXT.is_file():
        TEXT.write_text(fill_in(TEXT.read_text(), numbers))
    for name, rows in numbers["tables"].items():
        print(f"\n{name}\n{markdown(name, rows)}")


if __name__ == "__main__":
    main()

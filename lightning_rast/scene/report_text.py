"""A mesh's state for people and programs: a page of text, and `report.json`."""

import json
from pathlib import Path
from typing import Any

import lightning_rast
from lightning_rast.scene.io import replace_file
from lightning_rast.scene.report import MeshReport

REPORT_NAME = "report.json"


def report_page(report: MeshReport, *, title: str, unit: str = "") -> str:
    """A line for each property, and for each fault what it means; `unit` of lengths, if known."""
    extent = [high - low for low, high in zip(*report.bounds, strict=True)]
    center = [(high + low) / 2 for low, high in zip(*report.bounds, strict=True)]
    unit = f" {unit}" if unit else ""
    unknown = "unknown, as the surface is not closed and oriented"
    lengths = report.edge_lengths
    rows = [
        ("faces, vertices, edges", f"{report.num_faces}, {report.num_verts}, {report.num_edges}"),
        ("watertight", _watertight(report)),
        ("manifold", _manifold(report)),
        ("orientation", _orientation(report)),
        ("self-intersections", _self_intersections(report)),
        ("components", _components(report)),
        (
            "genus",
            "unknown, as the surface is not closed, oriented and manifold"
            if report.genus is None
            else f"{report.genus} (handles)",
        ),
        ("bounding box", f"{' x '.join(f'{side:.6g}' for side in extent)}{unit} (x, y, z)"),
        ("centre of the box", f"{', '.join(f'{value:.6g}' for value in center)}{unit}"),
        ("volume", unknown if report.volume is None else f"{report.volume:.6g}{_power(unit, 3)}"),
        ("area", f"{report.area:.6g}{_power(unit, 2)}"),
        ("degenerate faces", _degenerate(report)),
        ("sharply folded edges", str(report.num_folded_edges)),
        (
            "edge lengths",
            f"{lengths.shortest:.3g} to {lengths.longest:.3g}{unit}, median {lengths.median:.3g}",
        ),
    ]
    verdict = (
        "sound: the surface of a solid, fit for printing and simulation"
        if report.is_sound
        else "a closed solid, but it passes through itself"
        if report.is_closed_solid
        else "not the surface of a solid; the lines marked ! say why"
    )
    width = max(len(name) for name, _ in rows)
    return "\n".join(
        [f"{title}: {verdict}", *(f"  {name:<{width}}  {text}" for name, text in rows)]
    )


def report_json(report: MeshReport, *, file: str, unit: str = "") -> dict[str, Any]:
    """`MeshReport.as_json` with the box's size, and which file it speaks of."""
    low, high = report.bounds
    return {
        "file": file,
        "unit": unit or None,
        "is_sound": report.is_sound,
        "is_closed_solid": report.is_closed_solid,
        "num_components": report.num_components,
        **report.as_json(),
        "extent": [top - bottom for bottom, top in zip(low, high, strict=True)],
        "lightning_rast": lightning_rast.__version__,
    }


def write_report(path: Path, report: MeshReport, *, file: str, unit: str = "") -> None:
    """Write `report_json`; it appears when it is complete.

    Raises:
        OSError: it cannot be written.
    """
    text = json.dumps(report_json(report, file=file, unit=unit), indent=1, allow_nan=False) + "\n"
    replace_file(path, lambda unfinished: _write_text(unfinished, text))


def _watertight(report: MeshReport) -> str:
    if report.is_watertight:
        return "yes"
    return f"! no, open at {report.num_boundary_loops} border(s): holes to be closed"


def _manifold(report: MeshReport) -> str:
    if not report.is_edge_manifold:
        return "! no, more than two faces meet at an edge: inner walls or doubled faces"
    if not report.is_vert_manifold:
        return "! no, parts touch in a single vertex: split it"
    return "yes"


def _orientation(report: MeshReport) -> str:
    if not report.is_oriented:
        return "! neighbouring faces are wound in opposite ways: recalculate normals"
    if report.is_inside_out:
        return "! inside out: flip normals"
    return "consistent" if report.is_inside_out is None else "outwards"


def _self_intersections(report: MeshReport) -> str:
    num = report.num_self_intersections
    return f"! {num} pairs of faces pass through each other" if num else "none"


def _components(report: MeshReport) -> str:
    sizes = [component.num_faces for component in report.components]
    if len(sizes) == 1:
        return "1"
    shown = ", ".join(map(str, sizes[:5])) + (", ..." if len(sizes) > 5 else "")
    return f"{len(sizes)}, of {shown} faces"


def _degenerate(report: MeshReport) -> str:
    num = report.num_degenerate_faces
    return f"! {num} without area" if num else "none"


def _power(unit: str, exponent: int) -> str:
    return f"{unit}{'²' if exponent == 2 else '³'}" if unit else ""


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")

"""Reads a mesh file, writes another, and says what state the surface is in."""

import json
import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from lightning_rast.data.suspicions import MIRROR_ADVICE
from lightning_rast.runs import METRICS_NAME
from lightning_rast.scene import Asset, MeshFileError, load_asset, mesh_report
from lightning_rast.scene.export import UNITS, export_mesh, placed
from lightning_rast.scene.report_text import report_json, report_page, write_report


class ExportError(Exception):
    """The mesh or the folder cannot be used; the message names it and says what to do."""


@dataclass(frozen=True, kw_only=True)
class Export:
    """What was done. page: the report for a person, empty where none was asked for."""

    written: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    page: str = ""
    report: dict[str, Any] = field(default_factory=dict)


def export(
    source: Path,
    out: Path | None,
    *,
    file_format: str = "",
    scale: float = 1.0,
    units: tuple[str, str] | None = None,
    up: tuple[str, str] = ("y", "y"),
    smooth: bool = False,
    mirror: str | None = None,
    with_report: bool = True,
) -> Export:
    """Write `source` as `out` (None: nowhere) in `file_format`, and report on the surface as it is
    written, into `<out>.report.json` (cow.obj.report.json) too.

    units: those of the source and of what is written; None leaves the numbers alone. smooth,
    mirror: see `export_mesh`.

    Raises:
        ExportError: see there.
    """
    try:
        asset = load_asset(source)
        notes = [f"{source.name}: {note}" for note in asset.notes]
        if units is not None:
            scale *= UNITS[units[0]] / UNITS[units[1]]
        asset = _placed(asset, source, scale, up, mirror)
        if mirror is None and is_of_mirrored_run(source):
            notes.append(
                "the cameras of this run mirror the world: unless their images are mirrored, this "
                "is the mirror image of the object; --mirror writes the object as it is"
            )
        written: list[Path] = []
        if out is not None:
            exported = export_mesh(asset, out, file_format=file_format, smooth=smooth)
            written += exported.files
            notes += exported.notes
        result = Export(written=written, notes=notes)
        if not with_report:
            return result
        report = mesh_report(asset.mesh)
        unit = "" if units is None else units[1]
        name = source.name if out is None else out.name
        if out is not None:
            path = out.with_name(f"{out.name}.report.json")
            write_report(path, report, file=name, unit=unit)
            written.append(path)
        return replace(
            result,
            page=report_page(report, title=name, unit=unit),
            report=report_json(report, file=name, unit=unit),
        )
    except MeshFileError as error:
        raise ExportError(str(error)) from None
    except OSError as error:
        raise ExportError(f"cannot write {out}: {error.strerror or error}") from None


def is_of_mirrored_run(mesh: Path) -> bool:
    """Whether the run in whose folder this mesh file lies has been warned that its cameras mirror
    the world. False where there is no such record."""
    try:
        record = json.loads((mesh.parent / METRICS_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    told = record.get("warnings") if isinstance(record, dict) else None
    return isinstance(told, list) and any(MIRROR_ADVICE in str(text) for text in told)


def _placed(
    asset: Asset, source: Path, scale: float, up: tuple[str, str], mirror: str | None
) -> Asset:
    largest = float(asset.mesh.verts.abs().max()) if asset.mesh.num_verts else 0.0
    # Positions that are not finite themselves are what others refuse.
    if math.isfinite(largest) and largest * scale > torch.finfo(torch.float32).max:
        raise ExportError(
            f"{source}: the scale takes positions beyond float32; give a smaller --scale, or look"
            " at --units"
        )
    return placed(asset, scale, up, mirror)

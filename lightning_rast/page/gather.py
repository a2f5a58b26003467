"""The facts of a run from what is in memory, or was read from its folder."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning_rast.config import Config
from lightning_rast.config_file import changed_keys, config_yaml, flat_values
from lightning_rast.data.views import Views
from lightning_rast.page.curves import Curves
from lightning_rast.page.facts import Baseline, Facts, scored_views
from lightning_rast.page.paths import paths_among, with_short_paths
from lightning_rast.page.remarks import remarks
from lightning_rast.scene import Mesh, mesh_report

_NOT_SETTINGS = ("name", "log.root", "viewer.")


def gathered(
    folder: Path,
    config: Config,
    mesh: Mesh,
    train_views: Views | None,
    held_out_views: Views | None,
    *,
    metrics: Mapping[str, Any],
    curves: Curves,
    baselines: Sequence[Baseline] = (),
    warnings: Sequence[str] = (),
) -> Facts:
    """Look at the mesh, from where each of the views was taken and as a solid.

    folder: of the run; its name is taken from there, and the turntable.
    """
    mesh = mesh.with_verts(mesh.verts.detach()).to("cpu")
    scored = [
        scored_views(mesh, views, is_held_out=is_held_out)
        for views, is_held_out in ((held_out_views, True), (train_views, False))
        if views is not None
    ]
    try:
        state = mesh_report(mesh)
    except ValueError:  # no faces, or positions that are not finite: the page says what there is
        state = None
    turntable = folder / "turntable.gif"
    settings = flat_values(config)
    issued = [*metrics.get("warnings", ()), *warnings]
    known = [str(folder), *paths_among(settings, [group.views for group in scored])]
    return Facts(
        name=f"{folder.parent.name}/{folder.name}",
        metrics=metrics,
        mesh=mesh,
        state=state,
        scored=scored,
        baselines=[*baselines, *start_of(curves, config.start.kind)],
        curves=curves,
        config=settings,
        changed=[
            key for key in changed_keys(Config(), config) if not key.startswith(_NOT_SETTINGS)
        ],
        config_yaml=config_yaml(with_short_paths(config)),
        turntable=turntable.read_bytes() if turntable.is_file() else None,
        warnings=list(remarks(metrics, state, issued, known)),
    )


def start_of(curves: Curves, kind: str) -> list[Baseline]:
    """The mesh that the run started from, as it was measured before the first step."""
    held_out, train = curves.first("heldout/iou_mean"), curves.first("train/iou_mean")
    if held_out is None and train is None:
        return []
    return [
        Baseline(
            f"start ({kind})",
            held_out_iou_mean=held_out,
            held_out_iou_min=curves.first("heldout/iou_min"),
            train_iou_mean=train,
            train_iou_min=curves.first("train/iou_min"),
        )
    ]


def read_metrics(folder: Path) -> dict[str, Any]:
    """What `metrics.json` holds; nothing where there is none that can be read."""
    try:
        found = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}

"""A run's page from nothing but its folder, and the data that its config names if still there."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from lightning_rast.callbacks.clustering import clustered
from lightning_rast.config import Config
from lightning_rast.config_file import load_config
from lightning_rast.data.views import Views, ViewsError
from lightning_rast.evaluation import better_hull, chamfer_l1, score_mesh
from lightning_rast.page import Baseline, Facts, gathered, read_curves, read_metrics, written_page
from lightning_rast.runs import CONFIG_NAME, RunError, checkpoint_step, run_of_path
from lightning_rast.scene import Mesh, MeshFileError, load_mesh
from lightning_rast.training import make_views
from lightning_rast.warning_notes import noted_warnings

_MESH_NAME = "mesh.ply"


def report_of(folder: Path, *, with_hull: bool = True) -> tuple[Facts, str]:
    """The facts of a run's folder, and their page.

    Views that cannot be read any more are missing on it, and it says so.

    Raises:
        RunError: there is no mesh yet. ConfigError: the config cannot be read.
    """
    folder = folder.resolve()
    config = load_config(folder / CONFIG_NAME, complete=False)
    metrics = read_metrics(folder)
    mesh, step = _mesh(folder, is_written=bool(metrics))
    with noted_warnings() as notes:
        train, held_out, reference = _views(config, metrics, notes)
        baselines = []
        if with_hull and train is not None:
            baselines = list(_hull(train, held_out, reference, notes))
    facts = gathered(
        folder,
        config,
        mesh,
        train,
        held_out,
        metrics=metrics or _measured(mesh, train, held_out, step),
        curves=read_curves(folder),
        baselines=baselines,
        warnings=notes,
    )
    return facts, written_page(facts, simplify=clustered)


def _mesh(folder: Path, *, is_written: bool) -> tuple[Mesh, int]:
    """What the run came to: as it was exported at its end, or, with its step, from its newest
    checkpoint.

    Raises:
        RunError: there is neither.
    """
    path = folder / _MESH_NAME
    try:
        if is_written and path.is_file():
            return load_mesh(path), 0
        run, _ = run_of_path(folder)
        if run.checkpoint is not None:
            state = torch.load(run.checkpoint, map_location="cpu", weights_only=True)["state_dict"]
            return Mesh(state["verts"], state["faces"]), checkpoint_step(run.checkpoint)
        if path.is_file():
            return load_mesh(path), 0
    except MeshFileError as error:
        raise RunError(str(error)) from None
    raise RunError(f"{folder} has no mesh and no checkpoint yet: nothing to report on")


def _views(
    config: Config, metrics: Mapping[str, Any], notes: list[str]
) -> tuple[Views | None, Views | None, Mesh | None]:
    """Training and held-out views, and the true surface if it is known."""
    try:
        reference = load_mesh(config.data.mesh) if config.data.kind == "synthetic" else None
        train, held_out = make_views(config.data, reference, seed=config.seed)
    except (ViewsError, MeshFileError) as error:
        notes.append(f"The views cannot be read any more, so that they are not shown: {error}")
        return None, None, None
    corrected = metrics.get("corrected_world_to_view", {})
    if all(name in corrected for name in train.names):
        poses = torch.tensor([corrected[name] for name in train.names], dtype=torch.float64)
        train = replace(train, cameras=replace(train.cameras, world_to_view=poses))
    return train, held_out, reference


def _hull(
    train: Views, held_out: Views | None, reference: Mesh | None, notes: list[str]
) -> Iterator[Baseline]:
    """The scores of the visual hull, where the masks leave any."""
    try:
        hull, k = better_hull(train, held_out)
        scores = score_mesh(hull, train, held_out)
    except ValueError as error:
        notes.append(f"There is no visual hull to compare with: {error}")
        return
    yield Baseline(
        "hull 256³" if k == 1 else f"hull 256³, {k - 1} view may deny",
        held_out_iou_mean=scores.held_out_iou_mean,
        held_out_iou_min=scores.held_out_iou_min,
        train_iou_mean=scores.train_iou_mean,
        train_iou_min=scores.train_iou_min,
        chamfer=None if reference is None else chamfer_l1(hull, reference),
    )


def _measured(mesh: Mesh, train: Views | None, held_out: Views | None, step: int) -> dict[str, Any]:
    """In place of the `metrics.json` that a run which was killed has not written."""
    found: dict[str, Any] = {"finished": False, "steps": step}
    if train is not None:
        scores = score_mesh(mesh, train, held_out)
        found |= {
            "iou_mean": scores.held_out_iou_mean,
            "iou_min": scores.held_out_iou_min,
            "train_iou_mean": scores.train_iou_mean,
            "train_iou_min": scores.train_iou_min,
        }
    return found

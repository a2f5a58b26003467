"""What the evaluate command does, without the command line."""

import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch

from lightning_rast.config import Config
from lightning_rast.data.views import Views, ViewsError
from lightning_rast.evaluate.retraining import retrained
from lightning_rast.evaluation import (
    Scores,
    Spread,
    better_hull,
    compare_seen,
    score_mesh,
    spreads,
)
from lightning_rast.runs import RunError
from lightning_rast.scene import Mesh, MeshFileError, load_mesh
from lightning_rast.training import Problem, build


@dataclass(frozen=True, kw_only=True)
class Request:
    """mesh: the file to score. reference: the true surface; reference_frame: an npz whose
    `scale_mat_0` takes the views' frame to that of the reference. num_folds, num_seeds: of
    trainings from anew, 0 = none. metrics: of the run that made the mesh, which is scored with the
    training cameras that the run corrected. seen_by: views that must see what a distance is also
    measured over, 0 = do not."""

    mesh: Path
    metrics: Path | None = None
    reference: Path | None = None
    reference_frame: Path | None = None
    with_hull: bool = False
    seen_by: int = 0
    num_folds: int = 0
    num_seeds: int = 0


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """scores: by the name of what is scored, the result first. repeated: those of every training
    from anew, by fold and seed, and their spread. num_corrected: training cameras that the result
    is scored with as its run corrected them."""

    scores: dict[str, Scores]
    num_train_views: int
    num_held_out_views: int
    num_corrected: int = 0
    reference: str | None = None
    repeated: dict[str, Scores] = field(default_factory=dict)
    spread: dict[str, Spread] = field(default_factory=dict)


def evaluate(config: Config, request: Request) -> Evaluation:
    """Score the mesh, what it started from, the hull if asked for, and trainings from anew.

    Raises:
        RunError: files or views that cannot be used.
    """
    try:
        mesh = load_mesh(request.mesh)
        problem = build(config)
        reference = _reference(request, problem)
        if request.seen_by and reference is None:
            raise RunError("--seen-by needs --reference")
        subjects = {"result": mesh}
        train, held_out = problem.datamodule.train_views, problem.datamodule.held_out_views
        if request.with_hull:
            hull, k = better_hull(train, held_out)
            denied = "" if k == 1 else f", {k - 1} view may deny"
            subjects[f"hull 256^3{denied}"] = hull
        subjects["start"] = problem.module.mesh()
        to_reference = _frame(request)
        corrected, num_corrected = _with_corrected_cameras(train, request.metrics)
        scores = {
            name: _scored(
                subject,
                (corrected if name == "result" else train, held_out),
                reference,
                to_reference,
                request.seen_by,
            )
            for name, subject in subjects.items()
        }
        repeated = {
            name: _scored(
                retrained(again),
                (again.datamodule.train_views, again.datamodule.held_out_views),
                reference,
                to_reference,
                request.seen_by,
            )
            for name, again in _repetitions(config, request)
        }
    except (MeshFileError, ViewsError, ValueError) as error:
        raise RunError(str(error)) from error
    return Evaluation(
        scores=scores,
        num_train_views=len(train),
        num_held_out_views=0 if held_out is None else len(held_out),
        num_corrected=num_corrected,
        reference=_reference_name(config, request),
        repeated=repeated,
        spread=spreads(list(repeated.values())) if repeated else {},
    )


def _scored(
    mesh: Mesh,
    views: tuple[Views, Views | None],
    reference: Mesh | None,
    to_reference: torch.Tensor | None,
    seen_by: int,
) -> Scores:
    train, held_out = views
    if reference is None:
        return score_mesh(mesh, train, held_out)
    cameras = train.cameras.to("cpu")
    if to_reference is None:
        scores = score_mesh(mesh, train, held_out, reference)
        seen = compare_seen(mesh, reference, cameras, least_views=seen_by) if seen_by else None
        return replace(scores, seen=seen)
    # Silhouettes in the frame of the cameras, distances in that of the reference.
    there = _moved(mesh, to_reference)
    in_views = score_mesh(mesh, train, held_out)
    in_reference = score_mesh(there, train, reference=reference)
    seen = None
    if seen_by:
        back = _moved(reference, torch.linalg.inv(to_reference))
        seen = compare_seen(mesh, back, cameras, least_views=seen_by)
        length = float(torch.linalg.det(to_reference[:3, :3]).abs()) ** (1 / 3)
        seen = replace(seen, chamfer_world=seen.chamfer_world * length)
    return replace(
        in_views, volume_iou=in_reference.volume_iou, surface=in_reference.surface, seen=seen
    )


def _with_corrected_cameras(views: Views, metrics: Path | None) -> tuple[Views, int]:
    """The views with the cameras that a run corrected, by name, and how many those are."""
    if metrics is None or not metrics.is_file():
        return views, 0
    try:
        found = json.loads(metrics.read_text(encoding="utf-8")).get("corrected_world_to_view", {})
        poses = {name: torch.tensor(rows, dtype=torch.float64) for name, rows in found.items()}
        matrices = views.cameras.world_to_view.double().cpu().clone()
        known = [(index, name) for index, name in enumerate(views.names) if name in poses]
        for index, name in known:
            matrices[index] = poses[name]
        cameras = replace(views.cameras.to("cpu"), world_to_view=matrices)
    except (OSError, ValueError, TypeError, AttributeError, RuntimeError) as error:
        raise RunError(f"{metrics}: cannot read the corrected cameras from it: {error}") from None
    return replace(views.to("cpu"), cameras=cameras), len(known)


def _moved(mesh: Mesh, matrix: torch.Tensor) -> Mesh:
    verts = mesh.verts.detach().double().cpu() @ matrix[:3, :3].T + matrix[:3, 3]
    return mesh.to("cpu").with_verts(verts)


def _repetitions(config: Config, request: Request) -> Iterator[tuple[str, Problem]]:
    if not request.num_folds and not request.num_seeds:
        return
    if request.num_folds and config.data.kind != "masks":
        raise RunError("--folds needs a folder of masks: rendered views are held out by themselves")
    for fold in range(max(request.num_folds, 1)):
        for seed in range(max(request.num_seeds, 1)):
            data = config.data
            if request.num_folds:
                data = replace(data, held_out_every=request.num_folds, held_out_offset=fold)
            again = replace(config, data=data, seed=config.seed + seed)
            yield f"fold {fold}, seed {again.seed}", build(again)


def _reference(request: Request, problem: Problem) -> Mesh | None:
    return problem.reference if request.reference is None else load_mesh(request.reference)


def _reference_name(config: Config, request: Request) -> str | None:
    if request.reference is not None:
        return str(request.reference)
    return config.data.mesh if config.data.kind == "synthetic" else None


def _frame(request: Request) -> torch.Tensor | None:
    path = request.reference_frame
    if path is None:
        return None
    try:
        content = np.load(path)
        if not isinstance(content, np.lib.npyio.NpzFile):
            raise ValueError("the file is one array, no .npz")
        with content:
            matrix = torch.from_numpy(np.asarray(content["scale_mat_0"], dtype=np.float64))
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise RunError(f"{path}: cannot read scale_mat_0 from it: {error}") from None
    if matrix.shape != (4, 4):
        raise RunError(f"{path}: scale_mat_0 must be (4, 4), got {tuple(matrix.shape)}")
    return matrix

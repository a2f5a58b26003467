"""What the stages of a ladder do, given sections of the config."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from lightning_rast.config import Config, LossConfig, NewtonConfig, RemeshConfig, TopologyConfig
from lightning_rast.data.views import Views
from lightning_rast.ops.advice import LightningRastWarning
from lightning_rast.ops.mask_distance import mask_distance
from lightning_rast.ops.steady_sum import steady_sum
from lightning_rast.optim.agreement import Targets
from lightning_rast.optim.bending import bending_weight, mean_edge
from lightning_rast.optim.camera_refinement import CameraRefinement, refine_cameras
from lightning_rast.optim.ladder import Ladder, make_ladder
from lightning_rast.optim.outline_newton import OutlineRows, outline_rows, view_weights
from lightning_rast.optim.parts import drop_hidden_parts, drop_small_parts
from lightning_rast.optim.polish import Misfit, coverage_misfit
from lightning_rast.optim.remesh import remesh
from lightning_rast.optim.revoxelize import other_topology, revoxelized
from lightning_rast.optim.thickness import target_edges
from lightning_rast.optim.topology import Verdict, judge, part_genus
from lightning_rast.runs import RunError
from lightning_rast.scene import Camera, Mesh, count_self_intersections, flipped_faces

_SMALLEST_PART = 0.01  # of the volume
# Training IoU that a mesh may lose for crossing itself no more. One that is caught on its way,
# where faces would cross, loses more, and more still of what is held out.
_MOST_LOST_FOR_CROSSINGS = 3e-4


@dataclass(frozen=True)
class OutlineTargets:
    """Where the outlines should be, on the CPU."""

    cameras: Camera
    distances: Tensor  # (N, H, W) px, positive inside, NaN where unknown


@dataclass
class Hold:
    """What a polish keeps from its beginning to its end."""

    stiffness: float  # of the outline, px^3 per square world unit
    bending: float  # weight of |L v|^2 in units of it
    weights: Tensor  # (N,) of the training views


def make_ladder_of(config: Config) -> Ladder:
    """The ladder of a config."""
    newton, ladder, topology = config.newton, config.ladder, config.topology
    first = ladder.bending_from_sphere if config.start.kind == "sphere" else []
    return make_ladder(
        [*first, *ladder.bending],
        warmup_steps=newton.warmup_steps,
        newton_steps=newton.steps,
        polish_steps=ladder.polish_steps,
        lr=ladder.lr,
        lr_per_rung=ladder.lr_per_rung,
        lr_within=ladder.lr_within,
        first_fine=len(first),
        remeshes=config.remesh.enabled,
        cameras_at=config.cameras.bending if config.cameras.enabled else 0.0,
        again_from=max(topology.again_from, topology.mended_from) if topology.enabled else 0.0,
    )


def longest_again(config: Config, remade: "Remade") -> float:
    """The longest bending length of the rungs that a mesh made anew goes down; the last rung is
    one of them."""
    topology, shortest = config.topology, min(config.ladder.bending)
    wanted = topology.mended_from if remade.is_mended else topology.again_from
    return max(wanted, shortest)


def outline_targets(views: Views) -> OutlineTargets:
    distances = mask_distance(views.coverage, views.known).cpu()
    if views.known is not None:
        distances[~views.known.cpu()] = torch.nan
    return OutlineTargets(views.cameras.to("cpu"), distances)


def outlines_of(
    mesh: Mesh, targets: OutlineTargets, newton: NewtonConfig
) -> tuple[OutlineRows, Tensor]:
    """Rows of the mesh's outlines, weighted, and the weight of each view, float64."""
    rows = outline_rows(
        mesh.verts,
        mesh.topology,
        targets.cameras,
        targets.distances,
        clip_px=newton.clip_px,
        huber_px=newton.huber_px,
    )
    if not newton.robust_views:
        return rows, torch.ones(len(targets.distances), dtype=torch.float64)
    weights = view_weights(rows)
    return replace(rows, weight=rows.weight * weights[rows.view.long()]), weights


def disagreeing_names(mesh: Mesh, targets: OutlineTargets, names: Sequence[str]) -> list[str]:
    """Of the views that disagree with most of the others."""
    weights = outlines_of(mesh, targets, NewtonConfig())[1].tolist()
    return [name for name, weight in zip(names, weights, strict=True) if weight < 0.5]


def corrected_cameras(
    mesh: Mesh, targets: OutlineTargets, config: Config, *, bending: float
) -> CameraRefinement:
    """bending: length in world units."""
    return refine_cameras(
        mesh.with_verts(mesh.verts.detach()).to("cpu"),
        targets.cameras,
        targets.distances,
        bending=bending,
        prior=config.cameras.prior,
        needed=config.cameras.needed,
        weights=outlines_of(mesh, targets, config.newton)[1],
        clip_px=config.newton.clip_px,
        huber_px=config.newton.huber_px,
    )


def hold_of(mesh: Mesh, targets: OutlineTargets, newton: NewtonConfig, *, bending: float) -> Hold:
    """What a polish at this bending length, in world units, keeps."""
    rows, weights = outlines_of(mesh, targets, newton)
    stiffness = float(steady_sum(rows.weight[:, None, None] * rows.jacobian.square()))
    return Hold(
        stiffness=stiffness / (3 * mesh.num_verts),
        bending=bending_weight(bending, mean_edge(mesh.verts, mesh.topology)),
        weights=weights,
    )


def misfit_of(coverage: Tensor, batch: Views, loss: LossConfig, weights: Tensor) -> Misfit:
    """What a polish makes smaller, of coverage without a graph; weights: (N,) of the batch."""
    return coverage_misfit(
        coverage,
        batch.coverage,
        batch.known,
        weights=weights.to(coverage),
        l2=loss.silhouette_l2,
        l1=loss.silhouette_l1,
    )


def even_mesh(mesh: Mesh, views: Views, settings: RemeshConfig, *, unit: float) -> Mesh:
    """The same surface with triangles of even size, as fine as the views can tell; unchanged
    where it is no oriented manifold, as a start mesh may be.

    Raises:
        RunError: there would be more faces than anyone can want, or no view looks at the mesh.
    """
    if not (mesh.topology.is_manifold and mesh.topology.is_oriented):
        return mesh
    try:
        target = target_edges(
            mesh,
            views.cameras,
            footprint_px=settings.edge_px,
            min_edge=settings.edge * unit,
            thickness_factor=settings.thickness,
        )
        return remesh(mesh, target, iterations=settings.iterations).mesh
    except ValueError as error:
        raise RunError(f"{error} (remesh.edge_px, remesh.edge; remesh.enabled=false)") from None


@dataclass(frozen=True)
class Remade:
    """A mesh made anew from voxels, and what was wrong with the one before.

    is_mended: the topology is the same; only faces that crossed were wrong.
    """

    mesh: Mesh
    reason: str
    is_mended: bool


def remade_mesh(
    mesh: Mesh, views: Views, settings: TopologyConfig, *, num_disagreeing: int
) -> Remade | None:
    """The mesh without handles and parts that no mask shows, with the holes that one does; where
    those are right but faces cross, the boundary of what it goes around.

    None where nothing is wrong or nothing better can be made, and of an open mesh.
    """
    topology = mesh.topology
    if not (topology.is_closed and topology.is_oriented and topology.is_manifold):
        return None
    before, targets = Mesh(mesh.verts.detach().cpu(), mesh.faces.cpu()), _cpu_targets(views)
    num_crossings = count_self_intersections(before)
    try:
        other = other_topology(
            before,
            targets,
            resolution=settings.resolution,
            blur=settings.blur,
            num_disagreeing=num_disagreeing,
        )
        if other is not None:
            reason = f"{_shape_of(before)} became {_shape_of(other)}"
            return Remade(other, reason, is_mended=False)
        if num_crossings == 0:
            return None
        boundary = revoxelized(before, settings.resolution, settings.blur)
        kept = drop_hidden_parts(drop_small_parts(boundary, smallest=_SMALLEST_PART)[0], targets)[0]
        if sum(part_genus(kept)) > sum(part_genus(before)):
            return None  # the voxels join what the masks tell apart
        reason = f"{num_crossings} pairs of faces crossed"
        return Remade(kept, reason, is_mended=_has_same_parts(before, kept))
    except ValueError as error:  # of so thin an object nothing may be left
        warnings.warn(f"the topology stays as it is: {error}", LightningRastWarning, stacklevel=2)
        return None


def verdict_on(before: Mesh, after: Mesh, views: Views, settings: TopologyConfig) -> Verdict:
    """Whether what came of a mesh made anew may stay."""
    old, new = (Mesh(mesh.verts.detach().cpu(), mesh.faces.cpu()) for mesh in (before, after))
    most_lost = settings.max_iou_loss
    if _has_same_parts(old, new):
        most_lost = min(most_lost, _MOST_LOST_FOR_CROSSINGS)
    return judge(old, new, _cpu_targets(views), most_iou_lost=most_lost)


def _has_same_parts(one: Mesh, other: Mesh) -> bool:
    return sorted(part_genus(one)) == sorted(part_genus(other))


def _shape_of(mesh: Mesh) -> str:
    genus = part_genus(mesh)
    return f"{len(genus)} part(s) with {sum(genus)} handle(s)"


def state_of(mesh: Mesh) -> dict[str, int]:
    """What a stage leaves behind, counted; of a mesh that is lost, no crossings."""
    is_lost = not bool(torch.isfinite(mesh.verts).all())  # to be told of after the step
    return {
        "vertices": mesh.num_verts,
        "self_intersections": 0 if is_lost else count_self_intersections(mesh),
        "flipped_faces": 0 if is_lost else len(flipped_faces(mesh)),
    }


def seconds_by_kind(stage_log: Sequence[dict[str, Any]]) -> dict[str, float]:
    seconds: dict[str, float] = {}
    for entry in stage_log:
        seconds[entry["kind"]] = seconds.get(entry["kind"], 0.0) + entry["seconds"]
    return {kind: round(value, 3) for kind, value in seconds.items()}


def places_of(batch: Views, views: Views) -> list[int]:
    """Which of `views` the batch consists of."""
    if len(batch) == len(views):
        return list(range(len(batch)))
    place = {name: index for index, name in enumerate(views.names)}
    return [place[name] for name in batch.names]


def _cpu_targets(views: Views) -> Targets:
    known = None if views.known is None else views.known.cpu()
    return Targets.of(views.coverage.cpu(), views.cameras.to("cpu"), known)

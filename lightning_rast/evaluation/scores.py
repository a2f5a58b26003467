"""All scores of one mesh in one place, and their mean and spread over several."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from lightning_rast.data.views import Views
from lightning_rast.evaluation.silhouettes import native_ious, silhouettes_of
from lightning_rast.evaluation.surfaces import SeenScores, SurfaceScores, compare_surfaces
from lightning_rast.evaluation.volumes import NoVolumeError, volume_iou
from lightning_rast.scene import Mesh, MeshReport, mesh_report


@dataclass(frozen=True, kw_only=True)
class Scores:
    """What `score_mesh` finds; None is what could not be measured.

    held_out_iou_mean, held_out_iou_min: `box_iou` over views that the mesh was not made from;
        train_iou_*: over those that it was. Both in the resolution of the image files.
    volume_iou: with the reference; None unless both enclose a volume.
    surface: distances to the reference. seen: over what views see; None unless asked for.
    mesh: its own state.
    """

    train_iou_mean: float
    train_iou_min: float
    held_out_iou_mean: float | None
    held_out_iou_min: float | None
    volume_iou: float | None
    surface: SurfaceScores | None
    mesh: MeshReport
    seen: SeenScores | None = None

    def as_json(self) -> dict[str, Any]:
        """Plain numbers and dictionaries, as metrics.json has them."""
        return asdict(self)

    def numbers(self) -> dict[str, float]:
        """The scores that have a mean: all but the mesh's state, and those that are None."""
        own = {name: value for name, value in vars(self).items() if isinstance(value, float)}
        return own | ({} if self.surface is None else vars(self.surface))


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Of a score over several runs; std: with n - 1, 0 for a single one."""

    mean: float
    std: float
    lowest: float
    highest: float
    count: int


def score_mesh(
    mesh: Mesh,
    train_views: Views,
    held_out_views: Views | None = None,
    reference: Mesh | None = None,
) -> Scores:
    """Compare a mesh with views, and with the true surface where that is known.

    Raises:
        ValueError: a mesh has no faces, no area, or positions that are not finite.
    """
    mesh = mesh.with_verts(mesh.verts.detach())
    silhouettes = silhouettes_of(mesh)
    train, _ = native_ious(silhouettes, train_views)
    held_out = [] if held_out_views is None else native_ious(silhouettes, held_out_views)[0]
    return Scores(
        train_iou_mean=sum(train) / len(train),
        train_iou_min=min(train),
        held_out_iou_mean=sum(held_out) / len(held_out) if held_out else None,
        held_out_iou_min=min(held_out, default=None),
        volume_iou=None if reference is None else _volume_iou(mesh, reference),
        surface=None if reference is None else compare_surfaces(mesh, reference),
        mesh=mesh_report(mesh),
    )


def spreads(scores: Sequence[Scores]) -> dict[str, Spread]:
    """Mean and spread of each score that all of them have."""
    numbers = [each.numbers() for each in scores]
    shared = [name for name in numbers[0] if all(name in other for other in numbers)]
    return {name: _spread([each[name] for each in numbers]) for name in shared}


def _spread(values: Sequence[float]) -> Spread:
    mean = sum(values) / len(values)
    squares = sum((value - mean) ** 2 for value in values)
    return Spread(
        mean=mean,
        std=math.sqrt(squares / max(len(values) - 1, 1)),
        lowest=min(values),
        highest=max(values),
        count=len(values),
    )


def _volume_iou(mesh: Mesh, reference: Mesh) -> float | None:
    try:
        return volume_iou(mesh, reference)
    except NoVolumeError:
        return None

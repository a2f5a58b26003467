"""What a report page tells of a run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from lightning_rast.data.views import Views
from lightning_rast.evaluation import silhouettes_of
from lightning_rast.losses import box_iou
from lightning_rast.page.curves import Curves
from lightning_rast.scene import Mesh, MeshReport

# Views are rendered in groups of about this many pixels, to bound the memory.
_PIXELS_AT_ONCE = 2**22


@dataclass(frozen=True)
class Baseline:
    """IoUs of another mesh on the same views; None is what was not measured."""

    name: str
    held_out_iou_mean: float | None = None
    held_out_iou_min: float | None = None
    train_iou_mean: float | None = None
    train_iou_min: float | None = None
    chamfer: float | None = None


@dataclass(frozen=True)
class ScoredViews:
    """Views with what the mesh looks like in them, on the CPU, and the IoU of each."""

    views: Views
    predictions: Float[Tensor, "N H W"]
    ious: Sequence[float]
    is_held_out: bool


@dataclass(frozen=True, kw_only=True)
class Facts:
    """All that the page is made of; what a run does not have is empty or None.

    name: of the run, for people. metrics: what `metrics.json` holds. state: of the mesh. config:
    every setting, by its full key; changed: those that differ from the defaults. baselines: what
    the result is compared with. warnings: what is to be looked at. coarser: faces of the copy that
    the 3D view shows, 0 if it shows the mesh itself.
    """

    name: str
    metrics: Mapping[str, Any]
    mesh: Mesh
    state: MeshReport | None = None
    scored: Sequence[ScoredViews] = ()
    baselines: Sequence[Baseline] = ()
    curves: Curves = field(default_factory=Curves)
    config: Mapping[str, Any] = field(default_factory=dict)
    changed: Sequence[str] = ()
    config_yaml: str = ""
    turntable: bytes | None = None
    warnings: Sequence[str] = ()
    coarser: int = 0

    @property
    def disagreeing(self) -> Sequence[str]:
        """Views by name that most others deny."""
        return self.metrics.get("disagreeing_views", ())


def scored_views(mesh: Mesh, views: Views, *, is_held_out: bool) -> ScoredViews:
    """Look at a mesh from where the views were taken; IoUs in the resolution of the views."""
    mesh = mesh.with_verts(mesh.verts.detach())
    views = views.to("cpu")
    silhouettes = silhouettes_of(mesh.to("cpu"))
    height, width = views.image_size
    at_once = max(1, _PIXELS_AT_ONCE // (height * width))
    with torch.no_grad():
        predictions = torch.cat(
            [
                silhouettes(views.cameras[slice(first, min(first + at_once, len(views)))]).float()
                for first in range(0, len(views), at_once)
            ]
        )
    ious = box_iou(predictions, views.coverage, views.known).tolist()
    return ScoredViews(views, predictions, ious, is_held_out)

"""Whether a fit can begin where it is told to."""

import torch
from jaxtyping import Float
from torch import Tensor

from lightning_rast.optim.agreement import Targets, agreement
from lightning_rast.scene import Camera, Mesh

_FAR_OFF = 0.1  # mean IoU: an outline that overlaps less has little to hold on to
# px that float32 coordinates may be apart, where the object is
_ROUGH, _TOO_ROUGH = 0.02, 0.2


class StartError(ValueError):
    """A start that cannot lead anywhere."""


@torch.no_grad()
def check_start_place(
    mesh: Mesh, targets: Targets, *, center: Float[Tensor, "3"], radius: float
) -> str | None:
    """What to tell of a start mesh that lies elsewhere than the object; None if all is well.

    Args:
        center, radius: of a sphere about the object, as the views tell.

    Raises:
        StartError: no mask shows any of it.
    """
    ious = agreement(mesh.to("cpu"), targets).iou
    mean, low_high = float(ious.mean()), mesh.bounds.double().cpu()
    middle, half = low_high.mean(0), float((low_high[1] - low_high[0]).max()) / 2
    places = (
        f"it is about {_point(middle)} with a half extent of {half:.3g}, the object that the masks"
        f" show about {_point(center)} with {radius:.3g}"
    )
    if float(ious.max()) == 0:
        raise StartError(
            f"the start mesh lies in none of the {len(ious)} masks: {places}. Its vertices must be"
            " in the world, and in the unit, of the cameras"
        )
    if mean < _FAR_OFF:
        return (
            f"the start mesh hardly overlaps the masks (mean IoU {mean:.3f}): {places}. Is it in"
            " the world, and in the unit, of the cameras?"
        )
    return None


@torch.no_grad()
def check_digits(center: Float[Tensor, "3"], cameras: Camera) -> str | None:
    """What to tell where an object is so far from the world's origin that its vertices, which are
    float32, cannot be told apart as finely as its images tell; None if all is well.

    Raises:
        StartError: they are a fifth of a pixel apart or more.
    """
    center = center.double().cpu()
    cameras = cameras.to("cpu")
    step = float(center.abs().max()) * 2.0**-23
    focal = cameras.K.double()[:, [0, 1], [0, 1]].abs().amax(dim=1)
    depth = cameras.world_to_view_points(center[None])[:, 0, 2].clamp(min=1e-12)
    pixels = float((step * focal / (1.0 if cameras.orthographic else depth)).median())
    if pixels < _ROUGH:
        return None
    text = (
        f"the object is about {_point(center)}, so far from the origin that 32-bit coordinates are"
        f" {step:.2g} apart there, {pixels:.2g} pixels. Move the world: subtract about that point"
        " from all positions (world-to-camera matrices: t + R c in place of t)"
    )
    if pixels >= _TOO_ROUGH:
        raise StartError(text)
    return text


def _point(point: Tensor) -> str:
    return "(" + ", ".join(f"{float(value):.4g}" for value in point) + ")"

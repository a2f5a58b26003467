"""What a camera may not be, and the errors that say so."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from lightning_rast.scene.camera import Camera

# Calibrations are printed with six or seven digits; a wrong or scaled matrix is far outside.
_ROTATION_TOLERANCE = 1e-3


def check_rotation(R: Tensor) -> None:
    error = (R @ R.mT - torch.eye(3).to(R)).abs().amax(dim=(1, 2))
    is_bad = ~((error <= _ROTATION_TOLERANCE) & (torch.linalg.det(R) > 0))
    if bool(is_bad.any()):
        row = int(is_bad.nonzero()[0, 0])
        raise ValueError(
            f"camera {row}: R is not a rotation (R R^T differs from 1 by {float(error[row]):.2g}, "
            f"det R = {float(torch.linalg.det(R[row])):.4g}); "
            "matrices with a scale or a mirror belong into from_projection_matrix"
        )


def check_image_size(image_size: object) -> None:
    sides = image_size if isinstance(image_size, tuple | list) else ()
    if len(sides) != 2 or not all(type(side) is int and side > 0 for side in sides):
        raise ValueError(f"image_size must be two positive integers (H, W), got {image_size!r}")


def check_camera(camera: "Camera") -> None:
    fields = (("world_to_view", camera.world_to_view, 4), ("K", camera.K, 3))
    for name, values, size in fields:
        if not isinstance(values, Tensor) or not values.is_floating_point():
            kind = values.dtype if isinstance(values, Tensor) else type(values).__name__
            raise ValueError(f"{name} must be a floating-point tensor, got {kind}")
        if values.ndim != 3 or values.shape[1:] != (size, size):
            raise ValueError(f"{name} must be (N, {size}, {size}), got {tuple(values.shape)}")
    if len(camera.K) != len(camera.world_to_view):
        raise ValueError(
            f"K holds {len(camera.K)} cameras, world_to_view {len(camera.world_to_view)}"
        )
    if camera.K.device != camera.world_to_view.device:
        raise ValueError(f"K is on {camera.K.device}, world_to_view {camera.world_to_view.device}")
    check_image_size(camera.image_size)
    if not camera.near < camera.far or (camera.near <= 0 and not camera.orthographic):
        raise ValueError(f"need 0 < near < far, got near {camera.near}, far {camera.far}")
    # Looking at values would stall a CUDA stream on every slice of a batch.
    if camera.K.device.type == "cpu" and not torch.compiler.is_compiling():
        for name, values, _ in fields:
            last = values.detach()[:, -1]
            is_finite = torch.isfinite(values.detach()).all(dim=2).all(dim=1)
            if not bool(is_finite.all()):
                row = int((~is_finite).nonzero()[0, 0])
                raise ValueError(f"{name} of camera {row} holds values that are not finite")
            if not bool(((last[:, :-1] == 0).all(dim=1) & (last[:, -1] == 1)).all()):
                raise ValueError(f"{name} must end in a row (0, ..., 0, 1)")
        _check_focal_lengths(camera.K.detach())


def _check_focal_lengths(K: Tensor) -> None:
    square = K[:, :2, :2]
    area = square[:, 0, 0] * square[:, 1, 1] - square[:, 0, 1] * square[:, 1, 0]
    is_singular = area.abs() <= 1e-12 * square.square().sum(dim=(1, 2))
    if bool(is_singular.any()):
        row = int(is_singular.nonzero()[0, 0])
        raise ValueError(
            f"K of camera {row} is singular, {K[row].tolist()}: focal lengths must not be 0"
        )

"""The matrices behind `Camera`: view to clip, clip to pixels, and a 3x4 matrix taken apart."""

import torch
from jaxtyping import Float
from torch import Tensor


def screen_from_ndc(
    ndc: Float[Tensor, "*batch C"], image_size: tuple[int, int]
) -> Float[Tensor, "*batch 2"]:
    """The viewport: normalised device coordinates (x right, y up, -1..1) to pixels (y down).

    The only y flip of the package. Components after the first two are ignored.
    """
    height, width = image_size
    return torch.stack(
        ((0.5 + 0.5 * ndc[..., 0]) * width, (0.5 - 0.5 * ndc[..., 1]) * height), dim=-1
    )


def clip_from_view(
    K: Float[Tensor, "N 3 3"],
    image_size: tuple[int, int],
    *,
    near: float,
    far: float,
    orthographic: bool,
) -> Float[Tensor, "N 4 4"]:
    """OpenGL clip space from OpenCV view space: near maps to z = -w, far to z = w."""
    height, width = image_size
    depth_range = far - near
    if orthographic:
        scale, offset = 2 / depth_range, -(far + near) / depth_range
    else:
        scale, offset = (far + near) / depth_range, -2 * far * near / depth_range
    # Filled in by the device: copying numbers from the host would make it wait.
    zero, one, z_from_z, z_from_one = (
        torch.full((), value, dtype=K.dtype, device=K.device) for value in (0.0, 1.0, scale, offset)
    )
    w_from_z, w_from_one = (zero, one) if orthographic else (one, zero)
    depth_rows = torch.stack((zero, zero, z_from_z, z_from_one, zero, zero, w_from_z, w_from_one))

    row_x, row_y = 2 / width * K[:, 0], -2 / height * K[:, 1]
    # K maps onto pixels, 0..W and 0..H, while clip space is centred: a shift by one unit of w.
    shift = torch.stack((zero, zero, one))
    image_rows = torch.stack((row_x - shift, row_y + shift), dim=1)
    # Pixels of an orthographic camera do not depend on depth: what multiplies z for a pinhole
    # multiplies 1 there.
    x, y, last = image_rows.split(1, dim=2)
    nothing = torch.zeros_like(last)
    columns = (x, y, nothing, last) if orthographic else (x, y, last, nothing)
    return torch.cat(
        (torch.cat(columns, dim=2), depth_rows.view(1, 2, 4).expand(len(K), 2, 4)), dim=1
    )


def rigid(R: Float[Tensor, "N 3 3"], t: Float[Tensor, "N 3"]) -> Float[Tensor, "N 4 4"]:
    """The homogeneous matrix of x -> R x + t."""
    bottom = R.new_tensor([0.0, 0.0, 0.0, 1.0]).expand(len(R), 1, 4)
    return torch.cat((torch.cat((R, t[:, :, None]), dim=2), bottom), dim=1)


def split_projection(
    P: Float[Tensor, "N 3 4"],
) -> tuple[Float[Tensor, "N 3 3"], Float[Tensor, "N 3 3"], Float[Tensor, "N 3"]]:
    """K, R, t with P = scale * K [R | t], scale > 0, K[2, 2] = 1, fy > 0 and det R = 1.

    fx takes the sign of det P[:, :3]: a mirrored world shows in the intrinsics, so that R stays
    a rotation and depth stays positive where P's third row is.
    """
    # RQ is QR with rows reversed: M = upper * rotation.
    q, r = torch.linalg.qr(P[:, :, :3].flip(1).mT)
    upper, rotation = r.mT.flip(1, 2), q.mT.flip(1)
    sign = torch.where(upper.diagonal(dim1=1, dim2=2) < 0, -1.0, 1.0).to(P)
    upper, rotation = upper * sign[:, None, :], rotation * sign[:, :, None]
    mirror = torch.ones_like(sign)
    mirror[:, 0] = torch.where(torch.linalg.det(rotation) < 0, -1.0, 1.0).to(P)
    upper, rotation = upper * mirror[:, None, :], rotation * mirror[:, :, None]
    t = torch.linalg.solve_triangular(upper, P[:, :, 3:], upper=True)[:, :, 0]
    return upper / upper[:, 2:, 2:], rotation, t


def look_at_rotation(
    eye: Float[Tensor, "N 3"], target: Float[Tensor, "N 3"], up: Float[Tensor, "N 3"]
) -> Float[Tensor, "N 3 3"]:
    """World to OpenCV view axes: z towards the target, y as far down as possible.

    Raises:
        ValueError: the eye is at the target, or `up` is parallel to the line of sight.
    """
    forward = target - eye
    right = torch.linalg.cross(forward, up)
    # Relative, so that neither the scene's scale nor the length of `up` matters.
    floor = 1e-9 * forward.norm(dim=1) * up.norm(dim=1)
    is_bad = right.norm(dim=1) <= floor
    if bool(is_bad.any()):
        row = int(is_bad.nonzero()[0, 0])
        raise ValueError(
            f"camera {row}: eye {eye[row].tolist()}, target {target[row].tolist()} and up "
            f"{up[row].tolist()} do not define a view; eye and target must differ and up must "
            "not be parallel to the line between them"
        )
    forward, right = (axis / axis.norm(dim=1, keepdim=True) for axis in (forward, right))
    return torch.stack((right, torch.linalg.cross(forward, right), forward), dim=1)

"""How fast barycentric weights change across the screen."""

import torch
from jaxtyping import Float, Int32
from torch import Tensor

from lightning_rast.ops._registry import check_faces, check_tensors
from lightning_rast.ops.advice import RasterFragments


def fragment_derivatives(
    verts_clip: Float[Tensor, "N V 4"] | Float[Tensor, "V 4"],
    faces: Int32[Tensor, "F 3"],
    fragments: RasterFragments,
) -> tuple[Float[Tensor, "*pixels 3"], Float[Tensor, "*pixels 3"]]:
    """Derivatives of `fragments.bary` by the pixel's column and row, each face taken as a plane.

    Put in the place of `bary`, they make `interpolate` return the derivatives of attributes:

        bary_dx, bary_dy = fragment_derivatives(verts_clip, faces, fragments)
        uv_dx = interpolate(uv, faces_uv, fragments._replace(bary=bary_dx))

    Seen from the eye, weight j is `E_j / S` with `E_j = (x, y, w)_{j+1} x (x, y, w)_{j+2} . (p, 1)`
    and `S = sum_j E_j` at p in NDC (Olano and Greer, "Triangle Scan Conversion using 2D Homogeneous
    Coordinates", 1997). E_j is linear in p, so `d b_j = (d E_j - b_j d S) / S`. That holds behind
    the camera too: faces cut by the near plane need no case of their own.

    Args:
        verts_clip: as `rasterize` got it.
        faces: likewise.
        fragments: what it returned, with layers or without.

    Returns:
        Two tensors of the shape and dtype of `fragments.bary`, per pixel, computed in double:
        columns run right, rows run down. 0 where there is no face, or one seen exactly edge-on.

    Differentiable in `verts_clip` and `fragments.bary`, with the same bits for any number of
    threads. As with `bary`, the face that a pixel shows is constant.

    Raises:
        ValueError: a shape, dtype or device does not fit, or (CPU) an index names nothing.
    """
    _check(verts_clip, faces, fragments)
    face_idx, bary = fragments.face_idx, fragments.bary
    height, width = face_idx.shape[-2:]
    views = face_idx.shape[:1] if verts_clip.dim() == 3 else (1,)
    corners = _rows(verts_clip.double(), faces.expand(*views, -1, -1))
    corners = torch.cat((corners[..., :2], corners[..., 3:]), dim=-1)
    # The weights do not change when a face's corners are all scaled; products may leave the range
    # of double unless they are.
    largest = corners.detach().abs().amax(dim=(-2, -1), keepdim=True)
    corners = corners / torch.where(largest > 0, largest, 1.0)
    edges = torch.linalg.cross(corners.roll(-1, dims=-2), corners.roll(-2, dims=-2))
    slopes = torch.cat((edges[..., 0], edges[..., 1]), dim=-1)  # d E_j by x, by y
    plane = edges.sum(dim=-2)  # S = plane . (x, y, 1)
    if verts_clip.dim() == 2:
        slopes, plane = slopes[0], plane[0]

    # Only S is a small difference of large numbers.
    slope_x, slope_y = _rows(slopes.to(bary.dtype), face_idx).split(3, dim=-1)
    sum_x, sum_y, constant = _rows(plane, face_idx).unbind(dim=-1)
    x = (torch.arange(width, device=bary.device, dtype=torch.float64) + 0.5) * (2 / width) - 1
    y = 1 - (torch.arange(height, device=bary.device, dtype=torch.float64) + 0.5) * (2 / height)
    total = constant + x * sum_x + y[:, None] * sum_y
    inverse = torch.where(total == 0, 0.0, 1 / torch.where(total == 0, 1.0, total))
    rate_x, rate_y = inverse * (2 / width), inverse * (-2 / height)

    return _derivative(slope_x, sum_x, rate_x, bary), _derivative(slope_y, sum_y, rate_y, bary)


def _derivative(slope: Tensor, sum_of_slopes: Tensor, rate: Tensor, bary: Tensor) -> Tensor:
    common = (sum_of_slopes * rate).to(bary.dtype)
    return slope * rate.to(bary.dtype)[..., None] - bary * common[..., None]


def _rows(table: Tensor, index: Tensor) -> Tensor:
    """`table[index]`, or `table[n, index[n]]`; zero at -1.

    Indexing would do, but torch sums its gradient in an order that depends on the threads.
    """
    numbers = torch.arange(table.shape[-2], dtype=torch.int32, device=table.device)
    # (1, 0, 0), made by the device: copying numbers from the host would make it wait.
    first = torch.eye(1, 3, dtype=table.dtype, device=table.device).expand(*index.shape, 3)
    same = numbers[:, None].expand(-1, 3)
    return torch.ops.lightning_rast.interpolate(table, same, index, first)


def _check(verts_clip: Tensor, faces: Tensor, fragments: RasterFragments) -> None:
    face_idx, bary = fragments.face_idx, fragments.bary
    check_tensors("fragment_derivatives", verts_clip=verts_clip, faces=faces, bary=bary)
    if verts_clip.dim() not in (2, 3) or verts_clip.shape[-1] != 4:
        raise ValueError(
            "fragment_derivatives: verts_clip must be (N, V, 4) or (V, 4), got "
            f"{tuple(verts_clip.shape)}"
        )
    check_faces("fragment_derivatives", faces)
    if face_idx.dim() < 3 or face_idx.dtype != torch.int32 or bary.shape != (*face_idx.shape, 3):
        raise ValueError(
            "fragment_derivatives: fragments must be of rasterize, with face_idx int32 (N, H, W) "
            f"or (N, L, H, W) and a bary for each, got {face_idx.dtype} {tuple(face_idx.shape)} "
            f"and {tuple(bary.shape)}"
        )
    if verts_clip.dim() == 3 and verts_clip.shape[0] != face_idx.shape[0]:
        raise ValueError(
            f"fragment_derivatives: verts_clip holds {verts_clip.shape[0]} views, fragments "
            f"{face_idx.shape[0]}"
        )
    for name, tensor in (("faces", faces), ("face_idx", face_idx), ("bary", bary)):
        if tensor.device != verts_clip.device:
            raise ValueError(
                f"fragment_derivatives: {name} is on {tensor.device}, verts_clip on "
                f"{verts_clip.device}"
            )
    # Looking at values would stall a CUDA stream.
    if faces.device.type == "cpu" and faces.numel() and not torch.compiler.is_compiling():
        low, high = (int(value) for value in torch.aminmax(faces))
        if low < 0 or high >= verts_clip.shape[-2]:
            raise ValueError(
                f"fragment_derivatives: faces names vertices {low} to {high}, verts_clip has "
                f"{verts_clip.shape[-2]}"
            )

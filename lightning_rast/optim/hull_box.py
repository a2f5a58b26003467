"""The box that a visual hull is looked for in, from masks and cameras alone."""

import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor

from lightning_rast.scene import Camera

# An object cut by the image border pulls its visible centroid inwards; such a view still says
# roughly where to look, and for some captures every view is cut.
_WEIGHT_OF_CUT_VIEW = 0.1
_REWEIGHTINGS = 12
# Sine of an angle that rays must have between them, to say where they meet.
_ONE_SIDE = 1e-3
# Half sides in units of the views' typical half extent; carving grows a box that is too small.
_FIRST_SIZE = 2.0


def first_bounds(
    inside: Bool[Tensor, "N H W"], known: Bool[Tensor, "N H W"], cameras: Camera
) -> Float64[Tensor, "2 3"]:
    """A cube that roughly holds the object; views without any inside pixel say nothing.

    Its centre is the point nearest to the rays through the masks' centroids, by the sum of
    distances, so that a few wrong masks do not move it far. Its size comes from the three quarters
    of the masks that are smallest at that depth, views where the border cuts the mask left out
    unless all are cut.

    Raises:
        ValueError: fewer than two masks show an outline, all of them from one side, or no camera
            has the point in front of it.
    """
    centroid, half_extent, is_cut, is_empty = _mask_boxes(inside, known)
    used = ~is_empty
    if int(used.sum()) < 2:
        raise ValueError(
            f"only {int(used.sum())} of {len(used)} masks show an outline: an object's place in"
            " space takes two views or more"
        )
    cameras, centroid = cameras[used.nonzero()[:, 0]], centroid[used]
    half_extent, is_cut = half_extent[used], is_cut[used]
    origins, directions = _rays(cameras, centroid)
    _check_sides(directions, cameras)
    center = _nearest_to_rays(origins, directions, is_cut)
    depth = cameras.world_to_view_points(center[None])[:, 0, 2]
    in_front = torch.ones_like(is_cut) if cameras.orthographic else depth > cameras.near
    if not bool(in_front.any()):
        raise ValueError(
            f"the rays through the masks meet at ({_rounded(center)}), behind every camera; are R "
            "and t world-to-camera, with z forward?"
        )
    focal = cameras.K.double()[:, [0, 1], [0, 1]].abs()
    pixel = 1 / focal if cameras.orthographic else depth[:, None] / focal
    extent = (half_extent * pixel).amax(dim=1)
    whole = in_front & ~is_cut
    extent = extent[whole] if bool(whole.any()) else extent[in_front]
    half_side = _FIRST_SIZE * torch.quantile(extent, 0.75)
    return torch.stack((center - half_side, center + half_side))


def _rounded(point: Tensor) -> str:
    return ", ".join(f"{value:.3g}" for value in point.tolist())


def _check_sides(directions: Tensor, cameras: Camera) -> None:
    turned = torch.linalg.cross(directions[:1].expand_as(directions), directions).norm(dim=1)
    if float(turned.max()) < _ONE_SIDE:
        raise ValueError(
            f"all {len(cameras)} masks with an outline show the object from one side: nothing tells"
            " how deep it is; views from other sides are needed"
        )


def _mask_boxes(inside: Tensor, known: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Centroid and half sides of the box (x, y), px; whether cut by what is unknown; empty."""
    num_views, height, width = inside.shape
    columns, rows = inside.sum(dim=1), inside.sum(dim=2)
    mass = columns.sum(dim=1).double()
    x = torch.arange(width, dtype=torch.float64) + 0.5
    y = torch.arange(height, dtype=torch.float64) + 0.5
    centroid = torch.stack((columns.double() @ x, rows.double() @ y), dim=1) / mass[:, None]
    half = torch.zeros(num_views, 2, dtype=torch.float64)
    is_cut = torch.zeros(num_views, dtype=torch.bool)
    for axis, (occupied, seen) in enumerate(
        ((columns > 0, known.any(dim=1)), (rows > 0, known.any(dim=2)))
    ):
        low, high = _extent(occupied)
        seen_low, seen_high = _extent(seen)
        half[:, axis] = (high - low).clamp(min=0) / 2
        is_cut |= (low <= seen_low) | (high >= seen_high)
    return centroid, half, is_cut, mass == 0


def _extent(occupied: Tensor) -> tuple[Tensor, Tensor]:
    """First occupied index and the one past the last; (size, 0) where there is none."""
    size = occupied.shape[1]
    index = torch.arange(size)
    low = torch.where(occupied, index, size).amin(dim=1)
    return low, torch.where(occupied, index + 1, 0).amax(dim=1)


def _nearest_to_rays(origin: Tensor, direction: Tensor, is_cut: Tensor) -> Tensor:
    eye = torch.eye(3, dtype=torch.float64)
    across = eye - direction[:, :, None] * direction[:, None, :]
    base = torch.where(is_cut, _WEIGHT_OF_CUT_VIEW, 1.0).double()
    weight = base
    center = origin.mean(dim=0)
    for _ in range(_REWEIGHTINGS):
        weighted = weight[:, None, None] * across
        # Parallel rays leave the depth open: then the point stays as near as it can.
        normal = weighted.sum(dim=0) + 1e-9 * weight.sum() * eye
        right = (weighted @ origin[:, :, None]).sum(dim=0)[:, 0] + 1e-9 * weight.sum() * center
        center = torch.linalg.solve(normal, right)
        distance = (across @ (center - origin)[:, :, None]).norm(dim=(1, 2))
        floor = 0.1 * distance.median().clamp(min=1e-12 * origin.abs().max() + 1e-300)
        weight = base / distance.clamp(min=floor)
    return center


def _rays(cameras: Camera, pixels: Float[Tensor, "N 2"]) -> tuple[Tensor, Tensor]:
    K = cameras.K.double()
    view_to_world = torch.linalg.inv(cameras.world_to_view.double())
    homogeneous = torch.cat((pixels, torch.ones_like(pixels[:, :1])), dim=1)
    at_unit_depth = torch.linalg.solve(K, homogeneous[:, :, None])[:, :, 0]
    origin_view, direction_view = torch.zeros_like(at_unit_depth), at_unit_depth
    if cameras.orthographic:
        origin_view = torch.nn.functional.pad(at_unit_depth[:, :2], (0, 1))
        direction_view = torch.tensor([0.0, 0.0, 1.0]).to(K).expand_as(at_unit_depth)
    rotation, position = view_to_world[:, :3, :3], view_to_world[:, :3, 3]
    origin = (rotation @ origin_view[:, :, None])[:, :, 0] + position
    direction = (rotation @ direction_view[:, :, None])[:, :, 0]
    return origin, direction / direction.norm(dim=1, keepdim=True)

"""The sphere that a fit starts from, from cameras and masks alone."""

import torch
from jaxtyping import Float
from torch import Tensor

from lightning_rast.data.views import Views, ViewsError

# An object cut by the image border pulls its visible centroid inwards; such a view still says
# roughly where to look, and for some captures every view is cut.
_WEIGHT_OF_CUT_VIEW = 0.1


def fitted_sphere(views: Views) -> tuple[Float[Tensor, "3"], float]:
    """Centre, float64, and radius of a sphere of about the object's extent.

    The centre is the point nearest, in least squares, to the rays through the masks' centroids.
    A single view, or parallel rays, leave its depth open: it is then the point of the ray that
    is nearest to the world's origin. The radius is the median over views of half the mask's
    longer side, at the centre's depth; views where the image border cuts the mask are used
    only when all are cut, and then the largest counts, since each is an underestimate. Empty masks
    say nothing.

    Raises:
        ViewsError: if the point is behind a camera, or no mask shows anything.
    """
    views = _shown(views)
    centroid, half_extent, is_cut = _mask_boxes(views)
    center = _nearest_to_rays(views, centroid, is_cut)
    return center, _radius(views, center, half_extent, is_cut)


def seen_center(views: Views) -> Float[Tensor, "3"]:
    """The sphere's centre alone. Works on lines, not rays: cameras may still be back to front."""
    views = _shown(views)
    centroid, _, is_cut = _mask_boxes(views)
    return _nearest_to_rays(views, centroid, is_cut)


def _shown(views: Views) -> Views:
    """Those whose masks are not empty."""
    coverage = views.coverage.detach()
    coverage = coverage if views.known is None else coverage * views.known
    shown = (coverage.flatten(1).amax(dim=1) > 0).nonzero()[:, 0].tolist()
    if not shown:
        raise ViewsError(f"no object in any of the {len(views)} masks: all of them are empty")
    return views[shown]


def _nearest_to_rays(views: Views, centroid: Tensor, is_cut: Tensor) -> Tensor:
    origin, direction = _rays(views, centroid)
    weight = torch.where(is_cut, _WEIGHT_OF_CUT_VIEW, 1.0).double()
    eye = torch.eye(3, dtype=torch.float64)
    across = weight[:, None, None] * (eye - direction[:, :, None] * direction[:, None, :])
    normal = across.sum(dim=0) + 1e-9 * weight.sum() * eye
    return torch.linalg.solve(normal, (across @ origin[:, :, None]).sum(dim=0))[:, 0]


def _mask_boxes(views: Views) -> tuple[Tensor, Tensor, Tensor]:
    coverage = views.coverage.detach().double().cpu()
    known = torch.ones_like(coverage) if views.known is None else views.known.double().cpu()
    coverage = coverage * known
    height, width = views.image_size
    x = torch.arange(width, dtype=torch.float64) + 0.5
    y = torch.arange(height, dtype=torch.float64) + 0.5
    columns, rows = coverage.sum(dim=1), coverage.sum(dim=2)
    mass = columns.sum(dim=1)
    centroid = torch.stack([columns @ x / mass, rows @ y / mass], dim=-1)
    boxes, cut = [], []
    # Half the peak, not half of 1: an object thinner than a pixel never reaches that.
    inside = coverage > 0.5 * coverage.amax(dim=(1, 2), keepdim=True)
    for image, seen in zip(inside, known > 0, strict=True):
        in_columns, in_rows = image.any(dim=0).nonzero()[:, 0], image.any(dim=1).nonzero()[:, 0]
        seen_columns, seen_rows = seen.any(dim=0).nonzero()[:, 0], seen.any(dim=1).nonzero()[:, 0]
        boxes.append([_length(in_columns) / 2, _length(in_rows) / 2])
        cut.append(
            bool(in_columns[0] == seen_columns[0] or in_columns[-1] == seen_columns[-1])
            or bool(in_rows[0] == seen_rows[0] or in_rows[-1] == seen_rows[-1])
        )
    return centroid, torch.tensor(boxes, dtype=torch.float64), torch.tensor(cut)


def _length(indices: Tensor) -> float:
    return float(indices[-1] - indices[0] + 1)


def _rays(views: Views, pixels: Tensor) -> tuple[Tensor, Tensor]:
    cameras = views.cameras
    K = cameras.K.detach().double().cpu()
    view_to_world = torch.linalg.inv(cameras.world_to_view.detach().double().cpu())
    homogeneous = torch.cat([pixels, torch.ones_like(pixels[:, :1])], dim=1)
    at_unit_depth = torch.linalg.solve(K, homogeneous[:, :, None])[:, :, 0]
    zero = torch.zeros_like(at_unit_depth)
    along = torch.zeros_like(at_unit_depth)
    along[:, 2] = 1
    if cameras.orthographic:
        origin_view, direction_view = torch.cat([at_unit_depth[:, :2], zero[:, :1]], dim=1), along
    else:
        origin_view, direction_view = zero, at_unit_depth
    rotation, position = view_to_world[:, :3, :3], view_to_world[:, :3, 3]
    origin = (rotation @ origin_view[:, :, None])[:, :, 0] + position
    direction = (rotation @ direction_view[:, :, None])[:, :, 0]
    return origin, direction / direction.norm(dim=1, keepdim=True)


def _radius(views: Views, center: Tensor, half_extent: Tensor, is_cut: Tensor) -> float:
    cameras = views.cameras
    world_to_view = cameras.world_to_view.detach().double().cpu()
    depth = (world_to_view[:, :3, :3] @ center + world_to_view[:, :3, 3])[:, 2]
    if not cameras.orthographic and bool((depth <= cameras.near).any()):
        name = views.names[int(depth.argmin())]
        place = ", ".join(f"{value:.3g}" for value in center.tolist())
        raise ViewsError(
            f"the views' centre rays meet at ({place}),"
            f" which is behind camera {name}; are R and t world-to-camera, with z forward?"
            " `lightning-rast doctor` on the data finds out"
        )
    K = cameras.K.detach().double().cpu()
    pixels_per_unit = torch.stack([K[:, 0, 0].abs(), K[:, 1, 1].abs()], dim=-1)
    if not cameras.orthographic:
        pixels_per_unit = pixels_per_unit / depth[:, None]
    radius = (half_extent / pixels_per_unit).amax(dim=1)
    return float(radius[~is_cut].median() if bool((~is_cut).any()) else radius.max())

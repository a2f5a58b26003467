"""Views rendered from a mesh: the same silhouettes that an ideal camera would have seen."""

import math
import warnings
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from lightning_rast.data.views import NEAR_OF_DISTANCE, Views, ViewsError
from lightning_rast.render import render_silhouettes
from lightning_rast.scene import Camera, Mesh

Layout = Literal["fibonacci", "ring", "hemisphere"]

_GOLDEN_ANGLE = math.pi * (3 - math.sqrt(5))
_RING_ELEVATION = math.radians(20)


def view_directions(
    layout: Layout, num_views: int, *, seed: int = 0, between: bool = False
) -> Float[Tensor, "N 3"]:
    """Unit directions from the object to the cameras, y up, float64.

    fibonacci: evenly over the whole sphere. ring: evenly around the y axis, 20 degrees above
    the equator. hemisphere: uniformly random above the equator, from `seed`.
    `between` gives other directions of the same layout, between the first ones: held-out views.
    """
    index = torch.arange(num_views, dtype=torch.float64)
    if layout == "hemisphere":
        generator = torch.Generator().manual_seed(2 * seed + between)
        random = torch.rand(num_views, 2, generator=generator, dtype=torch.float64)
        height, azimuth = random[:, 0], random[:, 1] * 2 * math.pi
    elif layout == "ring":
        height = torch.full((num_views,), math.sin(_RING_ELEVATION), dtype=torch.float64)
        azimuth = (index + (0.5 if between else 0.0)) * (2 * math.pi / num_views)
    elif layout != "fibonacci":
        layouts = ", ".join(map(repr, get_args(Layout)))
        raise ValueError(f"view_directions: layout must be one of {layouts}, got {layout!r}")
    else:
        height = 1 - (2 * index + 1) / num_views
        azimuth = (index + (0.5 if between else 0.0)) * _GOLDEN_ANGLE
    radius = (1 - height**2).clamp(min=0).sqrt()
    return torch.stack([radius * azimuth.sin(), height, radius * azimuth.cos()], dim=-1)


def orbit_cameras(
    mesh: Mesh,
    directions: Float[Tensor, "N 3"],
    *,
    image_size: int = 256,
    fov_deg: float = 40.0,
    distance: float = 0.0,
) -> Camera:
    """Cameras around the centre of the mesh's bounding box, looking at it.

    `distance` in world units; 0 puts the mesh's bounding sphere inside the image with a margin
    of 5 %. A camera within that sphere, perhaps inside the mesh, is warned of.
    """
    center, radius = _bounding_sphere(mesh)
    if not distance:
        distance = 1.05 * radius / math.sin(math.radians(fov_deg) / 2)
    if distance < radius:
        warnings.warn(
            f"cameras at distance {distance:g} are inside the mesh's bounding sphere, whose radius "
            f"is {radius:.4g}; the distance is in the mesh's own unit, 0 chooses one",
            stacklevel=2,
        )
    up = torch.zeros_like(directions)
    steep = directions[:, 1].abs() > 0.999
    up[:, 1], up[steep] = 1.0, torch.tensor([0.0, 0.0, -1.0], dtype=up.dtype)
    return Camera.look_at(
        center + distance * directions,
        center.expand_as(directions),
        up,
        fov_deg=fov_deg,
        image_size=(image_size, image_size),
        near=NEAR_OF_DISTANCE * distance,
        far=distance / NEAR_OF_DISTANCE,
    )


def synthetic_views(mesh: Mesh, cameras: Camera, *, prefix: str = "view") -> Views:
    """The silhouettes of `mesh` as the cameras' targets.

    Raises:
        ViewsError: if a camera sees nothing of the mesh.
    """
    with torch.no_grad():
        coverage = render_silhouettes(mesh, cameras)
    names = tuple(f"{prefix}_{index:03d}" for index in range(len(cameras)))
    for name, peak in zip(names, coverage.amax(dim=(1, 2)).tolist(), strict=True):
        if peak == 0:
            raise ViewsError(f"{name} sees nothing of the mesh")
    return Views(cameras, coverage, names)


def _bounding_sphere(mesh: Mesh) -> tuple[Tensor, float]:
    verts = mesh.verts.detach().double().cpu()[mesh.faces.long().cpu().unique()]
    if len(verts) == 0:
        raise ViewsError("the mesh has no faces: there is nothing to see")
    center = (verts.amin(dim=0) + verts.amax(dim=0)) / 2
    return center, max(float((verts - center).norm(dim=1).max()), 1e-12)

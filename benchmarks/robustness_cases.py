"""Views as they come in practice: with wrong masks among good ones, noise, cameras slightly off."""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from lightning_rast.data import Views, orbit_cameras, synthetic_views, view_directions
from lightning_rast.scene import Mesh, load_mesh, torus

Damage = Callable[[Views], Views]
_KETTLE = Path(__file__).resolve().parents[1] / "data" / "models" / "kettle.glb"


@cache
def kettle() -> Mesh:
    return load_mesh(_KETTLE)


@cache
def good_views() -> Views:
    """16 of the kettle, 96 x 96."""
    cameras = orbit_cameras(kettle(), view_directions("fibonacci", 16), image_size=96)
    return synthetic_views(kettle(), cameras)


def ring_in_its_place() -> Mesh:
    """As long as the kettle, where that stands."""
    low, high = kettle().bounds
    ring = torus(32, 16)
    return ring.with_verts(ring.verts * (high - low).max() / 3 + (low + high) / 2)


def half_blank(views: Views, index: int = 3) -> Views:
    """The right half of one mask is missing, as when a segmentation gave up."""
    image = views.coverage[index]
    columns = (image > 0.5).any(dim=0).nonzero()[:, 0]
    middle = int(columns[0] + columns[-1] + 1) // 2
    cut = image.clone()
    cut[:, middle:] = 0
    return _with_image(views, index, cut)


def emptied(views: Views, index: int = 3) -> Views:
    """One mask is black."""
    return _with_image(views, index, torch.zeros_like(views.coverage[index]))


def of_another_object(views: Views, other: Mesh, index: int = 3) -> Views:
    """One mask shows something else that stood in the same place."""
    return _with_image(views, index, synthetic_views(other, views.cameras[[index]]).coverage[0])


def binary(views: Views) -> Views:
    """Every pixel in or out, by its area."""
    return replace(views, coverage=(views.coverage > 0.5).to(views.coverage))


def salt_and_pepper(views: Views, *, share: float = 0.02, seed: int = 0) -> Views:
    """Binary masks in which `share` of all pixels are wrong, each by itself."""
    is_wrong = torch.rand(views.coverage.shape, generator=_generator(seed)) < share
    image = binary(views).coverage
    return replace(views, coverage=torch.where(is_wrong, 1 - image, image))


def blobby(views: Views, *, num_blobs: int = 4, radius: float = 0.05, seed: int = 0) -> Views:
    """Discs at the outline, half of them added, half taken away.

    radius: of the masks' larger side, on average.
    """
    generator = _generator(seed)
    height, width = views.image_size
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    images = []
    for image in views.coverage:
        inside = image > 0.5
        border = (inside ^ _shrunk(inside)).nonzero()
        extent = max(int(inside.any(dim=d).sum()) for d in (0, 1))
        damaged = image.clone()
        for blob in range(num_blobs):
            pick = int(torch.randint(len(border), (1,), generator=generator))
            size = radius * extent * (0.5 + float(torch.rand(1, generator=generator)))
            row, column = border[pick]
            is_near = (y - row) ** 2 + (x - column) ** 2 < size**2
            damaged[is_near] = float(blob % 2)
        images.append(damaged)
    return replace(views, coverage=torch.stack(images))


def turned_cameras(views: Views, *, degrees: float = 0.5, seed: int = 0) -> Views:
    """Each camera looks past its target by an angle, in a direction of its own."""
    axis = torch.randn(len(views), 3, generator=_generator(seed), dtype=torch.float64)
    axis = axis / axis.norm(dim=1, keepdim=True)
    turn = torch.eye(4, dtype=torch.float64).repeat(len(views), 1, 1)
    turn[:, :3, :3] = torch.linalg.matrix_exp(math.radians(degrees) * _cross_matrix(axis))
    cameras = views.cameras
    moved = turn @ cameras.world_to_view.double()
    return replace(views, cameras=replace(cameras, world_to_view=moved.to(cameras.world_to_view)))


ONE_WRONG: dict[str, Damage] = {
    "the right half of one mask is missing": half_blank,
    "one mask is black": emptied,
    "one mask shows another object": lambda views: of_another_object(views, ring_in_its_place()),
}
ALL_WRONG: dict[str, Damage] = {
    "binary masks": binary,
    "2 % of all pixels wrong (salt and pepper)": salt_and_pepper,
    "four blobs at every mask's outline, 5 % of its size": blobby,
    "every camera turned by half a degree": turned_cameras,
}
DAMAGES = ONE_WRONG | ALL_WRONG


def _with_image(views: Views, index: int, image: Tensor) -> Views:
    coverage = views.coverage.clone()
    coverage[index] = image
    return replace(views, coverage=coverage)


def _shrunk(inside: Tensor) -> Tensor:
    around = torch.nn.functional.max_pool2d(1.0 - inside[None, None].float(), 3, 1, 1)
    return around[0, 0] == 0


def _cross_matrix(axis: Tensor) -> Tensor:
    x, y, z = axis.unbind(dim=1)
    zero = torch.zeros_like(x)
    return torch.stack((zero, -z, y, z, zero, -x, -y, x, zero), dim=1).reshape(-1, 3, 3)


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)

"""carve against a reference that looks at every point in every view."""

import math

import pytest
import torch
from torch import Tensor

from lightning_rast.ops import mask_distance
from lightning_rast.ops.carve import carve
from lightning_rast.optim.carving import least_depth, pixel_from_world
from lightning_rast.scene import Camera
from tests.reference import carve as reference

ORIGIN, CELL, SIZE = (-1.1, -0.9, -1.0), 0.1, (23, 19, 21)


def masks(num_views: int, size: tuple[int, int], seed: int = 0) -> Tensor:
    """Blobs, another one in every view."""
    generator = torch.Generator().manual_seed(seed)
    rows, columns = torch.meshgrid(*(torch.linspace(-1, 1, n) for n in size), indexing="ij")
    images = []
    for _ in range(num_views):
        x, y, a = torch.rand(3, generator=generator) - 0.5
        radius = ((columns - x / 4) ** 2 + (1 + a) * (rows - y / 4) ** 2).sqrt()
        images.append(((0.62 - radius) * 20 + 0.5).clamp(0, 1))
    return torch.stack(images)


def cameras(num_views: int, size: tuple[int, int], *, distance: float = 3.0) -> Camera:
    angle = torch.arange(num_views) * 2.4
    height = torch.linspace(-0.7, 0.7, num_views)
    eye = torch.stack((angle.cos(), height, angle.sin()), dim=1) * distance
    return Camera.look_at(eye, fov_deg=40, image_size=size)


def assert_matches_reference(distances: Tensor, views: Camera, *, least_seen: int = 1) -> None:
    axes = [ORIGIN[i] + CELL * torch.arange(SIZE[i], dtype=torch.float64) for i in range(3)]
    points = torch.cartesian_prod(*axes)
    project, near = pixel_from_world(views), least_depth(views)
    fields = carve(
        distances, project, origin=ORIGIN, cell=CELL, size=SIZE, near=near, ks=(1, 3),
        least_seen=least_seen,
    )  # fmt: skip
    for k, field in enumerate(fields, start=1):
        expected = reference.carve(
            distances, project, points, near=near, k=k, least_seen=least_seen
        ).reshape(SIZE)
        inside = expected > 0
        surely = expected.abs() > 1e-3
        assert torch.equal((field > 0)[surely], inside[surely]), k
        # Where the surface passes, both of its neighbours are exact.
        beside = torch.zeros_like(inside)
        for axis in range(3):
            changes = inside.narrow(axis, 0, SIZE[axis] - 1) != inside.narrow(
                axis, 1, SIZE[axis] - 1
            )
            beside.narrow(axis, 0, SIZE[axis] - 1).logical_or_(changes)
            beside.narrow(axis, 1, SIZE[axis] - 1).logical_or_(changes)
        exact = beside & (expected.abs() < 1e6)
        torch.testing.assert_close(
            field[exact].double(), expected[exact], atol=2e-3, rtol=1e-4, check_dtype=False
        )


@pytest.mark.parametrize("num_views", [2, 3, 8, 20])
def test_fields_match_the_reference(num_views):
    size = (60, 80)
    assert_matches_reference(mask_distance(masks(num_views, size)), cameras(num_views, size))


def test_fields_match_where_the_object_leaves_the_images():
    size = (60, 60)
    views = cameras(9, size).crop(10, 15, (35, 33))
    distances = mask_distance(masks(9, size)[:, 10:45, 15:48])
    assert_matches_reference(distances, views)
    assert_matches_reference(distances, views, least_seen=5)
    assert_matches_reference(distances, views, least_seen=0)


def test_fields_match_where_cameras_are_inside_the_grid():
    size = (50, 50)
    assert_matches_reference(mask_distance(masks(8, size)), cameras(8, size, distance=0.5))


def test_fields_match_with_unknown_pixels():
    size = (64, 48)
    known = torch.rand(7, *size) > 0.02
    known[3] = True
    known[5] = False
    assert_matches_reference(mask_distance(masks(7, size), known), cameras(7, size))


def test_fields_match_with_an_empty_and_a_full_mask():
    size = (40, 40)
    images = masks(6, size)
    images[2], images[4] = 0, 1
    assert_matches_reference(mask_distance(images), cameras(6, size))


def test_fields_match_for_noise():
    size = (40, 40)
    images = masks(6, size)
    flipped = torch.rand_like(images) < 0.05
    images = torch.where(flipped, 1 - images, images)
    assert_matches_reference(mask_distance(images), cameras(6, size))


def test_parallel_rays_match_the_reference():
    size = (40, 50)
    eye = torch.tensor([[3.0, 0, 0], [0, 0, 3.0], [2.0, 2.0, 1.0], [-2.0, 1.0, 2.0]])
    views = Camera.orthographic_look_at(eye, height=3.0, image_size=size)
    assert_matches_reference(mask_distance(masks(4, size)), views)


def test_any_number_of_threads_gives_the_same_bits():
    size = (40, 40)
    project = pixel_from_world(cameras(6, size))
    distances = mask_distance(masks(6, size))
    threads = torch.get_num_threads()
    fields = []
    for number in (1, 2, 3):
        torch.set_num_threads(number)
        fields.append(carve(distances, project, origin=ORIGIN, cell=CELL, size=SIZE, ks=(1, 3)))
    torch.set_num_threads(threads)
    assert torch.equal(fields[0], fields[1])
    assert torch.equal(fields[0], fields[2])


def test_what_does_not_fit_is_refused(unchecked):
    distances, project = torch.zeros(2, 4, 4), torch.zeros(2, 3, 4, dtype=torch.float64)
    grid = {"origin": (0, 0, 0), "cell": 1.0, "size": (2, 2, 2)}
    with pytest.raises(ValueError, match="project must be float64"):
        carve(distances, project[:1], **grid)
    with pytest.raises(ValueError, match="ks must lie between 1 and 3"):
        carve(distances, project, **grid, ks=(0, 2))
    with pytest.raises(ValueError, match="cell more than 0"):
        carve(distances, project, **{**grid, "cell": math.nan})

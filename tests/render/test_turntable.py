"""Cameras around an object: all of it in the picture, and little else."""

import pytest
import torch

from lightning_rast.render import turntable_cameras
from lightning_rast.scene import Mesh, cube, cylinder, icosphere, quad

SIZES = [(40, 40), (40, 20), (20, 40)]
MESHES = [
    cube(size=0.05, center=(3, 4, 5)),
    cylinder(8, radius=0.1, height=5),
    cylinder(8, radius=3, height=0.1),
    quad(),
    icosphere(1, radius=1e6),
]


@pytest.mark.parametrize("mesh", MESHES)
@pytest.mark.parametrize("fov_deg", [None, 5.0, 30.0, 120.0])
def test_the_whole_object_is_seen_from_all_sides(mesh: Mesh, fov_deg: float | None):
    for image_size in SIZES:
        camera = turntable_cameras(mesh, 7, image_size=image_size, fov_deg=fov_deg)
        pixels = camera.project(mesh.verts.double())
        height, width = image_size
        assert (pixels > 0).all()
        assert (pixels < torch.tensor([width, height])).all()
        assert camera.world_to_view_points(mesh.verts.double())[..., 2].min() > camera.near


@pytest.mark.parametrize("mesh", MESHES)
@pytest.mark.parametrize("fov_deg", [None, 5.0, 30.0])
def test_the_object_fills_the_picture_in_one_direction(mesh: Mesh, fov_deg: float | None):
    for image_size in SIZES:
        camera = turntable_cameras(mesh, 7, image_size=image_size, fov_deg=fov_deg)
        height, width = image_size
        center = torch.tensor([width, height]) / 2
        reach = ((camera.project(mesh.verts.double()) - center).abs() / center).max()
        assert 0.9 < reach < 0.95


def test_cameras_stand_around_the_object_and_above_it():
    mesh = cube(center=(3, 4, 5))
    camera = turntable_cameras(mesh, 8, elevation_deg=30)
    away = camera.center_world - torch.tensor([3.0, 4, 5])
    torch.testing.assert_close(away.mean(0)[[0, 2]], torch.zeros(2).double(), atol=1e-9, rtol=0)
    torch.testing.assert_close(away[:, 1] / away.norm(dim=1), torch.full((8,), 0.5).double())
    assert away[0, 2] > 0
    assert away[2, 0] > 0


@pytest.mark.parametrize(
    "up", [[0.0, 0, 1], [0, -1, 0], [0, 2, 0], [0.3, -0.5, -0.8], [1e-9, -1.0, 0]]
)
def test_any_direction_can_point_up(up):
    mesh = cube(center=(3, 4, 5))
    camera = turntable_cameras(mesh, 5, up=up)
    center = torch.tensor([3.0, 4, 5])
    end = center + 0.3 * torch.nn.functional.normalize(torch.tensor(up).float(), dim=0)
    middle, top = camera.project(torch.stack((center, end))).unbind(1)
    torch.testing.assert_close(top[:, 0], middle[:, 0], atol=1e-3, rtol=0)
    assert (top[:, 1] < middle[:, 1] - 10).all()


def test_no_direction_cannot_point_up():
    with pytest.raises(ValueError, match="up must be a direction"):
        turntable_cameras(cube(), 5, up=[0.0, 0.0, 0.0])


def test_the_z_axis_can_point_up():
    tall = cylinder(8, radius=0.1, height=2)
    standing = tall.with_verts(tall.verts[:, [2, 0, 1]])
    camera = turntable_cameras(standing, 4, up="z")
    top, bottom = camera.project(torch.tensor([[0.0, 0, 1], [0, 0, -1]])).unbind(1)
    assert (top[:, 1] < bottom[:, 1] - 100).all()
    torch.testing.assert_close(top[:, 0], torch.full((4,), 200.0))
    assert camera.center_world[0, 1] < 0


@pytest.mark.parametrize("elevation_deg", [-90.0, 90.0])
def test_the_view_from_straight_above_or_below_is_a_view(elevation_deg: float):
    camera = turntable_cameras(cube(), 3, elevation_deg=elevation_deg)
    assert (camera.center_world[:, 1] * elevation_deg > 0).all()


def test_nothing_to_turn_is_refused():
    with pytest.raises(ValueError, match="no faces"):
        turntable_cameras(Mesh(torch.rand(3, 3), torch.zeros(0, 3, dtype=torch.int32)), 3)
    with pytest.raises(ValueError, match="not finite"):
        turntable_cameras(Mesh(torch.full((3, 3), torch.nan), torch.tensor([[0, 1, 2]])), 3)


@pytest.mark.parametrize(("up", "direction"), [("x", (1, 0, 0)), ("-y", (0, -1, 0))])
def test_each_axis_can_point_up_or_down(up, direction):
    camera = turntable_cameras(cube(), 4, up=up)
    expected = turntable_cameras(cube(), 4, up=direction)
    assert torch.equal(camera.world_to_view, expected.world_to_view)


@pytest.mark.parametrize("up", ["w", (0, 1), (0, 1, 0, 0)])
def test_what_is_no_axis_nor_three_numbers_does_not_point_up(up, unchecked):
    with pytest.raises(ValueError, match="up must be one of .*-z or three numbers, got "):
        turntable_cameras(cube(), 4, up=up)

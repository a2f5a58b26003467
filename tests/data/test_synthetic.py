"""Synthetic views: where the cameras stand, and that they see the mesh whole."""

from pathlib import Path

import pytest
import torch

from lightning_rast.data.fitted_sphere import fitted_sphere
from lightning_rast.data.synthetic import orbit_cameras, synthetic_views, view_directions
from lightning_rast.data.views import ViewsError
from lightning_rast.scene import Camera, Mesh, icosphere, load_mesh

REPOSITORY = Path(__file__).resolve().parent.parent.parent

LAYOUTS = ("fibonacci", "ring", "hemisphere")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_directions_are_units_and_distinct(layout):
    directions = view_directions(layout, 20)
    torch.testing.assert_close(directions.norm(dim=1), torch.ones(20, dtype=torch.float64))
    distances = torch.cdist(directions, directions) + 10 * torch.eye(20, dtype=torch.float64)
    assert distances.min() > 0.01


@pytest.mark.parametrize("layout", LAYOUTS)
def test_held_out_directions_are_others(layout):
    first = view_directions(layout, 20)
    others = view_directions(layout, 8, between=True)
    assert torch.cdist(first, others).min() > 0.02


def test_a_fibonacci_sphere_looks_from_everywhere():
    directions = view_directions("fibonacci", 100)
    assert directions.mean(dim=0).norm() < 0.01
    torch.testing.assert_close(
        directions.T @ directions / 100, torch.eye(3).double() / 3, atol=0.01, rtol=0
    )


def test_a_hemisphere_follows_its_seed_and_stays_above():
    first = view_directions("hemisphere", 50, seed=1)
    torch.testing.assert_close(first, view_directions("hemisphere", 50, seed=1))
    assert not torch.equal(first, view_directions("hemisphere", 50, seed=2))
    assert first[:, 1].min() >= 0


def test_cameras_straight_above_have_an_up_vector():
    directions = torch.tensor([[0.0, 1, 0], [0, -1, 0]], dtype=torch.float64)
    cameras = orbit_cameras(icosphere(1), directions, image_size=8)
    torch.testing.assert_close(cameras.look_direction, -directions)


@pytest.mark.parametrize("fov_deg", [10.0, 40.0, 100.0])
def test_the_whole_mesh_is_in_the_image_and_fills_it(fov_deg):
    sphere = icosphere(3, radius=0.03, center=(1.0, 2.0, 3.0))
    cameras = orbit_cameras(sphere, view_directions("fibonacci", 5), image_size=64, fov_deg=fov_deg)
    coverage = synthetic_views(sphere, cameras).coverage
    border = torch.cat([coverage[:, 0], coverage[:, -1], coverage[:, :, 0], coverage[:, :, -1]])
    assert border.max() == 0
    assert (coverage > 0.5).any(dim=1).sum(dim=1).min() >= 54


def test_unreferenced_vertices_do_not_move_the_cameras():
    sphere = icosphere(1)
    verts = torch.cat([sphere.verts, torch.tensor([[100.0, 0, 0]])])
    cameras = [
        orbit_cameras(mesh, view_directions("ring", 3), image_size=8)
        for mesh in (sphere, Mesh(verts, sphere.faces))
    ]
    torch.testing.assert_close(cameras[0].world_to_view, cameras[1].world_to_view)


def test_a_mesh_without_faces_is_refused():
    empty = Mesh(torch.zeros(1, 3), torch.zeros(0, 3, dtype=torch.int32))
    with pytest.raises(ViewsError, match="no faces"):
        orbit_cameras(empty, view_directions("ring", 3))


def test_a_camera_that_sees_nothing_is_named():
    away = Camera.look_at([[0, 0, 3.0]], (0, 0, 9.0), fov_deg=40.0, image_size=(8, 8))
    with pytest.raises(ViewsError, match="view_000 sees nothing"):
        synthetic_views(icosphere(1), away)


@pytest.mark.parametrize("unit", [1e-5, 1e5])
def test_an_object_looks_the_same_in_any_unit(unit):
    mesh = load_mesh(REPOSITORY / "data" / "models" / "avocado.glb")
    scaled = mesh.with_verts(mesh.verts * unit)
    directions = view_directions("fibonacci", 3)
    first, other = (
        synthetic_views(m, orbit_cameras(m, directions, image_size=48)) for m in (mesh, scaled)
    )
    torch.testing.assert_close(first.coverage, other.coverage, atol=1e-3, rtol=0)
    (center, radius), (scaled_center, scaled_radius) = map(fitted_sphere, (first, other))
    assert scaled_radius == pytest.approx(radius * unit, rel=1e-3)
    assert (scaled_center / unit - center).norm() < 0.01 * radius


def test_a_camera_inside_the_mesh_warns():
    with pytest.warns(UserWarning, match="inside the mesh's bounding sphere, whose radius is 1;"):
        orbit_cameras(icosphere(2), view_directions("ring", 3), image_size=8, distance=0.5)


@pytest.mark.filterwarnings("error")
def test_a_camera_just_outside_the_mesh_does_not_warn():
    orbit_cameras(icosphere(2), view_directions("ring", 3), image_size=8, distance=1.1)


def test_an_unknown_layout_is_named(unchecked):
    with pytest.raises(ValueError, match="one of .fibonacci.*got .spiral"):
        view_directions("spiral", 4)  # pyright: ignore[reportArgumentType]

import math

import pytest
import torch
from torch.nn.functional import normalize

from lightning_rast.optim import graded, local_thickness, pixel_footprint, remesh, target_edges
from lightning_rast.scene import Camera, Mesh, cube, cylinder, grid, icosphere

FOV_DEG, SIZE = 40.0, 100
FOCAL_PX = SIZE / 2 / math.tan(math.radians(FOV_DEG / 2))


def around(distance: float) -> Camera:
    eyes = normalize(torch.randn(12, 3, dtype=torch.float64), dim=1) * distance
    return Camera.look_at(eyes, fov_deg=FOV_DEG, image_size=(SIZE, SIZE))


def slab(thickness: float) -> Mesh:
    mesh = remesh(cube(), 0.08).mesh
    return mesh.with_verts(mesh.verts * torch.tensor([1.0, 1.0, thickness]))


def test_a_slab_is_as_thick_as_it_is():
    mesh = slab(0.1)
    inside = (mesh.verts[:, :2].abs() < 0.3).all(dim=1)
    thickness = local_thickness(mesh)[inside]
    torch.testing.assert_close(thickness, torch.full_like(thickness, 0.1), rtol=0.05, atol=0)


@pytest.mark.parametrize("radius", [0.01, 1.0, 300.0])
def test_a_ball_is_nearly_as_thick_as_its_diameter(radius):
    thickness = local_thickness(icosphere(3, radius=radius)) / (2 * radius)
    assert 0.74 < float(thickness.min()) < float(thickness.max()) < 1


def test_a_rod_is_as_thick_as_its_diameter():
    rod = cylinder(32, radius=0.05)
    thickness = local_thickness(remesh(rod, 0.03).mesh) / 0.1
    assert 0.7 < float(thickness.quantile(0.1)) < float(thickness.quantile(0.9)) < 1.05


def test_noise_hardly_changes_the_thickness():
    mesh = slab(0.2)
    noise = 0.01 * torch.randn(mesh.num_verts, 3)
    inside = (mesh.verts[:, :2].abs() < 0.3).all(dim=1)
    thickness = local_thickness(mesh.with_verts(mesh.verts + noise))[inside]
    assert float((thickness / 0.2 - 1).abs().median()) < 0.05
    assert float((thickness / 0.2 - 1).abs().max()) < 0.3


def test_an_open_sheet_has_no_thickness():
    assert bool(local_thickness(grid(4, 4)).isinf().all())


def test_thickness_does_not_depend_on_the_number_of_threads():
    mesh = icosphere(4)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = local_thickness(mesh)
        torch.set_num_threads(3)
        assert torch.equal(local_thickness(mesh), alone)
    finally:
        torch.set_num_threads(threads)


def test_the_footprint_is_the_depth_over_the_focal_length():
    footprint = pixel_footprint(icosphere(2, radius=0.01), around(3.0))
    torch.testing.assert_close(
        footprint, torch.full_like(footprint, 3 / FOCAL_PX), rtol=0.01, atol=0
    )


def test_the_footprint_of_parallel_rays_is_a_constant():
    cameras = Camera.orthographic_look_at([[0, 0, 5.0]], height=4.0, image_size=(SIZE, SIZE))
    footprint = pixel_footprint(icosphere(2), cameras)
    torch.testing.assert_close(footprint, torch.full_like(footprint, 4 / SIZE))


def test_what_no_view_looks_at_gets_what_the_others_have():
    near, far = icosphere(1), icosphere(1, center=(100.0, 0.0, 0.0))
    both = Mesh(torch.cat((near.verts, far.verts)), torch.cat((near.faces, far.faces + 42)))
    camera = Camera.look_at([[0, 0, 5.0]], fov_deg=FOV_DEG, image_size=(SIZE, SIZE))
    footprint = pixel_footprint(both, camera)
    torch.testing.assert_close(footprint[42:], footprint[:42].median().expand(42))


def test_cameras_that_look_past_the_mesh_are_refused():
    away = Camera.look_at([[0, 0, 5.0]], [[0, 0, 9.0]], fov_deg=30, image_size=(SIZE, SIZE))
    with pytest.raises(ValueError, match="one frame"):
        pixel_footprint(icosphere(1), away)


def test_a_thick_part_gets_edges_of_so_many_pixels():
    mesh = icosphere(4)
    target = target_edges(mesh, around(20.0), footprint_px=2.0)
    torch.testing.assert_close(target, 2 * pixel_footprint(mesh, around(20.0)), rtol=0.1, atol=0)


def test_edges_are_no_shorter_than_asked_for():
    target = target_edges(icosphere(2), around(5.0), min_edge=0.4)
    assert float(target.min()) == pytest.approx(0.4)


def test_a_thin_part_gets_edges_of_a_part_of_its_thickness():
    mesh = slab(0.1)
    target = target_edges(mesh, around(3.0), footprint_px=4.0, most_refined=10)
    inside = (mesh.verts[:, :2].abs() < 0.3).all(dim=1)
    torch.testing.assert_close(
        target[inside], torch.full_like(target[inside], 0.05), rtol=0.05, atol=0
    )


def test_a_ridge_is_no_thin_part():
    wedge = remesh(cube(), 0.05).mesh
    x, y, z = wedge.verts.unbind(1)
    wedge = wedge.with_verts(torch.stack((x, y, z * (0.55 - x)), dim=1))
    assert float(local_thickness(wedge).min()) < 0.1
    cameras, settings = around(4.0), {"footprint_px": 8.0, "gradation": math.inf}
    coarse = target_edges(wedge, cameras, thickness_factor=0.0, **settings)
    is_refined = target_edges(wedge, cameras, **settings) < 0.99 * coarse
    assert float(coarse.median()) > 0.2
    assert float(is_refined.double().mean()) < 0.2  # .46 by each vertex's own thickness


def test_thickness_refines_no_further_than_allowed():
    mesh = slab(0.01)
    cameras = around(3.0)
    coarse = target_edges(mesh, cameras, thickness_factor=0.0, gradation=math.inf)
    fine = target_edges(mesh, cameras, most_refined=2.0, gradation=math.inf)
    torch.testing.assert_close(fine, coarse / 2)


@pytest.mark.parametrize(
    "flat",
    [
        Mesh(torch.rand(8, 3), torch.zeros(0, 3, dtype=torch.int32)),
        icosphere(1).with_verts(torch.zeros(42, 3)),
    ],
    ids=["no faces", "collapsed"],
)
def test_a_mesh_without_an_edge_longer_than_nothing_is_refused(flat):
    with pytest.raises(ValueError, match="no edge longer than 0"):
        target_edges(flat, around(5.0))


def test_far_larger_edges_than_the_mesh_has_look_at_each_vertex_once(monkeypatch):
    looks = []
    equal = torch.equal
    monkeypatch.setattr(torch, "equal", lambda *each: looks.append(1) or equal(*each))
    target_edges(icosphere(2, radius=1e-6), around(5.0))
    assert len(looks) < 30  # rings from one end to the other; half a million by the edges' length


def test_edges_that_are_longer_by_any_factor_can_be_asked_for():
    ball = icosphere(1, radius=1e-15)
    target = target_edges(ball, around(5.0), min_edge=1e30, most_refined=math.inf)
    assert bool(target.isfinite().all())


def test_graded_lengths_rise_slowly_along_edges():
    mesh = icosphere(4)
    lengths = torch.where(mesh.verts[:, 0] > 0.9, 0.01, 10.0)
    low = graded(mesh, lengths, 0.3)
    ends = mesh.topology.edge_verts.long()
    a, b = mesh.verts[ends].unbind(1)
    rise = (low[ends[:, 0]] - low[ends[:, 1]]).abs() / (a - b).norm(dim=1)
    assert float(rise.max()) < 0.3001
    assert float(rise.median()) > 0.1
    assert bool((low <= lengths).all())


def test_graded_lengths_that_rise_slowly_stay():
    mesh = icosphere(3)
    lengths = 1 + 0.1 * mesh.verts[:, 0]
    torch.testing.assert_close(graded(mesh, lengths, 0.3), lengths)


@pytest.mark.parametrize(
    "wrong", [{"gradation": 0.0}, {"most_refined": 0.5}, {"footprint_px": -1.0}, {"min_edge": -1.0}]
)
def test_numbers_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match="target_edges"):
        target_edges(icosphere(1), around(5.0), **wrong)

"""Residuals, Jacobians and steps of the outline Gauss-Newton system."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from lightning_rast.ops.outline_system import solve_outline_system
from lightning_rast.optim.outline_newton import OutlineRows, outline_rows, outline_step
from lightning_rast.scene import Camera, Mesh, Topology
from lightning_rast.scene.laplacian import graph_laplacian
from lightning_rast.scene.primitives import grid, icosphere
from tests.optim.outline_scenes import SIZE, bumpy, cameras, disc_distances, mean_edge


def place(rows: OutlineRows, t: Tensor, verts: Tensor, views: Camera) -> Tensor:
    """Where the rows' points are along their normals for these vertices."""
    screen = views.project(verts)
    view, (a, b) = rows.view.long(), rows.verts.long().unbind(1)
    point = (1 - t)[:, None] * screen[view, a] + t[:, None] * screen[view, b]
    return (point * rows.normal).sum(1)


def test_the_jacobian_is_the_slope_of_the_projection():
    mesh, views = bumpy(), cameras()
    verts = mesh.verts.double()
    rows = outline_rows(verts, mesh.topology, views, disc_distances(views, 15.0))
    screen = views.project(verts)
    view, (a, b) = rows.view.long(), rows.verts.long().unbind(1)
    along = screen[view, b] - screen[view, a]
    t = ((rows.point - screen[view, a]) * along).sum(1) / along.square().sum(1)
    delta = torch.randn(verts.shape, dtype=torch.float64)
    step = 1e-5
    slope = place(rows, t, verts + step * delta, views) - place(
        rows, t, verts - step * delta, views
    )
    expected = (rows.jacobian * delta[rows.verts.long()]).sum((1, 2))
    torch.testing.assert_close(slope / (2 * step), expected, rtol=1e-6, atol=1e-5)


def test_an_orthographic_camera_has_its_jacobian_too():
    mesh = bumpy()
    views = Camera.orthographic_look_at((0.3, 0.4, 2.0), height=3.0, image_size=SIZE)
    rows = outline_rows(mesh.verts, mesh.topology, views, disc_distances(views, 15.0))
    # Pixels per world unit, in every direction of the image plane.
    total = rows.jacobian.sum(1).norm(dim=1)
    torch.testing.assert_close(total, torch.full_like(total, SIZE[0] / 3.0))


def test_points_in_the_world_project_onto_the_outline():
    mesh, views = bumpy(), cameras()
    rows = outline_rows(mesh.verts.double(), mesh.topology, views, disc_distances(views, 15.0))
    screen = views.project(rows.point_world)[rows.view.long(), torch.arange(len(rows))]
    torch.testing.assert_close(screen, rows.point, rtol=0, atol=1e-8)


def test_a_mask_that_is_larger_wants_the_outline_to_grow():
    mesh, views = icosphere(3, radius=0.5), cameras()
    rows = outline_rows(mesh.verts, mesh.topology, views, disc_distances(views, 15.0))
    # A sphere of radius .5 seen from 2.7: f r / sqrt(d^2 - r^2).
    focal = SIZE[0] / 2 / np.tan(np.radians(22.5))
    distance = views.center_world.norm(dim=1)
    radius = focal * 0.5 / (distance**2 - 0.25).sqrt()
    expected = (15.0 - radius)[rows.view.long()]
    assert float((rows.residual - expected).abs().max()) < 0.15


def test_residuals_are_clipped():
    mesh, views = icosphere(3, radius=0.3), cameras()
    rows = outline_rows(mesh.verts, mesh.topology, views, disc_distances(views, 22.0))
    assert bool((rows.residual == 6.0).all())


def test_residuals_beyond_hubers_limit_pull_no_harder_than_it():
    mesh, views = icosphere(3, radius=0.5), cameras()
    rows = outline_rows(mesh.verts, mesh.topology, views, disc_distances(views, 15.0))
    pull = rows.weight * rows.residual / rows.length
    assert float(rows.residual.min()) > 2.0
    torch.testing.assert_close(pull, torch.full_like(pull, 2.0))


def test_weights_scale_the_rows_of_their_view():
    mesh, views = bumpy(), cameras()
    distances = disc_distances(views, 15.0)
    even = outline_rows(mesh.verts, mesh.topology, views, distances)
    weights = torch.tensor([1.0, 0.5, 0.0, 2.0])
    rows = outline_rows(mesh.verts, mesh.topology, views, distances, weights=weights)
    torch.testing.assert_close(rows.weight, even.weight * weights.double()[rows.view.long()])


def test_unknown_places_make_no_rows():
    mesh, views = bumpy(), cameras()
    distances = disc_distances(views, 15.0)
    distances[1, :, :32] = torch.nan
    rows = outline_rows(mesh.verts, mesh.topology, views, distances)
    assert not bool(rows.residual.isnan().any())
    assert float(rows.point[rows.view == 1, 0].min()) >= 32.0
    assert float(rows.point[rows.view == 0, 0].min()) < 30.0


def test_places_that_know_of_no_outline_make_no_rows():
    mesh, views = bumpy(), cameras()
    distances = disc_distances(views, 15.0)
    distances[1] = torch.inf  # the mask fills the image, or nothing is known of it
    rows = outline_rows(mesh.verts, mesh.topology, views, distances)
    assert sorted(set(rows.view.tolist())) == [0, 2, 3]


def test_an_empty_mask_pulls_inwards_as_far_as_the_clip_lets_it():
    mesh, views = bumpy(), cameras()
    distances = disc_distances(views, 15.0)
    distances[1] = -torch.inf
    rows = outline_rows(mesh.verts, mesh.topology, views, distances)
    assert bool((rows.residual[rows.view == 1] == -6.0).all())


def dense_solution(
    verts: Tensor, topology: Topology, rows: OutlineRows, smoothing: float, wb: float, mu: float
) -> Tensor:
    num_verts = len(verts)
    design = torch.zeros(len(rows), num_verts, 3, dtype=torch.float64)
    for end in range(2):
        design[torch.arange(len(rows)), rows.verts[:, end].long()] += rows.jacobian[:, end]
    design = design.reshape(len(rows), -1)
    hessian = design.T @ (rows.weight[:, None] * design)
    scale = hessian.diagonal().mean()
    laplacian = torch.from_numpy(graph_laplacian(topology).toarray())
    laplacian = torch.kron(laplacian, torch.eye(3, dtype=torch.float64))
    shape = smoothing * laplacian + wb * laplacian @ laplacian
    matrix = hessian + scale * (shape + mu * torch.eye(3 * num_verts, dtype=torch.float64))
    right = design.T @ (rows.weight * rows.residual)
    right -= scale * wb * laplacian @ (laplacian @ verts.double().reshape(-1))
    return torch.linalg.solve(matrix, right).reshape(-1, 3)


@pytest.mark.parametrize(("bending", "smoothing"), [(0.0, 0.1), (0.3, 0.0), (0.05, 0.1)])
def test_the_solver_agrees_with_a_dense_solution(bending: float, smoothing: float):
    mesh, views = bumpy(2), cameras()
    verts, edge = mesh.verts.double(), mean_edge(mesh)
    rows = outline_rows(verts, mesh.topology, views, disc_distances(views, 15.0))
    wb = 4 / 9 * (bending / edge) ** 4
    step = outline_step(
        verts,
        mesh.topology,
        rows,
        bending=bending,
        edge=edge,
        smoothing=smoothing,
        damping=1e-3,
        rtol=1e-12,
        max_iterations=5000,
        max_edges=100.0,
    )
    expected = dense_solution(verts, mesh.topology, rows, smoothing, wb, 1e-3)
    whole = step.delta / step.scale[:, None]
    torch.testing.assert_close(whole, expected, rtol=1e-6, atol=1e-9)


def objective(
    verts: Tensor, delta: Tensor, mesh: Mesh, rows: OutlineRows, wb: float, stiffness: float
) -> float:
    laplacian = torch.from_numpy(graph_laplacian(mesh.topology).toarray())
    left = rows.residual - (rows.jacobian * delta[rows.verts.long()]).sum((1, 2))
    shape = wb * (laplacian @ (verts + delta)).square().sum()
    shape += 0.1 * (delta * (laplacian @ delta)).sum() + 1e-4 * delta.square().sum()
    return float((rows.weight * left**2).sum() + stiffness * shape)


def test_the_predicted_decrease_is_that_of_the_objective():
    mesh, views = bumpy(2), cameras()
    verts, edge = mesh.verts.double(), mean_edge(mesh)
    rows = outline_rows(verts, mesh.topology, views, disc_distances(views, 15.0))
    step = outline_step(verts, mesh.topology, rows, bending=0.1, edge=edge)
    wb = 4 / 9 * (0.1 / edge) ** 4
    before, after = (
        objective(verts, delta, mesh, rows, wb, step.stiffness)
        for delta in (torch.zeros_like(verts), step.delta)
    )
    assert step.predicted_decrease == pytest.approx(before - after, rel=1e-9)
    assert step.predicted_decrease > 0


def test_a_few_steps_bring_the_outline_onto_the_masks():
    mesh, views = icosphere(3, radius=0.6), cameras(8)
    distances = disc_distances(views, 15.0)
    verts, edge = mesh.verts, mean_edge(mesh)
    for _ in range(6):
        rows = outline_rows(verts, mesh.topology, views, distances)
        verts = verts + outline_step(verts, mesh.topology, rows, bending=0.02, edge=edge).delta
    assert outline_rows(verts, mesh.topology, views, distances).rms_px < 0.25


def test_most_of_what_is_predicted_comes_true_in_a_small_step():
    mesh, views = icosphere(3, radius=0.78), cameras(4, (96, 128))
    distances = disc_distances(views, 34.0)
    rows = outline_rows(mesh.verts, mesh.topology, views, distances)
    step = outline_step(mesh.verts, mesh.topology, rows, bending=0.05, edge=mean_edge(mesh))
    after = outline_rows(mesh.verts + step.delta, mesh.topology, views, distances)
    assert rows.rms_px - after.rms_px > 0.5 * (rows.rms_px - step.predicted_rms_px)


def test_bending_depends_on_neither_the_unit_of_length_nor_the_masks_size():
    mesh = bumpy(2)
    deltas = []
    for unit in (1.0, 1000.0):
        views = cameras()
        scaled = views.world_to_view.clone()
        scaled[:, :3, 3] *= unit
        views = replace(views, world_to_view=scaled, near=1e-3 * unit, far=1e4 * unit)
        verts = mesh.verts.double() * unit
        rows = outline_rows(verts, mesh.topology, views, disc_distances(views, 15.0))
        step = outline_step(
            verts, mesh.topology, rows, bending=0.1 * unit, edge=mean_edge(mesh) * unit
        )
        deltas.append(step.delta / unit)
    torch.testing.assert_close(deltas[0], deltas[1], rtol=1e-6, atol=1e-9)


def test_no_face_turns_over():
    mesh, views = bumpy(4, radius=0.4), cameras()
    distances = disc_distances(views, 22.0)
    rows = outline_rows(mesh.verts, mesh.topology, views, distances)
    step = outline_step(mesh.verts, mesh.topology, rows, bending=0.0, edge=mean_edge(mesh))
    before = mesh.face_area_vectors
    after = mesh.with_verts(mesh.verts + step.delta).face_area_vectors
    assert float(step.scale.min()) < 1.0  # it would have gone further
    assert bool(((before * after).sum(1) > 0).all())


def test_no_vertex_moves_further_than_the_limit():
    mesh, views = icosphere(4, radius=0.5), cameras()
    rows = outline_rows(mesh.verts, mesh.topology, views, disc_distances(views, 20.0))
    step = outline_step(
        mesh.verts, mesh.topology, rows, bending=0.02, edge=mean_edge(mesh), max_edges=0.25
    )
    a, b = mesh.topology.edge_verts.long().T
    longest = float((mesh.verts[a] - mesh.verts[b]).norm(dim=1).max())
    assert float(step.delta.norm(dim=1).max()) <= 0.25 * longest


def test_a_mesh_outside_of_all_views_does_not_move():
    mesh, views = icosphere(2, radius=0.1, center=(0.0, 40.0, 0.0)), cameras()
    rows = outline_rows(mesh.verts, mesh.topology, views, disc_distances(views, 15.0))
    step = outline_step(mesh.verts, mesh.topology, rows, bending=0.1, edge=mean_edge(mesh))
    assert len(rows) == 0
    assert bool((step.delta == 0).all())


def test_one_view_moves_nothing_along_its_line_of_sight_alone():
    mesh = icosphere(3, radius=0.6)
    views = Camera.look_at((0.0, 0.0, 2.7), fov_deg=45.0, image_size=SIZE)
    rows = outline_rows(mesh.verts, mesh.topology, views, disc_distances(views, 15.0))
    step = outline_step(mesh.verts, mesh.topology, rows, bending=0.0, edge=mean_edge(mesh))
    assert bool(step.delta.isfinite().all())
    sideways, along = step.delta[:, :2].norm(), step.delta[:, 2].norm()
    assert float(along) < 0.5 * float(sideways)


def test_degenerate_faces_and_loose_vertices_do_no_harm():
    base = icosphere(2, radius=0.6)
    faces = torch.cat((base.faces, torch.tensor([[0, 0, 1], [3, 3, 3]], dtype=torch.int32)))
    verts = torch.cat((base.verts, torch.zeros(2, 3)))
    verts[5] = verts[base.topology.edge_verts[base.topology.edge_verts[:, 0] == 5][0, 1].long()]
    mesh, views = Mesh(verts, faces), cameras()
    rows = outline_rows(verts, mesh.topology, views, disc_distances(views, 15.0))
    step = outline_step(verts, mesh.topology, rows, bending=0.05, edge=mean_edge(mesh))
    assert bool(step.delta.isfinite().all())
    assert bool((step.delta[-2:] == 0).all())


def test_an_open_sheet_can_be_fitted():
    mesh, views = grid(12, 12), cameras(3)
    rows = outline_rows(mesh.verts, mesh.topology, views, disc_distances(views, 12.0))
    step = outline_step(mesh.verts, mesh.topology, rows, bending=0.05, edge=mean_edge(mesh))
    assert step.predicted_rms_px < rows.rms_px


def test_any_number_of_threads_takes_the_same_step():
    mesh, views = bumpy(5), cameras()
    distances = disc_distances(views, 15.0)
    steps = []
    threads = torch.get_num_threads()
    for count in (1, 2, 3):
        torch.set_num_threads(count)
        rows = outline_rows(mesh.verts, mesh.topology, views, distances)
        steps.append(outline_step(mesh.verts, mesh.topology, rows, bending=0.03, edge=0.03).delta)
    torch.set_num_threads(threads)
    assert mesh.num_verts > 2 * 4096  # enough for several threads to be used
    assert torch.equal(steps[0], steps[1])
    assert torch.equal(steps[0], steps[2])


def test_rows_of_another_mesh_are_refused():
    mesh, views = icosphere(3, radius=0.6), cameras()
    rows = outline_rows(mesh.verts, mesh.topology, views, disc_distances(views, 15.0))
    other = Topology.from_faces(icosphere(2).faces, mesh.num_verts)
    with pytest.raises(ValueError, match="made for another mesh"):
        outline_step(mesh.verts, other, rows, bending=0.1, edge=0.1)


@pytest.mark.parametrize("name", ["bending", "smoothing", "damping", "rtol"])
def test_a_number_below_zero_is_refused(name: str):
    mesh, views = icosphere(1), cameras()
    rows = outline_rows(mesh.verts, mesh.topology, views, disc_distances(views, 15.0))
    settings = {"bending": 0.1, "edge": 0.1, name: -1.0}
    with pytest.raises(ValueError, match=f"{name} must be 0 or more"):
        outline_step(mesh.verts, mesh.topology, rows, **settings)


def test_distances_of_another_size_are_refused():
    mesh, views = icosphere(1), cameras()
    with pytest.raises(ValueError, match=r"distances must be \(4, 48, 64\)"):
        outline_rows(mesh.verts, mesh.topology, views, torch.zeros(4, 64, 48))


def test_a_system_without_any_term_is_solved_by_no_step():
    verts = torch.randn(5, 3, dtype=torch.float64)
    none = torch.zeros(0, dtype=torch.float64)
    found = solve_outline_system(
        verts,
        torch.tensor([[0, 1], [1, 2]], dtype=torch.int32),
        torch.zeros(0, 2, dtype=torch.int32),
        none.view(0, 2, 3),
        none,
        none,
        smoothing=0.1,
        bending=1.0,
        damping=0.0,
        rtol=1e-2,
        max_iterations=60,
    )
    assert (found.stiffness, found.iterations) == (0.0, 0)
    assert bool((found.delta == 0).all())

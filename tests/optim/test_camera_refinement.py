"""Corrections of cameras: their derivatives, what they must not touch, and what they win back."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from lightning_rast.ops import contour_coverage
from lightning_rast.ops.mask_distance import mask_distance
from lightning_rast.optim.camera_refinement import (
    camera_step,
    refine_cameras,
    twisted,
    without_gauge,
)
from lightning_rast.optim.outline_newton import outline_rows
from lightning_rast.scene import Camera, Mesh
from lightning_rast.scene.primitives import icosphere

SIZE = (96, 96)
CENTER = torch.tensor([0.05, -0.1, 0.02], dtype=torch.float64)


def cameras(count: int = 12) -> Camera:
    i = torch.arange(count, dtype=torch.float64) + 0.5
    y, angle = 1 - 2 * i / count, math.pi * (1 + 5**0.5) * i
    eye = torch.stack((angle.cos() * (1 - y**2).sqrt(), y, angle.sin() * (1 - y**2).sqrt()), 1)
    return Camera.look_at(2.7 * eye, fov_deg=45.0, image_size=SIZE)


def potato(level: int = 4) -> Mesh:
    """Nothing round about it: a turned view of it looks different."""
    mesh = icosphere(level)
    x, y, z = mesh.verts.T
    radius = 0.6 + 0.12 * torch.sin(4 * x + 1) * torch.sin(3 * y + 2) + 0.1 * torch.sin(5 * z) * x
    return mesh.with_verts(radius[:, None] * mesh.verts * torch.tensor([1.2, 0.9, 0.7]))


def distances_of(mesh: Mesh, views: Camera) -> Tensor:
    verts_clip = views.world_to_clip(mesh.verts)
    return mask_distance(contour_coverage(verts_clip, mesh.topology, views.image_size))


def turned(views: Camera, degrees: float, seed: int = 0) -> Camera:
    """Each camera looks past its target in a direction of its own."""
    generator = torch.Generator().manual_seed(seed)
    axis = torch.randn(len(views), 3, generator=generator, dtype=torch.float64)
    twists = torch.zeros(len(views), 6, dtype=torch.float64)
    twists[:, :3] = math.radians(degrees) * axis / axis.norm(dim=1, keepdim=True)
    middles = views.center_world
    each = [twisted(views[[i]], twists[[i]], middles[i]) for i in range(len(views))]
    return Camera.cat(each)


@pytest.mark.parametrize("orthographic", [False, True])
def test_rows_know_how_their_points_follow_a_twist(orthographic: bool):
    mesh, views = potato(3), cameras(3)
    if orthographic:
        views = Camera.orthographic_look_at(views.center_world, height=2.5, image_size=SIZE)
    rows = outline_rows(mesh.verts, mesh.topology, views, distances_of(mesh, views))
    wanted = 1e-5 * torch.randn(3, 6, dtype=torch.float64)
    ends = [
        twisted(views, sign * wanted, CENTER).project(rows.point_world)[rows.view.long()]
        for sign in (0.5, -0.5)
    ]
    index = torch.arange(len(rows))
    moved = ((ends[0] - ends[1])[index, index] * rows.normal).sum(1)
    # Rows that ask for just this motion get it.
    rows = replace(rows, residual=moved)
    found = camera_step(rows, views, CENTER, torch.zeros(3, 6).double(), prior=1e-12)
    if orthographic:  # the depth shows in no picture
        wanted[:, 5] = 0
    torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-9)


def test_a_view_without_rows_stays():
    mesh, views = potato(3), cameras(3)
    distances = distances_of(mesh, turned(views, 1.0))
    distances[1] = torch.nan
    rows = outline_rows(mesh.verts, mesh.topology, views, distances)
    step = camera_step(rows, views, CENTER, torch.zeros(3, 6).double(), prior=0.01)
    assert (step.abs().sum(1) > 0).tolist() == [True, False, True]


def test_the_prior_holds_back_what_has_been_moved_already():
    mesh, views = potato(3), cameras(3)
    rows = outline_rows(mesh.verts, mesh.topology, views, distances_of(mesh, views))
    total = 0.01 * torch.randn(3, 6, dtype=torch.float64)
    step = camera_step(replace(rows, residual=0 * rows.residual), views, CENTER, total, prior=0.5)
    assert bool(((step * total).sum(1) < 0).all())


def test_a_motion_of_the_whole_world_is_no_correction():
    views = cameras(6)
    omega, shift, growth = torch.randn(3).double(), torch.randn(3).double(), 0.3
    rotation = views.world_to_view[:, :3, :3]
    twists = torch.cat((rotation @ omega, rotation @ shift), dim=1)
    depth = views.world_to_view_points(CENTER[None])[:, 0, 2]
    twists[:, 5] -= growth * depth
    left = without_gauge(twists, views, CENTER)
    torch.testing.assert_close(left, torch.zeros_like(left), rtol=0, atol=1e-9)


def test_taking_out_the_gauge_twice_changes_nothing_more():
    views, twists = cameras(6), torch.randn(6, 6, dtype=torch.float64)
    once = without_gauge(twists, views, CENTER)
    torch.testing.assert_close(without_gauge(once, views, CENTER), once)


def test_the_poses_of_known_shapes_are_found_again():
    mesh, truth = potato(), cameras(5)
    distances = distances_of(mesh, truth)
    start = turned(truth, 1.0)
    total = torch.zeros(5, 6, dtype=torch.float64)
    for _ in range(6):
        views = twisted(start, total, CENTER)
        rows = outline_rows(mesh.verts, mesh.topology, views, distances)
        total = total + camera_step(rows, views, CENTER, total, prior=1e-5)
    found = twisted(start, total, CENTER).project(mesh.verts)
    before = (start.project(mesh.verts) - truth.project(mesh.verts)).norm(dim=2).mean()
    after = (found - truth.project(mesh.verts)).norm(dim=2).mean()
    assert float(after) < 0.05 * float(before)


def test_turned_cameras_are_corrected_and_the_outline_fits_again():
    mesh, truth = potato(), cameras()
    found = refine_cameras(
        mesh, turned(truth, 0.6), distances_of(mesh, truth), bending=0.03, rounds=10
    )
    assert found.accepted
    assert found.rms_px[1] < 0.5 * found.rms_px[0]


def test_right_cameras_stay_what_they_are():
    mesh, views = potato(), cameras()
    found = refine_cameras(mesh, views, distances_of(mesh, views), bending=0.03, rounds=5)
    assert not found.accepted
    assert torch.equal(found.cameras.world_to_view, views.world_to_view)
    assert "left as they are" in str(found)


def test_masks_that_no_pose_explains_move_no_camera():
    mesh, views = potato(), cameras()
    distances = distances_of(mesh, views)
    y, x = torch.meshgrid(torch.arange(SIZE[0]), torch.arange(SIZE[1]), indexing="ij")
    rough = 1.5 * torch.sin(0.9 * x + torch.arange(len(views))[:, None, None]) * torch.cos(0.8 * y)
    found = refine_cameras(mesh, views, distances + rough, bending=0.03, rounds=5)
    assert not found.accepted


def test_an_impossible_share_is_refused():
    mesh, views = potato(1), cameras(3)
    with pytest.raises(ValueError, match="0 < needed <= 1"):
        refine_cameras(mesh, views, torch.zeros(3, *SIZE), bending=0.03, needed=1.5)


@pytest.mark.parametrize("limit", ["clip_px", "huber_px"])
def test_corrections_follow_the_limits_of_residuals(limit: str):
    mesh, views = potato(3), cameras()
    distances = distances_of(mesh, views)
    wrong = turned(views, 1.0)

    def turn(**limits: float) -> float:
        found = refine_cameras(mesh, wrong, distances, bending=0.05, rounds=1, **limits)
        return float(found.rotation_deg.mean())

    assert abs(turn(**{limit: 0.05}) / turn() - 1) > 0.01

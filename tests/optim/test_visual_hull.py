"""visual_hull on shapes rendered and carved again."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from lightning_rast.ops import mask_distance
from lightning_rast.optim import (
    HullError,
    Targets,
    VisualHull,
    compare_topology,
    view_bounds,
    visual_hull,
    voxelize,
)
from lightning_rast.render import render_silhouettes
from lightning_rast.scene import Camera, Mesh, icosphere, torus


def around(num_views: int, *, size: int = 128, distance: float = 4.0, scale: float = 1.0) -> Camera:
    index = torch.arange(num_views) + 0.5
    height = 1 - 2 * index / num_views
    angle = index * math.pi * (3 - math.sqrt(5))
    ring = (1 - height**2).sqrt()
    eye = torch.stack((ring * angle.cos(), height, ring * angle.sin()), dim=1)
    eye = eye * distance * scale
    return Camera.look_at(
        eye, fov_deg=40, image_size=(size, size), near=1e-3 * scale, far=1e3 * scale
    )


def carved(mesh: Mesh, cameras: Camera, **options: float) -> VisualHull:
    return visual_hull(render_silhouettes(mesh, cameras), cameras, **options)


def volume_iou(first: Mesh, second: Mesh, resolution: int = 64) -> float:
    corners = torch.cat((first.bounds, second.bounds))
    low, high = corners.amin(dim=0), corners.amax(dim=0)
    cell = float((high - low).max()) / resolution
    size = [resolution + 3] * 3
    one, two = (
        voxelize(mesh, origin=low - cell, cell=cell, size=size) != 0 for mesh in (first, second)
    )
    return float((one & two).sum() / (one | two).sum())


def test_the_hull_of_a_ball_is_the_ball():
    ball = icosphere(4)
    hull = carved(ball, around(24))
    assert volume_iou(hull.mesh, ball) > 0.96
    assert hull.num_disagreeing == 0
    assert hull.mesh.topology.genus == 0


def test_the_hull_contains_the_object():
    shape = torus()
    hull = carved(shape, around(12))
    distance = mask_distance(render_silhouettes(hull.mesh, around(12)))
    target = mask_distance(render_silhouettes(shape, around(12)))
    assert float((distance - target)[target.abs() < 1].min()) > -1.0


def test_a_hole_that_masks_show_is_open():
    cameras = around(12)
    masks = render_silhouettes(torus(), cameras)
    compared = compare_topology(visual_hull(masks, cameras).mesh, Targets.of(masks, cameras))
    assert compared.masks.holes
    assert not compared.missing_holes


@pytest.mark.parametrize("scale", [0.03, 1.0, 1500.0])
def test_the_box_is_found_in_any_unit(scale):
    ball = icosphere(3)
    ball = ball.with_verts(scale * ball.verts)
    hull = carved(ball, around(10, scale=scale), resolution=48)
    assert hull.unit == pytest.approx(scale / 0.9, rel=0.05)


def test_the_box_is_found_for_an_object_far_from_the_origin():
    ball = icosphere(3)
    shift = torch.tensor([30.0, -12.0, 4.0])
    cameras = around(10)
    view = cameras.world_to_view.clone()
    view[:, :3, 3] -= view[:, :3, :3] @ shift.double()
    hull = carved(
        ball.with_verts(ball.verts + shift), replace(cameras, world_to_view=view), resolution=48
    )
    assert torch.allclose(hull.mesh.bounds.mean(dim=0), shift, atol=0.05)


def test_parallel_rays_work_too():
    eye = around(10).center_world
    cameras = Camera.orthographic_look_at(eye, height=3.0, image_size=(96, 96))
    assert volume_iou(carved(icosphere(3), cameras, resolution=48).mesh, icosphere(3)) > 0.9


def test_an_object_that_leaves_every_image_is_not_cut():
    ball = icosphere(4)
    cameras = around(16)
    shift = torch.tensor([[18, 0], [-18, 0], [0, 18], [0, -18]]).repeat(4, 1)
    K = cameras.K.clone()
    K[:, :2, 2] += 2 * shift
    cameras = replace(cameras, K=K)
    masks = render_silhouettes(ball, cameras)
    is_cut = torch.cat((masks[:, 0], masks[:, -1], masks[:, :, 0], masks[:, :, -1]), dim=1) > 0.5
    assert bool(is_cut.any(dim=1).all())
    assert volume_iou(visual_hull(masks, cameras, resolution=48).mesh, ball) > 0.9


def test_unknown_pixels_do_not_cut():
    ball = icosphere(4)
    cameras = around(16)
    masks = render_silhouettes(ball, cameras)
    known = torch.ones_like(masks, dtype=torch.bool)
    known[:8, :, 40:60] = False
    masks[~known] = 0
    assert volume_iou(visual_hull(masks, cameras, known=known, resolution=48).mesh, ball) > 0.93


def test_one_half_blank_mask_does_not_cut_the_hull():
    ball = icosphere(4)
    cameras = around(16)
    masks = render_silhouettes(ball, cameras)
    masks[5, :, :64] = 0
    hull = visual_hull(masks, cameras, resolution=48)
    assert hull.num_disagreeing == 1
    assert volume_iou(hull.mesh, ball) > 0.9
    assert int(hull.uncovered.argmax()) != 5  # it asks for less, not for more


def test_an_empty_mask_among_good_ones_does_not_empty_the_hull():
    ball = icosphere(4)
    cameras = around(16)
    masks = render_silhouettes(ball, cameras)
    masks[3] = 0
    assert volume_iou(visual_hull(masks, cameras, resolution=48).mesh, ball) > 0.9


def test_with_few_good_views_no_view_may_disagree():
    assert carved(torus(), around(4), resolution=48).num_disagreeing == 0


def test_specks_are_dropped_and_reported():
    ball = icosphere(4)
    speck = icosphere(1)
    both = Mesh(
        torch.cat((ball.verts, 0.06 * speck.verts + torch.tensor([1.2, 0.3, 0.1]))),
        torch.cat((ball.faces, speck.faces + ball.num_verts)),
    )
    hull = carved(both, around(16, distance=5.0))
    assert hull.mesh.topology.num_components == 1
    assert any(1e-5 < part < 0.01 for part in hull.dropped)


def test_two_objects_both_stay():
    ball = icosphere(3)
    both = Mesh(
        torch.cat((0.5 * ball.verts, 0.5 * ball.verts + torch.tensor([1.3, 0.0, 0.0]))),
        torch.cat((ball.faces, ball.faces + ball.num_verts)),
    )
    assert carved(both, around(16, distance=6.0)).mesh.topology.num_components == 2


def test_views_that_contradict_all_others_are_named():
    # Half of the cameras look at one ball, half at another one elsewhere.
    ball, cameras = icosphere(3), around(9, distance=8.0)
    masks = render_silhouettes(ball, cameras)
    bad = [1, 4, 7, 8]
    away = ball.with_verts(0.4 * ball.verts + torch.tensor([1.4, 1.4, 1.4]))
    masks[bad] = render_silhouettes(away, cameras)[bad]
    with pytest.raises(HullError, match="Check those masks") as caught:
        visual_hull(masks, cameras)
    assert set(caught.value.views) == set(bad)


def test_masks_without_anything_inside_are_refused():
    cameras = around(3, size=16)
    with pytest.raises(ValueError, match="0 of 3 masks show an outline"):
        visual_hull(torch.zeros(3, 16, 16), cameras)


def test_one_view_is_refused():
    with pytest.raises(ValueError, match="at least two"):
        visual_hull(torch.ones(1, 16, 16), around(1, size=16))


def test_a_given_box_is_carved():
    box = torch.tensor([[-1.0, -1.0, 0.0], [1.0, 1.0, 1.0]])
    hull = carved(icosphere(3), around(10), bounds=box, resolution=48)
    assert float(hull.mesh.bounds[0, 2]) == pytest.approx(0, abs=0.05)


def test_the_box_of_views_surrounds_the_object():
    cameras = around(10)
    low, high = view_bounds(mask_distance(render_silhouettes(icosphere(3), cameras)), cameras)
    assert bool((low < -0.98).all())
    assert bool((high > 0.98).all())
    assert bool((high - low < 2.6).all())


def test_the_same_bits_every_time():
    meshes: list[Tensor] = [carved(torus(), around(6), resolution=32).mesh.verts for _ in range(2)]
    assert torch.equal(*meshes)


def test_the_same_view_again_and_again_is_no_second_view():
    same = around(6)[[2, 2, 2]]
    with pytest.raises(ValueError, match="all 3 masks with an outline show the object from one s"):
        carved(icosphere(2), same)

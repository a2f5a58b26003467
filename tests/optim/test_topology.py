"""What masks show of an object's topology, and meshes changed to match."""

import pytest
import torch

from lightning_rast.optim import (
    Targets,
    compare_topology,
    extract_surface,
    image_topology,
    judge,
    needs_revoxelizing,
    other_topology,
    part_genus,
    retopologized,
    revoxelized,
    visual_hull,
)
from lightning_rast.optim.topology import lost_outline
from lightning_rast.render import render_silhouettes
from lightning_rast.scene import Mesh, icosphere, torus
from tests.optim.test_visual_hull import around, volume_iou


def picture(text: str) -> torch.Tensor:
    rows = [[float(pixel == "#") for pixel in row.strip()] for row in text.strip().split("\n")]
    return torch.tensor([rows])


def joined(*meshes: Mesh) -> Mesh:
    verts, faces, first = [], [], 0
    for mesh in meshes:
        verts.append(mesh.verts)
        faces.append(mesh.faces + first)
        first += mesh.num_verts
    return Mesh(torch.cat(verts), torch.cat(faces))


def ball_with_bar(*, gap: float) -> Mesh:
    """A ball cut in two by a slit, the halves held together by bars: genus 1."""
    x, y, z = torch.meshgrid(*(torch.linspace(-1.2, 1.2, 97),) * 3, indexing="ij")
    field = 1 - (x * x + y * y + z * z).sqrt()
    slit = (gap - z.abs()).clamp(min=-1)
    bars = torch.maximum(0.1 - ((x - 0.4) ** 2 + y**2).sqrt(), 0.1 - ((x + 0.4) ** 2 + y**2).sqrt())
    field = torch.minimum(field, torch.maximum(-slit, bars))
    return extract_surface(field, origin=(-1.2, -1.2, -1.2), cell=2.4 / 96)


def test_holes_and_pieces_are_counted():
    found = image_topology(
        picture("""
        ..........
        .####..##.
        .#..#..##.
        .#..#.....
        .####.....
        .........."""),
        smallest_px=1,
    )
    assert found.num_pieces.tolist() == [2]
    assert found.num_holes.tolist() == [1]
    assert found.holes[0].area == 4


def test_small_pieces_and_holes_are_noise():
    image = torch.zeros(1, 40, 40)
    image[0, 5:30, 5:30] = 1
    image[0, 10, 10], image[0, 35, 35] = 0, 1
    found = image_topology(image)
    assert found.num_pieces.tolist() == [1]
    assert found.num_holes.tolist() == [0]


def test_a_bay_that_leaves_the_image_is_no_hole_and_pieces_that_do_may_be_one():
    found = image_topology(
        picture("""
        ##.##
        ##.##
        .....
        #####
        ##.##"""),
        smallest_px=1,
    )
    assert found.num_holes.tolist() == [0]
    assert found.num_pieces.tolist() == [1]


def test_background_beside_unknown_pixels_is_no_hole():
    image = picture("""
        #####
        #...#
        #...#
        #####""")
    known = torch.ones_like(image, dtype=torch.bool)
    padded = torch.nn.functional.pad(image, (2, 2, 2, 2))
    known = torch.nn.functional.pad(known, (2, 2, 2, 2), value=True)
    assert image_topology(padded, known, smallest_px=1).num_holes.tolist() == [1]
    known[0, 3, 4] = False
    assert image_topology(padded, known, smallest_px=1).num_holes.tolist() == [0]


def test_each_part_has_its_genus():
    assert part_genus(joined(icosphere(1), torus())) == (1, 0)


def test_an_open_mesh_has_no_genus():
    mesh = icosphere(1)
    with pytest.raises(ValueError, match="closed, oriented"):
        part_genus(Mesh(mesh.verts, mesh.faces[1:]))


def test_a_ring_agrees_with_its_masks():
    cameras = around(8)
    compared = compare_topology(torus(), Targets.of(render_silhouettes(torus(), cameras), cameras))
    assert compared.genus == (1,)
    assert not needs_revoxelizing(compared)


def test_a_ball_in_place_of_a_ring_lacks_its_hole():
    cameras = around(8)
    targets = Targets.of(render_silhouettes(torus(), cameras), cameras)
    compared = compare_topology(icosphere(3), targets)
    assert compared.missing_holes
    assert needs_revoxelizing(compared)


def test_a_ring_in_place_of_a_ball_has_a_phantom_handle():
    cameras = around(8)
    targets = Targets.of(render_silhouettes(icosphere(3), cameras), cameras)
    compared = compare_topology(torus(), targets)
    assert compared.num_phantom_handles == 1


def test_revoxelizing_keeps_the_shape():
    again = revoxelized(torus())
    assert again.topology.genus == 1
    assert volume_iou(again, torus()) > 0.95


def test_revoxelizing_joins_what_intersects():
    balls = joined(icosphere(3), icosphere(3).with_verts(icosphere(3).verts + 0.5))
    again = revoxelized(balls, 96)
    assert again.topology.num_components == 1
    assert again.topology.genus == 0


def test_a_mesh_too_thin_for_the_voxels_is_refused():
    ball = icosphere(2)
    flat = ball.with_verts(ball.verts * torch.tensor([1.0, 1.0, 1e-4]))
    with pytest.raises(ValueError, match="nothing is left"):
        revoxelized(flat.with_verts(flat.verts + torch.tensor([0.0, 0.0, 3e-3])), 64)


def test_a_hole_that_masks_show_opens():
    cameras = around(12)
    targets = Targets.of(render_silhouettes(torus(), cameras), cameras)
    low, high = torus().bounds
    # The ring's box, rounded: it closes the hole.
    closed = icosphere(4).with_verts(icosphere(4).verts * (high - low) / 2)
    opened = retopologized(closed, targets, resolution=80)
    assert opened.topology.genus == 1


def test_a_bar_that_no_mask_shows_is_cut():
    # Two bars in a slit that no view looks through: the ball around hides them.
    solid = ball_with_bar(gap=0.12)
    assert solid.topology.genus == 1
    cameras = around(12)
    steep = cameras[(cameras.center_world[:, 2].abs() > 1.9).nonzero()[:, 0]]
    targets = Targets.of(render_silhouettes(icosphere(4), steep), steep)
    assert retopologized(solid, targets, resolution=80).topology.genus == 0


def test_a_phantom_handle_is_found_though_a_mask_has_a_chance_hole():
    solid = ball_with_bar(gap=0.12)
    cameras = around(12)
    steep = cameras[(cameras.center_world[:, 2].abs() > 1.9).nonzero()[:, 0]]
    masks = render_silhouettes(icosphere(4), steep)
    height, width = steep.image_size
    masks[0, height // 2, width // 2 - 10 : width // 2 + 10] = 0  # a slit, too fine to be missing
    targets = Targets.of(masks, steep)
    assert not needs_revoxelizing(compare_topology(solid, targets))
    changed = other_topology(solid, targets, resolution=80)
    assert changed is not None
    assert changed.topology.genus == 0


def test_a_real_handle_is_not_cut():
    cameras = around(12)
    targets = Targets.of(render_silhouettes(torus(), cameras), cameras)
    assert other_topology(torus(), targets, resolution=80) is None
    assert retopologized(torus(), targets, resolution=80).topology.genus == 1


def test_a_lost_tip_is_refused():
    cameras = around(8)
    ball = icosphere(4)
    x, y, z = ball.verts.unbind(1)
    tip = ball.with_verts(torch.stack((torch.where(x > 0.99, 1.5 * x, x), y, z), dim=1))
    targets = Targets.of(render_silhouettes(tip, cameras), cameras)
    assert float(lost_outline(tip, targets).max()) == 0
    verdict = judge(tip, ball, targets, most_iou_lost=0.1)
    assert not verdict.accepted
    assert "thin parts" in verdict.reason


def test_an_equal_mesh_is_accepted_and_a_worse_one_refused():
    cameras = around(6)
    targets = Targets.of(render_silhouettes(icosphere(4), cameras), cameras)
    assert judge(icosphere(4), icosphere(4), targets).accepted
    small = icosphere(4).with_verts(0.99 * icosphere(4).verts)
    assert "IoU falls" in judge(icosphere(4), small, targets).reason


@pytest.mark.slow
def test_a_hull_loses_handles_that_no_mask_shows():
    cameras = around(12)
    masks = render_silhouettes(torus(), cameras)
    hull = visual_hull(masks, cameras).mesh
    changed = other_topology(hull, Targets.of(masks, cameras))
    assert changed is not None
    assert 1 <= sum(part_genus(changed)) < sum(part_genus(hull))
    assert volume_iou(changed, torus()) > volume_iou(hull, torus()) - 0.005

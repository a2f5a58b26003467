"""The public record of the outline, against the operator's gradient and other pictures of it."""

import math

import pytest
import torch
from torch import Tensor

from lightning_rast.ops import ContourPieces, contour_coverage, contour_pieces
from lightning_rast.scene import Topology
from tests.ops.contour_meshes import ALL, FOLDED, SMOOTH, icosphere, sheet
from tests.ops.contour_soups import general_soup
from tests.ops.contour_views import EYE, on_screen, seen_from
from tests.reference.coverage import supersampled_coverage

SIZE = (41, 53)


def on_image(verts_clip: Tensor, image_size: tuple[int, int]) -> Tensor:
    height, width = image_size
    ndc = verts_clip[..., :2] / verts_clip[..., 3:]
    return torch.stack(((1 + ndc[..., 0]) * width, (1 - ndc[..., 1]) * height), -1) / 2


def gradient_from_pieces(verts_clip: Tensor, pieces: ContourPieces, weights: Tensor) -> Tensor:
    """d sum(weights * coverage) / d verts_clip by autograd through the pieces' points."""
    verts_clip = verts_clip.clone().requires_grad_()
    screen = on_image(verts_clip, (weights.shape[1], weights.shape[2]))
    view, (a, b) = pieces.view.long(), pieces.verts.long().unbind(1)
    t = pieces.t[:, None]
    point = (1 - t) * screen[view, a] + t * screen[view, b]
    column, row = pieces.point.floor().long().unbind(1)
    row, column = row.clamp(0, weights.shape[1] - 1), column.clamp(0, weights.shape[2] - 1)
    sweep = (weights[view, row, column] * pieces.length)[:, None] * pieces.normal
    return torch.autograd.grad((point * sweep).sum(), verts_clip)[0]


def gradient_of_coverage(verts_clip: Tensor, topology: Topology, weights: Tensor) -> Tensor:
    verts_clip = verts_clip.clone().requires_grad_()
    coverage = contour_coverage(verts_clip, topology, (weights.shape[1], weights.shape[2]))
    return torch.autograd.grad((coverage * weights).sum(), verts_clip)[0]


@pytest.mark.parametrize("name", ALL)
def test_pieces_sum_up_to_the_gradient_of_coverage(name: str):
    shape = ALL[name]()
    verts_clip = torch.cat((seen_from(shape.verts), seen_from(shape.verts, (-2.0, 0.7, 0.6))))
    weights = torch.randn(2, *SIZE, dtype=torch.float64)
    pieces = contour_pieces(verts_clip, shape.topology, SIZE)
    torch.testing.assert_close(
        gradient_from_pieces(verts_clip, pieces, weights),
        gradient_of_coverage(verts_clip, shape.topology, weights),
        rtol=1e-7,
        atol=1e-7,
    )


@pytest.mark.parametrize("seed", range(6))
def test_pieces_of_any_soup_sum_up_to_the_gradient(seed: int):
    soup = general_soup(seed)
    topology = Topology.from_faces(soup.faces, soup.verts_clip.shape[1])
    weights = torch.randn(len(soup.verts_clip), *soup.image_size, dtype=torch.float64)
    pieces = contour_pieces(soup.verts_clip, topology, soup.image_size)
    torch.testing.assert_close(
        gradient_from_pieces(soup.verts_clip, pieces, weights),
        gradient_of_coverage(soup.verts_clip, topology, weights),
        rtol=1e-6,
        atol=1e-6,
    )


@pytest.mark.parametrize("name", SMOOTH | FOLDED)
def test_the_picture_is_covered_on_one_side_of_each_piece_only(name: str):
    shape = ALL[name]()
    verts_clip = seen_from(shape.verts)
    samples = 16
    fine = supersampled_coverage(
        verts_clip, shape.faces, (SIZE[0] * samples, SIZE[1] * samples), samples=1
    )[0]
    pieces = contour_pieces(verts_clip, shape.topology, SIZE)
    # Short pieces lie near corners, where both sides may be covered.
    pieces = ContourPieces(*(values[pieces.length > 0.5] for values in pieces))

    def covered(offset_px: float) -> Tensor:
        x, y = ((pieces.point + offset_px * pieces.normal) * samples).floor().long().unbind(1)
        return fine[y.clamp(0, len(fine) - 1), x.clamp(0, fine.shape[1] - 1)]

    assert len(pieces.view) > 30
    assert float(covered(0.15).mean()) < 0.05
    assert float(covered(-0.15).mean()) > 0.95


def test_the_outline_of_a_disc_is_as_long_as_its_circle():
    sphere = icosphere(5, radius=0.8)
    verts_clip = on_screen(20 * sphere.verts[None, :, :2] + 20.25, (41, 41))
    pieces = contour_pieces(verts_clip, sphere.topology, (41, 41))
    assert float(pieces.length.sum()) == pytest.approx(2 * math.pi * 16, rel=2e-3)


def test_normals_of_a_disc_point_away_from_its_centre():
    sphere = icosphere(4, radius=0.8)
    verts_clip = on_screen(20 * sphere.verts[None, :, :2] + 20.25, (41, 41))
    pieces = contour_pieces(verts_clip, sphere.topology, (41, 41))
    radial = torch.nn.functional.normalize(pieces.point - 20.25, dim=1)
    assert float((radial * pieces.normal).sum(1).min()) > 0.98


def test_turning_a_mesh_inside_out_leaves_the_normals():
    sphere = icosphere(3)
    flipped = Topology.from_faces(sphere.faces.flip(1), len(sphere.verts))
    verts_clip = seen_from(sphere.verts)
    pieces = contour_pieces(verts_clip, sphere.topology, SIZE)
    # In another order, since the edges are found in another one.
    for found, expected in zip(contour_pieces(verts_clip, flipped, SIZE), pieces, strict=True):
        assert float(found.double().sum()) == pytest.approx(float(expected.double().sum()))


def test_pieces_stay_inside_the_image():
    sphere = icosphere(4, radius=1.6)  # larger than the picture
    pieces = contour_pieces(seen_from(sphere.verts), sphere.topology, SIZE)
    x, y = pieces.point.unbind(1)
    assert len(x) == 0 or bool(((x >= 0) & (x <= SIZE[1]) & (y >= 0) & (y <= SIZE[0])).all())


def test_a_mesh_that_fills_the_picture_has_no_pieces():
    sphere = icosphere(3, radius=2.0)
    pieces = contour_pieces(seen_from(sphere.verts), sphere.topology, (8, 8))
    assert [len(values) for values in pieces] == [0] * 6


def test_no_views_have_no_pieces():
    sphere = icosphere(1)
    pieces = contour_pieces(torch.empty(0, len(sphere.verts), 4), sphere.topology, SIZE)
    assert [len(values) for values in pieces] == [0] * 6


def test_edges_cut_by_the_near_plane_are_left_out():
    shape = sheet(6)
    near = float(torch.tensor(EYE).norm()) - 0.2
    verts_clip = seen_from(shape.verts, near=near)
    hidden = (verts_clip[0, :, 2] + verts_clip[0, :, 3]) < 0
    pieces = contour_pieces(verts_clip, shape.topology, SIZE)
    assert bool(hidden.any())
    assert len(pieces.view) > 0
    assert not bool(hidden[pieces.verts.long()].any())


def test_float32_gives_nearly_the_pieces_of_float64():
    shape = icosphere(3)
    verts_clip = seen_from(shape.verts).float()
    found = contour_pieces(verts_clip, shape.topology, SIZE)
    expected = contour_pieces(verts_clip.double(), shape.topology, SIZE)
    assert found.point.dtype == torch.float32
    for single, double in zip(found, expected, strict=True):
        torch.testing.assert_close(single.double(), double.double(), rtol=1e-4, atol=1e-4)


def test_any_number_of_threads_finds_the_same_bits():
    shape = FOLDED["noisy sphere"]()
    verts_clip = torch.cat((seen_from(shape.verts), seen_from(shape.verts, (-2.0, 0.7, 0.6))))
    results = []
    threads = torch.get_num_threads()
    for count in (1, 2, 5):
        torch.set_num_threads(count)
        results.append(contour_pieces(verts_clip, shape.topology, (128, 128)))
    torch.set_num_threads(threads)
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


def test_a_wrong_topology_is_named(unchecked: None):
    shape = icosphere(1)
    with pytest.raises(ValueError, match="the topology was built for 42"):
        contour_pieces(torch.zeros(1, 7, 4), shape.topology, SIZE)


def test_vertices_on_a_gpu_are_refused_with_advice(device: torch.device):
    if device.type == "cpu":
        pytest.skip("a test of CUDA tensors")
    shape = icosphere(1)
    verts_clip = seen_from(shape.verts).to(device)
    with pytest.raises(ValueError, match=r"verts_clip\.cpu\(\)"):
        contour_pieces(verts_clip, shape.topology.to(device), SIZE)

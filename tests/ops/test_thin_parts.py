"""`fill_thin_parts`: what no pixel centre hits has a colour all the same."""

import math

import pytest
import torch
from torch import Tensor

from lightning_rast.ops import (
    Fragments,
    antialias,
    contour_coverage,
    fill_thin_parts,
    interpolate,
    rasterize,
)
from lightning_rast.scene import Topology
from tests.ops.contour_soups import Soup, general_soup, needle_soup, tied_soup
from tests.ops.contour_views import on_screen
from tests.reference.supersampled import box_filtered

SIZE = 24


def topology_of(soup: Soup) -> Topology:
    return Topology.from_faces(soup.faces, soup.verts_clip.shape[1])


def filled_fragments(soup: Soup, **drawing) -> tuple[Fragments, Fragments, Tensor]:
    """As rasterized, with thin parts, and coverage."""
    topology = topology_of(soup)
    coverage = contour_coverage(soup.verts_clip, topology, soup.image_size)
    hard = rasterize(soup.verts_clip, soup.faces, soup.image_size, **drawing)
    return hard, fill_thin_parts(hard, coverage, soup.verts_clip, topology, **drawing), coverage


def wires(widths: tuple[float, ...] = (0.3, 0.15, 0.05)) -> Soup:
    """Strips across the picture in some directions, each farther away than the one before, painted
    by `wire_colours`."""
    corners, depths = [], []
    for i, width in enumerate(widths):
        angle = 0.3 + 1.1 * i
        along = torch.tensor([math.cos(angle), math.sin(angle)], dtype=torch.float64)
        across = width / 2 * torch.stack([-along[1], along[0]])
        middle = torch.tensor([SIZE / 2 + 3.2 * i - 2, SIZE / 2 + 1.7 * i], dtype=torch.float64)
        ends = [middle - 9 * along, middle + 9 * along]
        corners += [ends[0] - across, ends[1] - across, ends[1] + across, ends[0] + across]
        depths += [1.0 + i] * 4
    w = torch.tensor(depths, dtype=torch.float64)
    verts_clip = on_screen(torch.stack(corners), (SIZE, SIZE), w)
    # Of a frustum with its near plane at depth 0.5.
    verts_clip[:, 2] = 1.02 * w - 1.01
    first = 4 * torch.arange(len(widths), dtype=torch.int32)[:, None, None]
    faces = (torch.tensor([[0, 1, 2], [0, 2, 3]], dtype=torch.int32) + first).reshape(-1, 3)
    return Soup(verts_clip[None], faces, (SIZE, SIZE))


def wire_colours(soup: Soup) -> Tensor:
    """Each in a colour of its own, which changes along it."""
    own = torch.eye(3, dtype=torch.float64)[torch.arange(soup.verts_clip.shape[1]) // 4]
    return own * torch.tensor([0.5, 1.0, 1.0, 0.5]).double().repeat(len(own) // 4)[:, None]


@pytest.mark.parametrize("make", [general_soup, tied_soup])
def test_a_mask_becomes_the_exact_coverage_everywhere(make):
    num_filled = 0
    for seed in range(60):
        soup = make(seed)
        hard, fragments, coverage = filled_fragments(soup)
        num_filled += int((fragments.face_idx != hard.face_idx).sum())
        mask = (fragments.face_idx >= 0).double()[..., None]
        smooth = antialias(mask, fragments, soup.verts_clip, topology_of(soup), premultiplied=True)
        torch.testing.assert_close(smooth[..., 0], coverage, rtol=0, atol=1e-9)
    assert num_filled > 5


def test_needles_below_a_pixel_have_their_coverage():
    soup = needle_soup(12, (SIZE, SIZE))
    hard, fragments, coverage = filled_fragments(soup)
    assert (fragments.face_idx != hard.face_idx).any()
    mask = (fragments.face_idx >= 0).double()[..., None]
    smooth = antialias(mask, fragments, soup.verts_clip, topology_of(soup), premultiplied=True)
    torch.testing.assert_close(smooth[..., 0], coverage)


@pytest.mark.parametrize("widths", [(0.3,), (0.1,)])
def test_wires_have_the_colours_of_supersampled_ones(widths: tuple[float, ...]):
    soup = wires(widths)
    colours = wire_colours(soup)
    hard, fragments, _ = filled_fragments(soup)
    truth = box_filtered(soup.verts_clip[0], soup.faces, colours, SIZE, 64)
    pictures = [
        antialias(
            interpolate(colours, soup.faces, shown),
            shown,
            soup.verts_clip,
            topology_of(soup),
            premultiplied=True,
        )[0]
        for shown in (hard, fragments)
    ]
    before, after = ((picture - truth).abs() for picture in pictures)
    assert after.mean() < 0.25 * before.mean()
    assert after.max() < 0.02


def test_the_nearest_of_several_edges_is_the_one_that_shows():
    soup = wires((0.3,))
    behind = soup.verts_clip.clone()
    behind[..., 3] *= 2
    behind[..., :2] *= 2
    behind[..., 2] = 1.02 * behind[..., 3] - 1.01
    both = Soup(
        torch.cat([behind, soup.verts_clip], 1),
        torch.cat([soup.faces, soup.faces + 4]),
        (SIZE, SIZE),
    )
    hard, fragments, _ = filled_fragments(both)
    shown = fragments.face_idx[fragments.face_idx != hard.face_idx]
    assert len(shown) > 2
    assert (shown >= 2).all()


def test_weights_are_those_of_a_point_of_the_pixel():
    soup = wires()
    hard, fragments, _ = filled_fragments(soup)
    is_filled = fragments.face_idx != hard.face_idx
    point = interpolate(soup.verts_clip, soup.faces, fragments)[is_filled]
    torch.testing.assert_close(point[:, 3], fragments.depth[is_filled])
    x, y = (point[:, 0] / point[:, 3] + 1) * SIZE / 2, (1 - point[:, 1] / point[:, 3]) * SIZE / 2
    _, row, column = is_filled.nonzero(as_tuple=True)
    assert ((x - column - 0.5).abs() < 0.5 + 1e-6).all()
    assert ((y - row - 0.5).abs() < 0.5 + 1e-6).all()
    torch.testing.assert_close(fragments.bary.sum(-1)[is_filled], torch.ones(len(row)).double())


@pytest.mark.parametrize("cull", ["back", "front"])
def test_no_face_that_is_left_out_shows(cull):
    soup = wires()
    turned = soup._replace(faces=torch.cat([soup.faces[:3], soup.faces[3:].flip(1)]))
    a, b, c = (turned.verts_clip[0, :, :2] / turned.verts_clip[0, :, 3:])[
        turned.faces.long()
    ].unbind(1)
    front = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0] > 0
    _, fragments, _ = filled_fragments(turned, cull=cull)
    shown = fragments.face_idx[fragments.face_idx >= 0].long()
    assert len(shown) > 5
    assert (front[shown] == (cull == "back")).all()


def test_pictures_without_thin_parts_are_left_as_they_are():
    soup = wires((3.0,))
    topology = topology_of(soup)
    hard = rasterize(soup.verts_clip, soup.faces, soup.image_size)
    coverage = contour_coverage(soup.verts_clip, topology, soup.image_size)
    # The strip's ends are wide enough to hit a centre each.
    assert fill_thin_parts(hard, coverage, soup.verts_clip, topology) is hard


@pytest.mark.filterwarnings("ignore:visibility gradients are missing")
def test_depth_follows_the_point_and_weights_stay():
    soup = wires()
    leaf = soup.verts_clip.clone().requires_grad_()
    topology = topology_of(soup)
    hard = rasterize(leaf, soup.faces, soup.image_size)
    coverage = contour_coverage(leaf, topology, soup.image_size)
    fragments = fill_thin_parts(hard, coverage, leaf, topology)
    is_filled = fragments.face_idx != hard.face_idx
    (by_depth,) = torch.autograd.grad(fragments.depth[is_filled].sum(), leaf, retain_graph=True)
    (by_bary,) = torch.autograd.grad(fragments.bary[is_filled].square().sum(), leaf)
    torch.testing.assert_close(by_depth[..., 3].sum(), is_filled.sum().double())
    assert (by_depth[..., :3] == 0).all()
    assert (by_bary == 0).all()


@pytest.mark.parametrize("num_threads", [2, 3])
def test_thread_counts_agree_bit_for_bit(num_threads: int):
    soups = [needle_soup(40, (64, 64)), wires()]
    expected = [filled_fragments(soup)[1] for soup in soups]
    before = torch.get_num_threads()
    torch.set_num_threads(num_threads)
    try:
        for soup, fragments in zip(soups, expected, strict=True):
            for actual, want in zip(filled_fragments(soup)[1], fragments, strict=True):
                assert torch.equal(actual, want)
    finally:
        torch.set_num_threads(before)


def test_registration():
    soup = wires()
    topology = topology_of(soup)
    hard, _, coverage = filled_fragments(soup)
    torch.library.opcheck(
        torch.ops.lightning_rast.thin_parts.default,
        (
            hard.face_idx,
            coverage,
            soup.verts_clip,
            topology.faces,
            topology.edge_verts,
            topology.edge_faces,
            topology.irregular_offsets,
            topology.irregular_codes,
            None,
            "none",
        ),
    )


def test_compiles_into_one_graph():
    soup = wires()
    topology = topology_of(soup)
    hard, expected, coverage = filled_fragments(soup)

    def filled(verts_clip: Tensor) -> tuple[Tensor, ...]:
        return tuple(fill_thin_parts(hard, coverage, verts_clip, topology))

    compiled = torch.compile(filled, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(soup.verts_clip), tuple(expected))


@pytest.mark.usefixtures("unchecked")
def test_coverage_of_another_size_is_refused():
    soup = wires()
    hard, _, coverage = filled_fragments(soup)
    with pytest.raises(ValueError, match="fill_thin_parts: coverage"):
        fill_thin_parts(hard, coverage[:, 1:], soup.verts_clip, topology_of(soup))

"""`fill_thin_parts` and `visible_faces` on a GPU: against the CPU, without stalls."""

import pytest
import torch
from torch import Tensor

from lightning_rast.ops import (
    Fragments,
    contour_coverage,
    fill_thin_parts,
    rasterize,
    visible_faces,
)
from lightning_rast.scene import Topology
from tests.ops.contour_soups import Soup, near_clipped_soup, needle_soup, tied_soup

pytestmark = [pytest.mark.cuda, pytest.mark.usefixtures("enough_room")]


def filled(verts_clip: Tensor, topology: Topology, image_size: tuple[int, int]) -> Fragments:
    coverage = contour_coverage(verts_clip, topology, image_size)
    # All that the mesh covers and hardly any face: many pixels count as thin.
    few = rasterize(verts_clip, topology.faces[:1], image_size)
    return fill_thin_parts(few, coverage, verts_clip, topology)


def scene(soup: Soup) -> tuple[Tensor, Topology]:
    return soup.verts_clip, Topology.from_faces(soup.faces, soup.verts_clip.shape[1])


@pytest.mark.parametrize(
    "make",
    [tied_soup, near_clipped_soup, lambda seed: needle_soup(20 + seed, (20, 23))],
    ids=["tied", "near", "needles"],
)
def test_as_on_the_cpu(make):
    for seed in range(12):
        soup = make(seed)
        verts_clip, topology = scene(soup)
        expected = filled(verts_clip, topology, soup.image_size)
        actual = filled(verts_clip.cuda(), topology.to("cuda"), soup.image_size)
        for a, b in zip(actual, expected, strict=True):
            assert torch.equal(a.cpu(), b)


@pytest.mark.parametrize("image_size", [(20, 23), (300, 270)])
def test_visible_faces_are_those_of_the_cpu(image_size):
    soup = tied_soup(3)
    expected = visible_faces(soup.verts_clip, soup.faces, image_size)
    actual = visible_faces(soup.verts_clip.cuda(), soup.faces.cuda(), image_size)
    for a, b in zip(actual, expected, strict=True):
        assert torch.equal(a.cpu(), b)


def test_the_host_never_waits(never_waiting):
    torch.cuda.set_sync_debug_mode("default")  # copies to the device are no part of the claim
    verts_clip, topology = scene(needle_soup(9, (20, 20)))
    verts_clip, topology = verts_clip.cuda(), topology.to("cuda")
    torch.cuda.set_sync_debug_mode("error")
    filled(verts_clip, topology, (20, 20))
    visible_faces(verts_clip, topology.faces, (20, 20))

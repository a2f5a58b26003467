"""The CUDA kernels of `fill_thin_parts`, run on the CPU, against the CPU's own.

Threads and blocks run in several orders, and all memory starts as rubbish.
"""

import ctypes
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from lightning_rast.ops import contour_coverage, rasterize, thin_parts_cuda
from lightning_rast.scene import Topology
from tests.cuda_shim.on_the_cpu import (
    FORWARD,
    REVERSE,
    SHUFFLED,
    cuda_is,
    fill_new_tensors,
    kernels_of,
)
from tests.ops.contour_soups import Soup, general_soup, near_clipped_soup, needle_soup, tied_soup


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> ctypes.CDLL:
    return kernels_of("thin_parts", folder=tmp_path_factory.mktemp("shim"))


@pytest.fixture(autouse=True)
def on_the_cpu(library, monkeypatch) -> Iterator[None]:
    fill_new_tensors(monkeypatch)
    with cuda_is(library, monkeypatch):
        yield


def inputs(soup: Soup, cull: str = "none", face_ranges: Tensor | None = None) -> tuple:
    topology = Topology.from_faces(soup.faces, soup.verts_clip.shape[1])
    coverage = contour_coverage(soup.verts_clip, topology, soup.image_size)
    # All that the mesh covers and hardly any face: many pixels count as thin.
    face_idx = rasterize(soup.verts_clip, soup.faces[:1], soup.image_size).face_idx
    return (
        face_idx,
        coverage,
        soup.verts_clip,
        topology.faces,
        topology.edge_verts,
        topology.edge_faces,
        topology.irregular_offsets,
        topology.irregular_codes,
        face_ranges,
        cull,
    )


def assert_same(arguments: tuple) -> int:
    """How many pixels got a face."""
    bary, face = thin_parts_cuda._forward(*arguments)
    wanted = torch.ops.lightning_rast.thin_parts(*arguments)
    assert torch.equal(face, wanted[1])
    assert torch.equal(bary, wanted[0])
    return int((face >= 0).sum())


@pytest.mark.parametrize("order", [FORWARD, REVERSE, SHUFFLED])
@pytest.mark.parametrize("make", [general_soup, tied_soup, near_clipped_soup])
def test_as_on_the_cpu(library, make, order):
    library.cuda_shim_order(order, 5)
    assert sum(assert_same(inputs(make(seed))) for seed in range(12)) > 12


@pytest.mark.parametrize("cull", ["back", "front"])
def test_sides_are_left_out_as_on_the_cpu(cull):
    assert sum(assert_same(inputs(general_soup(seed), cull)) for seed in range(12)) > 12


def test_ranges_of_two_views_are_as_on_the_cpu():
    soup = needle_soup(9, (20, 20))
    both = soup._replace(verts_clip=soup.verts_clip.expand(2, -1, -1))
    assert assert_same(inputs(both, face_ranges=torch.tensor([[0, 4], [4, 9]]))) > 0


def test_single_precision_is_as_on_the_cpu():
    soup = needle_soup(9, (20, 20))
    assert assert_same(inputs(soup._replace(verts_clip=soup.verts_clip.float()))) > 0

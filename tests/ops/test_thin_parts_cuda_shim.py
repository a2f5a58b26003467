"""The CUDA kernels of `fill_thin_parts`, run on the CPU, against the CPU's own.

Threads and blocks run in several orders, and all memory starts as rubbish.
"""

import contextlib
import ctypes
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from lightning_rast.ops import _cuda_call, contour_coverage, rasterize, thin_parts_cuda
from lightning_rast.scene import Topology
from tests.cuda_shim.build import compiled
from tests.ops.contour_soups import Soup, general_soup, near_clipped_soup, needle_soup, tied_soup

CSRC = Path(__file__).resolve().parent.parent.parent / "csrc"
FORWARD, REVERSE, SHUFFLED = range(3)


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> ctypes.CDLL:
    sources = [CSRC / "kernels" / "thin_parts_cuda.cu", CSRC / "api" / "thin_parts_cuda.cpp"]
    return compiled(sources, tmp_path_factory.mktemp("shim") / "thin_parts.so")


@pytest.fixture(autouse=True)
def on_the_cpu(library, monkeypatch) -> Iterator[None]:
    """Has the CUDA side of the operator work on CPU tensors, through the shim."""

    @contextlib.contextmanager
    def on(device: torch.device) -> Iterator[tuple[int, int]]:
        yield 0, 0

    new_empty = Tensor.new_empty

    def rubbish(*arguments, **keywords) -> Tensor:
        memory = new_empty(*arguments, **keywords)
        return memory.fill_(torch.nan if memory.is_floating_point() else 0x7F)

    monkeypatch.setattr(_cuda_call, "cuda", lambda: library)
    monkeypatch.setattr(_cuda_call, "on", on)
    monkeypatch.setattr(Tensor, "new_empty", rubbish)
    _cuda_call.function.cache_clear()
    yield
    _cuda_call.function.cache_clear()


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

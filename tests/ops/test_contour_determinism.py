"""`contour_coverage` gives the same bits on every run, thread count and instruction set."""

import math
from collections.abc import Iterator

import pytest
import torch

from lightning_rast.ops import _contour_cpu, contour, contour_coverage
from tests.ops.contour_fingerprint import all_outputs, fingerprint
from tests.ops.contour_meshes import bumpy_sphere, icosphere
from tests.ops.contour_views import seen_from
from tests.ops.instruction_sets import printed_by


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_runs_repeat_bit_for_bit():
    for first, second in zip(all_outputs(), all_outputs(), strict=True):
        assert torch.equal(first, second)


@pytest.mark.parametrize("num_threads", [2, 3, 7])
def test_thread_counts_agree_bit_for_bit(threads: None, num_threads: int):
    torch.set_num_threads(1)
    expected = fingerprint()
    torch.set_num_threads(num_threads)
    assert fingerprint() == expected


@pytest.mark.parametrize("isa", ["v2", "v3", "v4"])
def test_instruction_sets_agree_bit_for_bit(isa: str):
    assert printed_by("tests.ops.contour_fingerprint", isa) == fingerprint()


@pytest.mark.parametrize("num_threads", [1, 2, 5])
@pytest.mark.parametrize("room", [0, 2, 10**6])
def test_a_tape_has_the_same_records_whatever_room_was_expected(
    threads: None, monkeypatch, num_threads: int, room: int
):
    mesh = bumpy_sphere(2)
    verts_clip = torch.cat([seen_from(mesh.verts, eye=(2.0 + k, 1.0, 1.5)) for k in range(6)])
    torch.set_num_threads(1)
    expected = contour.record_contour(verts_clip, mesh.topology, (40, 50))
    torch.set_num_threads(num_threads)
    sizes = (6, mesh.topology.num_edges, 40, 50)
    monkeypatch.setattr(_contour_cpu, "_tape_words", {sizes: room})
    assert torch.equal(contour.record_contour(verts_clip, mesh.topology, (40, 50)), expected)


def test_a_tape_is_there_once(monkeypatch):
    # The second taker must not get what another call has left in its place.
    monkeypatch.setattr(_contour_cpu, "_tape_words", {})
    mesh = icosphere(1)
    verts_clip = seen_from(mesh.verts)
    contour._forward(verts_clip, *contour._topology_tensors(mesh.topology), 8, 8, record=True)
    tape = torch.empty(100, dtype=torch.int64)
    take_tape = _contour_cpu._take_tape_function(verts_clip.dtype)
    assert take_tape(tape.data_ptr(), len(tape), None) == _contour_cpu._TAPE_LOST


def test_a_gradient_large_enough_for_threads_has_the_same_bits(threads: None):
    # Below some size the backward pass stays on one thread, whatever is allowed.
    mesh, image_size = icosphere(3), (900, 900)
    eyes = [(2.6 * math.cos(k), 0.7, 2.6 * math.sin(k)) for k in range(30)]
    verts_clip = torch.cat([seen_from(mesh.verts, eye=eye) for eye in eyes])
    weights = torch.linspace(-1, 1, 900, dtype=verts_clip.dtype).outer(torch.ones(900)) + 0.5
    grads = []
    for num_threads in (1, 2, 5):
        torch.set_num_threads(num_threads)
        verts = verts_clip.clone().requires_grad_()
        coverage = contour_coverage(verts, mesh.topology, image_size)
        tape = coverage.grad_fn.saved_tensors[0]
        assert tape.untyped_storage().nbytes() >= 2**20
        grads.append(torch.autograd.grad((coverage * weights).sum(), verts)[0])
    assert torch.equal(grads[0], grads[1])
    assert torch.equal(grads[0], grads[2])
    assert grads[0].abs().sum() > 0

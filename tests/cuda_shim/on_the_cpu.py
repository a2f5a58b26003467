"""The CUDA side of an operator on CPU tensors: its kernels run through the shim.

Threads and blocks run in a chosen order; memory starts as rubbish, since CUDA clears none.
"""

import contextlib
import ctypes
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from lightning_rast.ops import _cuda_call, contour_cuda
from tests.cuda_shim import races
from tests.cuda_shim.build import compiled, compiled_for_races

FORWARD, REVERSE, SHUFFLED = range(3)
CSRC = Path(__file__).resolve().parent.parent.parent / "csrc"


def kernels_of(
    *operators: str,
    folder: Path,
    flags: tuple[str, ...] = (),
    watched: bool = races.WATCHING,
    csrc: Path = CSRC,
) -> ctypes.CDLL:
    """The CUDA kernels and C functions of `operators`, compiled for the CPU."""
    sources = [csrc / "kernels" / f"{name}_cuda.cu" for name in operators]
    entries = [csrc / "api" / f"{name}_cuda.cpp" for name in operators]
    build = compiled_for_races if watched else compiled
    return build(sources + entries, folder / f"{operators[-1]}.so", *flags)


@contextlib.contextmanager
def cuda_is(library: ctypes.CDLL, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Has every `lightning_rast.ops.*_cuda` call `library` in place of the real CUDA library."""

    @contextlib.contextmanager
    def on(device: torch.device) -> Iterator[tuple[int, int]]:
        yield 0, 0

    monkeypatch.setattr(_cuda_call, "cuda", lambda: library)
    monkeypatch.setattr(_cuda_call, "on", on)
    _cuda_call.function.cache_clear()
    library.cuda_shim_order(SHUFFLED, 1)
    yield
    _cuda_call.function.cache_clear()
    if races.WATCHING and (told := races.found(library)):
        pytest.fail("races of the CUDA kernels:\n" + "\n".join(told))


class _Rubbish:
    """Fills memory with another byte each time: NaN, huge numbers, ordinary ones, zeros."""

    def __init__(self) -> None:
        self._bytes = [0xFF, 0x7F, 0x3F, 0x00]

    def fill(self, memory: Tensor) -> Tensor:
        if memory.numel():
            memory.view(torch.uint8).fill_(self._bytes[0])
        self._bytes.append(self._bytes.pop(0))
        return memory


def fill_new_tensors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tensors made by `new_empty` start as rubbish."""
    new_empty, rubbish = Tensor.new_empty, _Rubbish()

    def filled(*arguments, **keywords) -> Tensor:
        return rubbish.fill(new_empty(*arguments, **keywords))

    monkeypatch.setattr(Tensor, "new_empty", filled)


def fill_scratch(monkeypatch: pytest.MonkeyPatch) -> contour_cuda._Capacities:
    """The contour operator's device memory starts as rubbish; returns its fresh capacities."""
    device_bytes, rubbish = contour_cuda.device_bytes, _Rubbish()
    capacities = contour_cuda._Capacities(num_slots=16, pinned=False)
    capacities.pieces_per_view = 4096
    monkeypatch.setattr(
        contour_cuda,
        "device_bytes",
        lambda num_bytes, like: rubbish.fill(device_bytes(num_bytes, like)),
    )
    monkeypatch.setattr(contour_cuda, "_capacities", lambda: capacities)
    return capacities

"""No CUDA kernel has a data race; without any one of their plain barriers, there would be one.

The tests of the operators' CUDA kernels on the CPU look for races too, with LRAST_SHIM_RACES=1.
"""

import contextlib
import ctypes
import faulthandler
import functools
import os
import re
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.cuda_shim import races
from tests.cuda_shim.exercises import EXERCISES, FLAGS
from tests.cuda_shim.on_the_cpu import (
    CSRC,
    FORWARD,
    REVERSE,
    SHUFFLED,
    cuda_is,
    fill_new_tensors,
    fill_scratch,
    kernels_of,
)
from tests.patience import PATIENCE

pytestmark = pytest.mark.skipif(bool(races.obstacle()), reason=races.obstacle())


@pytest.fixture(autouse=True)
def rubbish(monkeypatch) -> None:
    fill_new_tensors(monkeypatch)
    fill_scratch(monkeypatch)


def found_in(library: ctypes.CDLL, name: str, size: int, monkeypatch) -> list[str]:
    with cuda_is(library, monkeypatch):
        for order in (FORWARD, REVERSE, SHUFFLED)[: 4 - size]:
            library.cuda_shim_order(order, 3)
            EXERCISES[name][0](size)
        return races.found(library)


def check(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = kernels_of(*EXERCISES[name][1], folder=folder, flags=FLAGS, watched=True)
    for size in (1, 2, 3):
        assert found_in(library, name, size, monkeypatch) == []


QUICK = ("transform", "rasterize")  # to compile


@pytest.mark.parametrize("name", QUICK)
def test_kernels_have_no_races(name, tmp_path, monkeypatch):
    check(name, tmp_path, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(EXERCISES.keys() - set(QUICK)))
def test_slow_kernels_have_no_races(name, tmp_path, monkeypatch):
    check(name, tmp_path, monkeypatch)


# The operators whose kernels have barriers, and the files where those are. A __syncthreads_or() is
# a vote only: that nothing depends on the order it makes shows above, where it makes none.
FILES = {
    "rasterize": ["rasterize_cuda_draw.cuh"],
    "soft_coverage": ["cuda_block.cuh", "soft_cuda_tile.cuh"],
    "transform": ["transform_cuda.cu"],
}
BARRIER = re.compile(r"(__syncthreads\(\);|__syncwarp\(\w+\);)")


def barriers(name: str) -> list[str]:
    """File and line of each barrier."""
    return [
        f"{file}:{number}"
        for file in FILES[name]
        for number, line in enumerate((CSRC / "kernels" / file).read_text().splitlines(), start=1)
        if BARRIER.search(line)
    ]


def with_barriers_to_leave_out(name: str, folder: Path) -> ctypes.CDLL:
    """The kernels of an operator, each of whose barriers can be left out."""
    csrc, numbers = folder / "csrc", iter(range(len(barriers(name))))
    shutil.copytree(CSRC, csrc)
    for file in FILES[name]:
        path = csrc / "kernels" / file
        change = lambda found: f"if (cuda_shim::keeps({next(numbers)})) {found[1]}"  # noqa: E731
        path.write_text(BARRIER.sub(change, path.read_text()))
    sources = EXERCISES[name][1]
    return kernels_of(*sources, folder=folder, flags=FLAGS, watched=True, csrc=csrc)


_STOPPED_BY = (signal.SIGPROF, signal.SIGALRM)


def finds_a_race(
    exercise: Callable[[], object],
    found: Callable[[], list[str]],
    *,
    limit_s: float = 60.0,
    patience_s: float = PATIENCE,
) -> bool:
    """In a process of its own: without a barrier, kernels may do anything.

    They may raise, which by itself is no race, nor is it one that they do not end: within limit_s
    of computing, or patience_s by the clock.
    """
    reads, writes = os.pipe()
    if (child := os.fork()) == 0:
        try:
            faulthandler.disable()
            for number in _STOPPED_BY:
                signal.signal(number, signal.SIG_DFL)
            signal.setitimer(signal.ITIMER_PROF, limit_s)
            signal.setitimer(signal.ITIMER_REAL, patience_s)
            torch.set_num_threads(1)  # its others are the parent's: waiting for them has no end
            with contextlib.suppress(Exception):
                exercise()
            os.write(writes, "\n".join(found()).encode()[:4000])
        finally:
            os._exit(0)
    os.close(writes)
    _, status = os.waitpid(child, 0)
    with os.fdopen(reads) as told:
        # The shim ends the process where threads then wait at different barriers.
        ended = os.WIFSIGNALED(status) and os.WTERMSIG(status) not in _STOPPED_BY
        return bool(told.read()) or ended


def test_a_kernel_that_raises_for_want_of_a_barrier_ends_its_process():
    def exercise() -> None:
        raise RuntimeError("more pieces than there is room for")

    assert finds_a_race(exercise, lambda: ["write"])


def test_a_search_that_raises_has_found_no_race():
    def found() -> list[str]:
        raise RuntimeError("addr2line failed")

    assert not finds_a_race(lambda: None, found)


def test_a_kernel_that_never_ends_is_stopped_and_no_race():
    def compute() -> None:
        while True:
            pass

    assert not finds_a_race(compute, lambda: ["write"], limit_s=0.2)
    assert not finds_a_race(lambda: time.sleep(60), lambda: ["write"], patience_s=0.2)


def test_a_process_of_its_own_can_compute_where_torch_had_threads():
    threads, numbers = torch.get_num_threads(), torch.ones(1 << 17)
    torch.set_num_threads(2)
    try:
        numbers.exp()
        assert finds_a_race(numbers.exp, lambda: ["write"])
    finally:
        torch.set_num_threads(threads)


def test_files_with_barriers_are_known():
    found = {path.name for path in CSRC.rglob("*.cu*") if BARRIER.search(path.read_text())}
    assert found == {file for files in FILES.values() for file in files}


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_every_barrier_is_missed(name, tmp_path, monkeypatch):
    library = with_barriers_to_leave_out(name, tmp_path)
    with cuda_is(library, monkeypatch):
        EXERCISES[name][0](1)
        assert races.found(library) == []
        not_missed = []
        for number, place in enumerate(barriers(name)):
            library.cuda_shim_leave_out(number)
            exercise = functools.partial(EXERCISES[name][0], 1)
            if not finds_a_race(exercise, functools.partial(races.found, library)):
                not_missed.append(place)
    assert not_missed == []

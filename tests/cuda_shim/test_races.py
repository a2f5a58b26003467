"""No CUDA kernel has a data race; without any one of their barriers, there would be one.

The tests of the operators' CUDA kernels on the CPU look for races too, with LRAST_SHIM_RACES=1.
"""

import ctypes
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

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


def barriers() -> Iterator[tuple[str, str, int]]:
    """An operator whose kernels wait at a barrier, the file of that, and its line."""
    users = {"cuda_block.cuh": "soft_coverage", "soft_cuda_tile.cuh": "soft_coverage"}
    users |= {"rasterize_cuda_draw.cuh": "rasterize", "transform_cuda.cu": "transform"}
    for path in sorted((CSRC / "kernels").glob("*.cu*")):
        for number, line in enumerate(path.read_text().splitlines()):
            if line.strip().startswith(("__syncthreads();", "__syncwarp(")):
                yield users[path.name], path.name, number


@pytest.mark.slow
@pytest.mark.parametrize(("name", "file", "number"), barriers())
def test_every_barrier_is_missed(name, file, number, tmp_path, monkeypatch):
    csrc = tmp_path / "csrc"
    shutil.copytree(CSRC, csrc)
    lines = (csrc / "kernels" / file).read_text().splitlines()
    lines[number] = ""
    (csrc / "kernels" / file).write_text("\n".join(lines))
    sources = EXERCISES[name][1]
    library = kernels_of(*sources, folder=tmp_path, flags=FLAGS, watched=True, csrc=csrc)
    assert found_in(library, name, 1, monkeypatch)

"""The shim finds mistakes that were made on purpose."""

import ctypes
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cuda_shim.build import compiled

# A running sum over the block, as everyone writes it first.
_SOURCE = """
struct Args { int* values; };
__global__ void running_sum(Args args) {
  __shared__ int sums[64];
  const int i = int(threadIdx.x);
  sums[i] = args.values[i];
  BARRIER_1
  for (int distance = 1; distance < 64; distance *= 2) {
    const int other = i >= distance ? sums[i - distance] : 0;
    BARRIER_2
    sums[i] += other;
    BARRIER_3
  }
  args.values[i] = sums[i];
}
extern "C" void run(int* values) { LRAST_LAUNCH(running_sum, 2, 64, nullptr, Args{values}); }
"""
_BARRIERS = {f"BARRIER_{i}": "__syncthreads();" for i in (1, 2, 3)}


@pytest.fixture
def build(tmp_path: Path) -> Callable[..., ctypes.CDLL]:
    def build(**barriers: str) -> ctypes.CDLL:
        text = _SOURCE
        for name, barrier in (_BARRIERS | barriers).items():
            text = text.replace(name, barrier)
        (tmp_path / "planted.cu").write_text(text)
        return compiled([tmp_path / "planted.cu"], tmp_path / "planted.so")

    return build


def results(library: ctypes.CDLL) -> set[tuple[int, ...]]:
    """What the kernel computes, in all the orders that it may run in."""
    found = set()
    for order, seed in ((0, 0), (1, 0), (2, 1), (2, 2), (2, 3)):
        values = (ctypes.c_int * 64)(*[1] * 64)
        library.cuda_shim_order(order, seed)
        library.run(values)
        found.add(tuple(values))
    return found


def test_a_correct_kernel_has_one_result(build):
    assert len(results(build())) == 1


@pytest.mark.parametrize("barrier", _BARRIERS)
def test_a_missing_barrier_changes_the_result(build, barrier):
    assert len(results(build(**{barrier: ""}))) > 1


@pytest.mark.parametrize(
    "barrier", ["if (i < 40) __syncthreads();", "if (i > 0) return;\n    __syncthreads();"]
)
def test_a_barrier_that_some_threads_miss_ends_the_program(build, tmp_path, barrier):
    build(BARRIER_2=barrier)
    program = "import ctypes, sys; ctypes.CDLL(sys.argv[1]).run((ctypes.c_int * 64)())"
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "planted.so")],
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert "barrier" in done.stderr

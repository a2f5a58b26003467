"""Races that were made on purpose are found, and their lines named; correct kernels have none."""

import ctypes
from pathlib import Path

import pytest

from tests.cuda_shim import races
from tests.cuda_shim.build import compiled_for_races

pytestmark = pytest.mark.skipif(bool(races.obstacle()), reason=races.obstacle())

SOURCE = Path(__file__).parent / "planted_races.cu"


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> ctypes.CDLL:
    return compiled_for_races([SOURCE], tmp_path_factory.mktemp("races") / "planted.so")


def found_in(library: ctypes.CDLL, name: str, order: int) -> list[str]:
    library.cuda_shim_order(order, 1)
    getattr(library, name)((ctypes.c_int * 256)())
    return races.found(library)


@pytest.mark.parametrize("order", range(3), ids=["forwards", "backwards", "shuffled"])
@pytest.mark.parametrize(
    "name",
    [
        "correct",
        "warp_barrier",
        "atomics_of_blocks",
        "volatile_look",
        "cleared_count",
        "bytes_side_by_side",
        "one_after_another",
    ],
)
def test_a_correct_kernel_has_no_race(library, name, order):
    assert found_in(library, name, order) == []


# In any order of threads: it is enough that the accesses happen.
@pytest.mark.parametrize("order", range(3), ids=["forwards", "backwards", "shuffled"])
@pytest.mark.parametrize(
    ("name", "what", "line"),
    [
        ("first_barrier", "shared memory", "sums[i] = values[i];"),
        ("second_barrier", "shared memory", "sums[i] += other;"),
        ("third_barrier", "shared memory", "sums[i] += other;"),
        ("warp_vote", "shared memory", "box[i ^ 1]"),
        ("block_vote", "shared memory", "boxes[63 - i]"),
        ("writes_of_blocks", "global memory", "else *args.values = 1;"),
        ("plain_look", "global memory", "else seen = args.values[0];"),
        ("word_over_bytes", "global memory", "args.values[32 * blockIdx.x] = 0;"),
        ("uncleared_count", "has not written", "count = count + 1;"),
    ],
)
def test_a_race_is_found_and_its_line_named(library, name, what, line, order):
    lines = SOURCE.read_text().splitlines()
    number = next(i for i, text in enumerate(lines, start=1) if line in text)
    told = found_in(library, name, order)
    assert any(what in text and f"planted_races.cu:{number} " in text for text in told), told


def test_a_flag_orders_nothing_without_a_fence(library):
    # Backwards, the block that reads comes too early to see the flag.
    assert any("global memory" in text for text in found_in(library, "flag_without_fence", 0))
    assert found_in(library, "flag_without_fence", 1) == []


def test_what_was_found_is_told_once(library):
    assert found_in(library, "writes_of_blocks", 0)
    assert races.found(library) == []

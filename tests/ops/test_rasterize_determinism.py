"""`rasterize` gives the same bits on every run, thread count and instruction set."""

from collections.abc import Iterator

import pytest
import torch

from tests.ops.instruction_sets import printed_by
from tests.ops.rasterize_fingerprint import all_outputs, fingerprint


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def expected() -> str:
    return fingerprint()


def test_runs_repeat_bit_for_bit():
    for first, second in zip(all_outputs(), all_outputs(), strict=True):
        assert torch.equal(first, second)


@pytest.mark.parametrize("num_threads", [2, 3, 7])
def test_thread_counts_agree_bit_for_bit(threads: None, expected: str, num_threads: int):
    torch.set_num_threads(num_threads)
    assert fingerprint() == expected


@pytest.mark.parametrize("isa", ["v2", "v3", "v4"])
def test_instruction_sets_agree_bit_for_bit(isa: str, expected: str):
    assert printed_by("tests.ops.rasterize_fingerprint", isa) == expected

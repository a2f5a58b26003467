"""`soft_coverage` gives the same bits on every run, thread count and instruction set."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.ops.soft_fingerprint import all_outputs, fingerprint

REPOSITORY = Path(__file__).resolve().parents[2]


def test_runs_repeat_bit_for_bit():
    for first, second in zip(all_outputs(), all_outputs(), strict=True):
        assert torch.equal(first, second)


@pytest.mark.parametrize("num_threads", [2, 3, 7])
def test_thread_counts_agree_bit_for_bit(num_threads: int):
    expected = fingerprint()
    torch.set_num_threads(num_threads)
    assert fingerprint() == expected


@pytest.mark.parametrize("isa", ["v2", "v3", "v4"])
def test_instruction_sets_agree_bit_for_bit(isa: str):
    # The library picks its kernels once, when it is loaded.
    run = subprocess.run(
        [sys.executable, "-m", "tests.ops.soft_fingerprint"],
        cwd=REPOSITORY,
        env=os.environ | {"LRAST_ISA": isa, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    if "LRAST_ISA" in run.stderr:
        pytest.skip(f"this CPU or build has no {isa}")
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == fingerprint()

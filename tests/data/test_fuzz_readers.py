"""Damaged files lead to views or to a ViewsError: no crash, no hang, no blow-up of memory."""

import os
import subprocess
import sys

import pytest

from tests.conftest import REPOSITORY


def fuzz(num_inputs, seed):
    """In a process of its own: its memory is limited, and a crash is no crash of the tests."""
    command = [sys.executable, "-m", "tests.data.fuzz_readers"]
    return subprocess.run(
        [*command, "--inputs", str(num_inputs), "--seed", str(seed)],
        cwd=REPOSITORY,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_damaged_files_are_read_or_refused():
    result = fuzz(110, seed=0)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "110 inputs, 0 findings" in result.stdout


@pytest.mark.slow
def test_thousands_of_damaged_files_are_read_or_refused():
    result = fuzz(5500, seed=1)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "5500 inputs, 0 findings" in result.stdout

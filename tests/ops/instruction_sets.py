"""What a program of these tests prints when the kernels run on a chosen instruction set."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

_REPOSITORY = Path(__file__).resolve().parents[2]


def printed_by(module: str, isa: str) -> str:
    """The output of `python -m module`; skips where this CPU or build lacks `isa`.

    A process of its own: the library picks its kernels once, when it is loaded.
    """
    run = subprocess.run(
        [sys.executable, "-m", module],
        cwd=_REPOSITORY,
        env=os.environ | {"LRAST_ISA": isa, "PYTHONPATH": str(_REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    if "LRAST_ISA" in run.stderr:
        pytest.skip(f"this CPU or build has no {isa}")
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()

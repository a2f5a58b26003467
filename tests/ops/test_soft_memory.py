"""Memory of the soft operators has a bound: tiles are taken in bands."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ops import soft_colors_fingerprint, soft_fingerprint

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("expected", [soft_fingerprint, soft_colors_fingerprint])
def test_bands_of_single_tiles_give_the_same_bits_as_all_tiles_at_once(expected):
    # The library looks at its environment once.
    run = subprocess.run(
        [sys.executable, "-m", expected.__name__],
        cwd=REPOSITORY,
        env=os.environ | {"LRAST_SOFT_BAND_BYTES": "1", "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == expected.fingerprint()

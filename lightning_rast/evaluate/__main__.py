"""Scores of a finished run or of any mesh file: `python -m lightning_rast.evaluate RUN_OR_MESH`."""

import sys

from lightning_rast.evaluate.command import main
from lightning_rast.terminal import guarded

if __name__ == "__main__":
    sys.exit(guarded(main))

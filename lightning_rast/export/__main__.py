"""`python -m lightning_rast.export`."""

import sys

from lightning_rast.export.command import main
from lightning_rast.terminal import guarded

if __name__ == "__main__":
    sys.exit(guarded(main))

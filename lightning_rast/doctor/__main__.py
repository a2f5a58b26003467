"""Do cameras and masks agree? `python -m lightning_rast.doctor DATA`."""

import sys

from lightning_rast.doctor.command import main
from lightning_rast.terminal import guarded

if __name__ == "__main__":
    sys.exit(guarded(main))

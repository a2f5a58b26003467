"""The page of a run, made from its folder: `lightning-rast report RUN`."""

import sys

from lightning_rast.report.command import main
from lightning_rast.terminal import guarded

if __name__ == "__main__":
    sys.exit(guarded(main))

"""The page of a run, made from its folder: `python -m lightning_rast.report RUN`."""

import sys

from lightning_rast.report.command import main

if __name__ == "__main__":
    sys.exit(main())

"""`python -m lightning_rast --config ...` is `python train.py --config ...`."""

import sys

from lightning_rast.cli import main

if __name__ == "__main__":
    sys.exit(main())

"""Reconstruct a mesh from silhouettes: `python train.py --config configs/kettle.yaml`."""

import sys

from lightning_rast.cli import main

if __name__ == "__main__":
    sys.exit(main())

"""Reconstruct a mesh from silhouettes: `python train.py --config configs/kettle.yaml`."""

import sys

from lightning_rast.commands import run

if __name__ == "__main__":
    sys.exit(run("train", sys.argv[1:]))

"""Pictures of a mesh file from all sides: `python -m lightning_rast.render mesh.glb --out DIR`."""

import sys

from lightning_rast.render.command import main
from lightning_rast.terminal import guarded

if __name__ == "__main__":
    sys.exit(guarded(main))

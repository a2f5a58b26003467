"""Pictures of a mesh file from all sides: `python -m lightning_rast.render mesh.glb --out DIR`."""

import sys

from lightning_rast.render.command import main

if __name__ == "__main__":
    sys.exit(main())

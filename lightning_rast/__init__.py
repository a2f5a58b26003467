"""Differentiable rasterization and mesh reconstruction.

Importing this package loads nothing heavy; `lightning_rast.ops`, `.scene`, `.render` and the other
floors are imported by name.
"""

__version__ = "0.1.0"
__all__ = ["__version__"]

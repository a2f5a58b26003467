"""Between meshes and fields on a grid of cubic cells."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor

from lightning_rast.ops.surface import level_surface
from lightning_rast.scene import Mesh


def extract_surface(
    field: Float[Tensor, "X Y Z"],
    *,
    origin: Sequence[float] | Float[Tensor, "3"],
    cell: float,
    level: float = 0.0,
) -> Mesh:
    """The surface around all that is larger than `level`, by marching cubes.

    Whatever the field, the mesh is a closed, oriented manifold that winds outwards: every edge has
    two faces that run along it in opposite directions, and the faces at a vertex form one fan.
    Cubes that share a face agree on the segments in it, its bilinear interpolant deciding where
    they could be joined in two ways (the asymptotic decider), and no triangle's side lies across
    a face of a cube, where the neighbour's could coincide with it. Beyond the grid everything is
    outside, so the surface closes just outside of its border.

    Vertices lie on edges of the grid by linear interpolation, but never nearer to a grid point
    than 1/64 of a cell. So no triangle is without area, and a value equal to the level, which is
    outside, needs no care. There may be thin triangles: remesh where that matters.

    Args:
        field: float32 or float64 (used as float32); infinities are allowed.
        origin: world position of grid point (0, 0, 0).
        cell: world units between grid points.

    Returns:
        A float32 mesh on the field's device, without faces where nothing is inside. Computed on the
        CPU, the same bits on every run and for any number of threads; not differentiable.

    Raises:
        ValueError: a shape or type does not fit, or the field holds NaN.

    Sources: Lorensen and Cline 1987; Nielson and Hamann, "The asymptotic decider", 1991.
    """
    corner = [float(value) for value in origin]
    return Mesh(*level_surface(field, origin=corner, cell=float(cell), level=float(level)))

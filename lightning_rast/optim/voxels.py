"""Between meshes and fields on a grid of cubic cells."""

from collections.abc import Sequence

from jaxtyping import Float, Int16
from torch import Tensor

from lightning_rast.ops.surface import level_surface
from lightning_rast.ops.voxelize import winding_numbers
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


def voxelize(
    mesh: Mesh,
    *,
    origin: Sequence[float] | Float[Tensor, "3"],
    cell: float,
    size: Sequence[int],
) -> Int16[Tensor, "X Y Z"]:
    """How often the surface goes around each point of a grid: not zero is inside.

    Counted along rays in z direction: +1 where one enters through a face's front, -1 where it
    leaves. Whether a ray hits a face is decided exactly, after x and y have been rounded to whole
    parts of a cell (2^-24 of one, coarser where the mesh is thousands of cells away). A ray through
    an edge or a vertex counts as moved aside by less than any part, the same for all faces. So of a
    closed mesh, self-intersecting or not, no ray leaves a trail of wrong points behind it. A point
    on the surface itself may come out either way.

    Args:
        origin: world position of grid point (0, 0, 0).
        cell: world units between grid points.
        size: points along x, y and z.

    Returns:
        int16, on the mesh's device; computed on the CPU, the same for any number of threads.

    Raises:
        ValueError: a shape does not fit, or a vertex is not finite.
    """
    corner = [float(value) for value in origin]
    return winding_numbers(
        mesh.verts, mesh.faces, origin=corner, cell=float(cell), size=[int(n) for n in size]
    )

"""Silhouettes of a mesh, seen by cameras."""

from jaxtyping import Float
from torch import Tensor

from lightning_rast.ops import contour_coverage
from lightning_rast.scene import Camera, Mesh


def render_silhouettes(mesh: Mesh, camera: Camera) -> Float[Tensor, "N H W"]:
    """Exact coverage of every pixel by the mesh, 0..1, in the type of `mesh.verts`.

    Differentiable in `mesh.verts`, `camera.K` and `camera.world_to_view`.
    `contour_coverage` says how it is computed and where it is not differentiable.
    """
    return contour_coverage(camera.world_to_clip(mesh.verts), mesh.topology, camera.image_size)

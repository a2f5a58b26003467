"""Parts of a mesh that are too small to matter."""

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from lightning_rast.scene import Mesh


@torch.no_grad()
def drop_islands(mesh: Mesh, fraction: float) -> tuple[Mesh, Int[Tensor, " K"]]:
    """Leave out the components (faces joined by common vertices) that are small.

    A component is kept if its volume, or its area where the mesh is not closed, is at least
    `fraction` of the largest one's. Volumes count by their size: a void inside a solid is a
    component too.

    Returns:
        The rest, and the number that each of its vertices had: attributes follow as
        `values[kept]`. The largest component always stays; vertices without faces do not.

    Raises:
        ValueError: `fraction` lies outside of 0 to 1.
    """
    if not 0 <= fraction <= 1:
        raise ValueError(f"drop_islands: fraction must lie between 0 and 1, got {fraction}")
    faces = mesh.faces.long().cpu()
    if len(faces) == 0:
        return Mesh(mesh.verts[:0], mesh.faces), torch.zeros(0, dtype=torch.long)
    label = _component_of_face(faces, mesh.num_verts)
    size = _component_sizes(mesh, label)
    stays = (size >= fraction * size.max())[label]
    kept, corners = torch.unique(faces[stays], return_inverse=True)
    device = mesh.verts.device
    kept = kept.to(device)
    return Mesh(mesh.verts[kept], corners.to(device)), kept


def _component_sizes(mesh: Mesh, label: Int[Tensor, " F"]) -> Float[Tensor, " C"]:
    corners = mesh.corners.double().cpu()
    a, b, c = corners.unbind(1)
    if mesh.topology.is_closed:
        # Each component from its own place: far from the origin its volume would drown in rounding.
        count = int(label.max()) + 1
        total = torch.zeros(count, 3, dtype=torch.float64).index_add_(0, label, corners.mean(dim=1))
        middle = (total / torch.bincount(label, minlength=count)[:, None])[label]
        a, b, c = a - middle, b - middle, c - middle
        parts = (a * torch.linalg.cross(b, c)).sum(dim=1) / 6
    else:
        parts = torch.linalg.cross(b - a, c - a).norm(dim=1) / 2
    return torch.bincount(label, weights=parts).abs()


def _component_of_face(faces: Tensor, num_verts: int) -> Tensor:
    a, b, c = faces.numpy().T
    ones = np.ones(2 * len(faces), dtype=np.int8)
    links = coo_matrix(
        (ones, (np.concatenate((a, b)), np.concatenate((b, c)))), (num_verts, num_verts)
    )
    label = connected_components(links, directed=False)[1][a]
    return torch.from_numpy(np.unique(label, return_inverse=True)[1])

"""Separate parts of a mesh."""

import numpy as np
import torch
from jaxtyping import Bool, Float64, Int64
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from lightning_rast.optim.agreement import Targets, agreement
from lightning_rast.scene import Mesh


def part_of_verts(mesh: Mesh) -> tuple[int, Int64[Tensor, " V"]]:
    """How many parts are connected by faces, and which one each vertex belongs to.

    A vertex that no face uses is a part of its own.
    """
    faces = mesh.faces.cpu().numpy()
    rows = np.concatenate((faces[:, 0], faces[:, 1]))
    columns = np.concatenate((faces[:, 1], faces[:, 2]))
    links = coo_matrix(
        (np.ones(len(rows), dtype=np.int8), (rows, columns)), (mesh.num_verts, mesh.num_verts)
    )
    number, label = connected_components(links, directed=False)
    return number, torch.from_numpy(label.astype(np.int64)).to(mesh.verts.device)


def part_volumes(mesh: Mesh) -> tuple[Float64[Tensor, " P"], Int64[Tensor, " F"]]:
    """Signed volume of each part of a closed mesh (negative for a hollow), and faces' parts."""
    number, label = part_of_verts(mesh)
    part = label[mesh.faces[:, 0].long()]
    corners = mesh.verts.double()[mesh.faces.long()]
    corners = corners - mesh.verts.double().mean(dim=0)
    a, b, c = corners.unbind(1)
    volume = (a * torch.linalg.cross(b, c)).sum(dim=1) / 6
    return volume.new_zeros(number).index_add(0, part, volume), part


def drop_small_parts(mesh: Mesh, *, smallest: float) -> tuple[Mesh, tuple[float, ...]]:
    """Without parts of less than `smallest` times the mesh's volume, and without hollows.

    Returns the mesh and what the dropped parts measured, as fractions of the volume that parts
    without hollows have together, the largest first. Of a mesh with nothing but small parts, the
    largest stays.
    """
    volume, part = part_volumes(mesh)
    whole = volume.clamp(min=0).sum()
    keep = volume >= min(float(smallest * whole), float(volume.max()))
    dropped = tuple(sorted((abs(float(v / whole)) for v in volume[~keep]), reverse=True))
    if not dropped:
        return mesh, ()
    return with_faces(mesh, keep[part]), dropped


def drop_hidden_parts(
    mesh: Mesh, targets: Targets, *, tolerance: float = 5e-4
) -> tuple[Mesh, tuple[float, ...]]:
    """Without parts that no mask shows: what they cover of the masks, the others cover as well.

    Of parts that hide each other the larger stays. `tolerance` is the part of a mask that may
    become uncovered in any view. Returns the mesh and what the dropped parts measured, as fractions
    of the whole volume, the largest first.
    """
    volume, part = part_volumes(mesh)
    keep = torch.ones_like(volume, dtype=torch.bool)
    if len(volume) == 1:
        return mesh, ()
    uncovered = agreement(mesh, targets).uncovered
    for candidate in volume.argsort()[:-1].tolist():
        keep[candidate] = False
        without = agreement(with_faces(mesh, keep[part]), targets).uncovered
        if bool((without - uncovered > tolerance).any()):
            keep[candidate] = True
    whole = volume.clamp(min=0).sum()
    dropped = sorted((abs(float(v / whole)) for v in volume[~keep]), reverse=True)
    return (with_faces(mesh, keep[part]), tuple(dropped)) if dropped else (mesh, ())


def with_faces(mesh: Mesh, keep: Bool[Tensor, " F"]) -> Mesh:
    """Some of a mesh's faces, with the vertices that they use."""
    faces = mesh.faces[keep].long()
    used = torch.zeros(mesh.num_verts, dtype=torch.bool, device=faces.device)
    used[faces] = True
    index = used.cumsum(0) - 1
    return Mesh(mesh.verts[used], index[faces].to(torch.int32))

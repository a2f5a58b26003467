"""A coarse copy of a mesh, for viewers that cannot show all of it."""

import numpy as np
import torch

from lightning_rast.scene import Mesh


def clustered(mesh: Mesh, *, max_verts: int) -> Mesh:
    """Merge the vertices in each cell of a cubic grid into their mean, float32, on the CPU.

    The cells are about as small as `max_verts` allows. Faces that collapse and faces that come
    to lie on each other are dropped, so topology is not kept. A mesh that is small enough is
    returned as it is; vertices that no face uses do not count and are dropped.
    """
    if max_verts < 1:
        raise ValueError(f"max_verts must be 1 or more, got {max_verts}")
    used, index = np.unique(mesh.faces.cpu().numpy(), return_inverse=True)
    if mesh.num_verts <= max_verts or len(used) == 0:
        return Mesh(mesh.verts.detach().float().cpu(), mesh.faces.cpu())
    faces = index.reshape(-1, 3)
    verts = mesh.verts.detach().double().cpu().numpy()[used]
    low = verts.min(axis=0)
    extent = float((verts - low).max())
    if len(used) > max_verts:
        cluster, count = _finest_clusters(verts, low, extent, max_verts)
        sums = [np.bincount(cluster, verts[:, axis], count) for axis in range(3)]
        verts = np.stack(sums, axis=1) / np.bincount(cluster, minlength=count)[:, None]
        faces = cluster[faces]
    a, b, c = faces.T
    faces = faces[(a != b) & (b != c) & (c != a)]
    _, first = np.unique(np.sort(faces, axis=1), axis=0, return_index=True)
    faces = faces[np.sort(first)]
    return Mesh(
        torch.from_numpy(verts.astype(np.float32)), torch.from_numpy(faces.astype(np.int32))
    )


def _finest_clusters(
    verts: np.ndarray, low: np.ndarray, extent: float, max_verts: int
) -> tuple[np.ndarray, int]:
    """The cell of each vertex, counted from 0, and how many there are: `max_verts` at most.

    A surface fills about the square of as many cells as lie along its longest side. The search
    starts above that and is left as soon as the cells are few enough, 15 % below it at most.
    """
    per_side = 2.0 * max_verts**0.5
    while True:
        cell = np.minimum((verts - low) * (per_side / max(extent, 1e-300)), per_side).astype(
            np.int64
        )
        side = int(per_side) + 1
        key = (cell[:, 0] * side + cell[:, 1]) * side + cell[:, 2]
        occupied, cluster = np.unique(key, return_inverse=True)
        if len(occupied) <= max_verts:
            return cluster, len(occupied)
        per_side *= min(0.97, (max_verts / len(occupied)) ** 0.5)

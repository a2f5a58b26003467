"""Cuts a mesh apart where it is no manifold, so that each sheet of it can move by itself."""

import numpy as np
import torch
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from lightning_rast.scene.mesh import Mesh


@torch.no_grad()
def cut_apart(mesh: Mesh) -> Mesh:
    """The same faces, with a vertex repeated for every separate fan of faces around it.

    A vertex in which two cones touch becomes two at one place. At an edge with more than two faces,
    those are joined in pairs that have the inside of the solid between them: a closed and oriented
    mesh stays closed. Faces whose windings do not fit together come apart. Vertices without faces
    stay; the first fan keeps its vertex, the others' are put behind them.

    Source: A. Gueziec et al., "Cutting and stitching: converting sets of polygons to manifold
    surfaces", 2001.
    """
    topology = mesh.topology
    faces = mesh.faces.cpu().numpy().astype(np.int64)
    pairs = topology.edge_faces.cpu().numpy().astype(np.int64)
    ends = topology.edge_verts.cpu().numpy().astype(np.int64)
    more = _pairs_at_irregular_edges(mesh, ends[topology.num_regular :])
    pairs = np.concatenate((pairs, more[:, :2]))
    ends = np.concatenate((ends[: topology.num_regular], more[:, 2:]))
    # Corners of one vertex, in two faces that go on into each other there.
    links = [
        np.stack([3 * face + (faces[face] == end[:, None]).argmax(axis=1) for face in pairs.T])
        for end in ends.T
    ]
    row, column = np.concatenate(links, axis=1)
    graph = coo_matrix((np.ones(len(row), dtype=np.int8), (row, column)), (faces.size,) * 2)
    _, fan = connected_components(graph, directed=False)
    _, first, fan = np.unique(fan, return_index=True, return_inverse=True)
    vert_of_fan = faces.reshape(-1)[first]
    _, kept = np.unique(vert_of_fan, return_index=True)
    is_new = np.ones(len(first), dtype=bool)
    is_new[kept] = False
    place = vert_of_fan.copy()
    place[is_new] = mesh.num_verts + np.arange(is_new.sum())
    device = mesh.verts.device
    extra = torch.from_numpy(vert_of_fan[is_new]).to(device)
    return Mesh(
        torch.cat((mesh.verts, mesh.verts[extra])),
        torch.from_numpy(place[fan].reshape(-1, 3).astype(np.int32)).to(device),
    )


def _pairs_at_irregular_edges(mesh: Mesh, ends: np.ndarray) -> np.ndarray:
    """(P, 4): two faces and the edge's two vertices, of edges with as many faces either way."""
    offsets = mesh.topology.irregular_offsets.cpu().numpy()
    codes = mesh.topology.irregular_codes.cpu().numpy()
    faces, verts = mesh.faces.cpu().numpy(), mesh.verts.detach().cpu().double().numpy()
    found: list[tuple[int, int, int, int]] = []
    for (a, b), start, stop in zip(ends.tolist(), offsets[:-1], offsets[1:], strict=True):
        at, is_reversed = codes[start:stop] // 2, codes[start:stop] % 2 == 1
        if 2 * is_reversed.sum() != len(at):
            continue
        angles = _angles(verts, faces[at], a, b)
        waiting = set(np.flatnonzero(is_reversed).tolist())
        for k in np.flatnonzero(~is_reversed).tolist():
            # The inside of a face that runs from a to b lies where angles fall.
            other = min(waiting, key=lambda j: (angles[k] - angles[j]) % (2 * np.pi))
            waiting.remove(other)
            found.append((int(at[k]), int(at[other]), a, b))
    return np.array(found, dtype=np.int64).reshape(-1, 4)


def _angles(verts: np.ndarray, faces: np.ndarray, a: int, b: int) -> np.ndarray:
    """Of the faces' third corners about the axis from a to b."""
    third = verts[faces.sum(axis=1) - a - b] - verts[a]
    axis = verts[b] - verts[a]
    length = np.linalg.norm(axis)
    axis = axis / length if length > 0 else np.array([1.0, 0, 0])
    first = np.cross(axis, np.eye(3)[np.abs(axis).argmin()])
    second = np.cross(axis, first)
    return np.arctan2(third @ second, third @ first)

"""Moves shortened where they would take a surface through itself."""

import torch
from jaxtyping import Float, Int32, Int64
from torch import Tensor

from lightning_rast.scene import Mesh, Topology, self_intersections

_MOST_ROUNDS = 8
_SLOPE = 0.34  # by how much neighbours' shares may differ: three rings from none to all
_HALVINGS = 2  # after so many, what still crosses does not move at all


@torch.no_grad()
def without_new_crossings(
    before: Float[Tensor, "V 3"],
    after: Float[Tensor, "V 3"],
    topology: Topology,
    *,
    old: Int32[Tensor, "P 2"] | None = None,
) -> tuple[Float[Tensor, "V 3"], Int32[Tensor, "P 2"]]:
    """Go from `before` towards `after` as far as no faces begin to cross.

    Where they would, their corners go half of the way, then a quarter, then not at all, and the
    vertices around them in between. Pairs of faces that cross already may go on doing so: their way
    out is not to be barred.

    old: `self_intersections` of the mesh at `before`, if they are known.

    Returns:
        Positions, and the pairs of faces that cross there.
    """

    def crossings(verts: Tensor) -> Int32[Tensor, "P 2"]:
        return self_intersections(Mesh(verts, topology.faces)).cpu()

    old = crossings(before) if old is None else old
    known = _keys(old, topology)
    delta = after - before
    share = torch.ones(len(before), dtype=before.dtype, device=before.device)
    verts, found = after, crossings(after)
    for attempt in range(_MOST_ROUNDS):
        new = found[~torch.isin(_keys(found, topology), known)]
        if len(new) == 0:
            return verts, found
        touched = topology.faces[new.flatten().long().to(topology.device)].flatten().long().unique()
        if attempt >= _HALVINGS:
            touched = _with_neighbours(touched, topology, rings=attempt - _HALVINGS)
        share[touched] = share[touched] / 2 if attempt < _HALVINGS else 0.0
        share = _graded(share, topology)
        verts = after - (1 - share[:, None]) * delta
        found = crossings(verts)
    return verts, found


def _keys(pairs: Int32[Tensor, "P 2"], topology: Topology) -> Int64[Tensor, " P"]:
    return pairs[:, 0].long() * len(topology.faces) + pairs[:, 1].long()


def _with_neighbours(
    verts: Int64[Tensor, " K"], topology: Topology, *, rings: int
) -> Int64[Tensor, " L"]:
    is_in = torch.zeros(len(topology.vert_degree), dtype=torch.bool, device=verts.device)
    is_in[verts] = True
    a, b = topology.edge_verts.long().unbind(1)
    for _ in range(rings):
        reached = is_in[a] | is_in[b]
        is_in[a[reached]] = True
        is_in[b[reached]] = True
    return is_in.nonzero()[:, 0]


def _graded(share: Float[Tensor, " V"], topology: Topology) -> Float[Tensor, " V"]:
    a, b = topology.edge_verts.long().unbind(1)
    for _ in range(3):
        lower = share.clone()
        lower.scatter_reduce_(0, a, share[b] + _SLOPE, "amin")
        lower.scatter_reduce_(0, b, share[a] + _SLOPE, "amin")
        share = lower
    return share

"""Normals of faces and vertices, from the positions of the faces' corners.

A face without area has no normal: its own is zero, it adds nothing to its vertices', and no
gradient comes from it. Lengths between 1e-15 and 1e15 are safe in float32.
"""

import math
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from lightning_rast.scene.gather import Gather
from lightning_rast.scene.topology import Topology

# How much each face counts in the normal of its vertex:
#   area     by its area
#   angle    by its angle there, so that the normal depends on the surface, not on how its flat
#            parts are cut into triangles [Thürmer & Wüthrich 1998]
#   sphere   by the sine of that angle over the lengths of both sides: exact where the vertices
#            lie on a sphere, however unevenly [Max 1999]
NormalWeighting = Literal["area", "angle", "sphere"]


def area_vectors(corners: Float[Tensor, "F 3 3"]) -> Float[Tensor, "F 3"]:
    """Normals, towards where the corners run counter-clockwise, as long as the area is large."""
    a, b, c = corners.unbind(1)
    return torch.linalg.cross(b - a, c - a) / 2


def unit(vectors: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3"]:
    """The same directions with length 1; zero, with zero gradient, where there is none."""
    # The scale is a constant to the gradient, since the result does not depend on it.
    size = vectors.detach().abs().amax(dim=-1, keepdim=True)
    limits = torch.finfo(vectors.dtype)
    has_none = size <= limits.tiny / limits.eps
    scaled = vectors / torch.where(has_none, 1, size)
    squares = torch.where(has_none, 1, scaled.square().sum(dim=-1, keepdim=True))
    return torch.where(has_none, 0, scaled / squares.sqrt())


def vertex_normals(
    corners: Float[Tensor, "F 3 3"], gather: Gather, weighting: NormalWeighting = "area"
) -> Float[Tensor, "V 3"]:
    """Unit normals averaged over the faces around each vertex; zero where there are none.

    gather: makes (3 F) corners from (V) vertices, the three of a face after each other.
    """
    if weighting == "area":
        weighted = area_vectors(corners)[:, None].expand(-1, 3, 3)
    elif weighting == "angle":
        weighted = _corner_angles(corners)[..., None] * unit(area_vectors(corners))[:, None]
    elif weighting == "sphere":
        weighted = _over_squared_sides(corners)
    else:
        raise ValueError(f'weighting must be "area", "angle" or "sphere", got {weighting!r}')
    return unit(gather.summed(weighted.reshape(-1, 3)))


def smoothing_groups(
    face_normals: Float[Tensor, "F 3"], topology: Topology, *, crease_deg: float
) -> Gather:
    """Makes (3 F) corners from as many rows as there are groups of corners.

    A group is a part of the fan around one vertex, between edges where the surface bends by more
    than `crease_deg`, where it ends or where several sheets meet. With it instead of
    `corner_gather`, `vertex_normals` are smooth on curved parts and sharp at edges.
    """
    first, second = topology.edge_faces.long().unbind(1)
    normals = face_normals.detach()
    cosine = (normals[first] * normals[second]).sum(dim=1)
    is_smooth = cosine >= math.cos(math.radians(crease_deg))
    verts = topology.edge_verts[: topology.num_regular][is_smooth]
    # Across a smooth edge, the two faces' corners at either end belong together.
    one, other = (
        _corner_at(topology.faces.long(), face[is_smooth].repeat_interleave(2), verts.reshape(-1))
        for face in (first, second)
    )
    num_corners = topology.faces.numel()
    links = coo_matrix(
        (np.ones(len(one), dtype=np.int8), (one.cpu().numpy(), other.cpu().numpy())),
        (num_corners, num_corners),
    )
    num_groups, group = connected_components(links, directed=False)
    return Gather(torch.from_numpy(group).to(topology.device), num_groups)


def _corner_at(faces: Tensor, face: Tensor, vert: Tensor) -> Tensor:
    return 3 * face + (faces[face] == vert[:, None]).int().argmax(dim=1)


def _sides(corners: Tensor) -> tuple[Tensor, Tensor]:
    """From each corner to the next and to the one before it."""
    return corners.roll(-1, dims=1) - corners, corners.roll(1, dims=1) - corners


def _corner_angles(corners: Tensor) -> Float[Tensor, "F 3"]:
    """0 to pi; 0, without a gradient, in a face without area."""
    following, previous = (unit(side) for side in _sides(corners))
    cross = torch.linalg.cross(following, previous)
    sine_squared, cosine = cross.square().sum(dim=2), (following * previous).sum(dim=2)
    # Below the rounding of the unit vectors there is no angle to speak of.
    is_flat = sine_squared <= torch.finfo(corners.dtype).eps ** 2
    sine = torch.where(is_flat, 1, sine_squared).sqrt()
    angle = torch.atan2(sine, torch.where(is_flat, 1, cosine))
    return torch.where(is_flat, torch.where(cosine < 0, torch.pi, 0.0).to(corners), angle)


def _over_squared_sides(corners: Tensor) -> Float[Tensor, "F 3 3"]:
    following, previous = _sides(corners)
    sine = torch.linalg.cross(unit(following), unit(previous))
    for side in (following, previous):
        squares = side.square().sum(dim=2, keepdim=True)
        sine = sine / torch.where(squares == 0, 1, squares).sqrt()
    return sine

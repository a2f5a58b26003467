"""How long edges should be: by what a pixel sees and by how thick the part is."""

import numpy as np
import scipy.sparse
import torch
from jaxtyping import Float
from scipy.sparse.csgraph import dijkstra
from torch import Tensor

from lightning_rast.ops.thickness import thickness_along_rays
from lightning_rast.optim.bending import mean_edge
from lightning_rast.scene import Camera, Mesh


@torch.no_grad()
def local_thickness(mesh: Mesh) -> Float[Tensor, " V"]:
    """How thick the solid inside a closed mesh is at each vertex, in world units.

    The distance straight inwards to where a ray leaves the solid, as the median over a ray along
    the normal and six at 30 degrees to it (each measured along the normal), and then over the
    vertex's neighbours: neither noise nor a vertex at a sharp edge matters much. On a slab of
    thickness t it is t, on a cylinder or ball of diameter d from .75 d to d. Infinite where no ray
    leaves the mesh, as on an open sheet.

    Source: after the shape diameter function of L. Shapira et al., 2008.

    Raises:
        ValueError: a vertex is not finite.
    """
    _check_finite("local_thickness", mesh)
    thickness = thickness_along_rays(mesh.verts.cpu().double(), mesh.faces.cpu())
    return thickness.to(mesh.verts)


@torch.no_grad()
def pixel_footprint(mesh: Mesh, cameras: Camera) -> Float[Tensor, " V"]:
    """The world size of a pixel at each vertex: the median over the views that look at its place.

    Views in which the vertex lies beyond the image's border or behind the camera do not count. A
    vertex that no view looks at gets the median over all vertices. What hides a vertex is not
    looked at.

    Raises:
        ValueError: no view looks at any vertex.
    """
    verts = mesh.verts.double().cpu()
    cameras = cameras.to("cpu")
    focal = torch.linalg.det(cameras.K[:, :2, :2].double()).abs().sqrt()
    depth = cameras.world_to_view_points(verts)[..., 2]
    ndc = cameras.world_to_ndc(verts)[..., :2]
    is_seen = (depth > cameras.near) & (ndc.abs() <= 1).all(dim=-1)
    size = (torch.ones_like(depth) if cameras.orthographic else depth) / focal[:, None]
    footprint = torch.where(is_seen, size, torch.nan).nanmedian(dim=0).values
    if bool(footprint.isnan().all()):
        raise ValueError(
            "pixel_footprint: no camera looks at any vertex; are mesh and cameras in one frame?"
        )
    return footprint.nan_to_num(nan=float(footprint.nanmedian())).to(mesh.verts)


@torch.no_grad()
def target_edges(
    mesh: Mesh,
    cameras: Camera,
    *,
    footprint_px: float = 3.5,
    min_edge: float = 0.0,
    thickness_factor: float = 0.5,
    most_refined: float = 3.0,
    gradation: float = 0.3,
) -> Float[Tensor, " V"]:
    """The edge length to remesh to at each vertex, in world units; see `remesh`.

    So many pixels, but no less than `min_edge`; where the part is thin, `thickness_factor` times
    its thickness, which may go below both by a factor of up to `most_refined`. A part is thin where
    all of it is so within about half such an edge: a ridge, where rays soon leave the solid, is
    not, and short edges there would only keep it from being smoothed away. In the end lengths
    are reduced until they rise no faster than by `gradation` per unit of way along the edges, so
    that edges which meet differ by a factor of about 1 + `gradation` at most.

    Args:
        cameras: whose pixels; their `image_size` is that of the images that are fitted.
        thickness_factor: 0 leaves thickness out. At .5 a rod gets six edges around.
        gradation: must be positive; infinity leaves lengths as they are.

    Raises:
        ValueError: a number is out of range, a vertex not finite, no camera looks at the mesh, or
            it has no edge longer than 0, against which to see what is thin.
    """
    for name, value, least in (
        ("footprint_px", footprint_px, 0.0),
        ("min_edge", min_edge, 0.0),
        ("thickness_factor", thickness_factor, 0.0),
        ("most_refined", most_refined, 1.0),
        ("gradation", gradation, 0.0),
    ):
        if not value >= least:
            raise ValueError(f"target_edges: {name} must be at least {least:g}, got {value}")
    if gradation == 0 or (footprint_px == 0 and min_edge == 0):
        raise ValueError("target_edges: gradation and one of footprint_px, min_edge must not be 0")
    _check_finite("target_edges", mesh)
    target = (footprint_px * pixel_footprint(mesh, cameras)).clamp(min=min_edge)
    if thickness_factor > 0:
        edge = mean_edge(mesh.verts, mesh.topology) if mesh.topology.num_edges else 0.0
        if edge == 0:
            raise ValueError("target_edges: the mesh has no edge longer than 0; is it collapsed?")
        # A vertex is at most num_verts - 1 rings away from another.
        around = round(min(float(target.median()) / edge / 2, mesh.num_verts))
        thin = thickness_factor * _largest_around(mesh, local_thickness(mesh), max(1, around))
        target = torch.minimum(target, torch.maximum(thin, target / most_refined))
    return graded(mesh, target, gradation)


@torch.no_grad()
def graded(mesh: Mesh, lengths: Float[Tensor, " V"], gradation: float) -> Float[Tensor, " V"]:
    """The largest lengths below the given ones that rise by no more than `gradation` times the way
    along the edges."""
    edges = mesh.topology.edge_verts.cpu().numpy()
    if len(edges) == 0 or not np.isfinite(gradation):
        return lengths
    verts = mesh.verts.double().cpu().numpy()
    way = gradation * np.linalg.norm(verts[edges[:, 0]] - verts[edges[:, 1]], axis=1)
    # The shortest ways from one more vertex, from which each vertex is as far as its length is
    # large. A way of length 0 would be no edge at all to the graph.
    way = np.maximum(way, np.finfo(np.float64).tiny)
    known = lengths.double().cpu().numpy()
    start = mesh.num_verts
    rows = np.concatenate((edges[:, 0], edges[:, 1], np.full(start, start)))
    columns = np.concatenate((edges[:, 1], edges[:, 0], np.arange(start)))
    graph = scipy.sparse.csr_matrix(
        (np.concatenate((way, way, known)), (rows, columns)), (start + 1, start + 1)
    )
    shortest = dijkstra(graph, indices=start)[:start]
    return torch.from_numpy(np.minimum(shortest, known)).to(lengths)


def _largest_around(mesh: Mesh, values: Float[Tensor, " V"], rings: int) -> Float[Tensor, " V"]:
    """The largest of the values at each vertex and its neighbours, and theirs, so many times."""
    a, b = mesh.topology.edge_verts.long().unbind(1)
    for _ in range(rings):
        larger = values.clone()
        larger.scatter_reduce_(0, a, values[b], "amax")
        larger.scatter_reduce_(0, b, values[a], "amax")
        if torch.equal(larger, values):  # and so would be all that follow
            break
        values = larger
    return values


def _check_finite(name: str, mesh: Mesh) -> None:
    is_bad = ~torch.isfinite(mesh.verts).all(dim=1)
    if bool(is_bad.any()):
        row = int(is_bad.nonzero()[0, 0])
        raise ValueError(f"{name}: verts[{row}] = {mesh.verts[row].tolist()} is not finite")

"""The state of a mesh: is it a sound solid, of what shape, how large, how finely meshed."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from lightning_rast.scene.intersections import count_self_intersections
from lightning_rast.scene.mesh import Mesh
from lightning_rast.scene.topology import Topology

# Twice the area over the square of the longest side: flatter faces have no direction in float32.
_LEAST_FLATNESS = 1e-6


@dataclass(frozen=True, kw_only=True)
class ComponentReport:
    """A group of faces connected through common vertices.

    genus: handles; None unless closed, oriented and manifold.
    volume: enclosed, negative if inside out (a cavity is); None unless closed and oriented.
    """

    num_faces: int
    genus: int | None
    area: float
    volume: float | None


@dataclass(frozen=True, kw_only=True)
class EdgeLengths:
    """Of all edges, world units; std: of the lengths about their mean."""

    shortest: float
    median: float
    mean: float
    longest: float
    std: float


@dataclass(frozen=True, kw_only=True)
class MeshReport:
    """What `mesh_report` finds; plain numbers, so that `as_json` may be dumped.

    is_watertight: no edge has a face on one side only.
    is_edge_manifold: at most two faces meet at an edge. is_vert_manifold: those around a vertex
        form one fan.
    is_oriented: faces that share an edge run along it in opposite directions.
    is_inside_out: closed, oriented, and normals point inwards on the whole; not known (None) for
        other meshes.
    components: of most faces first. genus: their sum; None unless closed, oriented and manifold.
    num_boundary_loops: separate borders, where faces end.
    num_degenerate_faces: faces that name a vertex twice, or without area (twice the area below
        1e-6 of the longest side's square).
    num_self_intersections: pairs of faces that meet in more than shared corners.
    num_folded_edges: edges between faces whose normals are more than 90 degrees apart.
    volume: enclosed, negative if inside out; None unless closed and oriented.
    bounds: lowest and highest corner. Lengths are in world units.
    """

    num_verts: int
    num_faces: int
    num_edges: int
    is_watertight: bool
    is_edge_manifold: bool
    is_vert_manifold: bool
    is_oriented: bool
    is_inside_out: bool | None
    components: list[ComponentReport]
    genus: int | None
    num_boundary_loops: int
    num_degenerate_faces: int
    num_self_intersections: int
    num_folded_edges: int
    volume: float | None
    area: float
    bounds: list[list[float]]
    edge_lengths: EdgeLengths

    @property
    def is_sound(self) -> bool:
        """A closed solid that does not pass through itself."""
        return self.is_closed_solid and self.num_self_intersections == 0

    @property
    def is_closed_solid(self) -> bool:
        """Watertight, manifold, oriented, turned outwards; it may pass through itself."""
        return (
            self.is_watertight
            and self.is_edge_manifold
            and self.is_vert_manifold
            and self.is_oriented
            and not self.is_inside_out
        )

    @property
    def num_components(self) -> int:
        return len(self.components)

    def as_json(self) -> dict[str, Any]:
        """Nested dicts, lists and numbers."""
        return asdict(self)

    def __str__(self) -> str:
        faults = [
            *([] if self.is_watertight else [f"open at {self.num_boundary_loops} border(s)"]),
            *([] if self.is_edge_manifold else ["more than two faces at an edge"]),
            *([] if self.is_vert_manifold else ["separate fans of faces touch in a vertex"]),
            *([] if self.is_oriented else ["inconsistently wound"]),
            *(["inside out"] if self.is_inside_out else []),
            *([f"{n} degenerate faces"] if (n := self.num_degenerate_faces) else []),
            *([f"{n} pairs of faces cross"] if (n := self.num_self_intersections) else []),
        ]
        genus = "" if self.genus is None else f", genus {self.genus}"
        return f"{self.num_faces} faces, {self.num_components} component(s){genus}; " + (
            ", ".join(faults) if faults else "watertight, manifold, turned outwards"
        )


def mesh_report(mesh: Mesh) -> MeshReport:
    """Look at everything that makes a mesh usable as a solid.

    As vertices are indexed: `weld` a mesh first whose positions are repeated at seams.

    Raises:
        ValueError: there are no faces, or a face's position is not finite.
    """
    if mesh.num_faces == 0:
        raise ValueError("mesh_report: the mesh has no faces")
    mesh = mesh.with_verts(mesh.verts.detach()).to("cpu").to(torch.float64)
    if not bool(torch.isfinite(mesh.corners).all()):
        raise ValueError("mesh_report: the mesh has positions that are not finite")
    topology = mesh.topology
    counts = topology.report()
    has_volume = topology.is_closed and topology.is_oriented
    ends = mesh.verts[topology.edge_verts.long()]
    lengths = (ends[:, 1] - ends[:, 0]).norm(dim=1)
    if not len(lengths):
        lengths = torch.zeros(1, dtype=torch.float64)
    return MeshReport(
        num_verts=mesh.num_verts,
        num_faces=mesh.num_faces,
        num_edges=topology.num_edges,
        is_watertight=topology.is_closed,
        is_edge_manifold=counts.num_non_manifold_edges == 0,
        is_vert_manifold=counts.num_pinched_verts == 0,
        is_oriented=topology.is_oriented,
        is_inside_out=mesh.is_inside_out if has_volume else None,
        components=_components(mesh),
        genus=topology.genus,
        num_boundary_loops=_num_loops(topology),
        num_degenerate_faces=int(_is_degenerate(mesh).sum()),
        num_self_intersections=count_self_intersections(mesh),
        num_folded_edges=_num_folded_edges(mesh),
        volume=float(mesh.volume) if has_volume else None,
        area=float(mesh.area),
        bounds=mesh.bounds.tolist(),
        edge_lengths=EdgeLengths(
            shortest=float(lengths.min()),
            median=float(lengths.median()),
            mean=float(lengths.mean()),
            longest=float(lengths.max()),
            std=float(lengths.std(correction=0)),
        ),
    )


def _components(mesh: Mesh) -> list[ComponentReport]:
    topology = mesh.topology
    faces = mesh.faces.long()
    label = topology.component_of_face.long()
    num = topology.num_components
    # Every vertex and edge lies in the component of any face at it.
    of_vert = torch.full((mesh.num_verts,), -1)
    of_vert[faces.reshape(-1)] = label.repeat_interleave(3)
    of_edge = of_vert[topology.edge_verts[:, 0].long()]

    def counted(labels: torch.Tensor) -> torch.Tensor:
        return torch.bincount(labels, minlength=num)

    euler = counted(of_vert[of_vert >= 0]) - counted(of_edge) + counted(label)
    irregular = counted(of_edge[topology.num_regular :])
    a, b, c = faces.unbind(1)
    names_twice = counted(label[(a == b) | (b == c) | (c == a)])
    pinched = counted(of_vert[topology.pinched_verts.long()])
    is_solid = (irregular == 0) & (names_twice == 0) & (pinched == 0)

    corners = mesh.corners - mesh.bounds.mean(dim=0)
    p, q, r = corners.unbind(1)
    zero = torch.zeros(num, dtype=torch.float64)
    volume = zero.index_add(0, label, (p * torch.linalg.cross(q, r)).sum(dim=1) / 6)
    area = zero.index_add(0, label, mesh.face_area_vectors.norm(dim=1))
    num_faces = counted(label)
    found = [
        ComponentReport(
            num_faces=int(num_faces[i]),
            genus=1 - int(euler[i]) // 2 if is_solid[i] else None,
            area=float(area[i]),
            volume=float(volume[i]) if irregular[i] == 0 else None,
        )
        for i in range(num)
    ]
    return sorted(found, key=lambda component: -component.num_faces)


def _num_loops(topology: Topology) -> int:
    edges = topology.boundary_edges.numpy()
    used, ends = np.unique(edges, return_inverse=True)
    if len(used) == 0:
        return 0
    a, b = ends.reshape(-1, 2).T
    links = coo_matrix((np.ones(len(a), dtype=np.int8), (a, b)), (len(used), len(used)))
    return connected_components(links, directed=False, return_labels=False)


def _is_degenerate(mesh: Mesh) -> torch.Tensor:
    corners = mesh.corners
    sides = corners.roll(-1, dims=1) - corners
    longest = sides.square().sum(dim=2).amax(dim=1)
    a, b, c = mesh.faces.unbind(1)
    names_twice = (a == b) | (b == c) | (c == a)
    return names_twice | (2 * mesh.face_area_vectors.norm(dim=1) <= _LEAST_FLATNESS * longest)


def _num_folded_edges(mesh: Mesh) -> int:
    first, second = mesh.face_normals[mesh.topology.face_adjacency.long()].unbind(dim=1)
    return int(((first * second).sum(dim=1) < 0).sum())

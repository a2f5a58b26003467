"""Edges of a triangle mesh, laid out as the contour kernels read them, and a report on them."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Int, Int32
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from lightning_rast.scene.gather import Gather
from lightning_rast.scene.lazy_property import lazy_property
from lightning_rast.scene.topology_report import TopologyReport

# An incidence is coded as 2 * face + reversed in int32.
_MAX_FACES = 2**30 - 1
_MAX_VERTS = 2**31 - 1

_NOT_COMPILED = (
    "how many edges a mesh has depends on its faces' values, which torch.compile cannot trace: "
    "touch mesh.topology (or call Topology.from_faces) once before what is compiled"
)


@dataclass(frozen=True, eq=False)
class Topology:
    """Connectivity of a triangle mesh; build it with `Topology.from_faces`.

    Every undirected edge (a, b), a < b, appears once. The first `num_regular` edges are *regular*:
    exactly two face corners run along them, in opposite directions. All others (boundary,
    non-manifold, inconsistent winding) follow and list their incidences explicitly, so any
    triangle soup is representable:

        edge e < R            edge_faces[e] = (face running a->b, face running b->a)
        edge e = R + i        irregular_codes[irregular_offsets[i] : irregular_offsets[i + 1]],
                              each code = 2 * face + (1 if the face runs b->a else 0)

    Both groups are sorted by their smallest face, so that kernels read per-face data nearly in
    order. A side of a face that joins a vertex to itself is dropped.

    Comparison and hash go by identity: a topology is immutable and may be a compile-time constant.

    Raises:
        ValueError: a field is not what kernels may read: its type, shape, device or layout, or
            (on the CPU) an index that names nothing.
    """

    faces: Int32[Tensor, "F 3"]
    num_verts: int
    edge_verts: Int32[Tensor, "E 2"]
    edge_faces: Int32[Tensor, "R 2"]
    irregular_offsets: Int32[Tensor, " I_plus_1"]
    irregular_codes: Int32[Tensor, " K"]

    def __post_init__(self) -> None:
        _check_layout(self)
        # Looking at values would stall a CUDA stream.
        if self.faces.device.type == "cpu" and not torch.compiler.is_compiling():
            _check_values(self)

    @classmethod
    def from_faces(cls, faces: Tensor, num_verts: int) -> "Topology":
        """Find the edges of `faces`, any integer tensor (F, 3); the result lives on its device.

        Raises:
            ValueError: `faces` has another shape or type, or an index outside [0, num_verts).
        """
        if torch.compiler.is_dynamo_compiling():
            # With fullgraph=True an error, which quotes this; without, what it would be anyway.
            torch._dynamo.graph_break(msg=_NOT_COMPILED)
        check_faces(faces, num_verts)
        faces = faces.detach().to(torch.int64)
        tail = faces.reshape(-1)
        head = faces.roll(-1, dims=1).reshape(-1)
        proper = tail != head
        tail, head = tail[proper], head[proper]
        face = torch.arange(len(faces), device=faces.device).repeat_interleave(3)[proper]

        # A stable sort keeps the faces of each edge in ascending order.
        key, order = torch.sort(
            torch.minimum(tail, head) * num_verts + torch.maximum(tail, head), stable=True
        )
        face = face[order]
        is_reversed = (tail > head)[order]
        key, count = torch.unique_consecutive(key, return_counts=True)
        start = count.cumsum(0) - count
        edge_verts = torch.stack((key // max(num_verts, 1), key % max(num_verts, 1)), dim=1)

        second = (start + 1).clamp(max=max(len(face) - 1, 0))
        is_regular = (count == 2) & (is_reversed[start] != is_reversed[second])
        regular, irregular = (
            selected[torch.argsort(face[start[selected]], stable=True)]
            for selected in (is_regular.nonzero()[:, 0], (~is_regular).nonzero()[:, 0])
        )

        pair = torch.stack((face[start[regular]], face[second[regular]]), dim=1)
        pair = torch.where(is_reversed[start[regular], None], pair.flip(1), pair)

        irregular_count = count[irregular]
        offsets = torch.cat((irregular_count.new_zeros(1), irregular_count.cumsum(0)))
        within = torch.arange(int(offsets[-1]), device=faces.device)
        within = within - offsets[:-1].repeat_interleave(irregular_count)
        slot = start[irregular].repeat_interleave(irregular_count) + within

        def packed(values: Tensor) -> Tensor:
            return values.to(torch.int32).contiguous()

        return cls(
            faces=packed(faces),
            num_verts=num_verts,
            edge_verts=packed(edge_verts[torch.cat((regular, irregular))]),
            edge_faces=packed(pair),
            irregular_offsets=packed(offsets),
            irregular_codes=packed(2 * face[slot] + is_reversed[slot]),
        )

    def to(self, device: torch.device | str) -> "Topology":
        """The same topology on `device`; itself when it is there already."""
        if torch.empty(0, device=device).device == self.faces.device:
            return self
        return Topology(
            faces=self.faces.to(device),
            num_verts=self.num_verts,
            edge_verts=self.edge_verts.to(device),
            edge_faces=self.edge_faces.to(device),
            irregular_offsets=self.irregular_offsets.to(device),
            irregular_codes=self.irregular_codes.to(device),
        )

    @property
    def device(self) -> torch.device:
        return self.faces.device

    @property
    def num_faces(self) -> int:
        return self.faces.shape[0]

    @property
    def num_edges(self) -> int:
        return self.edge_verts.shape[0]

    @property
    def num_regular(self) -> int:
        """Edges with exactly two incident face corners of opposite direction."""
        return self.edge_faces.shape[0]

    @lazy_property
    def corner_gather(self) -> Gather:
        """Makes (3 F) face corners from (V) vertices, the three of a face after each other."""
        return Gather(self.faces.reshape(-1), self.num_verts)

    @lazy_property
    def vert_degree(self) -> Int32[Tensor, " V"]:
        """Number of edges at each vertex; 0 where no face uses the vertex."""
        ends = self.edge_verts.reshape(-1).long()
        return torch.bincount(ends, minlength=self.num_verts).to(torch.int32)

    @lazy_property
    def boundary_edges(self) -> Int32[Tensor, "B 2"]:
        """Vertex pairs of the edges that only one face corner runs along."""
        return self.edge_verts[self.num_regular :][self._irregular_counts == 1]

    @property
    def is_closed(self) -> bool:
        """No edge has a face on one side only."""
        return len(self.boundary_edges) == 0

    @lazy_property
    def is_oriented(self) -> bool:
        """Faces that share an edge run along it in opposite directions.

        Where an odd number meets, one of them may be left over.
        """
        return bool((self._irregular_winding.abs() <= 1).all())

    @lazy_property
    def is_manifold(self) -> bool:
        """At most two faces meet at an edge, and those around a vertex form one fan."""
        return not (
            self.num_degenerate_faces
            or bool((self._irregular_counts > 2).any())
            or self.num_pinched_verts
        )

    @lazy_property
    def num_degenerate_faces(self) -> int:
        """Faces that name a vertex more than once."""
        a, b, c = self.faces.unbind(1)
        return int(((a == b) | (b == c) | (c == a)).sum())

    @property
    def num_pinched_verts(self) -> int:
        """Vertices where several fans of faces touch in nothing but that vertex."""
        return len(self.pinched_verts)

    @lazy_property
    def pinched_verts(self) -> Int32[Tensor, " P"]:
        """Vertices where several fans of faces touch in nothing but that vertex."""
        faces = self.faces.cpu().numpy()
        pairs, shared = (table.cpu().numpy() for table in self._neighbours)
        first, second = pairs.astype(np.int64).T
        # Nodes are face corners; two corners at a vertex belong to one fan when an edge joins them.
        rows, cols = (
            np.concatenate(
                [3 * face + (faces[face] == shared[:, end, None]).argmax(axis=1) for end in (0, 1)]
            )
            for face in (first, second)
        )
        num_fans, fan = _components(rows, cols, faces.size)
        vert_of_fan = np.empty(num_fans, dtype=np.int64)
        vert_of_fan[fan] = faces.reshape(-1)
        pinched = np.flatnonzero(np.bincount(vert_of_fan, minlength=1) > 1)
        return torch.from_numpy(pinched.astype(np.int32)).to(self.device)

    @property
    def num_components(self) -> int:
        """Groups of faces connected through common vertices."""
        return int(self.component_of_face.max()) + 1 if self.num_faces else 0

    @lazy_property
    def component_of_face(self) -> Int32[Tensor, " F"]:
        """Number of the group of faces, connected through common vertices, that each belongs to."""
        used, corner = np.unique(self.faces.cpu().numpy(), return_inverse=True)
        a, b, c = corner.reshape(-1, 3).T
        _, label = _components(np.concatenate((a, b)), np.concatenate((b, c)), len(used))
        return torch.from_numpy(label[a].astype(np.int32)).to(self.device)

    @lazy_property
    def euler(self) -> int:
        """Euler characteristic V - E + F over the vertices that faces use."""
        used = torch.zeros(self.num_verts, dtype=torch.bool, device=self.device)
        used[self.faces.reshape(-1).long()] = True
        return int(used.sum()) - self.num_edges + self.num_faces

    @property
    def genus(self) -> int | None:
        """Handles, summed over the components; None unless closed, oriented and manifold."""
        if not (self.is_closed and self.is_oriented and self.is_manifold):
            return None
        return self.num_components - self.euler // 2

    @lazy_property
    def face_adjacency(self) -> Int32[Tensor, "A 2"]:
        """Pairs of distinct faces joined by a regular edge, as `edge_faces`."""
        return self.edge_faces[self._joins_two_faces]

    @lazy_property
    def face_adjacency_edges(self) -> Int32[Tensor, "A 2"]:
        """The edge (a, b) between each pair of `face_adjacency`."""
        return self.edge_verts[: self.num_regular][self._joins_two_faces]

    @lazy_property
    def opposite_verts(self) -> Int32[Tensor, "A 2"]:
        """For each pair of `face_adjacency`, the vertex of either face that is off their edge."""
        corner_sum = self.faces.long().sum(1)[self.face_adjacency.long()]
        edge_sum = self.face_adjacency_edges.long().sum(1, keepdim=True)
        return (corner_sum - edge_sum).to(torch.int32)

    def report(self) -> TopologyReport:
        """What a person wants to know before fitting or rendering this mesh."""
        return TopologyReport(
            num_verts=self.num_verts,
            num_faces=self.num_faces,
            num_edges=self.num_edges,
            num_components=self.num_components,
            num_boundary_edges=len(self.boundary_edges),
            num_non_manifold_edges=int((self._irregular_counts > 2).sum()),
            num_inconsistent_edges=int((self._irregular_winding.abs() > 1).sum()),
            num_pinched_verts=self.num_pinched_verts,
            num_degenerate_faces=self.num_degenerate_faces,
            num_unused_verts=int((self.vert_degree == 0).sum()),
            euler=self.euler,
            genus=self.genus,
        )

    @lazy_property
    def face_neighbors(self) -> Int32[Tensor, "F 3"]:
        """Face across the side from corner j to j + 1; -1 where that edge has not two faces."""
        # Shapes depend on no values, so that torch.compile can trace this.
        starts = self.irregular_offsets[:-1].long()
        last = max(self.irregular_codes.shape[0] - 1, 0)
        first, second = (
            self.irregular_codes[(starts + k).clamp(max=last)].long() >> 1 for k in (0, 1)
        )
        paired = self._irregular_counts == 2
        pairs = torch.cat((self.edge_faces.long(), torch.stack((first, second), dim=1)))
        is_edge_of_two = torch.cat((paired.new_ones(self.num_regular), paired))
        corners = self.faces.long()
        following = corners.roll(-1, dims=1)
        a, b = self.edge_verts.long()[:, :, None].unbind(1)
        spare = 3 * self.num_faces  # where edges without two faces write
        neighbors = torch.full((spare + 1,), -1, dtype=torch.int32, device=self.device)
        for face, other in (pairs.unbind(1), pairs.flip(1).unbind(1)):
            begin, end = corners[face], following[face]
            is_side = ((begin == a) & (end == b)) | ((begin == b) & (end == a))
            side = torch.where(is_edge_of_two, 3 * face + is_side.int().argmax(dim=1), spare)
            neighbors = neighbors.index_put((side,), other.int())
        return neighbors[:-1].view(-1, 3)

    @lazy_property
    def _irregular_counts(self) -> Int[Tensor, " I"]:
        return self.irregular_offsets.diff()

    @lazy_property
    def _irregular_winding(self) -> Int[Tensor, " I"]:
        """Incidences running a->b minus those running b->a, per irregular edge."""
        direction = 1 - 2 * (self.irregular_codes.long() & 1)
        total = torch.cat((direction.new_zeros(1), direction.cumsum(0)))
        return total[self.irregular_offsets.long()].diff()

    @lazy_property
    def _joins_two_faces(self) -> Bool[Tensor, " R"]:
        a, b, c = self.faces.unbind(1)
        proper = (a != b) & (b != c) & (c != a)
        first, second = self.edge_faces.long().unbind(1)
        return (first != second) & proper[first] & proper[second]

    @lazy_property
    def _neighbours(self) -> tuple[Int[Tensor, "P 2"], Int[Tensor, "P 2"]]:
        """Faces that follow each other around an edge, however wound, and that edge's vertices."""
        edge = torch.arange(len(self._irregular_counts), device=self.device)
        edge = edge.repeat_interleave(self._irregular_counts.long())
        faces = self.irregular_codes >> 1
        same = edge[:-1] == edge[1:]
        pairs = torch.stack((faces[:-1][same], faces[1:][same]), dim=1)
        regular, irregular = self.edge_verts.tensor_split((self.num_regular,))
        return (
            torch.cat((self.edge_faces, pairs)),
            torch.cat((regular, irregular[edge[:-1][same]])),
        )


def check_faces(faces: Tensor, num_verts: int) -> None:
    """ValueError unless `faces` is an integer tensor (F, 3) with indices in [0, num_verts)."""
    if not isinstance(faces, Tensor):
        raise TypeError(f"faces must be a torch tensor (F, 3), got {type(faces).__name__}")
    if faces.ndim != 2 or faces.shape[1] != 3:
        raise ValueError(
            f"faces must be triangles (F, 3), got shape {tuple(faces.shape)}; "
            "triangulate larger polygons first"
        )
    if faces.dtype not in (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64):
        raise ValueError(f"faces must hold integers, got {faces.dtype}; use faces.to(torch.int32)")
    if not 0 <= num_verts <= _MAX_VERTS:
        raise ValueError(f"num_verts must lie in [0, {_MAX_VERTS}], got {num_verts}")
    if len(faces) > _MAX_FACES:
        raise ValueError(f"faces: at most {_MAX_FACES} are supported, got {len(faces)}")
    is_bad = ((faces < 0) | (faces >= num_verts)).any(dim=1)
    if bool(is_bad.any()):
        row = int(is_bad.nonzero()[0, 0])
        raise ValueError(
            f"faces[{row}] = {faces[row].tolist()} names a vertex outside [0, {num_verts}); "
            f"{int(is_bad.sum())} of {len(faces)} faces do. Drop them, or pass the num_verts they "
            "were made for"
        )


def _check_layout(topology: Topology) -> None:
    num_irregular = topology.num_edges - topology.num_regular
    shapes: dict[str, tuple[int | None, ...]] = {
        "faces": (None, 3),
        "edge_verts": (None, 2),
        "edge_faces": (None, 2),
        "irregular_offsets": (num_irregular + 1,),
        "irregular_codes": (None,),
    }
    for name, shape in shapes.items():
        table = getattr(topology, name)
        if table.dtype != torch.int32 or not table.is_contiguous():
            layout = "contiguous" if table.is_contiguous() else "strided"
            raise ValueError(
                f"Topology: {name} must be int32 and contiguous, got {table.dtype}, {layout}; "
                "Topology.from_faces makes it so"
            )
        if table.ndim != len(shape) or shape[-1] not in (None, table.shape[-1]):
            raise ValueError(f"Topology: {name} must be {shape}, got {tuple(table.shape)}")
        if table.device != topology.device:
            raise ValueError(f"Topology: {name} is on {table.device}, faces on {topology.device}")


def _check_values(topology: Topology) -> None:
    offsets, num_codes = topology.irregular_offsets, len(topology.irregular_codes)
    for name, bound in (
        ("faces", topology.num_verts),
        ("edge_verts", topology.num_verts),
        ("edge_faces", topology.num_faces),
        ("irregular_codes", 2 * topology.num_faces),
    ):
        table = getattr(topology, name)
        if table.numel():
            low, high = (int(value) for value in torch.aminmax(table))
            if low < 0 or high >= bound:
                bad = low if low < 0 else high
                raise ValueError(f"Topology: {name} holds {bad}, which lies outside [0, {bound})")
    if offsets[0] != 0 or offsets[-1] != num_codes or bool((offsets.diff() < 0).any()):
        raise ValueError(f"Topology: irregular_offsets must rise from 0 to {num_codes}")


def _components(rows: np.ndarray, cols: np.ndarray, num_nodes: int) -> tuple[int, np.ndarray]:
    """Connected components of an undirected graph: their number and each node's label."""
    if num_nodes == 0:
        return 0, np.empty(0, dtype=np.int32)
    links = coo_matrix((np.ones(len(rows), dtype=np.int8), (rows, cols)), (num_nodes, num_nodes))
    num_components, label = connected_components(links, directed=False)
    return num_components, label

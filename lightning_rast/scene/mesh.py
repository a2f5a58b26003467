"""A triangle mesh: vertex positions, faces, and what follows from the two."""

import numpy as np
import torch
from jaxtyping import Float, Int, Int32
from torch import Tensor

from lightning_rast.scene.gather import Gather
from lightning_rast.scene.lazy_property import lazy_property
from lightning_rast.scene.normals import (
    NormalWeighting,
    area_vectors,
    smoothing_groups,
    unit,
    vertex_normals,
)
from lightning_rast.scene.topology import Topology, check_faces


class Mesh:
    """Vertices (V, 3) in world units and faces (F, 3) that index them.

    Faces wind counter-clockwise seen from outside. A mesh is not changed after it is made, so its
    topology is kept. What follows from positions is differentiable in `verts` and made anew each
    time, so that every use of it may have a backward pass of its own.

    Args:
        verts: positions.
        faces: any integer type; kept as int32.
        topology: of these faces, if it is known already (meshes in a training loop share one).

    Raises:
        ValueError: shapes, types or devices do not fit, or (looked at on the CPU only) a face
            names a vertex that is not there or `topology` is of other faces.
    """

    def __init__(
        self,
        verts: Float[Tensor, "V 3"],
        faces: Int[Tensor, "F 3"],
        *,
        topology: Topology | None = None,
    ) -> None:
        if verts.ndim != 2 or verts.shape[1] != 3 or not verts.is_floating_point():
            raise ValueError(
                f"verts must be floating point (V, 3), got {verts.dtype} {tuple(verts.shape)}"
            )
        if verts.device != faces.device:
            raise ValueError(f"verts are on {verts.device}, faces on {faces.device}")
        if topology is None:
            if faces.device.type == "cpu":
                check_faces(faces, len(verts))
        else:
            if topology.num_verts != len(verts) or topology.faces.shape != faces.shape:
                raise ValueError(
                    f"topology is of {topology.num_verts} vertices and {topology.num_faces} "
                    f"faces, the mesh has {len(verts)} and {len(faces)}"
                )
            if not _are_same(faces, topology.faces):
                raise ValueError("topology is of other faces; use Topology.from_faces(faces, V)")
            self.__dict__["topology"] = topology
            faces = topology.faces
        self.verts = verts
        self.faces: Int32[Tensor, "F 3"] = faces.to(torch.int32)
        # Of all meshes that with_verts() made of each other: empty until one is asked for it.
        self._shared_topology: list[Topology] = []

    def __repr__(self) -> str:
        return f"Mesh({self.num_verts} verts, {self.num_faces} faces, {self.verts.dtype})"

    @property
    def num_verts(self) -> int:
        return len(self.verts)

    @property
    def num_faces(self) -> int:
        return len(self.faces)

    @lazy_property
    def topology(self) -> Topology:
        """Edges as vertices are indexed: `weld` first where positions are repeated at seams."""
        if not self._shared_topology:
            self._shared_topology.append(Topology.from_faces(self.faces, self.num_verts))
        return self._shared_topology[0]

    def with_verts(self, verts: Float[Tensor, "V 3"]) -> "Mesh":
        """The same faces on other positions. The topology, too, is one: known already, or looked up
        by the first of these meshes that is asked for it."""
        known = self.__dict__.get("topology")
        is_shared = len(verts) == self.num_verts
        if known is None and is_shared and self._shared_topology:
            known = self._shared_topology[0]
        moved = Mesh(verts, self.faces if known is None else known.faces, topology=known)
        if is_shared:
            moved._shared_topology = self._shared_topology
        return moved

    def to(self, target: torch.device | str | torch.dtype) -> "Mesh":
        """On another device, or with positions of another floating-point type."""
        if isinstance(target, torch.dtype):
            return self.with_verts(self.verts.to(target))
        known = self.__dict__.get("topology")
        if known is None:
            return Mesh(self.verts.to(target), self.faces.to(target))
        known = known.to(target)
        return Mesh(self.verts.to(target), known.faces, topology=known)

    def weld(self) -> "Mesh":
        """Merge vertices at exactly equal positions; faces keep their number and order.

        Of each group the first vertex stays. Faces may come to name a vertex twice.
        """
        position = self.verts.detach().cpu().numpy()
        order = np.lexsort(position.T)
        is_new = np.ones(len(order), dtype=bool)
        is_new[1:] = (position[order[1:]] != position[order[:-1]]).any(axis=1)
        # The sort is stable: the first of a group in it is the first in the mesh.
        first = order[is_new]
        kept = np.sort(first)
        merged = np.empty(len(order), dtype=np.int32)
        merged[order] = np.searchsorted(kept, first)[np.cumsum(is_new) - 1]
        device = self.verts.device
        return Mesh(
            self.verts[torch.from_numpy(kept).to(device)],
            torch.from_numpy(merged).to(device)[self.faces.long()],
        )

    def subdivide(self) -> "Mesh":
        """Split every face into four at its edges' midpoints; the surface stays what it is.

        Old vertices keep their index; face f becomes faces 4 f to 4 f + 3.
        """
        edges = self.topology.edge_verts.long()
        faces = self.faces.long()
        head = faces.roll(-1, dims=1)
        low, high = torch.minimum(faces, head), torch.maximum(faces, head)
        keys, order = torch.sort(edges[:, 0] * self.num_verts + edges[:, 1])
        if len(keys):
            slot = torch.searchsorted(keys, low * self.num_verts + high)
            middle = self.num_verts + order[slot.clamp(max=len(keys) - 1)]
        else:
            middle = faces
        # A side from a vertex to itself has no edge; its midpoint is that vertex.
        a, b, c = faces.unbind(1)
        ab, bc, ca = torch.where(low == high, low, middle).unbind(1)
        quarters = torch.stack((a, ab, ca, ab, b, bc, ca, bc, c, ab, bc, ca), dim=1)
        return Mesh(
            torch.cat((self.verts, self.verts[edges].mean(dim=1))),
            quarters.reshape(-1, 3).to(torch.int32),
        )

    @property
    def corner_gather(self) -> Gather:
        """Makes (3 F) corners from (V) vertices, the three of a face after each other."""
        known = self.__dict__.get("topology")
        return self._corner_gather if known is None else known.corner_gather

    @property
    def corners(self) -> Float[Tensor, "F 3 3"]:
        """Positions of each face's three vertices."""
        return self.corner_gather(self.verts).reshape(-1, 3, 3)

    @property
    def face_area_vectors(self) -> Float[Tensor, "F 3"]:
        """Outward normals whose length is the face's area."""
        return area_vectors(self.corners)

    @property
    def face_normals(self) -> Float[Tensor, "F 3"]:
        """Unit outward normals; zero for a face without area."""
        return unit(self.face_area_vectors)

    def vertex_normals(self, weighting: NormalWeighting = "area") -> Float[Tensor, "V 3"]:
        """Unit normals averaged over adjacent faces (`scene.normals` says by what weights); zero
        where there is none."""
        return vertex_normals(self.corners, self.corner_gather, weighting)

    def corner_normals(
        self, *, crease_deg: float, weighting: NormalWeighting = "area"
    ) -> Float[Tensor, "F 3 3"]:
        """Normals at each face's corners: smooth, but at edges that bend by more than
        `crease_deg` those of either side. Which edges do is looked up on the CPU."""
        groups = smoothing_groups(self.face_normals, self.topology, crease_deg=crease_deg)
        return groups(vertex_normals(self.corners, groups, weighting)).reshape(-1, 3, 3)

    @property
    def bounds(self) -> Float[Tensor, "2 3"]:
        """Lowest and highest corner of the box around the vertices that faces use.

        Raises:
            ValueError: there are no faces.
        """
        if self.num_faces == 0:
            raise ValueError("bounds: the mesh has no faces")
        corners = self.corners
        return torch.stack((corners.amin(dim=(0, 1)), corners.amax(dim=(0, 1))))

    @property
    def area(self) -> Float[Tensor, ""]:
        """Total area of all faces."""
        return self.face_area_vectors.norm(dim=1).sum()

    @property
    def volume(self) -> Float[Tensor, ""]:
        """Enclosed volume of a closed mesh, negative if it is inside out; else meaningless."""
        corners = self.corners
        if self.num_faces:
            # Far from the origin the tetrahedra would be huge and cancel badly.
            corners = corners - self.bounds.detach().mean(dim=0)
        a, b, c = corners.unbind(1)
        return (a * torch.linalg.cross(b, c)).sum() / 6

    @property
    def is_inside_out(self) -> bool:
        """Closed, oriented, and wound so that normals point inwards."""
        topology = self.topology
        return topology.is_closed and topology.is_oriented and bool(self.volume < 0)

    @lazy_property
    def _corner_gather(self) -> Gather:
        return Gather(self.faces.reshape(-1), self.num_verts)


def _are_same(faces: Tensor, known: Tensor) -> bool:
    """Whether two tables of one shape are equal; True where looking would stall a device."""
    if faces is known or faces.device.type != "cpu" or torch.compiler.is_compiling():
        return True
    return torch.equal(faces.to(torch.int32), known)

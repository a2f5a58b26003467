"""What a person wants to know of a mesh before fitting or rendering it, in numbers and words."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class TopologyReport:
    """Counts from `Topology.report`; `str()` puts them into words."""

    num_verts: int
    num_faces: int
    num_edges: int
    num_components: int
    num_boundary_edges: int
    num_non_manifold_edges: int
    num_inconsistent_edges: int
    num_pinched_verts: int
    num_degenerate_faces: int
    num_unused_verts: int
    euler: int
    genus: int | None

    def __str__(self) -> str:
        faults = {
            "boundary edges": self.num_boundary_edges,
            "non-manifold edges": self.num_non_manifold_edges,
            "edges with inconsistent winding": self.num_inconsistent_edges,
            "vertices where separate fans touch": self.num_pinched_verts,
            "faces naming a vertex twice": self.num_degenerate_faces,
            "unused vertices": self.num_unused_verts,
        }
        found = [f"{count} {what}" for what, count in faults.items() if count]
        shape = f"genus {self.genus}" if self.genus is not None else f"Euler number {self.euler}"
        return (
            f"{self.num_verts} vertices, {self.num_faces} faces, {self.num_components} component(s)"
            f", {shape}; {', '.join(found) if found else 'closed, oriented and manifold'}"
        )

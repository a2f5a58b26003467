"""What masks show of an object's topology, against a mesh's, and what a change of it may cost."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from lightning_rast.ops.mask_distance import mask_distance
from lightning_rast.optim.agreement import Targets, agreement
from lightning_rast.optim.image_topology import Hole, ImageTopology, image_topology
from lightning_rast.optim.parts import part_of_verts
from lightning_rast.render.silhouette import render_silhouettes
from lightning_rast.scene import Mesh

# A mask's hole counts as missing where the mesh covers more than this part of it.
_COVERED = 0.5
# px: a slit that is nowhere this far from the mask is finer than the pixels tell.
_LEAST_DEPTH = 1.0
# px: an outline farther than this outside of the mesh's silhouette belongs to something lost.
_LOST = 2.0


@dataclass(frozen=True, eq=False)
class TopologyComparison:
    """A closed mesh's handles, parts and holes beside those that the masks show.

    genus: of each separate part, the one with most vertices first.
    masks, silhouettes: of the targets and of the mesh painted back.
    missing_holes: holes of masks, of more than a pixel's depth, that the mesh covers, the largest
        first.
    """

    genus: tuple[int, ...]
    masks: ImageTopology
    silhouettes: ImageTopology
    missing_holes: tuple[Hole, ...]

    @property
    def num_phantom_handles(self) -> int:
        """Handles beyond the most holes that any mask shows."""
        return max(0, sum(self.genus) - int(self.masks.num_holes.max()))

    @property
    def num_phantom_parts(self) -> int:
        """Parts beyond the most separate pieces that any mask shows."""
        return max(0, len(self.genus) - max(1, int(self.masks.num_pieces.max())))

    def __str__(self) -> str:
        parts = f"{len(self.genus)} part(s) of genus {', '.join(map(str, self.genus))}"
        shown = (
            f"masks show up to {int(self.masks.num_pieces.max())} piece(s) and "
            f"{int(self.masks.num_holes.max())} hole(s)"
        )
        missing = sorted({hole.view for hole in self.missing_holes})
        closed = f"; holes are closed in views {missing}" if missing else ""
        return f"{parts}; {shown}{closed}"


@torch.no_grad()
def compare_topology(
    mesh: Mesh, targets: Targets, *, smallest_px: float = 4.0
) -> TopologyComparison:
    """What the mesh has and the masks show; pieces and holes below `smallest_px` squared are noise.

    Raises:
        ValueError: the mesh is not a closed, oriented manifold.
    """
    rendered = render_silhouettes(mesh, targets.cameras)
    masks = image_topology(targets.coverage, targets.known, smallest_px=smallest_px)
    distance = mask_distance(targets.coverage.float(), targets.known)
    missing = [
        hole
        for hole in masks.holes
        if float(rendered[hole.view][hole.mask].double().mean()) > _COVERED
        and float(distance[hole.view][hole.mask].min()) < -_LEAST_DEPTH
    ]
    return TopologyComparison(
        genus=part_genus(mesh),
        masks=masks,
        silhouettes=image_topology(rendered, targets.known, smallest_px=smallest_px),
        missing_holes=tuple(sorted(missing, key=lambda hole: -hole.area)),
    )


def part_genus(mesh: Mesh) -> tuple[int, ...]:
    """Handles of each part of a closed, oriented manifold, the part with most vertices first."""
    topology = mesh.topology
    if not (topology.is_closed and topology.is_oriented and topology.is_manifold):
        raise ValueError(
            f"only closed, oriented manifolds have a genus; this is {topology.report()}"
        )
    number, part = part_of_verts(mesh)

    def per_part(verts: Int64[Tensor, " X"]) -> Tensor:
        return torch.bincount(part[verts], minlength=number)

    used = (topology.vert_degree > 0).nonzero()[:, 0]
    num_verts = per_part(used)
    num_edges = per_part(topology.edge_verts[:, 0].long())
    num_faces = per_part(mesh.faces[:, 0].long())
    genus = 1 - (num_verts - num_edges + num_faces) // 2
    order = num_verts.argsort(descending=True, stable=True)
    return tuple(int(genus[i]) for i in order if num_verts[i] > 0)


def needs_revoxelizing(comparison: TopologyComparison) -> bool:
    """Whether the mesh has handles or parts that no mask shows, or lacks holes that one does."""
    return bool(
        comparison.num_phantom_handles or comparison.num_phantom_parts or comparison.missing_holes
    )


@dataclass(frozen=True)
class Verdict:
    """Whether a change of topology is kept, with what decided.

    iou: mean over the views, before and after. lost_outline: the part of the masks' outlines, mean
    over the views, that lies more than 2 px outside of the mesh's silhouette, before and after.
    """

    accepted: bool
    reason: str
    iou: tuple[float, float]
    lost_outline: tuple[float, float]


def judge(
    before: Mesh,
    after: Mesh,
    targets: Targets,
    *,
    most_iou_lost: float = 2e-3,
    most_outline_lost: float = 2e-3,
) -> Verdict:
    """Compare fits before and after a change of topology.

    `after` is refused if the intersection over union falls by more than `most_iou_lost`, or if
    `most_outline_lost` more of the outlines is lost: a thin tip is little area, but its outline has
    nothing of the mesh near it.
    """
    iou = _mean_iou(before, targets), _mean_iou(after, targets)
    lost = float(lost_outline(before, targets).mean()), float(lost_outline(after, targets).mean())
    if iou[1] < iou[0] - most_iou_lost:
        reason = f"IoU falls from {iou[0]:.4f} to {iou[1]:.4f}"
    elif lost[1] > lost[0] + most_outline_lost:
        reason = f"outline lost rises from {lost[0]:.4f} to {lost[1]:.4f}: thin parts are gone"
    else:
        return Verdict(True, "masks are matched as well as before", iou, lost)
    return Verdict(False, reason, iou, lost)


def _mean_iou(mesh: Mesh, targets: Targets) -> float:
    return float(agreement(mesh, targets).iou.mean())


@torch.no_grad()
def lost_outline(mesh: Mesh, targets: Targets) -> Float[Tensor, " N"]:
    """Per view the part of the mask's outline more than 2 px outside of the mesh's silhouette."""
    outline = mask_distance(targets.coverage.float(), targets.known).abs() < 0.75
    rendered = mask_distance(render_silhouettes(mesh, targets.cameras))
    lost = (outline & (rendered < -_LOST)).sum(dim=(1, 2))
    return lost / outline.sum(dim=(1, 2)).clamp(min=1)

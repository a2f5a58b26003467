"""Gauss-Newton steps of the outline: where the mesh's silhouette should go, solved for vertices."""

import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int32
from torch import Tensor

from lightning_rast.ops.contour_pieces import ContourPieces, contour_pieces
from lightning_rast.ops.outline_system import (
    limit_outline_step,
    outline_row_terms,
    solve_outline_system,
)
from lightning_rast.ops.steady_sum import steady_sum
from lightning_rast.scene import Camera, Topology
from lightning_rast.scene.projection import clip_from_view

# |L v|^2 of the graph Laplacian is 9/4 h^4 |surface Laplacian|^2 on an even mesh of edge h.
_BENDING = 4 / 9


@dataclass(frozen=True, eq=False)
class OutlineRows:
    """P equations `sum over the two ends of jacobian . delta = residual`, one per outline piece.

    Lives on the CPU in float64, whatever the mesh.

    jacobian: how far (px) the piece moves along its outward normal per world unit of each end of
        its edge, (1 - t) and t included.
    residual: how far it should move, px; clipped.
    weight: the piece's length, times what Huber's loss and the view's weight leave of it.
    """

    view: Int32[Tensor, " P"]
    verts: Int32[Tensor, "P 2"]
    jacobian: Float[Tensor, "P 2 3"]
    point_world: Float[Tensor, "P 3"]
    residual: Float[Tensor, " P"]
    weight: Float[Tensor, " P"]
    point: Float[Tensor, "P 2"]  # screen
    normal: Float[Tensor, "P 2"]  # screen, unit, outwards
    length: Float[Tensor, " P"]  # px
    num_views: int

    def __len__(self) -> int:
        return len(self.view)

    @property
    def rms_px(self) -> float:
        """Root of the weighted mean square of the residuals; 0 without rows."""
        total = float(steady_sum(self.weight))
        square = float(steady_sum(self.weight * self.residual**2))
        return math.sqrt(square / total) if total else 0.0


@dataclass(frozen=True, eq=False)
class OutlineStep:
    """What `outline_step` proposes."""

    delta: Float[Tensor, "V 3"]  # world; limited
    scale: Float[Tensor, " V"]  # what the limits left of the solution's step, 1 is all
    stiffness: float  # s2: mean diagonal of the outline's Hessian, px^3 per square world unit
    predicted_decrease: float  # of the objective, px^3
    predicted_rms_px: float  # of the residuals after this step, were they linear
    iterations: int
    relative_residual: float  # of the linear system, where it stopped


@torch.no_grad()
def outline_rows(
    verts: Float[Tensor, "V 3"],
    topology: Topology,
    cameras: Camera,
    distances: Float[Tensor, "N H W"],
    *,
    clip_px: float = 6.0,
    huber_px: float = 2.0,
    weights: Float[Tensor, " N"] | None = None,
) -> OutlineRows:
    """Compare the visible outline of a mesh with masks, given as signed distances.

    Each outline piece wants to move along its own outward normal by the mask's distance at its
    middle: that is how far the mask's outline is, positive where the piece lies inside the mask.

    Args:
        distances: signed distance (px, positive inside) to the 1/2 level of each view's mask at
            pixel centres, NaN or +inf where it is unknown, -inf in an empty mask;
            `ops.mask_distance` makes it. Of the cameras' image size. Pieces at unknown places
            make no row; in an empty mask every piece wants to move inwards.
        clip_px: residuals are clipped to so many pixels.
        huber_px: residuals beyond it count linearly, not as squares (Huber's loss).
        weights: of each view, see `view_weights`; 1 if None.

    Raises:
        ValueError: shapes do not fit.
    """
    _check_views(cameras, distances, weights)
    topology = topology.to("cpu")
    verts_cpu = verts.detach().cpu()
    cameras = cameras.to("cpu")
    pieces = contour_pieces(cameras.world_to_clip(verts_cpu), topology, cameras.image_size)
    pieces = ContourPieces(*(v if v.dtype == torch.int32 else v.double() for v in pieces))
    terms = outline_row_terms(
        verts_cpu.double().contiguous(),
        _clip_from_world(cameras),
        distances.detach().cpu().float().contiguous(),
        _view_tensor(weights, len(cameras)),
        pieces,
        clip_px=clip_px,
        huber_px=huber_px,
    )
    rows = OutlineRows(
        view=pieces.view,
        verts=pieces.verts,
        jacobian=terms.jacobian,
        point_world=terms.point_world,
        residual=terms.residual,
        weight=terms.weight,
        point=pieces.point,
        normal=pieces.normal,
        length=pieces.length,
        num_views=len(cameras),
    )
    known = ~terms.residual.isnan()
    return rows if bool(known.all()) else _selected(rows, known)


@torch.no_grad()
def outline_step(
    verts: Float[Tensor, "V 3"],
    topology: Topology,
    rows: OutlineRows,
    *,
    bending: float,
    edge: float,
    smoothing: float = 0.1,
    damping: float = 1e-4,
    rtol: float = 1e-2,
    max_iterations: int = 60,
    max_edges: float = 1.0,
) -> OutlineStep:
    """The step that brings the outline onto the masks and keeps the surface smooth. It minimises

        sum w (residual - jacobian . delta)^2
          + s2 (wb |L (v + delta)|^2 + smoothing delta . L delta + damping |delta|^2)

    with L the graph Laplacian, s2 the mean diagonal of the first term's Hessian and
    `wb = 4/9 (bending / edge)^4`, so that `bending` is a length: a surface that the outline holds
    bends over about so much, whatever the mesh, the views and the resolution.

    Args:
        bending: length in world units; 0 does not bend.
        edge: the mesh's mean edge length, world units.
        smoothing: keeps neighbours' steps alike.
        damping: keeps vertices that nothing moves where they are.
        rtol, max_iterations: where conjugate gradients stop. Stopping early is part of the method:
            what they have not found by then are the slow, smooth motions.
        max_edges: no vertex moves further than so many times the mean length of its edges; where
            faces would turn over, steps are shortened further.

    Raises:
        ValueError: a number is out of range, or the rows belong to another mesh.
    """
    _check_step(bending, edge, smoothing, damping, rtol, max_iterations, max_edges)
    edges, faces = topology.edge_verts.cpu(), topology.faces.cpu()
    points = verts.detach().cpu().double().contiguous()
    weight = _BENDING * (bending / edge) ** 4 if bending else 0.0
    found = solve_outline_system(
        points,
        edges,
        rows.verts,
        rows.jacobian,
        rows.residual,
        rows.weight,
        smoothing=smoothing,
        bending=weight,
        damping=damping,
        rtol=rtol,
        max_iterations=max_iterations,
    )
    delta, scale = limit_outline_step(points, edges, faces, found.delta, max_edges=max_edges)
    left = rows.residual - (rows.jacobian * delta[rows.verts.long()]).sum((1, 2))
    before, after = ((rows.weight * r**2).sum() for r in (rows.residual, left))
    bent = _energy(edges, points) - _energy(edges, points + delta)
    shape = weight * bent - smoothing * _difference(edges, delta) - damping * delta.square().sum()
    total = float(rows.weight.sum())
    return OutlineStep(
        delta=delta.to(verts),
        scale=scale.to(verts),
        stiffness=found.stiffness,
        predicted_decrease=float(before - after + found.stiffness * shape),
        predicted_rms_px=math.sqrt(float(after) / total) if total else 0.0,
        iterations=found.iterations,
        relative_residual=found.relative_residual,
    )


def view_weights(
    rows: OutlineRows, *, tolerance: float = 3.0, floor_px: float = 0.5
) -> Float[Tensor, " N"]:
    """Weights that take away the say of views which disagree with most of the others.

    A view's disagreement is the mean of its rows' |residual| along the outline. Up to `tolerance`
    times the median of all views it keeps weight 1; beyond, it loses with the fourth power of the
    ratio. Below `floor_px` (px) nothing counts as disagreement, so that good fits stay even.
    """
    disagreement = view_disagreement(rows)
    seen = ~disagreement.isnan()
    if not bool(seen.any()):
        return torch.ones(rows.num_views, dtype=torch.float64)
    allowed = max(tolerance * float(disagreement[seen].median()), floor_px)
    ratio = torch.where(seen, disagreement, 0.0).clamp(min=allowed) / allowed
    return ratio**-4


def view_disagreement(rows: OutlineRows) -> Float[Tensor, " N"]:
    """Mean |residual| along each view's outline, px; NaN for a view without rows."""
    view = rows.view.long()
    total, length = (
        torch.zeros(rows.num_views, dtype=torch.float64).index_add_(0, view, values)
        for values in (rows.length * rows.residual.abs(), rows.length)
    )
    return total / length


def disagreeing_views(rows: OutlineRows, *, below: float = 0.5) -> list[int]:
    """The views to which `view_weights` gives less than `below`."""
    return (view_weights(rows) < below).nonzero()[:, 0].tolist()


def _selected(rows: OutlineRows, keep: Tensor) -> OutlineRows:
    names = ("view", "verts", "jacobian", "point_world", "residual", "weight", "point", "normal")
    kept = {name: getattr(rows, name)[keep] for name in (*names, "length")}
    return replace(rows, **kept)


def _clip_from_world(cameras: Camera) -> Tensor:
    projection = clip_from_view(
        cameras.K.double(),
        cameras.image_size,
        near=cameras.near,
        far=cameras.far,
        orthographic=cameras.orthographic,
    )
    return (projection @ cameras.world_to_view.double()).contiguous()


def _view_tensor(weights: Tensor | None, num_views: int) -> Tensor:
    if weights is None:
        return torch.ones(num_views, dtype=torch.float64)
    return weights.detach().cpu().double().contiguous()


def _energy(edges: Tensor, points: Tensor) -> Tensor:
    """|L x|^2."""
    a, b = edges.long().T
    along = points[a] - points[b]
    laplacian = torch.zeros_like(points).index_add_(0, a, along).index_add_(0, b, along, alpha=-1)
    return laplacian.square().sum()


def _difference(edges: Tensor, delta: Tensor) -> Tensor:
    """delta . L delta."""
    a, b = edges.long().T
    return (delta[a] - delta[b]).square().sum()


def _check_views(cameras: Camera, distances: Tensor, weights: Tensor | None) -> None:
    wanted = (len(cameras), *cameras.image_size)
    if distances.shape != wanted:
        raise ValueError(
            f"outline_rows: distances must be {wanted} as the cameras are, "
            f"got {tuple(distances.shape)}"
        )
    if weights is not None and weights.shape != wanted[:1]:
        raise ValueError(
            f"outline_rows: weights must be {wanted[:1]}, one per view, got {tuple(weights.shape)}"
        )


def _check_step(
    bending: float,
    edge: float,
    smoothing: float,
    damping: float,
    rtol: float,
    max_iterations: int,
    max_edges: float,
) -> None:
    for name, value in (
        ("bending", bending),
        ("smoothing", smoothing),
        ("damping", damping),
        ("rtol", rtol),
        ("max_iterations", max_iterations),
    ):
        if not (math.isfinite(value) and value >= 0):
            raise ValueError(f"outline_step: {name} must be 0 or more, got {value}")
    for name, value in (("edge", edge), ("max_edges", max_edges)):
        if not value > 0:
            raise ValueError(f"outline_step: {name} must be positive, got {value}")

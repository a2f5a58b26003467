"""Small rigid corrections of the cameras, from the same outline residuals that move the mesh.

A view's correction is a twist about the object's centre `c`, in the camera's own frame:
`x_view -> exp(omega) (x_view - c_view) + c_view + tau`. Each row of the outline says how far its
piece should move along its normal; for a twist that is linear in (omega, tau), so that a view asks
for six numbers of some thousand rows.
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from lightning_rast.ops.steady_sum import steady_sum
from lightning_rast.optim.bending import mean_edge
from lightning_rast.optim.outline_newton import OutlineRows, outline_rows, outline_step
from lightning_rast.scene import Camera, Mesh


@dataclass(frozen=True, eq=False)
class CameraRefinement:
    """What `refine_cameras` found."""

    cameras: Camera  # the corrected ones if accepted, else those given
    mesh: Mesh  # fitted to `cameras`
    accepted: bool
    rms_px: tuple[float, float]  # of the outline with the cameras as given, and corrected
    rotation_deg: Float[Tensor, " N"]  # proposed, of each camera about the object's centre
    shift: Float[Tensor, " N"]  # proposed, of the object's centre seen from it, world units

    def __str__(self) -> str:
        before, after = self.rms_px
        return (
            f"cameras {'corrected' if self.accepted else 'left as they are'}: outline residual "
            f"{before:.3f} -> {after:.3f} px, rotations {float(self.rotation_deg.mean()):.2f} deg "
            f"on average and {float(self.rotation_deg.max()):.2f} at most"
        )


@torch.no_grad()
def refine_cameras(
    mesh: Mesh,
    cameras: Camera,
    distances: Float[Tensor, "N H W"],
    *,
    bending: float,
    rounds: int = 30,
    prior: float = 0.005,
    needed: float = 0.85,
    weights: Float[Tensor, " N"] | None = None,
    clip_px: float = 6.0,
    huber_px: float = 2.0,
) -> CameraRefinement:
    """Let cameras and mesh move in turns, and keep the cameras' part if the outline gains by it.

    Each round solves every camera's six numbers with the mesh held, then a step of
    `outline_step` with the cameras held. The mean rigid motion and the scale of all cameras are
    taken out, since the mesh could follow them. For comparison the mesh takes the same steps with
    the cameras as given.

    Args:
        mesh: fitted to the cameras as given.
        distances: as for `outline_rows`.
        bending: length for the mesh's steps, world units. The smoother the surface has to be, the
            less it can hide errors of the cameras; too smooth hides details.
        prior: holds a view's total correction back: a uniform shift of its outline by a pixel
            costs as much as residuals of sqrt(prior) pixels all along the outline.
        needed: corrections are accepted if the root mean square residual falls below so much of
            that with the cameras as given.
        weights, clip_px, huber_px: as for `outline_rows`.

    Raises:
        ValueError: a number is out of range, or shapes do not fit.
    """
    if not (0 < needed <= 1 and prior > 0 and rounds >= 1):
        raise ValueError(
            "refine_cameras: needs 0 < needed <= 1, prior > 0 and rounds >= 1, "
            f"got {needed}, {prior} and {rounds}"
        )

    def rows_of(shape: Mesh, views: Camera) -> OutlineRows:
        return outline_rows(
            shape.verts,
            shape.topology,
            views,
            distances,
            clip_px=clip_px,
            huber_px=huber_px,
            weights=weights,
        )

    center = mesh.bounds.double().mean(0).cpu()
    start = cameras.to("cpu")
    twists = torch.zeros(len(cameras), 6, dtype=torch.float64)
    corrected = start
    held, moved = mesh, mesh
    for _ in range(rounds):
        rows = rows_of(moved, corrected)
        step = camera_step(rows, corrected, center, twists, prior=prior)
        twists = without_gauge(twists + step, start, center)
        corrected = twisted(start, twists, center)
        moved = _stepped(moved, rows_of(moved, corrected), bending)
        held = _stepped(held, rows_of(held, start), bending)
    before, after = rows_of(held, start).rms_px, rows_of(moved, corrected).rms_px
    accepted = after < needed * before
    chosen = replace(
        cameras,
        world_to_view=(corrected if accepted else start).world_to_view.to(cameras.world_to_view),
    )
    return CameraRefinement(
        cameras=chosen,
        mesh=moved if accepted else held,
        accepted=accepted,
        rms_px=(before, after),
        rotation_deg=torch.rad2deg(twists[:, :3].norm(dim=1)),
        shift=twists[:, 3:].norm(dim=1),
    )


def camera_step(
    rows: OutlineRows,
    cameras: Camera,
    center: Float[Tensor, "3"],
    total: Float[Tensor, "N 6"],
    *,
    prior: float,
) -> Float[Tensor, "N 6"]:
    """The twists (omega, tau) by which each view's rows are best explained, on top of `total`."""
    turn, shift, radius = _row_terms(rows, cameras, center)
    # In lengths, so that the prior weighs a rotation by how far it moves the object's rim.
    design = torch.cat((turn / radius, shift), dim=1)
    num_views, view = len(cameras), rows.view.long()
    weighted = rows.weight[:, None] * design
    hessian = torch.zeros(num_views, 6, 6, dtype=torch.float64)
    hessian.index_add_(0, view, weighted[:, :, None] * design[:, None, :])
    right = torch.zeros(num_views, 6, dtype=torch.float64)
    right.index_add_(0, view, weighted * rows.residual[:, None])
    stiffness = hessian[:, 3:, 3:].diagonal(dim1=1, dim2=2).sum(1) * prior
    units = torch.tensor([radius] * 3 + [1.0] * 3, dtype=torch.float64)
    right -= stiffness[:, None] * (total * units)
    # A view without rows stays: any number on the diagonal will do.
    diagonal = torch.where(stiffness > 0, stiffness, 1.0)
    matrix = hessian + diagonal[:, None, None] * torch.eye(6, dtype=torch.float64)
    step = torch.linalg.solve(matrix, right[:, :, None])[:, :, 0] / units
    return torch.where(stiffness[:, None] > 0, step, 0.0)


def without_gauge(
    twists: Float[Tensor, "N 6"], cameras: Camera, center: Float[Tensor, "3"]
) -> Float[Tensor, "N 6"]:
    """What is left of the twists without the similarity of the world that explains most of them."""
    if len(cameras) < 3:  # seven unknowns of the world: nothing would be left
        return twists
    rotation = cameras.world_to_view[:, :3, :3].double()
    depth = cameras.world_to_view_points(center[None].double())[:, 0, 2]
    similarity = torch.zeros(len(cameras), 6, 7, dtype=torch.float64)
    similarity[:, :3, :3] = rotation
    similarity[:, 3:, 3:6] = rotation
    if not cameras.orthographic:  # growing by s looks like coming nearer by s times the depth
        similarity[:, 5, 6] = -depth
    # Rotations count by how far they move something as far away as the cameras are apart in size.
    units = torch.ones(6, dtype=torch.float64)
    units[:3] = float(depth.abs().mean())
    design = (units[:, None] * similarity).flatten(0, 1)
    best = torch.linalg.pinv(design) @ (units * twists).flatten()
    return twists - (similarity @ best)


def twisted(cameras: Camera, twists: Float[Tensor, "N 6"], center: Float[Tensor, "3"]) -> Camera:
    """The cameras after their twists (omega, tau) about `center`, a point of the world."""
    middle = cameras.world_to_view_points(center[None].double())[:, 0]
    cross = torch.zeros(len(twists), 3, 3, dtype=torch.float64)
    for axis, (row, column) in enumerate(((1, 2), (2, 0), (0, 1))):
        cross[:, row, column], cross[:, column, row] = -twists[:, axis], twists[:, axis]
    turn = torch.linalg.matrix_exp(cross)
    motion = torch.eye(4, dtype=torch.float64).repeat(len(twists), 1, 1)
    motion[:, :3, :3] = turn
    motion[:, :3, 3] = middle - (turn @ middle[:, :, None])[:, :, 0] + twists[:, 3:]
    return replace(cameras, world_to_view=motion @ cameras.world_to_view.double())


def _row_terms(rows: OutlineRows, cameras: Camera, center: Tensor) -> tuple[Tensor, Tensor, float]:
    """Per row, how its piece moves along its normal (px) with omega and with tau; the object's
    radius (world units)."""
    view = rows.view.long()
    pose = cameras.world_to_view.double()[view]
    from_center = (pose[:, :3, :3] @ (rows.point_world - center)[:, :, None])[:, :, 0]
    middle = (pose[:, :3, :3] @ center.double()) + pose[:, :3, 3]
    point = from_center + middle
    normal_K = (rows.normal[:, None, :] @ cameras.K.double()[view][:, :2])[:, 0]
    if cameras.orthographic:
        shift = torch.cat((normal_K[:, :2], torch.zeros(len(rows), 1).double()), dim=1)
    else:
        depth = point[:, 2:]
        along = (normal_K[:, :2] * point[:, :2]).sum(1, keepdim=True) / depth
        shift = torch.cat((normal_K[:, :2], -along), dim=1) / depth
    x, y, z = from_center.square().unbind(1)
    radius = float(steady_sum((x + y + z).sqrt())) / len(rows) if len(rows) else 1.0
    return torch.linalg.cross(from_center, shift), shift, radius


def _stepped(mesh: Mesh, rows: OutlineRows, bending: float) -> Mesh:
    edge = mean_edge(mesh.verts, mesh.topology)
    step = outline_step(mesh.verts, mesh.topology, rows, bending=bending, edge=edge)
    return mesh.with_verts(mesh.verts + step.delta)

"""Pictures and tables of docs/coverage.md: soft per-triangle coverage beside the exact one."""

import math

import numpy as np
import torch
from coverage_gradients import SIZE, draw, flat_view
from coverage_scenes import BLUE, GOLD, INK, RED, draw_edges, frame, outline
from matplotlib.figure import Figure
from scipy.optimize import minimize_scalar
from soft_coverage import half_level, soft_coverage, soft_image
from torch import Tensor

from lightning_rast.scene import icosphere, torus
from tests.reference.directional import smooth_weights

SIGMAS = (0.25, 1.0, 4.0)
SHADES = ("#7fb2e5", BLUE, "#0b2c57")
SLAB = 40.0  # side of the flat box whose outline is measured, px


def flat_box(cells: int, num_layers: int = 2) -> tuple[Tensor, Tensor]:
    """A square of `cells`^2 quads per layer, all layers with one outline: a thin closed box."""
    line = torch.linspace(0, SLAB, cells + 1, dtype=torch.float64)
    xy = torch.cartesian_prod(line, line)
    index = torch.arange((cells + 1) ** 2).reshape(cells + 1, cells + 1)
    a, b, c, d = index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]
    faces = torch.cat([torch.stack(t, -1).reshape(-1, 3) for t in ((a, b, c), (a, c, d))])
    return xy, faces.repeat(num_layers, 1)


def right_side_level(cells: int, num_layers: int, sigma: float) -> float:
    """Distance of the 1/2 level from the box's right side, away from vertices and diagonals."""
    xy, faces = flat_box(cells, num_layers)
    near = xy[faces][..., 0].amax(dim=1) > SLAB - 12  # the rest contributes less than 1e-9
    start = torch.tensor([SLAB, SLAB * (cells // 2 + 0.41) / cells], dtype=torch.float64)
    return half_level(xy, faces[near], start, start.new_tensor([1.0, 0.0]), sigma)


def level_table() -> list[list[object]]:
    """Where the 1/2 level lies: predicted, and found on boxes of large and small faces."""
    rows: list[list[object]] = []
    for sigma in SIGMAS:
        predicted = math.sqrt(math.asinh(1) * sigma)
        single = right_side_level(1, 1, sigma)
        found = [right_side_level(cells, 2, sigma) for cells in (1, 10, 40)]
        rows.append([f"{sigma:g}", *(f"{value:.3f}" for value in (predicted, single, *found))])
    return rows


def profile_figure(numbers: dict) -> Figure:
    figure = Figure(figsize=(9.0, 3.5), layout="constrained")
    outer, inner = figure.subplots(1, 2)
    xy, faces = flat_box(1)
    at = torch.linspace(-5, 5, 401, dtype=torch.float64)
    points = torch.stack([SLAB + at, torch.full_like(at, 0.5 * SLAB)], dim=1)
    outer.plot(at, (0.5 - at).clamp(0, 1), color=RED, lw=2, label="exact, box of one pixel")
    for sigma, color in zip(SIGMAS, SHADES, strict=True):
        soft = soft_coverage(xy, faces, points, sigma)
        outer.plot(at, soft, color=color, label=f"soft, σ = {sigma:g} px²")
        level = math.sqrt(math.asinh(1) * sigma)
        outer.plot([level], [0.5], "o", color=color, ms=5)
    outer.axhline(0.5, color=INK, lw=0.5, ls=":")
    outer.axvline(0, color=INK, lw=0.5, ls=":")
    outer.set_title("across the outline of a thin closed box", fontsize=9)
    outer.set_xlabel("distance of the pixel's centre outside the outline, px", fontsize=8)
    outer.legend(fontsize=7)

    xy, faces = flat_box(10)
    points = torch.stack([torch.full_like(at, 18.37), 20 + at], dim=1)
    inner.plot(at, torch.ones_like(at), color=RED, lw=2, label="exact")
    for sigma, color in zip(SIGMAS, SHADES, strict=True):
        soft = soft_coverage(xy, faces, points, sigma)
        inner.plot(at, soft, color=color, label=f"soft, σ = {sigma:g} px²")
    inner.set_title("inside, across seams between 4 px faces", fontsize=9)
    inner.set_xlabel("distance from a seam, px", fontsize=8)
    inner.set_ylim(0.915, 1.005)
    inner.legend(fontsize=7, loc="lower center", ncols=2)
    seam = torch.tensor([[18.37, 20.0]], dtype=torch.float64)
    large = torch.tensor([[0.0, 0], [0, 90], [90, 90], [90, 0]]).double() - 25
    parts = torch.tensor([[0, 1, 2], [0, 2, 3]]).repeat(2, 1)
    on_seam = soft_coverage(large, parts, torch.tensor([[20.0, 20.0]]).double(), 1.0)
    numbers["seam"] = {"two_large_faces_a_layer": float(on_seam),
                       "faces_of_4_px": float(soft_coverage(xy, faces, seam, 1.0))}  # fmt: skip
    for ax in (outer, inner):
        ax.tick_params(labelsize=7)
    return figure


def picture_figure(numbers: dict) -> Figure:
    mesh = torus(20, 10, radius=0.72, tube_radius=0.28)
    truth = flat_view(mesh, 13.0, 20)
    faces, edges = mesh.faces, outline(truth.numpy(), mesh.faces.long().numpy())
    target = draw(truth, mesh.topology)
    figure = Figure(figsize=(9.0, 4.9), layout="constrained")
    axes = figure.subplots(2, 4)
    extent = (0, SIZE[1], SIZE[0], 0)
    centres = np.arange(SIZE[0]) + 0.5
    for column, sigma in enumerate((0.0, *SIGMAS)):
        xy = truth.clone().requires_grad_()
        image = draw(xy, mesh.topology) if sigma == 0 else soft_image(xy, faces, SIZE, sigma)
        loss = ((image - target) ** 2).sum() / 2
        (grad,) = torch.autograd.grad(loss, xy)
        shown = image.detach().numpy()
        axes[0, column].imshow(shown, cmap="gray", extent=extent, vmin=0, vmax=1)
        draw_edges(axes[0, column], truth.numpy(), edges.verts, GOLD, 1.0)
        if sigma:
            axes[0, column].contour(centres, centres, shown, [0.5], colors=RED, linewidths=1.2)
        frame(axes[0, column], SIZE, f"soft, σ = {sigma:g} px²" if sigma else "exact")
        lower = axes[1, column]
        lower.imshow(shown - target.numpy(), cmap="RdBu_r", extent=extent, vmin=-1, vmax=1)
        draw_edges(lower, truth.numpy(), edges.verts, GOLD, 1.0)
        moved = grad.norm(dim=1).numpy() > 0.02
        lower.quiver(
            *truth.numpy()[moved].T, *(-2.0 * grad.numpy()[moved]).T,
            angles="xy", scale_units="xy", scale=1, color="#0a7d32", width=0.008, zorder=3,
        )  # fmt: skip
        frame(lower, SIZE, f"largest gradient {float(grad.norm(dim=1).max()):.2g}")
    return figure


def bias_table() -> list[list[object]]:
    """What the bias does to a fit, and which vertices get gradient, for a sphere of 320 faces."""
    mesh, radius = icosphere(2), 12.0
    weights = smooth_weights(SIZE)
    target = draw(flat_view(mesh, radius, 10), mesh.topology)
    rows: list[list[object]] = []
    for sigma in (0.0, *SIGMAS):

        def image(xy: Tensor, sigma: float = sigma) -> Tensor:
            return (
                draw(xy, mesh.topology) if sigma == 0 else soft_image(xy, mesh.faces, SIZE, sigma)
            )

        def misfit(size: float, image=image) -> float:
            return float(((image(flat_view(mesh, size, 10)) - target) ** 2).sum())

        best = minimize_scalar(misfit, bounds=(7, 14), method="bounded", options={"xatol": 1e-3})
        leaf = flat_view(mesh, radius, 10).requires_grad_()
        (grad,) = torch.autograd.grad((image(leaf) * weights).sum(), leaf)
        size = grad.norm(dim=1)
        offset = best.x - radius
        rows.append([
            f"soft, σ = {sigma:g}" if sigma else "exact",
            f"{offset:+.2f}" if abs(offset) > 0.005 else "0.00",
            f"{int((size > 0.01 * size.max()).sum())} of {len(size)}",
        ])  # fmt: skip
    return rows

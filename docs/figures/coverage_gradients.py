"""Pictures of docs/coverage.md: the gradient, where it has kinks, and checks by differences."""

import math

import numpy as np
import torch
from coverage_scenes import BLUE, GOLD, GREY, INK, RED, clip_from_screen, draw_edges, frame, outline
from matplotlib.figure import Figure
from torch import Tensor

from lightning_rast.ops import contour_coverage
from lightning_rast.scene import Mesh, Topology, icosphere, torus
from tests.ops.contour_meshes import ALL
from tests.ops.contour_views import EYE, look_at, perspective, projected
from tests.reference.directional import (
    smooth_directions,
    smooth_weights,
    supersampled_derivatives,
)

SIZE = (36, 36)


def draw(xy: Tensor, topology: Topology, image_size: tuple[int, int] = SIZE) -> Tensor:
    return contour_coverage(clip_from_screen(xy, image_size), topology, image_size)[0]


def flat_view(mesh: Mesh, scale: float, turn_deg: float) -> Tensor:
    """Orthographic pixels `(V, 2)` in double, tilted, centred in an image of `SIZE`."""
    tilt, turn = math.radians(52), math.radians(turn_deg)
    x, y, z = mesh.verts.double().T
    up = y * math.cos(tilt) + z * math.sin(tilt)
    across = x * math.cos(turn) - up * math.sin(turn)
    down = x * math.sin(turn) + up * math.cos(turn)
    return torch.stack([across, down], dim=1) * scale + SIZE[0] / 2


def gradient_figure(numbers: dict) -> Figure:
    mesh = torus(32, 16, radius=0.72, tube_radius=0.28)
    topology, faces = mesh.topology, mesh.faces.long().numpy()
    target_xy = flat_view(mesh, 14.5, 28)
    target = draw(target_xy, topology)
    xy = flat_view(mesh, 13.5, -4).requires_grad_()
    coverage = draw(xy, topology)
    loss = ((coverage - target) ** 2).sum() / 2
    (grad,) = torch.autograd.grad(loss, xy)
    screen, change = xy.detach().numpy(), (coverage - target).detach().numpy()

    figure = Figure(figsize=(9.0, 3.3), layout="constrained")
    axes = figure.subplots(1, 3)
    extent = (0, SIZE[1], SIZE[0], 0)
    axes[0].imshow(coverage.detach(), cmap="gray", extent=extent, vmin=0, vmax=1)
    frame(axes[0], SIZE, "coverage")
    edges, goal = outline(screen, faces), outline(target_xy.numpy(), faces)
    moved = grad.abs().amax(dim=1).numpy() > 0
    for ax in axes[1:]:
        ax.imshow(change, cmap="RdBu_r", extent=extent, vmin=-1.6, vmax=1.6)
        draw_edges(ax, target_xy.numpy(), goal.verts, GOLD, 1.0)
        draw_edges(ax, screen, edges.verts, INK, 0.9)
        ax.quiver(
            *screen[moved].T, *(-2.0 * grad.numpy()[moved]).T,
            angles="xy", scale_units="xy", scale=1, color="#0a7d32", width=0.007, zorder=3,
        )  # fmt: skip
    frame(axes[1], SIZE, "difference, minus gradient")
    frame(axes[2], SIZE, "the same, closer")
    axes[2].plot(*screen.T, ".", ms=2.5, color=GREY, zorder=2)
    axes[2].set(xlim=(2, 15), ylim=(22, 9))
    numbers["gradient_figure"] = {"vertices": len(screen), "with_gradient": int(moved.sum())}
    return figure


def kink_figure(numbers: dict) -> Figure:
    figure = Figure(figsize=(9.0, 3.9), layout="constrained")
    axes = figure.subplots(2, 3, sharex="col")
    angle = np.linspace(-40, 40, 161)
    draw_kink(axes[:, 0], angle, edge_on, "one face turns through edge-on", "angle, degrees")
    shift = np.linspace(-1.5, 1.5, 151)
    draw_kink(axes[:, 1], shift, touching, "two squares meet", "overlap, px")
    place = np.linspace(-0.6, 1.6, 111)
    draw_kink(axes[:, 2], place, border, "a side crosses one pixel", "place of the side, px")
    axes[0, 0].set_ylabel("covered area, px²", fontsize=8)
    axes[1, 0].set_ylabel("derivative", fontsize=8)
    at = torch.tensor(0.0, dtype=torch.float64, requires_grad=True)
    numbers["kinks"] = {
        scene.__name__: float(torch.autograd.grad(scene(at), at)[0])
        for scene in (edge_on, touching, border)
    }
    return figure


def draw_kink(axes: np.ndarray, at: np.ndarray, scene, title: str, label: str) -> None:
    values, slopes = [], []
    for value in at:
        t = torch.tensor(value, requires_grad=True)
        area = scene(t)
        values.append(area.item())
        slopes.append(float(torch.autograd.grad(area, t)[0]))
    axes[0].plot(at, values, color=BLUE)
    axes[0].set_title(title, fontsize=9)
    axes[1].plot(at, slopes, ".", ms=2.5, color=RED)
    axes[1].set_xlabel(label, fontsize=8)
    for ax in axes:
        ax.tick_params(labelsize=7)
        ax.grid(alpha=0.3)


def edge_on(angle_deg: Tensor) -> Tensor:
    """Area of a triangle of height 6 that turns about its base of 8, pixels."""
    tip = 6 * torch.sin(torch.deg2rad(angle_deg))
    four, six = tip.new_tensor(4.0), tip.new_tensor(6.0)
    xy = torch.stack([torch.stack([four, six * 3]), torch.stack([3 * four, six * 3]),
                      torch.stack([2 * four, 3 * six - tip])])  # fmt: skip
    return draw(xy, Topology.from_faces(torch.tensor([[0, 1, 2]]), 3)).sum()


def square_pair(left: Tensor) -> tuple[Tensor, Topology]:
    corners = left.new_tensor([[0, 0], [3, 0], [3, 3], [0, 3]]) + 5.25
    moving = corners + torch.stack([left, left.new_tensor(0.0)])
    faces = torch.tensor([[0, 1, 2], [0, 2, 3], [4, 5, 6], [4, 6, 7]])
    return torch.cat([corners, moving]), Topology.from_faces(faces, 8)


def touching(overlap: Tensor) -> Tensor:
    """Area of two squares of side 3 of which the right one slides to the left over the other."""
    xy, topology = square_pair(3 - overlap)
    return draw(xy, topology).sum()


def border(place: Tensor) -> Tensor:
    """Coverage of the pixel in column 5 by a rectangle with its left side at 5 + place."""
    five = place.new_tensor(5.0)
    left = torch.stack([five + place, five - 2])
    low = torch.stack([five + place, five + 4])
    right = place.new_tensor([[12.0, 9.0], [12.0, 3.0]])
    xy = torch.cat([torch.stack([left, low]), right])
    return draw(xy, Topology.from_faces(torch.tensor([[0, 1, 2], [0, 2, 3]]), 4))[6, 5]


def difference_table() -> list[list[object]]:
    """The gradient against central differences, as (1 - cosine, ratio of norms - 1)."""
    rows = [[f"sphere, {SIZE[0]} px", "each of 324 coordinates", own_differences(), "", ""]]
    for name in ("torus", "open sheet", "noisy sphere"):
        rows.append([f"{name}, 40 px", "10 smooth fields", *checks_along_fields(name)])
    return rows


def own_differences(step: float = 1e-4) -> str:
    mesh = icosphere(2)
    xy = flat_view(mesh, 13.0, 10)
    xy = xy + 0.2 * torch.randn(xy.shape, generator=torch.Generator().manual_seed(0)).double()
    weights, topology = smooth_weights(SIZE), mesh.topology
    leaf = xy.clone().requires_grad_()
    (grad,) = torch.autograd.grad((draw(leaf, topology) * weights).sum(), leaf)
    measured = torch.zeros_like(xy)
    for vert in range(len(xy)):
        for axis in range(2):
            offset = torch.zeros_like(xy)
            offset[vert, axis] = step
            ahead, behind = draw(xy + offset, topology), draw(xy - offset, topology)
            measured[vert, axis] = ((ahead - behind) * weights).sum() / (2 * step)
    return agreement(grad.reshape(-1), measured.reshape(-1))


def checks_along_fields(name: str) -> list[object]:
    """Steps of 1e-4 and 0.25 px of the op, and 0.25 px of the supersampled union."""
    mesh, image_size = ALL[name](), (40, 40)
    world_to_clip = perspective(45) @ look_at(EYE)
    verts_clip = projected(mesh.verts, world_to_clip)
    fields = smooth_directions(mesh.verts, count=10)
    directions = torch.nn.functional.pad(fields, (0, 1)) @ world_to_clip.T
    weights = smooth_weights(image_size)
    pixels_per_unit = 20 / math.tan(math.radians(22.5)) / math.hypot(*EYE)

    def area(verts: Tensor) -> Tensor:
        return (contour_coverage(verts, mesh.topology, image_size) * weights).sum(dim=(1, 2))

    def differences(step: float) -> Tensor:
        offsets = step * directions
        return (area(verts_clip + offsets) - area(verts_clip - offsets)) / (2 * step)

    leaf = verts_clip.clone().requires_grad_()
    (grad,) = torch.autograd.grad(area(leaf), leaf)
    actual = torch.einsum("kvc,vc->k", directions, grad[0])
    step = 0.25 / pixels_per_unit
    sampled = supersampled_derivatives(verts_clip[0], directions, mesh.faces, weights, step, 32)
    near, far = differences(1e-4 / pixels_per_unit), differences(step)
    return [agreement(actual, near), agreement(actual, far), agreement(far, sampled)]


def agreement(actual: Tensor, expected: Tensor) -> str:
    cosine = float(torch.cosine_similarity(actual, expected, dim=0))
    ratio = float(actual.norm() / expected.norm())
    # What is below is rounding, and would differ from machine to machine.
    turned = f"{1 - cosine:.0e}" if 1 - cosine > 1e-12 else "< 1e-12"
    longer = f"{ratio - 1:+.0e}" if abs(ratio - 1) > 1e-8 else "< 1e-8"
    return f"{turned}, {longer}"

"""Pictures of docs/coverage.md: contour edges of meshes, and the inside of a pixel."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from coverage_scenes import (
    BLUE,
    GREY,
    INK,
    PALE,
    RED,
    Outline,
    Points,
    clip_from_screen,
    draw_edges,
    frame,
    layers,
    outline,
    screen_positions,
    windings,
)
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from lightning_rast.ops import contour_coverage
from lightning_rast.scene import Camera, Mesh, Topology, grid, icosphere, torus

SIZE = (300, 300)


def contour_figure(numbers: dict) -> Figure:
    ring = torus(40, 20, radius=0.8, tube_radius=0.34)
    sheet = grid(22, 22, width=1.9, height=1.9)
    x, y = sheet.verts[:, 0], sheet.verts[:, 1]
    sheet = sheet.with_verts(
        torch.stack([x, 0.45 * torch.sin(3.2 * x + 0.6) * torch.cos(1.2 * y), y], dim=1)
    )
    eye = torch.tensor([[0.6, 1.35, 2.6]], dtype=torch.float64)
    camera = Camera.look_at(eye, fov_deg=46.0, image_size=SIZE)
    figure = Figure(figsize=(9.0, 3.3), layout="constrained")
    axes = figure.subplots(1, 3)
    draw_contour(axes[0], ring, camera, "closed mesh")
    low_eye = torch.tensor([[0.7, 0.75, 2.75]], dtype=torch.float64)
    low_camera = Camera.look_at(low_eye, fov_deg=56.0, image_size=SIZE)
    draw_contour(axes[1], sheet, low_camera, "open sheet")
    wrong = draw_layers(axes[2], ring, camera)
    numbers["winding"] = {"samples": SIZE[0] * SIZE[1], "different": wrong}
    return figure


def draw_contour(ax: Axes, mesh: Mesh, camera: Camera, name: str) -> None:
    screen, faces = screen_positions(mesh.verts, camera), mesh.faces.long().numpy()
    edges = outline(screen, faces)
    depth = camera.world_to_clip(mesh.verts.double())[0, :, 3].numpy()
    nearest_last = faces[np.argsort(-depth[faces].mean(axis=1), kind="stable")]
    ax.add_collection(
        PolyCollection(screen[nearest_last], facecolors=PALE, edgecolors=GREY, lw=0.25)
    )
    for size, color in ((2, RED), (1, BLUE)):
        draw_edges(ax, screen, edges.verts[np.abs(edges.weights) == size], color, 1.6)
    frame(ax, SIZE, f"{name}: {len(faces)} faces, {len(edges.weights)} on the contour")
    labels = ((RED, "|w| = 2"), (BLUE, "|w| = 1"))
    handles = [Patch(color=color, label=label) for color, label in labels]
    ax.legend(handles=handles, fontsize=7, loc="upper left", frameon=False)


def draw_layers(ax: Axes, mesh: Mesh, camera: Camera) -> int:
    """Shows n from contour edges alone; returns at how many samples counting faces differs."""
    screen, faces = screen_positions(mesh.verts, camera), mesh.faces.long().numpy()
    edges = outline(screen, faces)
    x = np.arange(SIZE[1]) + 0.5
    rows = [row + 0.5 for row in range(SIZE[0])]
    image = np.stack([windings(screen, edges, x, y) for y in rows])
    counted = np.stack([layers(screen, faces, x, y) for y in rows])
    shown = ax.imshow(image, cmap="Blues", extent=(0, SIZE[1], SIZE[0], 0), vmin=0, vmax=6)
    draw_edges(ax, screen, edges.verts, RED, 0.9)
    for value in np.unique(image):
        ax.plot([], [], "s", color=shown.cmap(shown.norm(value)), mec=GREY, label=f"n = {value}")
    ax.legend(fontsize=7, loc="upper left", frameon=False, ncols=2)
    frame(ax, SIZE, "n, from the contour edges alone")
    return int((image != counted).sum())


class Slab(NamedTuple):
    """Rows of a pixel without events: sides as (x at the top, x at the bottom, n left, n right)."""

    top: float
    bottom: float
    sides: list[tuple[float, float, int, int]]
    winding: int


def slabs_of_pixel(screen: Points, edges: Outline) -> list[Slab]:
    """The pixel [0, 1] x [0, 1] cut at every start, end and crossing of a piece."""
    a, b = screen[edges.verts].transpose(1, 0, 2)
    step = np.where(a[:, 1] > b[:, 1], edges.weights, -edges.weights)

    def x_at(y: float) -> Points:
        return a[:, 0] + (y - a[:, 1]) / (b[:, 1] - a[:, 1]) * (b[:, 0] - a[:, 0])

    def meeting(i: int, j: int) -> tuple[float, float]:
        t = np.linalg.solve(np.stack([b[i] - a[i], a[j] - b[j]], axis=1), a[j] - a[i])
        x, y = a[i] + t[0] * (b[i] - a[i])
        return (x, y) if (t >= 0).all() and (t <= 1).all() else (-1.0, -1.0)

    events = [(x, y) for x, y in screen[np.unique(edges.verts)]]
    events += [(c, a[i, 1] + (c - a[i, 0]) / (b[i, 0] - a[i, 0]) * (b[i, 1] - a[i, 1]))
               for c in (0.0, 1.0) for i in range(len(a))
               if min(a[i, 0], b[i, 0]) < c < max(a[i, 0], b[i, 0])]  # fmt: skip
    events += [meeting(i, j) for j in range(len(a)) for i in range(j)]
    heights = sorted({0.0, 1.0} | {y for x, y in events if 0 <= x <= 1 and 0 < y < 1})
    kept = [heights[0]]
    for y in heights[1:]:
        kept += [y] if y - kept[-1] > 1e-12 else []

    result = []
    for top, bottom in pairwise(kept):
        middle = (top + bottom) / 2
        alive = (np.minimum(a[:, 1], b[:, 1]) < middle) & (middle < np.maximum(a[:, 1], b[:, 1]))
        x = x_at(middle)
        winding = first = int(step[alive & (x < 0)].sum())
        sides = []
        for i in sorted(np.flatnonzero(alive & (x > 0) & (x < 1)), key=lambda i: x[i]):
            right = winding + int(step[i])
            sides.append((float(x_at(top)[i]), float(x_at(bottom)[i]), winding, right))
            winding = right
        result.append(Slab(top, bottom, sides, first))
    return result


def area_of_slabs(slabs: list[Slab]) -> float:
    area = 0.0
    for slab in slabs:
        height = slab.bottom - slab.top
        area += height * (slab.winding > 0)
        for x_top, x_bottom, left, right in slab.sides:
            area += (int(right > 0) - int(left > 0)) * height * (1 - (x_top + x_bottom) / 2)
    return area


STACK = np.array([[0.22, 0.41], [1.7, -0.5], [1.25, 1.9]])
CROSSING = np.array(
    [[-0.35, 1.05], [0.62, 0.14], [0.80, 1.35], [0.12, 0.36], [1.45, 0.10], [1.3, 0.92]]
)


def pixel_figure(numbers: dict) -> Figure:
    figure = Figure(figsize=(9.0, 4.3), layout="constrained")
    axes = figure.subplots(1, 2)
    numbers["pixel"] = {}
    for ax, name, corners in ((axes[0], "stack", STACK), (axes[1], "slabs", CROSSING)):
        faces = np.arange(len(corners)).reshape(-1, 3)
        slabs = slabs_of_pixel(corners, outline(corners, faces))
        drawn = coverage_of_pixel(corners, faces)
        numbers["pixel"][name] = {"by_slabs": area_of_slabs(slabs), "by_op": drawn}
        draw_pixel(ax, corners, faces, slabs)
        ax.set_title(f"{name}: coverage {drawn:.6f}", fontsize=9)
    return figure


def coverage_of_pixel(corners: Points, faces: np.ndarray) -> float:
    """What the op says of the pixel, as the middle one of a 3 x 3 image."""
    verts_clip = clip_from_screen(torch.from_numpy(corners + 1), (3, 3))
    topology = Topology.from_faces(torch.from_numpy(faces), len(corners))
    return float(contour_coverage(verts_clip, topology, (3, 3))[0, 1, 1])


def draw_pixel(ax: Axes, corners: Points, faces: np.ndarray, slabs: list[Slab]) -> None:
    ax.add_collection(PolyCollection(corners[faces], facecolors="none", edgecolors=GREY, lw=0.8))
    for slab in slabs:
        bounds = [(0.0, 0.0), *((s[0], s[1]) for s in slab.sides), (1.0, 1.0)]
        values = [slab.winding, *(s[3] for s in slab.sides)]
        for left, right, n in zip(bounds, bounds[1:], values, strict=False):
            corner = [(left[0], slab.top), (right[0], slab.top),
                      (right[1], slab.bottom), (left[1], slab.bottom)]  # fmt: skip
            if n > 0:
                ax.add_collection(PolyCollection([corner], facecolors=PALE, edgecolors="none"))
            middle = (sum(left) + sum(right)) / 4, (slab.top + slab.bottom) / 2
            width = (sum(right) - sum(left)) / 2
            if width > 0.045 and slab.bottom - slab.top > 0.035:
                ax.text(*middle, str(n), fontsize=7, ha="center", va="center", color=INK)
        for x_top, x_bottom, left, right in slab.sides:
            seen = (left > 0) != (right > 0)
            style = {"color": RED, "lw": 2.4} if seen else {"color": INK, "lw": 0.9}
            ax.plot([x_top, x_bottom], [slab.top, slab.bottom], **style, zorder=3)
        ax.plot([-0.1, 1.1], [slab.top] * 2, ":", color=BLUE, lw=0.8, zorder=2)
    ax.plot([0, 1, 1, 0, 0], [0, 0, 1, 1, 0], color=INK, lw=1.4, zorder=4)
    ax.plot([-0.1, 1.1], [1, 1], ":", color=BLUE, lw=0.8)
    ax.set(xlim=(-0.25, 1.25), ylim=(1.18, -0.18), aspect="equal", xticks=[], yticks=[])


def count_table(models: dict[str, Mesh], num_views: int = 20) -> list[list[object]]:
    """Faces against contour edges, mean over views around the mesh."""
    step = torch.arange(num_views, dtype=torch.float64) + 0.5
    height, angle = 1 - 2 * step / num_views, 2.399963 * step
    ring = (1 - height**2).sqrt()
    directions = torch.stack([ring * angle.cos(), height, ring * angle.sin()], dim=1)
    rows: list[list[object]] = []
    for name, mesh in models.items():
        faces, counts = mesh.faces.long().numpy(), []
        reach = float(mesh.verts.norm(dim=1).max())
        camera = Camera.look_at(2.7 * reach * directions, fov_deg=45.0, image_size=(256, 256))
        for view in range(num_views):
            counts.append(len(outline(screen_positions(mesh.verts, camera[view]), faces).weights))
        mean = sum(counts) / num_views
        rows.append([name, len(faces), round(mean), f"{100 * mean / (1.5 * len(faces)):.1f} %"])
    return rows


def spheres() -> dict[str, Mesh]:
    return {f"sphere, level {level}": icosphere(level) for level in (3, 4, 5, 6)}

"""Makes the picture of docs/reconstruction.md on the outline's Gauss-Newton steps, and its table.

    python docs/figures/make_outline_figures.py

Writes docs/images/reconstruction_outline.png and replaces the table between
`<!-- table: outline -->` and `<!-- end -->`. Needs matplotlib; takes about a minute.
"""

import math
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import matplotlib.pyplot as plt
import torch
from coverage_scenes import BLUE, GOLD, INK, RED
from matplotlib.axes import Axes
from torch import Tensor

from lightning_rast.evaluation.volumes import volume_iou
from lightning_rast.ops import contour_coverage
from lightning_rast.ops.mask_distance import mask_distance
from lightning_rast.optim import (
    outline_rows,
    outline_step,
    refine_cameras,
    remesh,
    view_weights,
    visual_hull,
)
from lightning_rast.optim.camera_refinement import twisted
from lightning_rast.scene import Camera, Mesh, icosphere, load_mesh

ROOT = Path(__file__).resolve().parents[2]
TEXT = ROOT / "docs" / "reconstruction.md"
SIZE, NUM_VIEWS, SHOWN = (160, 160), 16, 7
LADDER = [0.05 * 0.1 ** (i / 13) for i in range(14)]


def cameras() -> Camera:
    i = torch.arange(NUM_VIEWS, dtype=torch.float64) + 0.5
    y, angle = 1 - 2 * i / NUM_VIEWS, math.pi * (1 + 5**0.5) * i
    ring = (1 - y**2).sqrt()
    eye = torch.stack((angle.cos() * ring, y, angle.sin() * ring), dim=1)
    return Camera.look_at(2.7 * eye, fov_deg=45.0, image_size=SIZE)


def turned(views: Camera, degrees: float) -> Camera:
    """Each camera looks past its target in a direction of its own."""
    axis = torch.randn(len(views), 3, generator=torch.Generator().manual_seed(0)).double()
    axis = math.radians(degrees) * axis / axis.norm(dim=1, keepdim=True)
    twists = torch.cat((axis, torch.zeros_like(axis)), dim=1)
    each = (twisted(views[i], twists[[i]], views.center_world[i]) for i in range(len(views)))
    return Camera.cat(list(each))


def kettle() -> Mesh:
    mesh = load_mesh(ROOT / "data" / "models" / "kettle.glb").weld()
    low, high = mesh.bounds
    return mesh.with_verts((mesh.verts - (low + high) / 2) * (1.8 / float((high - low).max())))


def mean_edge(mesh: Mesh) -> float:
    a, b = mesh.topology.edge_verts.long().T
    return float((mesh.verts[a] - mesh.verts[b]).norm(dim=1).mean())


def stepped(mesh: Mesh, views: Camera, distances: Tensor, bending: float, robust: bool) -> Mesh:
    weights = None
    if robust:
        weights = view_weights(outline_rows(mesh.verts, mesh.topology, views, distances))
    rows = outline_rows(mesh.verts, mesh.topology, views, distances, weights=weights)
    step = outline_step(mesh.verts, mesh.topology, rows, bending=bending, edge=mean_edge(mesh))
    return mesh.with_verts(mesh.verts + step.delta)


def stages(masks: Tensor, views: Camera, *, robust: bool = True) -> list[Mesh]:
    """The hull, and the end of the ladder."""
    distances = mask_distance(masks)
    hull = visual_hull(masks, views, distances=distances).mesh
    low, high = hull.bounds
    unit = float((high - low).max()) / 2 / 0.9
    mesh = hull
    for _ in range(4):
        mesh = stepped(mesh, views, distances, LADDER[0] * unit, robust)
    mesh = remesh(mesh, 0.025 * unit).mesh
    for bending in LADDER:
        for _ in range(2):
            mesh = stepped(mesh, views, distances, bending * unit, robust)
    return [hull, mesh]


def from_sphere(masks: Tensor, views: Camera) -> dict[str, Mesh]:
    """On the way from a ball: the steps after which a panel shows it."""
    distances = mask_distance(masks)
    mesh = icosphere(4, radius=0.55)
    lengths = [0.2] * 6 + [0.2 * 0.04 ** (i / 31) for i in range(32)]
    shown = {"a ball": mesh}
    for number, bending in enumerate(lengths, start=1):
        mesh = stepped(mesh, views, distances, bending, robust=False)
        if number == 22:
            mesh = remesh(mesh, 0.04).mesh
        if number in (6, 22, len(lengths)):
            shown[f"after {number} steps, ℓ = {bending:.2g}"] = mesh
    return shown


def draw(axes: Axes, mesh: Mesh, views: Camera, mask: Tensor, distances: Tensor) -> None:
    rows = outline_rows(mesh.verts, mesh.topology, views, distances)
    here = rows.view == SHOWN
    start = rows.point[here][::2]
    arrow = (rows.residual[here, None] * rows.normal[here])[::2]
    axes.imshow(1 - 0.16 * mask, cmap="gray", vmin=0, vmax=1, extent=(0, SIZE[1], SIZE[0], 0))
    colors = [RED if value < 0 else BLUE for value in rows.residual[here][::2].tolist()]
    x, y = start.T
    along = {"angles": "xy", "scale_units": "xy", "scale": 1, "width": 0.006}
    axes.quiver(x, y, *arrow.T, color=colors, **along)
    axes.scatter(x, y, s=2.5, color=GOLD, linewidths=0, zorder=3)
    inside = (mask > 0).nonzero()
    (top, left), (bottom, right) = inside.amin(0).tolist(), inside.amax(0).tolist()
    axes.set_xlim(left - 8, right + 8)
    axes.set_ylim(bottom + 8, top - 8)
    axes.text(left - 6, bottom + 6, f"{rows.rms_px:.2f} px", fontsize=9, color=INK)
    axes.set_axis_off()


def picture(masks: Tensor, views: Camera) -> None:
    shown = from_sphere(masks, views)
    figure, panels = plt.subplots(1, len(shown), figsize=(12, 3.4), facecolor="white")
    distances = mask_distance(masks)
    for axes, (name, mesh) in zip(panels, shown.items(), strict=True):
        draw(axes, mesh, views, masks[SHOWN], distances)
        axes.set_title(name, fontsize=10)
    figure.tight_layout()
    figure.savefig(ROOT / "docs" / "images" / "reconstruction_outline.png", dpi=110)


def table(truth: Mesh, clean: list[Mesh], views: Camera, masks: Tensor) -> list[list[str]]:
    def score(mesh: Mesh) -> str:
        return f"{volume_iou(mesh, truth):.3f}"

    rows = [["masks and cameras", "hull", "ladder"], ["exact", score(clean[0]), score(clean[1])]]
    blank = masks.clone()
    blank[3, :, SIZE[1] // 2 :] = 0
    for name, robust in (("one mask half blank, all views equal", False), ("... weighted", True)):
        hull, fitted = stages(blank, views, robust=robust)
        rows.append([name, score(hull), score(fitted)])
    off = turned(views, 0.6)
    hull, fitted = stages(masks, off)
    rows.append(["cameras off by .6°", score(hull), score(fitted)])
    distances = mask_distance(masks)
    found = refine_cameras(fitted, off, distances, bending=0.018)
    print(found)
    hull, fitted = stages(masks, found.cameras)
    rows.append(["... refined, then again from the hull", score(hull), score(fitted)])
    return rows


def markdown(rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])


def main() -> None:
    truth, views = kettle(), cameras()
    masks = contour_coverage(views.world_to_clip(truth.verts), truth.topology, SIZE)
    meshes = stages(masks, views)
    picture(masks, views)
    rows = markdown(table(truth, meshes, views, masks))
    print(rows)
    pattern = re.compile(r"(<!-- table: outline -->\n).*?(\n<!-- end -->)", re.DOTALL)
    TEXT.write_text(pattern.sub(lambda found: found[1] + rows + found[2], TEXT.read_text()))


if __name__ == "__main__":
    main()

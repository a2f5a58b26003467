"""Makes docs/images/reconstruction_remesh.png: a badly cut mesh before and after remeshing.

python docs/figures/make_remesh_figure.py
"""

import math
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.collections import PolyCollection

from lightning_rast.optim import graded, local_thickness, remesh
from lightning_rast.scene import Camera, Mesh
from tests.optim.remesh_meshes import marching_tetrahedra

ROOT = Path(__file__).resolve().parents[2]
LIGHT = torch.tensor([0.3, -0.7, -0.65])


def stool(side: int = 32) -> Mesh:
    """A seat on three legs, between -.8 and .8, as a grid of voxels gives it."""
    axis = np.linspace(-0.85, 0.85, side)
    place = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1)
    x, y, z = np.moveaxis(place, -1, 0)
    radius = np.hypot(x, z)
    parts = [-np.maximum(np.hypot(np.maximum(radius - 0.62, 0), y - 0.55) - 0.17, -1)]
    for angle in (0.3, 0.3 + 2 * math.pi / 3, 0.3 + 4 * math.pi / 3):
        out = np.array([math.cos(angle), 0, math.sin(angle)])
        top, foot = 0.4 * out + [0, 0.5, 0], 0.65 * out - [0, 0.72, 0]
        along = np.clip((place - top) @ (foot - top) / ((foot - top) @ (foot - top)), 0, 1)
        parts.append(0.075 - np.linalg.norm(place - top - along[..., None] * (foot - top), axis=-1))
    mesh = marching_tetrahedra(0.05 * np.logaddexp.reduce(np.stack(parts) / 0.05, axis=0))
    spread = (mesh.verts * side) / (side - 1) * 1.7 - 0.85
    return mesh.with_verts(spread.float())


def draw(axes, mesh: Mesh, camera: Camera, title: str) -> None:
    """Faces towards the camera from back to front, shaded, with their edges."""
    points = camera.project(mesh.verts)[0]
    depth = camera.world_to_view_points(mesh.verts)[0, :, 2]
    a, b, c = points[mesh.faces.long()].unbind(1)
    side_b, side_c = b - a, c - a
    front = side_b[:, 0] * side_c[:, 1] - side_b[:, 1] * side_c[:, 0] < 0
    order = torch.argsort(depth[mesh.faces.long()].mean(dim=1), descending=True)
    order = order[front[order]]
    normals = mesh.face_normals @ camera.world_to_view[0, :3, :3].T.float()
    shade = 0.45 + 0.55 * (normals @ LIGHT).clamp(min=0)[order]
    colors = shade[:, None] * torch.tensor([0.75, 0.84, 0.95])
    faces = points[mesh.faces.long()][order]
    axes.add_collection(
        PolyCollection(
            faces.numpy(), facecolors=colors.numpy(), edgecolors="#22334488", linewidths=0.25
        )
    )
    height, width = camera.image_size
    axes.set(xlim=(0, width), ylim=(height, 0), aspect="equal")
    axes.set_axis_off()
    axes.set_title(f"{title}\n{mesh.num_faces:,} faces", fontsize=9)


def by_thickness(mesh: Mesh, longest: float) -> torch.Tensor:
    """Edges of half the thickness, between a third of the longest and the longest."""
    return graded(mesh, (0.5 * local_thickness(mesh)).clamp(longest / 3, longest), 0.3)


def main() -> None:
    mesh = stool()
    camera = Camera.look_at((1.3, 1.5, 3.0), fov_deg=33, image_size=(500, 520))
    meshes = [
        ("from a voxel grid", mesh),
        ("target_edge = 0.1", remesh(mesh, 0.1).mesh),
        ("target_edge by thickness", remesh(mesh, by_thickness(mesh, 0.15)).mesh),
    ]
    figure, all_axes = plt.subplots(1, 3, figsize=(12, 4.4), layout="constrained")
    for axes, (title, shape) in zip(all_axes, meshes, strict=True):
        draw(axes, shape, camera, title)
    figure.savefig(ROOT / "docs" / "images" / "reconstruction_remesh.png", dpi=150)


if __name__ == "__main__":
    main()

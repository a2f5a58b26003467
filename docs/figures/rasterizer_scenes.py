"""Scenes and drawing for the pictures of docs/rasterizer.md."""

from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import torch
from coverage_scenes import GOLD, draw_edges, frame, outline, screen_positions
from matplotlib.axes import Axes
from torch import Tensor

from lightning_rast.scene import Camera, Mesh, icosphere, torus

SIZE = (48, 48)


class Scene(NamedTuple):
    """One view of a mesh with a colour per vertex `(V, 3)`."""

    mesh: Mesh
    camera: Camera
    colors: Tensor

    @property
    def verts_clip(self) -> Tensor:
        return self.camera.world_to_clip(self.mesh.verts)


def joined(*meshes: Mesh) -> Mesh:
    """One mesh of several, vertices and faces in that order."""
    first = np.cumsum([0, *(len(mesh.verts) for mesh in meshes[:-1])])
    faces = [mesh.faces + int(start) for mesh, start in zip(meshes, first, strict=True)]
    return Mesh(torch.cat([mesh.verts for mesh in meshes]), torch.cat(faces))


def moved(mesh: Mesh, *offset: float) -> Mesh:
    return mesh.with_verts(mesh.verts + mesh.verts.new_tensor(offset))


def painted(*parts: tuple[Mesh, tuple[float, float, float]]) -> tuple[Mesh, Tensor]:
    """Meshes joined, and the colour of each at all of its vertices."""
    colors = [torch.tensor([color]).double().expand(len(mesh.verts), 3) for mesh, color in parts]
    return joined(*(mesh for mesh, _ in parts)), torch.cat(colors)


def seen(mesh: Mesh, colors: Tensor, size: tuple[int, int] = SIZE) -> Scene:
    eye = torch.tensor([[0.45, 1.7, 1.95]], dtype=torch.float64)
    camera = Camera.look_at(eye, fov_deg=42.0, image_size=size)
    return Scene(mesh.with_verts(mesh.verts.double()), camera, colors)


def ring_and_ball(size: tuple[int, int] = SIZE) -> Scene:
    """A ball in a ring: the ring occludes itself and the ball."""
    ring = torus(24, 12, radius=0.66, tube_radius=0.22)
    ball = moved(icosphere(2, radius=0.38), 0.05, 0.2, 0.1)
    return seen(*painted((ring, (0.85, 0.45, 0.12)), (ball, (0.15, 0.4, 0.75))), size)


def crossing_balls(size: tuple[int, int] = SIZE) -> Scene:
    """Two balls that intersect, one before the other."""
    left = moved(icosphere(3, radius=0.5), -0.25, 0.0, 0.1)
    right = moved(icosphere(3, radius=0.5), 0.3, 0.1, -0.05)
    return seen(*painted((left, (0.85, 0.45, 0.12)), (right, (0.15, 0.4, 0.75))), size)


def show(ax: Axes, image: Tensor, title: str, **options: object) -> None:
    height, width = image.shape[:2]
    ax.imshow(image.detach().numpy(), extent=(0, width, height, 0), **options)
    frame(ax, (height, width), title)


def show_change(ax: Axes, change: Tensor, title: str) -> None:
    """A picture of signed numbers: blue below zero, red above."""
    most = float(change.abs().max()) or 1.0
    show(ax, change, title, cmap="RdBu_r", vmin=-most, vmax=most)


def show_outline(ax: Axes, scene: Scene, color: str = GOLD) -> None:
    screen = screen_positions(scene.mesh.verts, scene.camera)
    draw_edges(ax, screen, outline(screen, scene.mesh.faces.long().numpy()).verts, color, 0.7)


def show_descent(ax: Axes, scene: Scene, grad: Tensor, longest_px: float = 4.0) -> int:
    """Arrows along the negative gradient at world vertices; returns how many vertices have one."""
    length = grad.norm(dim=1)
    has = length > 1e-3 * length.max()
    start = screen_positions(scene.mesh.verts, scene.camera)
    step = 1e-4 / float(length.max())
    end = screen_positions(scene.mesh.verts - step * grad, scene.camera)
    arrows = (end - start)[has.numpy()]
    arrows *= longest_px / np.linalg.norm(arrows, axis=1).max()
    ax.quiver(
        *start[has.numpy()].T, *arrows.T,
        angles="xy", scale_units="xy", scale=1, color="#0a7d32", width=0.007, zorder=3,
    )  # fmt: skip
    return int(has.sum())


def face_colors(face_idx: Tensor) -> Tensor:
    """A colour for every face number, white for none."""
    palette = plt.get_cmap("tab20")(np.arange(20))[:, :3]
    mixed = (face_idx.long() * 7919) % 20
    picture = torch.from_numpy(palette)[mixed]
    picture[face_idx < 0] = 1.0
    return picture

"""Pictures of docs/rasterizer.md: soft coverage, soft colours, and masks of visible faces."""

import torch
from coverage_scenes import frame, screen_positions
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rasterizer_figures import gradient_at_verts, panels
from rasterizer_scenes import (
    Scene,
    crossing_balls,
    face_colors,
    ring_and_ball,
    show,
    show_change,
    show_descent,
    show_outline,
)
from torch import Tensor

from lightning_rast.ops import antialias, soft_colors, soft_coverage, visible_faces
from tests.reference.directional import smooth_weights


def soft_figure(numbers: dict) -> Figure:
    """soft_coverage: three widths of blur, and minus the gradient of each."""
    scene = ring_and_ball()
    size, faces = scene.camera.image_size, scene.mesh.faces
    weights = smooth_weights(size)
    sigmas = (0.2, 0.7, 2.0)
    figure, axes = panels(2 * len(sigmas))
    for sigma, (left, right) in zip(sigmas, axes.reshape(-1, 2), strict=True):

        def draw(clip: Tensor, sigma: float = sigma) -> Tensor:
            return soft_coverage(clip, faces, size, sigma=sigma)[0]

        image = draw(scene.verts_clip)
        show(left, image, f"soft_coverage, σ = {sigma:g} px", cmap="gray", vmin=0, vmax=1)
        show_outline(left, scene)
        show(right, image, "minus gradient", cmap="gray", vmin=0, vmax=1.6)
        show_descent(right, scene, gradient_at_verts(scene, draw, weights))
    return figure


def soft_colors_figure(numbers: dict) -> Figure:
    """soft_colors: two sharpnesses in depth, and the gradients to colours and vertices."""
    scene = crossing_balls()
    size, faces = scene.camera.image_size, scene.mesh.faces
    weights = smooth_weights(size)[..., None]
    gammas = (1e-3, 1e-1)
    seen = visible_faces(scene.verts_clip, faces, size).face_idx.unique()
    in_view = torch.zeros(len(scene.mesh.verts), dtype=torch.bool)
    in_view[faces[seen[seen >= 0].long()].long().reshape(-1)] = True
    figure, axes = panels(4, rows=len(gammas))
    numbers["hidden_share"] = {}
    for gamma, row in zip(gammas, axes, strict=True):

        def draw(clip: Tensor, colors: Tensor = scene.colors, gamma: float = gamma) -> Tensor:
            drawn = soft_colors(
                clip, faces, colors, size, sigma=0.5, gamma=gamma, near=1.0, far=5.0,
                background=torch.ones(3, dtype=torch.float64),
            )  # fmt: skip
            return drawn.image[0]

        image = draw(scene.verts_clip)
        show(row[0], image.clamp(0, 1), f"soft_colors, γ = {gamma:g}")
        leaf = scene.colors.clone().requires_grad_()
        (to_colors,) = torch.autograd.grad((draw(scene.verts_clip, leaf) * weights).sum(), leaf)
        to_colors = to_colors.sum(dim=1)
        show_vertex_values(row[1], scene, to_colors, in_view, "gradient to colours: in view")
        show_vertex_values(row[2], scene, to_colors, ~in_view, "hidden")
        hidden = to_colors[~in_view].abs().sum() / to_colors.abs().sum()
        numbers["hidden_share"][f"{gamma:g}"] = round(float(hidden), 4)
        show(row[3], image.clamp(0, 1), "minus gradient to vertices")
        show_descent(row[3], scene, gradient_at_verts(scene, draw, weights))
    return figure


def show_vertex_values(ax: Axes, scene: Scene, values: Tensor, shown: Tensor, title: str) -> None:
    """Dots at vertices, blue below zero, red above, on the scale of all values."""
    most = float(values.abs().max()) or 1.0
    place = screen_positions(scene.mesh.verts, scene.camera)[shown.numpy()]
    ax.scatter(*place.T, c=values[shown].numpy(), s=7, cmap="RdBu_r", vmin=-most, vmax=most,
               edgecolors="0.6", linewidths=0.2)  # fmt: skip
    frame(ax, scene.camera.image_size, title)


def mask_figure(numbers: dict) -> Figure:
    """visible_faces: faces, the mask, and what antialias makes of it."""
    scene = ring_and_ball()
    size, faces, topology = scene.camera.image_size, scene.mesh.faces, scene.mesh.topology
    seen = visible_faces(scene.verts_clip, faces, size)

    def draw(clip: Tensor) -> Tensor:
        return antialias(seen.coverage[..., None], seen, clip, topology, premultiplied=True)[
            0, ..., 0
        ]

    figure, axes = panels(5)
    show(axes[0, 0], face_colors(seen.face_idx[0]), "face_idx")
    show(axes[0, 1], seen.coverage[0], "coverage", cmap="gray", vmin=0, vmax=1)
    smooth = draw(scene.verts_clip)
    show(axes[0, 2], smooth, "after antialias", cmap="gray", vmin=0, vmax=1)
    show_change(axes[0, 3], smooth - seen.coverage[0], "change")
    show(axes[0, 4], smooth, "minus gradient", cmap="gray", vmin=0, vmax=1.6)
    show_descent(axes[0, 4], scene, gradient_at_verts(scene, draw, smooth_weights(size)))
    return figure


FIGURES = {"soft": soft_figure, "soft_colors": soft_colors_figure, "mask": mask_figure}

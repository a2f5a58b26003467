"""Pictures of docs/rasterizer.md: what each operator draws, and its gradient field."""

from collections.abc import Callable

import numpy as np
import torch
from coverage_scenes import BLUE, GOLD, INK, RED
from matplotlib.figure import Figure
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

from lightning_rast.ops import (
    antialias,
    contour_coverage,
    interpolate,
    rasterize,
    soft_coverage,
)
from tests.reference.directional import smooth_weights

Draw = Callable[[Tensor], Tensor]


def panels(columns: int, rows: int = 1) -> tuple[Figure, np.ndarray]:
    figure = Figure(figsize=(2.3 * columns, 2.5 * rows), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False)


def gradient_at_verts(scene: Scene, draw: Draw, weights: Tensor) -> Tensor:
    """Gradient `(V, 3)` of the weighted sum of a picture, at world vertices."""
    verts = scene.mesh.verts.clone().requires_grad_()
    image = draw(scene.camera.world_to_clip(verts))
    (grad,) = torch.autograd.grad((image * weights).sum(), verts)
    return grad


def visibility_figure(numbers: dict) -> Figure:
    """rasterize: faces, barycentrics, depth, and the gradient of a depth."""
    scene = ring_and_ball()
    size, faces = scene.camera.image_size, scene.mesh.faces
    fragments = rasterize(scene.verts_clip, faces, size)
    figure, axes = panels(4)
    show(axes[0, 0], face_colors(fragments.face_idx[0]), "face_idx")
    show(axes[0, 1], fragments.bary[0], "bary as red, green, blue")
    depth = fragments.depth[0].where(fragments.face_idx[0] >= 0, torch.nan)
    show(axes[0, 2], depth, "depth", cmap="viridis_r")
    weights = smooth_weights(size)
    show(axes[0, 3], weights, "minus gradient of depths", cmap="RdBu_r", vmin=-4, vmax=4)
    grad = gradient_at_verts(scene, lambda clip: rasterize(clip, faces, size).depth[0], weights)
    with_gradient = show_descent(axes[0, 3], scene, grad, 8.0)
    numbers["visibility"] = {"vertices": len(grad), "with_gradient": with_gradient}
    return figure


def interpolate_figure(numbers: dict) -> Figure:
    """interpolate: colours and normals, and where the gradient of one pixel arrives."""
    scene = ring_and_ball()
    size, faces = scene.camera.image_size, scene.mesh.faces
    fragments = rasterize(scene.verts_clip, faces, size)
    figure, axes = panels(3)
    attrs = scene.colors.clone().requires_grad_()
    colors = interpolate(attrs, faces, fragments)[0]
    show(axes[0, 0], colors, "vertex colours")
    normals = interpolate(scene.mesh.vertex_normals(), faces, fragments)[0]
    covered = (fragments.face_idx[0] >= 0)[..., None]
    shown = torch.where(covered, 0.5 + 0.5 * normals, 1.0).clamp(0, 1)
    show(axes[0, 1], shown, "vertex normals")
    weights = smooth_weights(size)
    (grad,) = torch.autograd.grad((colors[..., 0] * weights).sum(), attrs)
    back = interpolate(grad, faces, fragments)[0, ..., 0]
    show_change(axes[0, 2], back, "gradient to vertices")
    return figure


def antialias_figure(numbers: dict) -> Figure:
    """antialias: before, after, what changed, and the gradient that it adds."""
    figure, axes = panels(4, rows=2)
    for row, scene in zip(axes, (ring_and_ball(), crossing_balls()), strict=True):
        size, faces, topology = scene.camera.image_size, scene.mesh.faces, scene.mesh.topology

        def draw(clip: Tensor, scene=scene, faces=faces, size=size, topology=topology) -> Tensor:
            fragments = rasterize(clip.detach(), faces, size)
            image = interpolate(scene.colors, faces, fragments) + (fragments.face_idx < 0)[
                ..., None
            ].to(scene.colors)
            return antialias(image, fragments, clip, topology)[0]

        fragments = rasterize(scene.verts_clip, faces, size)
        hard = interpolate(scene.colors, faces, fragments)[0]
        hard = hard + (fragments.face_idx[0] < 0)[..., None].to(hard)
        smooth = draw(scene.verts_clip)
        show(row[0], hard, "hard")
        show(row[1], smooth, "after antialias")
        show_change(row[2], (smooth - hard)[..., 0], "change of red")
        weights = smooth_weights(size)
        grad = gradient_at_verts(scene, draw, weights[..., None])
        show(row[3], smooth, "minus gradient")
        show_descent(row[3], scene, grad)
    return figure


def antialiased_mask(scene: Scene, clip: Tensor) -> Tensor:
    faces, size = scene.mesh.faces, scene.camera.image_size
    fragments = rasterize(clip.detach(), faces, size)
    mask = (fragments.face_idx >= 0).to(clip.dtype)[..., None]
    return antialias(mask, fragments, clip, scene.mesh.topology)[0, ..., 0]


def models(scene: Scene) -> dict[str, Draw]:
    """Every model of coverage, as a function of clip space."""
    faces, size, topology = scene.mesh.faces, scene.camera.image_size, scene.mesh.topology
    ndc_sigma = 0.5 * (2 / size[0]) ** 2  # of half a squared pixel
    return {
        "exact (contour)": lambda clip: contour_coverage(clip, topology, size)[0],
        "antialias of a mask": lambda clip: antialiased_mask(scene, clip),
        "soft, pixel σ = 0.5 px": lambda clip: soft_coverage(clip, faces, size, sigma=0.5)[0],
        "soft, SoftRas σ = 0.5 px²": lambda clip: soft_coverage(
            clip, faces, size, sigma=ndc_sigma, semantics="softras"
        )[0],
        "soft, PyTorch3D σ = 0.5 px²": lambda clip: soft_coverage(
            clip, faces, size, sigma=ndc_sigma, semantics="pytorch3d"
        )[0],
    }


def models_figure(numbers: dict) -> Figure:
    """Soft, antialiased and exact coverage of one mesh, their bias, and their gradients."""
    scene = ring_and_ball()
    size = scene.camera.image_size
    drawn = models(scene)
    figure, axes = panels(len(drawn), rows=3)
    exact = drawn["exact (contour)"](scene.verts_clip)
    weights = smooth_weights(size)
    numbers["bias_px"] = {}
    for column, (name, draw) in zip(axes.T, drawn.items(), strict=True):
        image = draw(scene.verts_clip)
        bias = outline_bias(image, exact)
        numbers["bias_px"][name] = round(bias, 9)  # the last digits are the instruction set's
        show(column[0], image, name, cmap="gray", vmin=0, vmax=1)
        show_outline(column[0], scene)
        show(column[1], image - exact, f"minus exact; outline {bias:+.2f} px",
             cmap="RdBu_r", vmin=-0.5, vmax=0.5)  # fmt: skip
        grad = gradient_at_verts(scene, draw, weights)
        show(column[2], image, "", cmap="gray", vmin=0, vmax=1.6)
        count = show_descent(column[2], scene, grad)
        column[2].set_title(f"gradient at {count} of {len(grad)} vertices", fontsize=9)
    return figure


def outline_bias(image: Tensor, exact: Tensor) -> float:
    """How far the 1/2 level lies outside of that of the exact picture, in pixels: area / length."""
    (area, length), (true_area, true_length) = (level_set(x) for x in (image, exact))
    return (area - true_area) / (0.5 * (length + true_length))


def level_set(image: Tensor) -> tuple[float, float]:
    """Area and length of where the bilinear picture is over 1/2, pixels."""
    from contourpy import contour_generator

    area = length = 0.0
    padded = torch.nn.functional.pad(image.detach(), (1, 1, 1, 1)).numpy()
    for line in contour_generator(z=padded).lines(0.5):
        x, y = np.asarray(line).T
        area += 0.5 * float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]))
        length += float(np.hypot(np.diff(x), np.diff(y)).sum())
    return abs(area), length


def profile_figure(numbers: dict) -> Figure:
    """Coverage of a pixel while a straight side of a large square moves over it."""
    figure = Figure(figsize=(6.4, 3.4), layout="constrained")
    ax = figure.subplots()
    at = torch.linspace(-2.5, 2.5, 201, dtype=torch.float64)
    for (name, values), color in zip(
        profiles(at).items(), (RED, INK, BLUE, GOLD, "0.5"), strict=True
    ):
        ax.plot(at, values, color=color, label=name, lw=2 if name.startswith("exact") else 1.3,
                ls="--" if name.startswith("antialias") else "-")  # fmt: skip
    ax.axhline(0.5, color=INK, lw=0.5, ls=":")
    ax.set_xlabel("side of the square beyond the pixel's centre, px", fontsize=8)
    ax.set_ylabel("coverage of the pixel", fontsize=8)
    ax.tick_params(labelsize=7)
    ax.legend(fontsize=7)
    return figure


def profiles(at: Tensor) -> dict[str, Tensor]:
    """Coverage of pixel (8, 8) of 16 x 16 for each place of the side."""
    from lightning_rast.scene import Camera, Mesh

    faces = torch.tensor([[0, 1, 2], [0, 2, 3]], dtype=torch.int32)
    camera = Camera.orthographic_look_at(
        torch.tensor([[0.0, 0.0, 5.0]], dtype=torch.float64), height=16.0, image_size=(16, 16)
    )
    values: dict[str, list[float]] = {}
    for side in at.tolist():
        right = 0.5 + side
        corners = [[-6.3, -6.2, 0], [right, -6.2, 0], [right, 6.4, 0], [-6.3, 6.4, 0]]
        mesh = Mesh(torch.tensor(corners, dtype=torch.float64), faces)
        scene = Scene(mesh, camera, mesh.verts)
        for name, draw in models(scene).items():
            values.setdefault(name, []).append(float(draw(scene.verts_clip)[8, 8]))
    return {name: torch.tensor(line) for name, line in values.items()}


FIGURES = {
    "visibility": visibility_figure,
    "interpolate": interpolate_figure,
    "antialias": antialias_figure,
    "models": models_figure,
    "profile": profile_figure,
}

"""Pictures of docs/rasterizer.md: textures, and parts too thin for a pixel's centre."""

import math

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rasterizer_figures import gradient_at_verts, panels
from rasterizer_scenes import ring_and_ball, seen, show, show_change, show_descent
from torch import Tensor

from lightning_rast.ops import (
    Fragments,
    antialias,
    contour_coverage,
    fill_thin_parts,
    fragment_derivatives,
    interpolate,
    rasterize,
    sample_texture,
)
from lightning_rast.scene import torus
from tests.reference.directional import smooth_weights

RING = (24, 12)  # quads around the ring and around its tube
TEXELS = 64


def ring_uv() -> Tensor:
    """Texture coordinates `(F, 3, 2)` at the corners of the ring's faces, without a jump inside of
    a face: the texture goes three times around the ring, once around the tube."""
    mesh = torus(*RING)
    corners = mesh.verts.double()[mesh.faces.long()]
    x, y, z = corners.unbind(-1)
    around, across = torch.atan2(x, z), torch.atan2(y, torch.hypot(x, z) - 1)
    turns = torch.stack((around, across), dim=-1) / (2 * math.pi)
    turns = turns - (turns - turns[:, :1]).round()
    return turns * torch.tensor([3.0, 1.0], dtype=torch.float64)


def checks() -> Tensor:
    """Four by four fields, in each of them checks of two texels. `(H, W, 3)`."""
    row, column = torch.meshgrid(torch.arange(TEXELS), torch.arange(TEXELS), indexing="ij")
    field = ((row // 16 + column // 16) % 2)[..., None].double()
    fine = ((row // 2 + column // 2) % 2)[..., None].double()
    orange, blue = (torch.tensor(c).double() for c in ((0.85, 0.45, 0.12), (0.15, 0.4, 0.75)))
    return (field * orange + (1 - field) * blue) * (0.35 + 0.65 * fine)


def uv_images(
    clip: Tensor, faces: Tensor, uv: Tensor, fragments: Fragments
) -> tuple[Tensor, Tensor, Tensor]:
    """Coordinates at each pixel, and their change by column and row."""
    at, by_x, by_y = (
        interpolate(uv, None, fragments._replace(bary=bary))
        for bary in (fragments.bary, *fragment_derivatives(clip, faces, fragments))
    )
    return at, by_x, by_y


def levels(by_x: Tensor, by_y: Tensor) -> Tensor:
    """The mip level of each pixel; 0 where there is no surface."""
    longest = torch.maximum(by_x.norm(dim=-1), by_y.norm(dim=-1)) * TEXELS
    return longest.clamp(min=1.0).log2()


def texture_figure(numbers: dict) -> Figure:
    """sample_texture, fragment_derivatives: pictures, levels, and the gradients of all inputs."""
    ring = ring_and_ball().mesh
    mesh = type(ring)(ring.verts[: math.prod(RING)], ring.faces[: 2 * math.prod(RING)])
    scene = seen(mesh, mesh.verts)
    clip, faces, size = scene.verts_clip, mesh.faces, scene.camera.image_size
    fragments = rasterize(clip, faces, size)
    covered = fragments.face_idx[0] >= 0
    at, by_x, by_y = uv_images(clip, faces, ring_uv(), fragments)
    texture = checks().requires_grad_()
    at = at.detach().requires_grad_()
    bilinear = sample_texture(texture, at)[0]
    mipmap = sample_texture(texture, at, filter="mipmap", uv_dx=by_x, uv_dy=by_y)[0]
    weights = smooth_weights(size) * covered
    loss = (mipmap.mean(dim=-1) * weights).sum()
    to_texture, to_uv = torch.autograd.grad(loss, (texture, at))

    figure, axes = panels(4, rows=2)
    white = torch.ones(3, dtype=torch.float64)
    show(axes[0, 0], texture, "texture")
    for ax, image, title in ((axes[0, 1], bilinear, "bilinear"), (axes[0, 2], mipmap, "mipmap")):
        show(ax, torch.where(covered[..., None], image, white), title)
    level = levels(by_x, by_y)[0].where(covered, torch.nan)
    show(axes[0, 3], level, "level, from fragment_derivatives", cmap="viridis")
    show_change(axes[1, 0], to_texture.sum(dim=-1), "gradient to texture")
    show(axes[1, 1], 0.6 + 0.4 * texture, "minus gradient to uv")
    show_uv_descent(axes[1, 1], at.detach()[0][covered], to_uv[0][covered])
    faded = 0.6 + 0.4 * torch.where(covered[..., None], mipmap, white)
    show(axes[1, 2], faded, "minus gradient to vertices")

    def pictured(clip: Tensor) -> Tensor:
        fragments = rasterize(clip, faces, size)
        at, by_x, by_y = uv_images(clip, faces, ring_uv(), fragments)
        image = sample_texture(texture.detach(), at, filter="mipmap", uv_dx=by_x, uv_dy=by_y)
        return image[0].mean(dim=-1)

    show_descent(axes[1, 2], scene, gradient_at_verts(scene, pictured, weights))
    show(axes[1, 3], level, "minus gradient of all levels", cmap="viridis")

    def leveled(clip: Tensor) -> Tensor:
        _, by_x, by_y = uv_images(clip, faces, ring_uv(), rasterize(clip, faces, size))
        return levels(by_x, by_y)[0]

    show_descent(axes[1, 3], scene, gradient_at_verts(scene, leveled, covered.double()))
    return figure


def show_uv_descent(ax: Axes, uv: Tensor, grad: Tensor) -> None:
    """Arrows in the texture, from where pixels look it up; the texture is `TEXELS` wide."""
    place = (uv % 1).numpy() * TEXELS
    arrows = -grad.numpy()
    arrows = 7 * arrows / np.linalg.norm(arrows, axis=1).max()
    ax.quiver(
        *place.T, *arrows.T,
        angles="xy", scale_units="xy", scale=1, color="#0a7d32", width=0.005, zorder=3,
    )  # fmt: skip


def thin_figure(numbers: dict) -> Figure:
    """fill_thin_parts: a wire of a third of a pixel, with and without."""
    size = (32, 32)
    wire = torus(64, 6, radius=0.75, tube_radius=0.012)
    colors = 0.5 + 0.5 * wire.verts.double() / 0.76
    colors[:, 1] = 0.3
    scene = seen(wire, colors, size)
    clip, faces, topology = scene.verts_clip, scene.mesh.faces, scene.mesh.topology

    def drawn(clip: Tensor, colors: Tensor, *, fill: bool) -> tuple[Tensor, Fragments]:
        """Premultiplied colours on white."""
        coverage = contour_coverage(clip, topology, size)
        fragments = rasterize(clip, faces, size)
        if fill:
            fragments = fill_thin_parts(fragments, coverage, clip, topology)
        image = interpolate(colors, faces, fragments)
        image = antialias(image, fragments, clip, topology, premultiplied=True)
        return (image + (1 - coverage)[..., None])[0], fragments

    coverage = contour_coverage(clip, topology, size)[0]
    without, hard = drawn(clip, colors, fill=False)
    image, filled = drawn(clip, colors, fill=True)
    figure, axes = panels(6)
    shown = torch.where(hard.face_idx[0] >= 0, 1.0, 0.0).double()
    show(axes[0, 0], 1 - shown, "pixels whose centre is hit", cmap="gray", vmin=0, vmax=1)
    shown = torch.where(filled.face_idx[0] >= 0, 1.0, 0.0).double()
    show(axes[0, 1], 1 - shown, "after fill_thin_parts", cmap="gray", vmin=0, vmax=1)
    show(axes[0, 2], without.clamp(0, 1), "antialias, without it")
    show(axes[0, 3], image.clamp(0, 1), "antialias, with it")
    weights = smooth_weights(size)
    leaf = colors.clone().requires_grad_()
    reached = drawn(clip, leaf, fill=True)[0].mean(dim=-1) * weights
    (to_colors,) = torch.autograd.grad(reached.sum(), leaf)
    back = interpolate(to_colors.sum(dim=1, keepdim=True), faces, filled)[0, ..., 0]
    show_change(axes[0, 4], back, "gradient to colours")
    show(axes[0, 5], image.clamp(0, 1), "minus gradient")
    grad = gradient_at_verts(
        scene, lambda clip: drawn(clip, colors, fill=True)[0].mean(dim=-1), weights
    )
    show_descent(axes[0, 5], scene, grad)
    numbers["thin"] = {
        "covered": int((coverage > 0).sum()),
        "centres_hit": int((hard.face_idx >= 0).sum()),
        "filled": int((filled.face_idx >= 0).sum()),
    }
    return figure


FIGURES = {"texture": texture_figure, "thin": thin_figure}

"""Silhouettes of a mesh, seen by cameras, in the ways that there are to compute them."""

from collections.abc import Callable
from typing import Literal, get_args

from jaxtyping import Float
from torch import Tensor

from lightning_rast.ops import antialias, contour_coverage, soft_coverage, visible_faces
from lightning_rast.ops.advice import warn_about_seams
from lightning_rast.scene import Camera, Mesh

CoverageKind = Literal["contour", "soft", "antialias", "softras", "pytorch3d"]
CoverageModel = Callable[[Mesh, Camera], Tensor]


def coverage_model(kind: CoverageKind = "contour", *, sigma: float = 0.1) -> CoverageModel:
    """A function of mesh and cameras that returns coverage (N, H, W), 0..1, differentiable in both.

    contour: `render_silhouettes`, exact in value and gradient; the fastest.
    soft: `soft_coverage` with a blur of `sigma` pixels. Gradients reach some pixels beyond the
        outline, which comes to lie outside of the true one; for comparison with systems that
        work so.
    antialias: a rasterized mask, composited at outlines as the images of `Renderer` are. The same
        as contour but for parts so thin that they hit no pixel's centre.
    softras, pytorch3d: `soft_coverage` as these systems compute it. They want sigma in squared
        units of the image's shorter side being 2: that of `sigma` pixels is taken, (2 sigma /
        side)^2, so that it means the same for images of all sizes. Their usual 1e-4 is 1.28 pixels
        of 256, 0.64 of 128.

    Raises:
        ValueError: an unknown kind, or `sigma` is not from 1e-12 to 1e12 pixels.
    """
    if kind not in get_args(CoverageKind):
        known = ", ".join(get_args(CoverageKind))
        raise ValueError(f"coverage model must be one of {known}; got {kind!r}")
    # Squared, in units of the image, it has to stay within single precision.
    if not 1e-12 <= sigma <= 1e12:
        raise ValueError(f"coverage_model: sigma must be 1e-12 to 1e12 pixels, got {sigma}")
    if kind == "contour":
        return render_silhouettes
    if kind == "antialias":
        return _antialiased_mask
    semantics = "pixel" if kind == "soft" else kind

    def soft(mesh: Mesh, camera: Camera) -> Tensor:
        side = min(camera.image_size)
        softness = sigma if semantics == "pixel" else (2 * sigma / side) ** 2
        verts_clip = camera.world_to_clip(mesh.verts)
        return soft_coverage(
            verts_clip, mesh.faces, camera.image_size, sigma=softness, semantics=semantics
        )

    return soft


def render_silhouettes(mesh: Mesh, camera: Camera) -> Float[Tensor, "N H W"]:
    """Exact coverage of every pixel by the mesh, 0..1, in the type of `mesh.verts`.

    Differentiable in `mesh.verts`, `camera.K` and `camera.world_to_view`.
    `contour_coverage` says how it is computed and where it is not differentiable.
    """
    _warn(mesh)
    return contour_coverage(camera.world_to_clip(mesh.verts), mesh.topology, camera.image_size)


def _warn(mesh: Mesh) -> None:
    if mesh.verts.requires_grad:
        warn_about_seams(mesh.verts, mesh.topology)


def _antialiased_mask(mesh: Mesh, camera: Camera) -> Float[Tensor, "N H W"]:
    _warn(mesh)
    verts_clip = camera.world_to_clip(mesh.verts)
    seen = visible_faces(verts_clip, mesh.faces, camera.image_size)
    mask = seen.coverage[..., None]
    return antialias(mask, seen, verts_clip, mesh.topology, premultiplied=True).squeeze(-1)

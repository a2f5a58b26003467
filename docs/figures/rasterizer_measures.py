"""Measured table of docs/rasterizer.md: antialiased pictures against supersampled ones."""

import torch
from rasterizer_scenes import Scene, crossing_balls, ring_and_ball
from torch import Tensor

from lightning_rast.ops import antialias, interpolate, rasterize
from tests.ops import antialias_channels
from tests.ops.antialias_scenes import SCENES
from tests.ops.contour_views import seen_from
from tests.reference.supersampled import derivatives

SAMPLES = 32


def colored(scene: Scene, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """The hard picture `(H, W, 3)` on white, and the same antialiased."""
    fragments = rasterize(scene.verts_clip, scene.mesh.faces, size)
    background = (fragments.face_idx < 0)[..., None].to(scene.colors)
    hard = interpolate(scene.colors, scene.mesh.faces, fragments) + background
    return hard[0], antialias(hard, fragments, scene.verts_clip, scene.mesh.topology)[0]


def box_filtered(scene: Scene, size: tuple[int, int]) -> Tensor:
    height, width = size
    fine = (SAMPLES * height, SAMPLES * width)
    hard = interpolate(
        scene.colors,
        scene.mesh.faces,
        fragments := rasterize(scene.verts_clip, scene.mesh.faces, fine),
    )
    hard = hard + (fragments.face_idx < 0)[..., None].to(hard)
    return hard[0].reshape(height, SAMPLES, width, SAMPLES, 3).mean(dim=(1, 3))


def accuracy_rows() -> list[list[object]]:
    rows: list[list[object]] = [
        [
            "scene",
            "boundary pixels",
            "mean error, hard",
            "mean error, antialias",
            "worst, antialias",
        ]
    ]
    for name, make in {"ball in a ring": ring_and_ball, "crossing balls": crossing_balls}.items():
        scene = make()
        size = scene.camera.image_size
        hard, smooth = colored(scene, size)
        truth = box_filtered(scene, size)
        before, after = ((image - truth).abs().amax(dim=-1) for image in (hard, smooth))
        at = before > 0.5 / SAMPLES**2
        means = (f"{float(torch.mean(error[at])):.4f}" for error in (before, after))
        rows.append([name, int(at.sum()), *means, f"{float(after.max()):.2f}"])
    return rows


def cosine_rows() -> list[list[object]]:
    """Gradients of antialiased pictures against differences of supersampled ones."""
    rows: list[list[object]] = [["scene", "faces", "cosine", "ratio of lengths"]]
    for name, make in SCENES.items():
        for level in (4, 6):
            scene = make(level)
            truth, ours = derivatives(
                scene.verts, scene.faces, scene.attrs, seen_from, 48, count=16, samples=24
            )
            cosine = float((truth * ours).sum() / truth.norm() / ours.norm())
            ratio = float(ours.norm() / truth.norm())
            rows.append([name, len(scene.faces), f"{cosine:.4f}", f"{ratio:.3f}"])
    return rows


def channel_rows() -> list[list[object]]:
    """The same by what the picture shows: "cosine, ratio of lengths". Last, normals with several
    antialiased samples per pixel."""
    kinds = ["colour", "masks", "depth", "normals", "normals, 2 x 2", "normals, 4 x 4"]
    rows: list[list[object]] = [["scene", "faces", *kinds]]
    for name, make in antialias_channels.SCENES.items():
        for level in (4, 6):
            parts = make(level)
            found, *supersampled = (
                antialias_channels.cosines(parts, 48, count=16, samples=24, finer=finer)
                for finer in (1, 2, 4)
            )
            pairs = [*found.values(), *(finer["normals"] for finer in supersampled)]
            cells = [f"{cosine:.3f}, {ratio:.2f}" for cosine, ratio in pairs]
            rows.append([name, len(parts.faces), *cells])
    return rows

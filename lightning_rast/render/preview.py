"""Pictures for people: a shaded view, a turntable, a GIF. Nothing here is differentiable."""

import math
import os
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw
from torch import Tensor

from lightning_rast.scene import Camera, Mesh

_CLAY = (0.83, 0.68, 0.57)  # sRGB
_SUPERSAMPLING = 2
# Directions towards the lights in view space (x right, y down, z forward): a key light over the
# viewer's left shoulder, the sky above.
_KEY, _SKY = (-0.45, -0.65, -0.62), (0.0, -1.0, 0.0)
# Corners of flatter edges than this are shaded as one smooth surface.
_SMOOTH_ANGLE_DEG = 40.0


def shaded_preview(
    mesh: Mesh, camera: Camera, *, color: tuple[float, float, float] = _CLAY
) -> UInt8[np.ndarray, "N H W 3"]:
    """The mesh as a matt clay model on white, lit from the camera.

    Faces are painted from far to near (so interpenetrating ones may show in the wrong order),
    one colour each, both sides. Faces that reach behind the camera are left out.
    `color` is sRGB, 0..1.
    """
    return np.stack([_painted(mesh, camera[index], color) for index in range(len(camera))])


def turntable_cameras(
    bounds: Float[Tensor, "2 3"],
    num_views: int,
    *,
    image_size: tuple[int, int] = (400, 400),
    fov_deg: float = 30.0,
    elevation_deg: float = 20.0,
) -> Camera:
    """Cameras evenly around a box (`Mesh.bounds`), y up, that all see the whole of it."""
    low, high = bounds.detach().double().cpu()
    center, radius = (low + high) / 2, float((high - low).norm()) / 2
    height, width = image_size
    half_angle = math.radians(fov_deg) / 2
    if width < height:
        half_angle = math.atan(math.tan(half_angle) * width / height)
    distance = 1.02 * max(radius, 1e-12) / math.sin(half_angle)
    azimuth = torch.arange(num_views, dtype=torch.float64) * (2 * math.pi / num_views)
    elevation = torch.full_like(azimuth, math.radians(elevation_deg))
    direction = torch.stack(
        (
            elevation.cos() * azimuth.sin(),
            elevation.sin(),
            elevation.cos() * azimuth.cos(),
        ),
        dim=1,
    )
    return Camera.look_at(
        center + distance * direction,
        center,
        fov_deg=fov_deg,
        image_size=image_size,
        near=1e-3 * distance,
        far=1e3 * distance,
    )


def save_gif(
    path: str | Path, frames: UInt8[np.ndarray, "N H W 3"], *, frames_per_second: float = 15.0
) -> None:
    """Write an endless animation; the file appears under its name when it is complete."""
    if len(frames) == 0:
        raise ValueError("save_gif needs at least one frame")
    path = Path(path)
    images = [Image.fromarray(frame) for frame in frames]
    # One palette for all frames, undithered: nothing flickers where nothing moves.
    palette = images[0].quantize(192)
    paletted = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
    unfinished = path.with_name(f".{path.name}.part")
    try:
        paletted[0].save(
            unfinished,
            format="GIF",
            save_all=True,
            append_images=paletted[1:],
            duration=round(1000 / frames_per_second),
            loop=0,
        )
        os.replace(unfinished, path)  # noqa: PTH105
    finally:
        unfinished.unlink(missing_ok=True)


def _painted(
    mesh: Mesh, camera: Camera, color: tuple[float, float, float]
) -> UInt8[np.ndarray, "H W 3"]:
    height, width = camera.image_size
    picture = Image.new("RGB", (width * _SUPERSAMPLING, height * _SUPERSAMPLING), "white")
    if mesh.num_faces:
        verts = mesh.verts.detach().double().to(camera.K.device)
        view = camera.world_to_view_points(verts)[0].detach().cpu().numpy()
        large = camera.resized((picture.height, picture.width))
        pixels = large.project(verts)[0].detach().cpu().numpy()
        faces = mesh.faces.cpu().numpy()
        shade = _shaded(view, faces, camera, np.array(color))
        visible = np.flatnonzero(_is_visible(view, pixels, faces, camera, picture))
        order = visible[_far_to_near(view, pixels, faces[visible], _outwards(mesh))]
        draw = ImageDraw.Draw(picture)
        # Pillow's integer coordinates are pixel centres.
        outlines = (pixels[faces[order]] - 0.5).reshape(-1, 6).tolist()
        for outline, fill in zip(outlines, map(tuple, shade[order].tolist()), strict=True):
            draw.polygon(outline, fill=fill)
    return np.asarray(picture.reduce(_SUPERSAMPLING))


def _is_visible(
    view: np.ndarray, pixels: np.ndarray, faces: np.ndarray, camera: Camera, picture: Image.Image
) -> np.ndarray:
    """Faces in front of the camera and on the picture: of others Pillow would walk all rows."""
    corners = pixels[faces]
    low, high = corners.min(axis=1), corners.max(axis=1)
    is_on_picture = (high > 0).all(axis=1) & (low < picture.size).all(axis=1)
    is_in_front = view[faces, 2].min(axis=1) > camera.near
    return is_on_picture & is_in_front & np.isfinite(corners).all(axis=(1, 2))


def _far_to_near(
    view: np.ndarray, pixels: np.ndarray, faces: np.ndarray, outwards: int
) -> np.ndarray:
    order = np.argsort(-view[faces, 2].mean(axis=1), kind="stable")
    if not outwards:
        return order
    # A solid's far side never hides its near side: sorting has to settle the near one only.
    a, b, c = pixels[faces[order]].transpose(1, 0, 2)
    u, v = b - a, c - a
    is_near = outwards * (u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]) < 0
    return np.concatenate((order[~is_near], order[is_near]))


def _outwards(mesh: Mesh) -> int:
    """1 where faces of a solid wind as they should, -1 inside out, 0 if it is no solid."""
    topology = mesh.topology
    # A few cracks between parts do not matter.
    if not topology.is_oriented or 10 * len(topology.boundary_edges) > topology.num_edges:
        return 0
    return int(torch.sign(mesh.volume.detach()))


def _shaded(
    view: np.ndarray, faces: np.ndarray, camera: Camera, color: np.ndarray
) -> UInt8[np.ndarray, "F 3"]:
    """sRGB of each face."""
    center = view[faces].mean(axis=1)
    towards_viewer = np.array([0.0, 0.0, -1.0]) if camera.orthographic else -_unit(center)
    normal = _smooth_normals(view, faces)
    facing = (normal * towards_viewer).sum(axis=1, keepdims=True)
    normal = normal * np.where(facing < 0, -1.0, 1.0)
    facing = np.abs(facing)[:, 0]

    key = np.clip((normal @ _unit(np.array(_KEY)) + 0.15) / 1.15, 0, None)
    sky = 0.5 + 0.5 * normal @ np.array(_SKY)
    rim = (1 - facing) ** 3
    light = 0.16 + 0.30 * sky + 0.72 * key
    # Glancing surfaces lose some key light and gain a little of the white surroundings: the
    # outline stays readable on a white page.
    linear = color**2.2 * (light * (1 - 0.35 * rim))[:, None] + 0.04 * rim[:, None]
    linear = np.nan_to_num(linear)
    return (255 * np.clip(linear, 0, 1) ** (1 / 2.2) + 0.5).astype(np.uint8)


def _smooth_normals(view: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Mean of each face's corner normals, without those beyond a sharp edge."""
    a, b, c = view[faces].transpose(1, 0, 2)
    area = np.cross(b - a, c - a)
    flat = _unit(area)
    at_vert = np.stack(
        [
            np.bincount(faces.reshape(-1), np.repeat(area[:, axis], 3), len(view))
            for axis in range(3)
        ],
        axis=1,
    )
    corner = _unit(at_vert)[faces]
    is_smooth = (corner * flat[:, None]).sum(axis=2) > math.cos(math.radians(_SMOOTH_ANGLE_DEG))
    return _unit(np.where(is_smooth[..., None], corner, flat[:, None]).sum(axis=1))


def _unit(vectors: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.where(length > 0, length, 1.0)

"""Pictures for people: a shaded view, a turntable, a GIF. Nothing here is differentiable."""

import math
import os
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from lightning_rast.render.nearest import nearest_faces
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

    Both sides of faces are painted. Edges of more than 40 degrees stay sharp, others are smoothed
    over. Faces that reach behind the camera are left out.
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
    height, width = (side * _SUPERSAMPLING for side in camera.image_size)
    picture = np.full((height * width, 3), 255, dtype=np.uint8)
    if mesh.num_faces:
        verts = mesh.verts.detach().double().to(camera.K.device)
        view = camera.world_to_view_points(verts)[0].detach().cpu().numpy()
        pixels = camera.resized((height, width)).project(verts)[0].detach().cpu().numpy()
        faces = mesh.faces.cpu().numpy()
        faces = faces[_is_visible(view, pixels, faces, camera)]
        depth = view[faces, 2]
        nearness = -depth if camera.orthographic else 1 / depth
        hits = nearest_faces(pixels[faces], nearness, (height, width))
        at_corners = _shaded(view, faces, camera, np.array(color))[hits.face_idx]
        colors = (at_corners * hits.bary[..., None]).sum(axis=1) + 0.5
        picture[hits.pixel] = np.clip(colors, 0, 255)
    image = Image.fromarray(picture.reshape(height, width, 3))
    return np.asarray(image.reduce(_SUPERSAMPLING))


def _is_visible(
    view: np.ndarray, pixels: np.ndarray, faces: np.ndarray, camera: Camera
) -> np.ndarray:
    """Faces in front of the camera."""
    is_in_front = view[faces, 2].min(axis=1) > camera.near
    return is_in_front & np.isfinite(pixels[faces]).all(axis=(1, 2))


def _shaded(
    view: np.ndarray, faces: np.ndarray, camera: Camera, color: np.ndarray
) -> Float[np.ndarray, "F 3 3"]:
    """sRGB, 0..255, at the faces' corners: of the side that the viewer sees."""
    corners = view[faces]
    towards_viewer = np.array([0.0, 0.0, -1.0]) if camera.orthographic else -_unit(corners)
    flat, normal = _normals(view, faces)
    center = corners.mean(axis=1, keepdims=True)
    towards_center = np.array([0.0, 0.0, 1.0]) if camera.orthographic else center
    normal = normal * -np.sign((flat * towards_center).sum(axis=2, keepdims=True))
    facing = np.clip((normal * towards_viewer).sum(axis=2), 0, 1)

    key = np.clip((normal @ _unit(np.array(_KEY)) + 0.15) / 1.15, 0, None)
    sky = 0.5 + 0.5 * normal @ np.array(_SKY)
    rim = (1 - facing) ** 3
    light = 0.16 + 0.30 * sky + 0.72 * key
    # Glancing surfaces lose some key light and gain a little of the white surroundings: the
    # outline stays readable on a white page.
    linear = color**2.2 * (light * (1 - 0.35 * rim))[..., None] + 0.04 * rim[..., None]
    return (255 * np.clip(np.nan_to_num(linear), 0, 1) ** (1 / 2.2)).astype(np.float32)


def _normals(
    view: np.ndarray, faces: np.ndarray
) -> tuple[Float[np.ndarray, "F 1 3"], Float[np.ndarray, "F 3 3"]]:
    """Unit normals of faces, and at their corners; the latter of the smooth surface but at sharp
    edges."""
    a, b, c = view[faces].transpose(1, 0, 2)
    area = np.cross(b - a, c - a)
    flat = _unit(area)[:, None]
    at_vert = np.stack(
        [
            np.bincount(faces.reshape(-1), np.repeat(area[:, axis], 3), len(view))
            for axis in range(3)
        ],
        axis=1,
    )
    corner = _unit(at_vert)[faces]
    is_smooth = (corner * flat).sum(axis=2) > math.cos(math.radians(_SMOOTH_ANGLE_DEG))
    return flat, np.where(is_smooth[..., None], corner, flat)


def _unit(vectors: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.where(length > 0, length, 1.0)

"""Renders a mesh file from all sides into a folder."""

import json
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from lightning_rast.render.options import CLAY, Color, TurntableOptions
from lightning_rast.render.paint import AssetColors
from lightning_rast.render.pictures import (
    FAR_VALUE,
    NEAR_VALUE,
    albedo_of,
    as_bytes,
    color_pictures,
    contact_sheet,
    depth_pictures,
    face_pictures,
    in_groups,
    normals_pictures,
    present,
    save_gif,
    save_png,
    sheet_size,
    thumbnail,
)
from lightning_rast.render.renderer import OUTPUTS, Renderer, Rendering
from lightning_rast.render.turntable import turntable_cameras
from lightning_rast.scene import Asset, Camera, Mesh, MeshFileError, load_asset, load_mesh
from lightning_rast.scene.appearance import see_through_parts

_SMALLEST, _LARGEST = 1e-12, 1e15  # of a mesh's longest side
_MOST_NAMES = 5
# Averages over several samples per pixel; the others are what is at the pixels' centres.
_AVERAGED, _SAMPLED = ("color", "normals", "coverage"), ("depth", "face_idx")


class RenderError(Exception):
    """The mesh or the folder cannot be used; the message names it and says what to do."""


def write_turntable(path: Path, folder: Path, options: TurntableOptions) -> Iterator[str]:
    """Write `<output>/<view>.png`, `sheet.png`, `cameras.json` and, if asked for, a GIF.

    Yields lines for a person to read while it works.

    Raises:
        RenderError: see there.
    """
    if options.device == "cuda" and not torch.cuda.is_available():
        raise RenderError("PyTorch finds no CUDA device; leave --device out")
    try:
        asset = _asset(path, options)
        mesh = asset.mesh
        yield f"{path.name}: {mesh.topology.report()}"
        yield from (f"note: {text}" for text in asset.notes)
        _check_size(path, mesh)
        cameras = turntable_cameras(
            mesh,
            options.num_views,
            image_size=options.image_size,
            fov_deg=options.fov_deg,
            elevation_deg=options.elevation_deg,
            up=options.up,
        )
        with warnings.catch_warnings(record=True) as found:
            _write(asset, cameras.to(options.device), folder, options)
        yield from (f"note: {warning.message}" for warning in found)
    except MeshFileError as error:
        raise RenderError(str(error)) from None
    except ValueError as error:
        raise RenderError(f"{path}: {error}") from None
    except OSError as error:
        raise RenderError(f"cannot write to {folder}: {error.strerror or error}") from None
    yield f"{options.num_views} views of {', '.join(options.outputs)}: {folder / 'sheet.png'}"


def _check_size(path: Path, mesh: Mesh) -> None:
    """Areas are squares: in single precision those of other sizes vanish, or are infinite."""
    low, high = mesh.bounds.double()
    size = float((high - low).max())
    if not _SMALLEST <= size <= _LARGEST:
        raise RenderError(
            f"{path}: its longest side is {size:.3g}; scale it to {_SMALLEST:g} to {_LARGEST:g}"
        )
    if float(mesh.area) == 0:
        raise RenderError(f"{path}: no face has an area, so nothing is to be seen of it")


def _asset(path: Path, options: TurntableOptions) -> Asset:
    """The mesh, and its colours if they are shown."""
    if options.color is not None or "color" not in options.outputs:
        return Asset(mesh=load_mesh(path))
    asset = load_asset(path)
    if not asset.has_appearance and asset.notes:
        return replace(asset, notes=(*asset.notes, "the file has no colours: drawn in clay"))
    return replace(asset, notes=(*asset.notes, *_opacity_notes(asset)))


def _opacity_notes(asset: Asset) -> list[str]:
    try:
        materials = see_through_parts(asset)
    except ValueError:
        return []  # its colours are refused, with the reason
    kinds = {"MASK": "cut out", "BLEND": "blended"}
    names = [
        f"{material.name or 'one without a name'} ({kinds[material.alpha_mode]})"
        for material in materials
    ]
    if not names:
        return []
    shown = ", ".join(names[:_MOST_NAMES])
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return [f"see-through materials are drawn opaque, in masks and depths too: {shown}{more}"]


def _write(asset: Asset, cameras: Camera, folder: Path, options: TurntableOptions) -> None:
    mesh = asset.mesh.to(options.device)
    try:
        colors = AssetColors.of(asset, mesh.verts) if asset.has_appearance else None
    except ValueError as error:
        raise RenderError(f"{error}; --color clay does without the file's colours") from None
    for name in options.outputs:
        (folder / name).mkdir(parents=True, exist_ok=True)
    depth_range = _depth_range(mesh, cameras)
    small = sheet_size(options.image_size, options.num_views)
    rows: dict[str, list[Image.Image]] = {name: [] for name in options.outputs}
    frames: list[np.ndarray] = []
    for name, view, picture in _pictures(mesh, colors, cameras, options, depth_range):
        save_png(folder / name / _file_name(view), picture)
        rows[name].append(thumbnail(picture, small))
        if options.gif and name == options.outputs[0]:
            frames.append(np.asarray(thumbnail(picture, options.image_size)))
    headings = [f"{360 * view / options.num_views:.0f}°" for view in range(options.num_views)]
    save_png(folder / "sheet.png", contact_sheet(rows, headings=headings))
    if options.gif:
        save_gif(folder / "turntable.gif", np.stack(frames))
    _write_cameras(folder, cameras, options.outputs, depth_range)


def _pictures(
    mesh: Mesh,
    colors: AssetColors | None,
    cameras: Camera,
    options: TurntableOptions,
    depth_range: tuple[float, float],
) -> Iterator[tuple[str, int, np.ndarray]]:
    """Output, view and picture."""
    for names, is_averaged in ((_AVERAGED, True), (_SAMPLED, False)):
        wanted = [name for name in options.outputs if name in names]
        if not wanted:
            continue
        renderer = Renderer(
            outputs=tuple(name for name in OUTPUTS if name in (*wanted, "coverage")),
            shading=options.shading,
            albedo=albedo_of(options.color or CLAY),
            antialias=is_averaged,
            supersampling=options.supersampling if is_averaged else 1,
        )
        for views, rendering in in_groups(renderer, mesh, cameras, colors):
            for name in wanted:
                encoded = _encoded(name, rendering, options.background, depth_range)
                for view, picture in enumerate(encoded, start=views.start):
                    yield name, view, picture


def _encoded(
    name: str,
    rendering: Rendering,
    background: Color | None,
    depth_range: tuple[float, float],
) -> np.ndarray:
    if name == "color":
        return color_pictures(rendering, background=background)
    if name == "normals":
        return normals_pictures(rendering, background=background)
    if name == "coverage":
        return as_bytes(present(rendering.coverage))
    if name == "depth":
        return depth_pictures(present(rendering.depth), depth_range)
    return face_pictures(present(rendering.face_idx), background=background)


def _depth_range(mesh: Mesh, cameras: Camera) -> tuple[float, float]:
    """Nearest and farthest vertex of all views."""
    verts = mesh.verts.double()
    depths = [cameras[view].world_to_view_points(verts)[..., 2] for view in range(len(cameras))]
    near = min(float(depth.min()) for depth in depths)
    far = max(float(depth.max()) for depth in depths)
    return near, max(far, near + 1e-9 * abs(near))


def _file_name(view: int) -> str:
    return f"{view:03d}.png"


def _write_cameras(
    folder: Path, cameras: Camera, outputs: Sequence[str], depth_range: tuple[float, float]
) -> None:
    """As docs/data_formats.md says: a folder with coverage can be trained on."""
    height, width = cameras.image_size
    views = []
    for view in range(len(cameras)):
        pose = cameras.world_to_view[view]
        files = {name: f"{name}/{_file_name(view)}" for name in outputs}
        if "coverage" in files and not cameras.orthographic:
            files["mask"] = files.pop("coverage")
        views.append(
            {
                **files,
                "width": width,
                "height": height,
                "K": cameras.K[view].tolist(),
                "R": pose[:3, :3].tolist(),
                "t": pose[:3, 3].tolist(),
            }
        )
    content: dict[str, Any] = {"pixel_centers": "half", "orthographic": cameras.orthographic}
    if "depth" in outputs:
        near, far = depth_range
        content["depth"] = {
            "near": near,
            "far": far,
            "value_at_near": NEAR_VALUE,
            "value_at_far": FAR_VALUE,
        }
    text = json.dumps({**content, "views": views}, indent=1)
    (folder / "cameras.json").write_text(text, encoding="utf-8")

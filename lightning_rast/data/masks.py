"""Views from a folder of mask images with a `cameras.json`.

    {
      "pixel_centers": "half",
      "views": [
        {"mask": "masks/000.png", "K": [[f, 0, cx], [0, f, cy], [0, 0, 1]],
         "R": [[...], [...], [...]], "t": [x, y, z]},
        {"mask": "masks/001.png", "P": [[...], [...], [...]]}
      ]
    }

`mask` is a path relative to the file. A camera is K, R, t (OpenCV: x right, y down, z forward,
x_view = R x_world + t, pixel = K x_view / z) or a 3x4 matrix P from world to pixels, of any
scale and sign. Optional `width` and `height` are checked against the image. `pixel_centers` says
what an integer pixel coordinate is: "integer" a pixel's centre (OpenCV, MATLAB after subtracting 1;
assumed when the key is missing), "half" a pixel's corner, so that centres are at +0.5 (COLMAP,
OpenGL). Other keys are ignored. docs/data_formats.md has examples.
"""

import json
import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from lightning_rast.data.area import area_average
from lightning_rast.data.fitted_sphere import seen_center
from lightning_rast.data.mask_image import EmptyMaskError, read_mask
from lightning_rast.data.views import NEAR_OF_DISTANCE, Views, ViewsError
from lightning_rast.scene import Camera

PixelCenters = Literal["auto", "integer", "half"]

# Of all masks. A few are a segmentation's failures; with more, the folder is not what it should be.
_MOST_EMPTY = 0.25
# Below the darkest white that compression leaves of an object's inside.
_LEAST_CONVINCING_PEAK = 0.98


@dataclass(frozen=True)
class _Entry:
    label: str  # "cameras.json, view 3 (masks/003.png)"
    mask: Path
    name: str
    fields: dict[str, Any]


def load_mask_views(
    folder: str | Path, *, max_image_size: int = 0, pixel_centers: PixelCenters = "auto"
) -> Views:
    """All views of a folder.

    Images whose longer side exceeds `max_image_size` (0 = no limit) are area-averaged to it,
    their cameras with them. Images of different sizes are padded at the right and below to
    the largest one; padding is unknown. `pixel_centers` other than "auto" overrides the file.
    A view whose mask is empty is left out with a warning, if not more than a quarter of them are.

    Raises:
        ViewsError: names the file and the view for anything missing, malformed or inconsistent.
    """
    path = Path(folder) / "cameras.json"
    content = _read_json(path)
    if pixel_centers == "auto":
        pixel_centers = content.get("pixel_centers", "integer")
        if pixel_centers not in ("integer", "half"):
            text = f'"pixel_centers" must be "integer" or "half", got {pixel_centers!r}'
            raise ViewsError(f"{path}: {text}")
    entries = _entries(path, content)
    _check_every_mask_has_a_camera(path, entries)
    coverages, cameras = [], []
    empty: list[EmptyMaskError] = []
    used: list[_Entry] = []
    for entry in entries:
        try:
            coverage = read_mask(entry.mask)
        except EmptyMaskError as error:
            empty.append(error)
            continue
        used.append(entry)
        _check_size(entry, coverage)
        for doubt in _doubts(coverage):
            warnings.warn(f"{entry.mask}: {doubt}", stacklevel=2)
        native_size = (coverage.shape[0], coverage.shape[1])
        camera = _camera(entry, native_size, pixel_centers)
        image_size = _limited_size(native_size, max_image_size)
        coverages.append(area_average(coverage[None], image_size)[0])
        cameras.append(camera.resized(image_size))
    if not used or len(empty) > _MOST_EMPTY * len(entries):
        raise empty[0]
    for error in empty:
        warnings.warn(f"{error}; this view is left out", stacklevel=2)
    views = _stacked(coverages, cameras, tuple(entry.name for entry in used))
    views = replace(views, files=tuple(entry.mask for entry in used))
    views = _facing_the_object(views, ["P" in entry.fields for entry in used])
    return replace(views, cameras=_with_near_planes(views))


def native_view(views: Views, index: int) -> Views:
    """One of the views of a folder in its file's resolution, on the CPU, read again.

    Raises:
        ViewsError: the file has gone or cannot be read any more.
    """
    assert views.files is not None
    coverage = read_mask(views.files[index])
    if views.inverted:
        coverage = 1 - coverage
    camera = views.cameras[[index]].to("cpu")
    if views.known is not None:  # the padding has to go before the size means anything
        known = views.known[index].cpu()
        image_size = (int(known.any(dim=1).sum()), int(known.any(dim=0).sum()))
        camera = replace(camera, image_size=image_size)
    native_size = (coverage.shape[0], coverage.shape[1])
    return Views(camera.resized(native_size), coverage[None], (views.names[index],))


def native_views(views: Views) -> Iterator[Views]:
    """Each view alone, in the resolution of its image file if it comes from one.

    Raises:
        ViewsError: a file has gone or cannot be read any more.
    """
    for index in range(len(views)):
        view = views[[index]] if views.files is None else native_view(views, index)
        yield view.to(views.coverage.device)


def _facing_the_object(views: Views, has_free_sign: Sequence[bool]) -> Views:
    """P and -P project alike, but with -P everything is behind the camera: turn those round."""
    cameras = views.cameras
    center = seen_center(views)[None] if any(has_free_sign) else torch.zeros(1, 3)
    depth = cameras.world_to_view_points(center)[:, 0, 2]
    turned = torch.tensor(has_free_sign) & (depth < 0)
    if not turned.any():
        return views
    projection = cameras.K @ cameras.world_to_view[:, :3]
    facing = Camera.from_projection_matrix(
        projection, cameras.image_size, pixel_centers="half", in_front=center
    )
    pose = torch.where(turned[:, None, None], facing.world_to_view, cameras.world_to_view)
    K = torch.where(turned[:, None, None], facing.K, cameras.K)
    return replace(views, cameras=replace(cameras, world_to_view=pose, K=K))


def _with_near_planes(views: Views) -> Camera:
    """The cameras with a near plane in proportion to the least distance to the object."""
    cameras = views.cameras
    distances = (cameras.center_world - seen_center(views)).norm(dim=1)
    nearest, farthest = float(distances.min()), float(distances.max())
    if not nearest > 0:
        return cameras
    return replace(cameras, near=NEAR_OF_DISTANCE * nearest, far=farthest / NEAR_OF_DISTANCE)


def _doubts(coverage: Tensor) -> Iterator[str]:
    """What makes a mask look unlike one, without being wrong for certain."""
    peak = float(coverage.max())
    if peak < _LEAST_CONVINCING_PEAK:
        yield f"its brightest pixel is {peak:.3g} of 1, but the object should be white"
    edges = (coverage[0], coverage[-1], coverage[1:-1, 0], coverage[1:-1, -1])
    if coverage.min() == 1:
        yield "the object covers the whole image"
    elif float((torch.cat(edges) > 0.5).double().mean()) > 0.5:
        yield "the object covers most of the image's border; is the mask inverted?"


def _read_json(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ViewsError(f"missing {path}: a folder of masks needs one camera per image") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ViewsError(f"cannot read {path}: {error}") from None
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise ViewsError(f"{path} is not valid JSON: {error.msg} at {place}") from None
    if not isinstance(content, dict) or not isinstance(content.get("views"), list):
        raise ViewsError(f'{path} must be an object with a list "views"')
    if not content["views"]:
        raise ViewsError(f'{path}: "views" is empty')
    return content


def _entries(path: Path, content: dict[str, Any]) -> list[_Entry]:
    entries: list[_Entry] = []
    for index, fields in enumerate(content["views"]):
        mask = fields.get("mask") if isinstance(fields, dict) else None
        if not isinstance(mask, str) or not mask:
            raise ViewsError(f'{path}, view {index}: needs "mask", the path of an image')
        label = f"{path}, view {index} ({mask})"
        entries.append(_Entry(label, path.parent / mask, Path(mask).stem, fields))
    seen: dict[Path, str] = {}
    for entry in entries:
        if entry.mask in seen:
            raise ViewsError(f"{entry.label}: the same mask as {seen[entry.mask]}")
        seen[entry.mask] = entry.label
    return entries


def _check_every_mask_has_a_camera(path: Path, entries: Sequence[_Entry]) -> None:
    listed = {entry.mask.resolve() for entry in entries}
    for folder in sorted({mask.parent for mask in listed}):
        kinds = {mask.suffix.lower() for mask in listed if mask.parent == folder}
        files = folder.iterdir() if folder.is_dir() else ()
        images = {file for file in files if file.suffix.lower() in kinds}
        extra = sorted(file.name for file in images - listed)
        if extra:
            shown = ", ".join(extra[:5]) + (", ..." if len(extra) > 5 else "")
            raise ViewsError(
                f"camera count mismatch: {len(entries)} cameras in {path} but {len(extra)} more"
                f" images in {folder} that none of them names: {shown} (add their cameras, or"
                " move the files away)"
            )


def _check_size(entry: _Entry, coverage: Tensor) -> None:
    height, width = coverage.shape
    for key, actual in (("width", width), ("height", height)):
        stated = entry.fields.get(key, actual)
        if isinstance(stated, bool) or not isinstance(stated, int | float):
            raise ViewsError(f'{entry.label}: "{key}" must be a number, got {json.dumps(stated)}')
        if stated != actual:
            raise ViewsError(
                f"{entry.label}: wrong size, the image is {width} x {height} pixels"
                f' but "{key}" says {stated}'
            )


def _camera(entry: _Entry, image_size: tuple[int, int], pixel_centers: PixelCenters) -> Camera:
    fields = entry.fields
    centers = "half" if pixel_centers == "half" else "integer"
    try:
        if "P" in fields:
            matrix = _array(entry, "P", (3, 4))[None]
            return Camera.from_projection_matrix(matrix, image_size, pixel_centers=centers)
        K, R = _array(entry, "K", (3, 3)), _array(entry, "R", (3, 3))
        t = _array(entry, "t", (3,))
        return Camera.from_krt(K[None], R[None], t[None], image_size, pixel_centers=centers)
    except ViewsError:
        raise
    except ValueError as error:  # what Camera says about a matrix
        raise ViewsError(f"{entry.label}: {error}") from None


def _array(entry: _Entry, key: str, shape: tuple[int, ...]) -> Tensor:
    if key not in entry.fields:
        raise ViewsError(f'{entry.label}: needs "{key}" (a camera is K, R and t, or P)')
    try:
        array = np.asarray(entry.fields[key], dtype=np.float64)
    except (TypeError, ValueError):
        raise ViewsError(f'{entry.label}: "{key}" must hold numbers') from None
    if key == "t" and array.shape == (3, 1):
        array = array[:, 0]
    if array.shape != shape:
        raise ViewsError(f'{entry.label}: "{key}" must have shape {shape}, got {array.shape}')
    if not np.isfinite(array).all():
        raise ViewsError(f'{entry.label}: "{key}" must be finite')
    return torch.from_numpy(array)


def _limited_size(image_size: tuple[int, int], max_image_size: int) -> tuple[int, int]:
    longest = max(image_size)
    if not max_image_size or longest <= max_image_size:
        return image_size
    height, width = (max(1, round(side * max_image_size / longest)) for side in image_size)
    return height, width


def _stacked(coverages: list[Tensor], cameras: list[Camera], names: tuple[str, ...]) -> Views:
    image_size = (
        max(coverage.shape[0] for coverage in coverages),
        max(coverage.shape[1] for coverage in coverages),
    )
    coverage = torch.zeros(len(names), *image_size)
    known = torch.zeros(len(names), *image_size, dtype=torch.bool)
    for index, image in enumerate(coverages):
        coverage[index, : image.shape[0], : image.shape[1]] = image
        known[index, : image.shape[0], : image.shape[1]] = True
    # Padding at the right and below moves no pixel: K stays, only the image grows.
    padded = Camera.cat([replace(camera, image_size=image_size) for camera in cameras])
    everything = math.prod(coverage.shape) == int(known.sum())
    return Views(padded, coverage, names, known=None if everything else known)

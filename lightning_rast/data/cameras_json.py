"""The project's own `cameras.json`.

    {
      "pixel_centers": "half",
      "views": [
        {"mask": "masks/000.png", "K": [[f, 0, cx], [0, f, cy], [0, 0, 1]],
         "R": [[...], [...], [...]], "t": [x, y, z]},
        {"mask": "masks/001.png", "P": [[...], [...], [...]]}
      ]
    }

`mask` is a path relative to the file; with `image` alone, masks are looked for as for any other
format. A camera is K, R, t (OpenCV: x right, y down, z forward, x_view = R x_world + t,
pixel = K x_view / z) or a 3x4 matrix P from world to pixels, of any scale and sign. Optional
`width` and `height` are what the camera was calibrated for, `distortion` holds OpenCV's k1, k2,
p1, p2[, k3[, k4, k5, k6]]. `pixel_centers` says what an integer pixel coordinate is: "integer" a
pixel's centre (OpenCV, MATLAB after subtracting 1; assumed when the key is missing), "half" a
pixel's corner, so that centres are at +0.5 (COLMAP, OpenGL), "matlab" that the first pixel's centre
is (1, 1). Other keys are ignored. docs/data_formats.md has examples.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, TypeGuard, get_args

from lightning_rast.data.calibration import (
    UNKNOWN_SIZE,
    CalibratedView,
    Calibration,
    PixelCenters,
    check_distinct,
    krt_camera,
    matrix_camera,
    shown,
)
from lightning_rast.data.distortion import Distortion
from lightning_rast.data.errors import ViewsError
from lightning_rast.data.json_file import array, number, read_json
from lightning_rast.data.photographs import find_photograph, is_hidden
from lightning_rast.scene import Camera

NAME = "cameras.json"


def find(folder: Path) -> list[Path]:
    return [folder / NAME] if (folder / NAME).is_file() else []


def is_one(path: Path) -> bool:
    return path.suffix.lower() == ".json" and path.name.lower().startswith("cameras")


def read(path: Path, pixel_centers: PixelCenters | Literal["auto"] = "auto") -> Calibration:
    """Cameras of a file; `pixel_centers` other than "auto" overrides what it says.

    Raises:
        ViewsError: names the view and the key.
    """
    content = read_json(path)
    if not isinstance(content, dict) or not isinstance(content.get("views"), list):
        raise ViewsError(f'{path} must be an object with a list "views"')
    if not content["views"]:
        raise ViewsError(f'{path}: "views" is empty')
    centers = content.get("pixel_centers", "integer") if pixel_centers == "auto" else pixel_centers
    if not _is_convention(centers):
        wanted = '"integer", "half" or "matlab"'
        raise ViewsError(f'{path}: "pixel_centers" must be {wanted}, got {centers!r:.60}')
    entries = enumerate(content["views"])
    views = tuple(_view(path, index, fields, centers) for index, fields in entries)
    check_distinct((view.label, view.mask) for view in views if view.mask is not None)
    _check_every_mask_has_a_camera(path, views)
    return Calibration(path=path, folder=path.parent, views=views)


def _is_convention(value: object) -> TypeGuard[PixelCenters]:
    return isinstance(value, str) and value in get_args(PixelCenters)


def _view(path: Path, index: int, fields: Any, pixel_centers: PixelCenters) -> CalibratedView:
    names = {
        key: fields[key]
        for key in ("mask", "image")
        if isinstance(fields, dict) and isinstance(fields.get(key), str) and fields[key]
    }
    if not names:
        raise ViewsError(f'{path}, view {index}: needs "mask", the path of an image')
    label = f"{path}, view {index} ({names.get('mask') or names['image']})"
    mask = path.parent / names["mask"] if "mask" in names else None
    return CalibratedView(
        label=label,
        camera=_camera(label, fields, pixel_centers),
        image=names.get("image", ""),
        mask=mask,
        number=index,
        distortion=_distortion(label, fields),
        has_free_sign="P" in fields,
    )


def _camera(label: str, fields: dict[str, Any], pixel_centers: PixelCenters) -> Camera:
    width, height = (number(label, fields, key) for key in ("width", "height"))
    size = UNKNOWN_SIZE
    if (width is None) != (height is None):
        raise ViewsError(f'{label}: "width" and "height" come together or not at all')
    if width is not None and height is not None:
        size = (round(height), round(width))
        if min(size) < 1:
            raise ViewsError(f"{label}: an image of {width:g} x {height:g} pixels has no pixels")
    options: dict[str, Any] = {"pixel_centers": pixel_centers, "image_size": size}
    if "P" in fields:
        return matrix_camera(label, array(label, fields, "P", (3, 4)), **options)
    for key in ("K", "R", "t"):
        if key not in fields:
            raise ViewsError(f'{label}: needs "{key}" (a camera is K, R and t, or P)')
    K, R = array(label, fields, "K", (3, 3)), array(label, fields, "R", (3, 3))
    return krt_camera(label, K, R, array(label, fields, "t", (3,)), **options)


def _distortion(label: str, fields: dict[str, Any]) -> Distortion | None:
    values = fields.get("distortion")
    if values is None:
        return None
    if not isinstance(values, list) or len(values) not in (4, 5, 8):
        raise ViewsError(f'{label}: "distortion" must be k1, k2, p1, p2[, k3[, k4, k5, k6]]')
    found = Distortion("brown", tuple(array(label, fields, "distortion", (len(values),)).tolist()))
    return None if found.is_nothing else found


def _check_every_mask_has_a_camera(path: Path, views: Sequence[CalibratedView]) -> None:
    listed = {_resolved(view.mask) for view in views if view.mask is not None}
    photographs = (find_photograph(path.parent, view.image) for view in views)
    named = listed | {_resolved(photograph) for photograph in photographs if photograph}
    for folder in sorted({mask.parent for mask in listed}):
        kinds = {mask.suffix.lower() for mask in listed if mask.parent == folder}
        files = folder.iterdir() if folder.is_dir() else ()
        images = {file for file in files if file.suffix.lower() in kinds and not is_hidden(file)}
        extra = sorted(file.name for file in images - named)
        if extra:
            raise ViewsError(
                f"camera count mismatch: {len(views)} cameras in {path} but {len(extra)} more"
                f" images in {folder} that none of them names: {shown(extra)} (add their cameras,"
                " or move the files away)"
            )


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, ValueError, RuntimeError) as error:  # a NUL, a loop of links
        raise ViewsError(f"{path} cannot be a file: {error}") from None

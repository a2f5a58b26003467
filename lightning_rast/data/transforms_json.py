"""`transforms.json` of NeRF's Blender data, instant-ngp and nerfstudio.

`transform_matrix` is camera-to-world with OpenGL's axes (x right, y up, z backward). Intrinsics are
fl_x, fl_y, cx, cy, w, h in pixels or `camera_angle_x` in radians, for all frames or per frame (a
frame's own win); k1, k2, k3, p1, p2 are distortion as OpenCV has it, k1..k4 of a fisheye with
`camera_model: OPENCV_FISHEYE` or `is_fisheye`. An image's corner is (0, 0):
see docs/data_formats.md.
"""

import math
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from lightning_rast.data.calibration import (
    CalibratedView,
    Calibration,
    PixelCenters,
    krt_camera,
)
from lightning_rast.data.distortion import Distortion
from lightning_rast.data.errors import ViewsError
from lightning_rast.data.json_file import array, number, read_json
from lightning_rast.data.mask_image import image_size_of
from lightning_rast.data.photographs import find_photograph

NAMES = ("transforms.json", "transforms_train.json")
_OPENGL = np.diag([1.0, -1.0, -1.0, 1.0])
_MODELS = ("OPENCV", "PINHOLE", "SIMPLE_PINHOLE", "PERSPECTIVE", "OPENCV_FISHEYE", "FISHEYE")


def find(folder: Path) -> list[Path]:
    """`transforms.json`, or else the training part of NeRF's Blender data."""
    return [folder / name for name in NAMES if (folder / name).is_file()][:1]


def is_one(path: Path) -> bool:
    return path.suffix.lower() == ".json" and "transforms" in path.name.lower()


def read(path: Path, pixel_centers: PixelCenters | Literal["auto"] = "auto") -> Calibration:
    """Cameras of a file.

    Raises:
        ViewsError: names the frame and the key.
    """
    content = read_json(path)
    if not isinstance(content, dict) or not isinstance(content.get("frames"), list):
        raise ViewsError(f'{path} must be an object with a list "frames"')
    if not content["frames"]:
        raise ViewsError(f'{path}: "frames" is empty')
    shared = {key: value for key, value in content.items() if key != "frames"}
    centers = "half" if pixel_centers == "auto" else pixel_centers
    frames = enumerate(content["frames"])
    views = tuple(_view(path, index, frame, shared, centers) for index, frame in frames)
    return Calibration(path=path, folder=path.parent, views=views)


def _view(
    path: Path, index: int, frame: Any, shared: dict[str, Any], pixel_centers: PixelCenters
) -> CalibratedView:
    name = frame.get("file_path") if isinstance(frame, dict) else None
    if not isinstance(name, str) or not name:
        raise ViewsError(f'{path}, frame {index}: needs "file_path", the path of an image')
    label, image = f"{path}, frame {index} ({name})", name.replace("\\", "/")
    fields = {**shared, **frame}
    size = _image_size(label, fields, path.parent, image)
    K = _intrinsics(label, fields, size, pixel_centers)
    R, t = _pose(label, fields)
    mask = fields.get("mask_path")
    if mask is not None and not isinstance(mask, str):
        raise ViewsError(f'{label}: "mask_path" must be the path of an image')
    return CalibratedView(
        label=label,
        camera=krt_camera(label, K, R, t, pixel_centers=pixel_centers, image_size=size),
        image=image,
        mask=path.parent / mask.replace("\\", "/") if mask else None,
        number=index,
        distortion=_distortion(label, fields),
    )


def _image_size(label: str, fields: dict[str, Any], folder: Path, image: str) -> tuple[int, int]:
    """(H, W) as stated, or of the image file."""
    width, height = number(label, fields, "w"), number(label, fields, "h")
    if width is not None and height is not None:
        if not (1 <= width <= 2**20 and 1 <= height <= 2**20):
            raise ViewsError(f'{label}: "w" and "h" say {width:g} x {height:g} pixels')
        return round(height), round(width)
    photograph = find_photograph(folder, image)
    if photograph is None:
        raise ViewsError(
            f'{label}: the image size is needed, but "w" and "h" are not stated and there is no'
            f" image {folder / image} (.png, .jpg, ...)"
        )
    return image_size_of(photograph)


def _intrinsics(
    label: str, fields: dict[str, Any], size: tuple[int, int], pixel_centers: PixelCenters
) -> np.ndarray:
    height, width = size
    fx = _focal(label, fields, "fl_x", "camera_angle_x", width)
    fy = _focal(label, fields, "fl_y", "camera_angle_y", height)
    if fx is None and fy is None:
        raise ViewsError(f'{label}: needs "fl_x" in pixels or "camera_angle_x" in radians')
    cx, cy = number(label, fields, "cx"), number(label, fields, "cy")
    # The middle of the image, said in the same convention as a stated centre would be.
    corner = {"half": 0.0, "integer": -0.5, "matlab": 0.5}[pixel_centers]
    K = np.eye(3)
    K[0, 0], K[1, 1] = (fx if fx is not None else fy), (fy if fy is not None else fx)
    K[0, 2] = width / 2 + corner if cx is None else cx
    K[1, 2] = height / 2 + corner if cy is None else cy
    return K


def _focal(
    label: str, fields: dict[str, Any], in_pixels: str, as_angle: str, side: int
) -> float | None:
    focal, angle = number(label, fields, in_pixels), number(label, fields, as_angle)
    if focal is not None:
        if not focal > 0:
            raise ViewsError(f'{label}: "{in_pixels}" must be more than 0, got {focal:g}')
        return focal
    if angle is None:
        return None
    if not 0 < angle < math.pi:
        raise ViewsError(
            f'{label}: "{as_angle}" must lie between 0 and pi (radians), got {angle:g}'
        )
    return side / 2 / math.tan(angle / 2)


def _pose(label: str, fields: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """World to view with OpenCV's axes."""
    matrix = fields.get("transform_matrix")
    if isinstance(matrix, list) and len(matrix) == 3:
        fields = {"transform_matrix": [*matrix, [0, 0, 0, 1]]}
    pose = array(label, fields, "transform_matrix", (4, 4))
    if not np.allclose(pose[3], [0, 0, 0, 1], atol=1e-6):
        raise ViewsError(f'{label}: "transform_matrix" must end in the row 0, 0, 0, 1')
    # A scaled scene scales the axes too, which changes no ray.
    scale = float(np.cbrt(abs(float(np.linalg.det(pose[:3, :3])))))
    if not 1e-12 < scale < 1e12:
        raise ViewsError(f'{label}: "transform_matrix" is singular')
    pose[:3, :3] /= scale
    view = torch.linalg.inv(torch.from_numpy(pose @ _OPENGL)).numpy()
    return view[:3, :3], view[:3, 3]


def _distortion(label: str, fields: dict[str, Any]) -> Distortion | None:
    model = fields.get("camera_model", "OPENCV")
    if not isinstance(model, str) or model not in _MODELS:
        raise ViewsError(
            f'{label}: "camera_model" {model!r} is not read (OPENCV, PINHOLE and OPENCV_FISHEYE'
            " are); undistort the images first"
        )
    is_fisheye = model in ("OPENCV_FISHEYE", "FISHEYE") or fields.get("is_fisheye") is True
    keys = ("k1", "k2", "k3", "k4", "p1", "p2")
    k1, k2, k3, k4, p1, p2 = (number(label, fields, key) or 0.0 for key in keys)
    if is_fisheye:
        return Distortion("fisheye", (k1, k2, k3, k4))
    if k4:
        raise ViewsError(
            f'{label}: "k4" is a fourth radial term there, which OpenCV cannot undo; undistort the'
            " images first, or calibrate with k1, k2, k3, p1, p2"
        )
    found = Distortion("brown", (k1, k2, p1, p2, k3))
    return None if found.is_nothing else found

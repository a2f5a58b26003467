"""COLMAP models, text or binary: `cameras` and `images` of a folder or of its `sparse/0`.

Poses are world-to-camera with OpenCV's axes. COLMAP's pixels begin at the image's corner: "the
center of the upper left pixel has coordinate (0.5, 0.5)" (https://colmap.github.io/format.html).
"""

import warnings
from pathlib import Path
from typing import Literal

import numpy as np

from lightning_rast.data.calibration import (
    CalibratedView,
    Calibration,
    PixelCenters,
    krt_camera,
)
from lightning_rast.data.colmap_files import (
    ColmapCamera,
    read_cameras_binary,
    read_cameras_text,
    read_images_binary,
    read_images_text,
)
from lightning_rast.data.distortion import Distortion
from lightning_rast.data.errors import ViewsError
from lightning_rast.data.photographs import is_file

_PLACES = ("", "sparse/0", "sparse", "colmap/sparse/0", "colmap/sparse", "colmap", "dense/sparse")


# Model -> how OpenCV calls it; those of one k have its further ones zero.
_DISTORTIONS: dict[str, Literal["brown", "fisheye"]] = {
    "SIMPLE_PINHOLE": "brown",
    "PINHOLE": "brown",
    "SIMPLE_RADIAL": "brown",
    "RADIAL": "brown",
    "OPENCV": "brown",
    "FULL_OPENCV": "brown",
    "OPENCV_FISHEYE": "fisheye",
    "SIMPLE_RADIAL_FISHEYE": "fisheye",
    "RADIAL_FISHEYE": "fisheye",
    "SIMPLE_FISHEYE": "fisheye",
    "FISHEYE": "fisheye",
}


def find(folder: Path) -> list[Path]:
    """The folder of the model; that of binary files where there are both, as COLMAP has it."""
    places = (folder / place for place in _PLACES)
    return [place for place in places if _suffix(place)][:1]


def is_one(path: Path) -> bool:
    return path.name in ("cameras.txt", "images.txt", "cameras.bin", "images.bin")


def read(path: Path, pixel_centers: PixelCenters | Literal["auto"] = "auto") -> Calibration:
    """Cameras of a model, given as its folder or one of its files.

    Raises:
        ViewsError: names the file and the line or image.
    """
    centers = "half" if pixel_centers == "auto" else pixel_centers
    suffix = path.suffix if path.is_file() else _suffix(path)
    model = path.parent if path.is_file() else path
    if suffix == ".bin":
        cameras = read_cameras_binary(model / "cameras.bin")
        images = read_images_binary(model / "images.bin")
    else:
        cameras = read_cameras_text(model / "cameras.txt")
        images = read_images_text(model / "images.txt")
    where = model / f"images{suffix}"
    if not images:
        raise ViewsError(f"{where} holds no image: COLMAP has registered none")
    _warn_of_other_models(model)
    views = []
    for index, image in enumerate(sorted(images, key=lambda image: image.name)):
        label = f"{where}, image {image.name[:200]}"
        camera = cameras.get(image.camera_id)
        if camera is None:
            raise ViewsError(f"{label}: there is no camera {image.camera_id} in {model}")
        K, distortion = _intrinsics(f"{label}, camera {image.camera_id}", camera)
        views.append(
            CalibratedView(
                label=label,
                camera=krt_camera(
                    label,
                    K,
                    _rotation(label, np.array(image.quaternion)),
                    np.array(image.translation),
                    pixel_centers=centers,
                    image_size=(camera.height, camera.width),
                ),
                image=image.name,
                number=index,
                distortion=distortion,
            )
        )
    return Calibration(path=where, folder=_data_folder(model), views=tuple(views))


def _suffix(folder: Path) -> str:
    for suffix in (".bin", ".txt"):
        if is_file(folder / f"cameras{suffix}") and is_file(folder / f"images{suffix}"):
            return suffix
    return ""


def _data_folder(model: Path) -> Path:
    """Where images/ and masks/ are: above the folders that COLMAP's programs make for a model."""
    folder = model.absolute()
    if folder.name.isdecimal() and folder.parent.name == "sparse":
        folder = folder.parent
    if folder.name == "sparse":
        folder = folder.parent
        if folder.name in ("colmap", "dense") and not (folder / "images").is_dir():
            folder = folder.parent
    return folder


def _warn_of_other_models(model: Path) -> None:
    if model.name.isdecimal():
        others = [
            other.name
            for other in model.parent.iterdir()
            if other != model and other.name.isdecimal() and _suffix(other)
        ]
        if others:
            warnings.warn(
                f"COLMAP has split the images into {len(others) + 1} models, of which only {model}"
                " is read; name another with data.folder",
                stacklevel=2,
            )


def _rotation(label: str, quaternion: np.ndarray) -> np.ndarray:
    size = np.linalg.norm(quaternion)
    if not 1e-9 < size < 1e9:
        raise ViewsError(f"{label}: the quaternion {quaternion.tolist()} is no rotation")
    w, x, y, z = quaternion / size
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def _intrinsics(label: str, camera: ColmapCamera) -> tuple[np.ndarray, Distortion | None]:
    """K, and the distortion in OpenCV's order (`src/colmap/sensor/models.h` of COLMAP)."""
    p = camera.params
    if camera.model not in _DISTORTIONS:
        raise ViewsError(
            f"{label}: the camera model {camera.model} is not read; undistort with `colmap"
            " image_undistorter` and use the model that it writes"
        )
    if not np.isfinite(p).all():
        raise ViewsError(f"{label}: its parameters are not finite")
    has_one_focal_length = camera.model.startswith(("SIMPLE", "RADIAL"))
    fx, fy, cx, cy = (p[0], p[0], p[1], p[2]) if has_one_focal_length else p[:4]
    K = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
    k = p[3:] if has_one_focal_length else p[4:]
    model = _DISTORTIONS[camera.model]
    found = Distortion(model, (*k, 0.0, 0.0, 0.0, 0.0)[: max(4, len(k))])
    return K, None if found.is_nothing else found

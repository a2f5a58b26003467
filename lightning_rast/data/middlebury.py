"""`*_par.txt` of the Middlebury multi-view sets: K, R and t of each image on a line.

    16
    dinoSR0001.png k11 k12 k13 k21 k22 k23 k31 k32 k33 r11 ... r33 t1 t2 t3

"The projection matrix for that image is given by K*[R t]. The image origin is top-left, with x
increasing horizontally, y vertically" (README of each set, https://vision.middlebury.edu/mview/data).
"""

from pathlib import Path
from typing import Literal

import numpy as np

from lightning_rast.data.calibration import (
    CalibratedView,
    Calibration,
    PixelCenters,
    krt_camera,
)
from lightning_rast.data.errors import ViewsError
from lightning_rast.data.json_file import read_text
from lightning_rast.data.photographs import is_hidden

_NUM_VALUES = 21


def find(folder: Path) -> list[Path]:
    return sorted(file for file in folder.glob("*_par.txt") if not is_hidden(file))


def is_one(path: Path) -> bool:
    return path.name.lower().endswith("_par.txt")


def read(path: Path, pixel_centers: PixelCenters | Literal["auto"] = "auto") -> Calibration:
    """Cameras of a file.

    Raises:
        ViewsError: names the line.
    """
    centers = "integer" if pixel_centers == "auto" else pixel_centers
    lines = [
        (place, line.split())
        for place, line in enumerate(read_text(path).splitlines(), start=1)
        if line.strip()
    ]
    if not lines or len(lines[0][1]) != 1 or not lines[0][1][0].isascii():
        raise ViewsError(f"{path} must begin with the number of images on a line of its own")
    views = tuple(
        _view(path, index, place, words, centers) for index, (place, words) in enumerate(lines[1:])
    )
    if lines[0][1] != [str(len(views))]:
        raise ViewsError(
            f"{path}: line 1 announces {lines[0][1][0][:20]} images, {len(views)} lines follow"
        )
    if not views:
        raise ViewsError(f"{path} describes no image")
    return Calibration(path=path, folder=path.parent, views=views)


def _view(
    path: Path, index: int, place: int, words: list[str], pixel_centers: PixelCenters
) -> CalibratedView:
    label = f"{path}, line {place} ({words[0][:80]})"
    if len(words) != 1 + _NUM_VALUES:
        raise ViewsError(
            f"{label}: needs an image name and {_NUM_VALUES} numbers (K, R, t), has"
            f" {len(words) - 1}"
        )
    try:
        values = np.array([float(word) for word in words[1:]])
    except ValueError as error:
        raise ViewsError(f"{label}: {error}") from None
    K, R, t = values[:9].reshape(3, 3), values[9:18].reshape(3, 3), values[18:]
    return CalibratedView(
        label=label,
        camera=krt_camera(label, K, R, t, pixel_centers=pixel_centers),
        image=words[0],
        number=index,
    )

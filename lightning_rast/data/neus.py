"""`cameras*.npz` of IDR, NeuS and the many that followed them.

`world_mat_i` (4, 4) takes the world to pixels, `scale_mat_i` (4, 4) the unit sphere around the
object to the world. Views are in the frame of that sphere, as in those programs; the
images are named by their order.
"""

import re
import zipfile
from pathlib import Path
from typing import Literal

import numpy as np

from lightning_rast.data.calibration import (
    CalibratedView,
    Calibration,
    PixelCenters,
    matrix_camera,
)
from lightning_rast.data.errors import ViewsError

# The one that all programs train with comes first.
_PREFERRED = ("cameras_sphere.npz", "cameras.npz")
_MOST_BYTES = 2**26


def find(folder: Path) -> list[Path]:
    """The preferred one of several, or all if none is."""
    named = [folder / name for name in _PREFERRED if (folder / name).is_file()]
    return named[:1] or sorted(folder.glob("cameras*.npz"))


def is_one(path: Path) -> bool:
    return path.suffix.lower() == ".npz"


def read(path: Path, pixel_centers: PixelCenters | Literal["auto"] = "auto") -> Calibration:
    """Cameras of a file.

    Raises:
        ViewsError: names the array.
    """
    centers = "integer" if pixel_centers == "auto" else pixel_centers
    matrices = _arrays(path)
    found = (re.fullmatch(r"world_mat_(\d{1,9})", key) for key in matrices)
    numbers = sorted(int(match[1]) for match in found if match)
    if not numbers:
        raise ViewsError(f"{path} holds no world_mat_0, world_mat_1, ...: no file of IDR or NeuS")
    scales = [matrices.get(f"scale_mat_{number}", np.eye(4)) for number in numbers]
    for number, scale in zip(numbers, scales, strict=True):
        if not np.allclose(scale, scales[0], rtol=1e-4, atol=1e-4 * np.abs(scales[0]).max()):
            raise ViewsError(
                f"{path}: scale_mat_{number} differs from scale_mat_{numbers[0]}: the views have no"
                " common frame"
            )
    views = []
    for number in numbers:
        label = f"{path}, camera {number}"
        P = (matrices[f"world_mat_{number}"] @ scales[0])[:3]
        views.append(
            CalibratedView(
                label=label,
                camera=matrix_camera(label, P, pixel_centers=centers),
                number=number,
                has_free_sign=True,
            )
        )
    return Calibration(path=path, folder=path.parent, views=tuple(views))


def _arrays(path: Path) -> dict[str, np.ndarray]:
    """world_mat_* and scale_mat_* as float64 (4, 4)."""
    try:
        with zipfile.ZipFile(path) as archive:
            claimed = sum(entry.file_size for entry in archive.infolist())
        if claimed > _MOST_BYTES:
            raise ViewsError(f"{path} holds more than {_MOST_BYTES >> 20} MB: no camera file")
        with np.load(path, allow_pickle=False) as content:
            wanted = [key for key in content.files if re.match(r"(world|scale)_mat_\d", key)]
            arrays = {key: content[key] for key in wanted}
    except ViewsError:
        raise
    except FileNotFoundError:
        raise ViewsError(f"missing {path}") from None
    # zipfile, zlib and numpy each have errors of their own for a damaged file.
    except Exception as error:
        raise ViewsError(f"cannot read {path}: {error or type(error).__name__}") from None
    for key, values in arrays.items():
        if values.shape not in ((4, 4), (3, 4)) or values.dtype.kind not in "iuf":
            got = f"{values.dtype} {values.shape}"
            raise ViewsError(f"{path}: {key} must hold 4x4 numbers, got {got}")
        if not np.isfinite(values).all():
            raise ViewsError(f"{path}: {key} holds values that are not finite")
        square = np.eye(4)
        square[: len(values)] = values
        arrays[key] = square
    return arrays

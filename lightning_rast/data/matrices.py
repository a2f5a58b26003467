"""Plain 3x4 matrices from world to pixels, of any scale and sign.

.npy    (N, 3, 4), or (N, 4, 4) with the last row 0 0 0 1
.mat    a cell array of 3x4 matrices, or one array (3, 4, N) or (N, 3, 4) (MATLAB up to -v7)
.txt    rows of 4 numbers, three (or four) a view, or of 12, one a view; lines that begin with # or
        % and the word CONTOUR are skipped. Or a folder with such a file for every view (.txt, .P).

The images are named by their order, or by the name of each view's own file.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np

from lightning_rast.data.calibration import (
    CalibratedView,
    Calibration,
    PixelCenters,
    last_number,
    matrix_camera,
    natural_order,
    shown,
)
from lightning_rast.data.errors import ViewsError
from lightning_rast.data.json_file import read_text
from lightning_rast.data.matlab_file import Variable, read_matlab
from lightning_rast.data.photographs import is_hidden

_SUFFIXES = (".npy", ".mat", ".txt", ".p")
_TEXT = (".txt", ".p")
_FOLDERS = ("calib", "calibration", "cameras", "cams", "txt", "P", "projections", "matrices")
_MOST_BYTES = 2**26


def find(folder: Path) -> list[Path]:
    """Files of matrices, or the folder that holds one per view."""
    files = sorted(file for file in folder.iterdir() if is_one(file) and _holds_matrices(file))
    if len(files) > 1 and all(_is_single(file) for file in files):
        return [folder]
    places = [folder / name for name in _FOLDERS if (folder / name).is_dir()]
    return files + [place for place in places if _single_files(place)]


def refused(folder: Path) -> list[str]:
    """Why files that may have been meant to hold matrices were not taken."""
    reasons = []
    for file in sorted(folder.iterdir()):
        if file.suffix.lower() in (".npy", ".mat") and is_one(file):
            try:
                _matrices(file)
            except ViewsError as error:
                reasons.append(str(error))
    return reasons


def is_one(path: Path) -> bool:
    return path.suffix.lower() in _SUFFIXES and path.is_file() and not is_hidden(path)


def read(path: Path, pixel_centers: PixelCenters | Literal["auto"] = "auto") -> Calibration:
    """Cameras of a file, or of a folder with a file for every view.

    Raises:
        ViewsError: names the file and the matrix.
    """
    centers = "integer" if pixel_centers == "auto" else pixel_centers
    views = []
    for index, (label, stem, matrix) in enumerate(_labelled(path)):
        _check_is_projection(label, matrix)
        ends_with = last_number(stem)
        views.append(
            CalibratedView(
                label=label,
                camera=matrix_camera(label, matrix, pixel_centers=centers),
                image=stem,
                number=index if ends_with is None else ends_with,
                has_free_sign=True,
            )
        )
    folder = path if path.is_dir() and path.name not in _FOLDERS else path.parent
    return Calibration(path=path, folder=folder, views=tuple(views))


def _labelled(path: Path) -> Iterator[tuple[str, str, np.ndarray]]:
    if path.is_dir():
        files = _single_files(path)
        if not files:
            raise ViewsError(f"{path} holds no files with one 3x4 matrix each")
        for file in files:
            yield str(file), file.stem, _matrices(file)[0]
        return
    for index, matrix in enumerate(_matrices(path)):
        yield f"{path}, matrix {index}", "", matrix


def _single_files(folder: Path) -> list[Path]:
    files = [file for file in folder.iterdir() if file.suffix.lower() in _TEXT and is_one(file)]
    files.sort(key=lambda file: natural_order(file.name))
    return [file for file in files if _is_single(file)]


def _holds_matrices(path: Path) -> bool:
    try:
        return len(_matrices(path)) > 0
    except ViewsError:
        return False


def _is_single(path: Path) -> bool:
    try:
        return path.suffix.lower() in _TEXT and len(_matrices(path)) == 1
    except ViewsError:
        return False


def _matrices(path: Path) -> np.ndarray:
    """(N, 3, 4), N > 0."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ViewsError(f"{path} has more than {_MOST_BYTES >> 20} MB: no camera file")
    except FileNotFoundError:
        raise ViewsError(f"missing {path}") from None
    suffix = path.suffix.lower()
    if suffix in _TEXT:
        return _of_text(path)
    return _of_numpy(path) if suffix == ".npy" else _of_matlab(path)


def _of_numpy(path: Path) -> np.ndarray:
    try:
        # Mapped: a header that announces more than the file holds costs no memory.
        values = np.array(np.load(path, mmap_mode="r", allow_pickle=False))
    except Exception as error:
        raise ViewsError(f"cannot read {path}: {error or type(error).__name__}") from None
    found = _stack(values)
    if found is None:
        wanted = "(N, 3, 4) or (N, 4, 4) numbers, the last row of 4x4 ones 0 0 0 1"
        raise ViewsError(f"{path} must hold {wanted}, got {values.dtype} {values.shape}")
    return found


def _of_matlab(path: Path) -> np.ndarray:
    content = read_matlab(path)
    names = {name: _of_variable(value) for name, value in content.items()}
    found = {name: matrices for name, matrices in names.items() if matrices is not None}
    if len(found) != 1:
        what = f"{' and '.join(found)} could be" if found else "none of its variables is"
        raise ViewsError(
            f"{path}: {what} 3x4 matrices (a cell array, 3x4xN or Nx3x4); it holds"
            f" {shown(names) or 'no numbers'}"
        )
    return next(iter(found.values()))


def _of_variable(value: Variable) -> np.ndarray | None:
    if isinstance(value, np.ndarray):
        return _stack(value)
    if not value or any(cell.shape != (3, 4) for cell in value):
        return None
    return np.stack(value)


def _stack(values: np.ndarray) -> np.ndarray | None:
    """(N, 3, 4) float64 of what may be one; None if it is something else."""
    if values.dtype.kind not in "iuf" or values.size == 0:
        return None
    values = values.astype(np.float64)
    if values.shape in ((3, 4), (4, 4)):
        values = values[None]
    if values.ndim != 3:
        return None
    if values.shape[1:] == (4, 4) and np.allclose(values[:, 3], [0, 0, 0, 1]):
        return values[:, :3]
    if values.shape[1:] == (3, 4):
        return values
    if values.shape[:2] == (3, 4):
        return np.moveaxis(values, 2, 0)
    return None


def _of_text(path: Path) -> np.ndarray:
    lines = [line.replace(",", " ").split() for line in read_text(path).splitlines()]
    lines = [line for line in lines if line and line[0][0] not in "#%" and line != ["CONTOUR"]]
    wanted = "rows of 4 numbers, three a view, or of 12, one a view"
    try:
        rows = [[float(word) for word in line] for line in lines]
    except ValueError as error:
        raise ViewsError(f"{path} must hold {wanted}: {error}") from None
    lengths = {len(row) for row in rows}
    if lengths == {12}:
        return np.array(rows).reshape(-1, 3, 4)
    if lengths == {4}:
        values = np.array(rows)
        if len(rows) % 4 == 0 and np.array_equal(values[3::4], np.eye(4)[[3] * (len(rows) // 4)]):
            return values.reshape(-1, 4, 4)[:, :3]
        if len(rows) % 3 == 0:
            return values.reshape(-1, 3, 4)
    raise ViewsError(f"{path} must hold {wanted}; it has {len(rows)} rows of {sorted(lengths)[:5]}")


def _check_is_projection(label: str, matrix: np.ndarray) -> None:
    square = matrix[:, :3]
    if np.allclose(square @ square.T, np.eye(3), atol=1e-3):
        raise ViewsError(
            f"{label}: this is a pose [R | t], which leads to no pixels; a matrix from world to"
            " pixels is K [R | t]"
        )

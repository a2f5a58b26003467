"""Views of an object from whatever folder of masks and cameras somebody has.

docs/data_formats.md describes the formats, where their masks are looked for, and what their pixel
coordinates mean.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Literal, get_args

from lightning_rast.data import (
    cameras_json,
    colmap,
    matrices,
    middlebury,
    neus,
    transforms_json,
)
from lightning_rast.data.assembly import assembled
from lightning_rast.data.background import DEFAULT_THRESHOLD
from lightning_rast.data.calibration import Calibration, PixelCenters
from lightning_rast.data.errors import ViewsError
from lightning_rast.data.mask_files import find_masks
from lightning_rast.data.views import Views
from lightning_rast.near_paths import did_you_mean

Format = Literal["cameras_json", "transforms", "colmap", "neus", "middlebury", "matrices"]


@dataclass(frozen=True)
class _Reader:
    """One format's module.

    find: what a folder holds of it; is_one: whether a file is one; read: its cameras.
    """

    looked_for: str
    find: Callable[[Path], list[Path]]
    is_one: Callable[[Path], bool]
    read: Callable[[Path, PixelCenters | Literal["auto"]], Calibration]


def _reader(module: ModuleType, looked_for: str) -> _Reader:
    return _Reader(looked_for, module.find, module.is_one, module.read)


_READERS: dict[Format, _Reader] = {
    "cameras_json": _reader(cameras_json, "cameras.json"),
    "transforms": _reader(transforms_json, "transforms.json or transforms_train.json"),
    "colmap": _reader(colmap, "cameras.txt and images.txt (or .bin), also in sparse/0"),
    "neus": _reader(neus, "cameras_sphere.npz, cameras.npz or cameras*.npz"),
    "middlebury": _reader(middlebury, "*_par.txt"),
    "matrices": _reader(matrices, "3x4 matrices in a .npy, .mat or .txt file, or a .txt per view"),
}


def recognise(path: str | Path) -> Format:
    """The format of a folder or camera file.

    A `cameras.json` decides, since it is there on purpose; otherwise exactly one format must fit.

    Raises:
        ViewsError: no format fits (it says what was looked for), or several do (it says which).
    """
    return _found(Path(path), "auto")[0]


def read_calibration(
    path: str | Path,
    *,
    format: Format | Literal["auto"] = "auto",  # noqa: A002
    pixel_centers: PixelCenters | Literal["auto"] = "auto",
) -> Calibration:
    """The cameras alone, without a look at any mask.

    Raises:
        ViewsError: as `load_views`.
    """
    path = Path(path)
    name, file = _found(path, format)
    try:
        calibration = _READERS[name].read(file, pixel_centers)
        # A folder that was given is where masks are, wherever in it the camera file was.
        found_inside = path.is_dir() and file != path
        return replace(calibration, folder=path) if found_inside else calibration
    except OSError as error:
        raise ViewsError(f"cannot read {file}: {error}") from None


def load_views(
    path: str | Path,
    *,
    format: Format | Literal["auto"] = "auto",  # noqa: A002
    masks: str = "auto",
    max_image_size: int = 0,
    pixel_centers: PixelCenters | Literal["auto"] = "auto",
    background_threshold: float = DEFAULT_THRESHOLD,
    invert_masks: bool = False,
) -> Views:
    """All views of a folder, or of a camera file in it.

    format: of the cameras; "auto" recognises it.
    masks: where they are: "auto", "alpha", "background", a folder, or a pattern (`find_masks`).
    max_image_size: longest side in pixels, by area averaging, cameras with it; 0 = as in the files.
    pixel_centers: what the camera file's pixel coordinates mean; "auto" = what its format says.
    background_threshold: of masks from a plain background (`data.background.foreground`).
    invert_masks: black is the object.

    Lens distortion is undone. Images of different sizes are padded with unknown pixels.

    Raises:
        ViewsError: names the file, the view, the problem and what to do.
    """
    if max_image_size < 0:
        raise ViewsError(
            f"max_image_size must be 0 (as in the files) or more, got {max_image_size}"
        )
    calibration = read_calibration(path, format=format, pixel_centers=pixel_centers)
    try:
        found = find_masks(calibration, masks)
    except OSError as error:
        raise ViewsError(f"cannot look for masks in {calibration.folder}: {error}") from None
    return assembled(
        calibration,
        found,
        max_image_size=max_image_size,
        threshold=background_threshold,
        inverted=invert_masks,
    )


def _found(path: Path, wanted: Format | Literal["auto"]) -> tuple[Format, Path]:
    """The format, and the file (or folder of files) to read."""
    if wanted != "auto" and wanted not in _READERS:
        raise ViewsError(f"there is no format {wanted!r}: {', '.join(get_args(Format))}, or auto")
    try:
        if path.is_dir():
            return _in_folder(path, wanted)
        if not path.is_file():
            raise ViewsError(f"{path}: no such folder or camera file{did_you_mean(path)}")
    except (OSError, ValueError) as error:
        if isinstance(error, ViewsError):
            raise
        raise ViewsError(f"cannot read {path}: {error}") from None
    if wanted != "auto":
        return wanted, path
    for name, reader in _READERS.items():
        if reader.is_one(path):
            return name, path
    raise ViewsError(
        f"{path} has no name that a format of cameras goes by: {_what_was_looked_for()};"
        " data.format names it"
    )


def _in_folder(folder: Path, wanted: Format | Literal["auto"]) -> tuple[Format, Path]:
    names: list[Format] = [wanted] if wanted != "auto" else list(_READERS)
    found: dict[Format, list[Path]] = {}
    for name in names:
        files = _READERS[name].find(folder)
        if files:
            found[name] = files
            if name == "cameras_json":
                break
    if not found:
        if wanted != "auto":
            looked_for = _READERS[wanted].looked_for
            raise ViewsError(f"{folder} has no cameras of data.format {wanted}: {looked_for}")
        reasons = "".join(f". Not taken: {reason}" for reason in matrices.refused(folder)[:3])
        raise ViewsError(
            f"missing cameras: {folder} holds none of these: {_what_was_looked_for()}{reasons}"
        )
    if len(found) > 1:
        both = " and ".join(
            f"{name} ({_relative(files[0], folder)})" for name, files in found.items()
        )
        raise ViewsError(f"{folder} holds cameras of {both}; data.format says which to read")
    ((name, files),) = found.items()
    if len(files) > 1:
        shown = ", ".join(_relative(file, folder) for file in files[:5])
        raise ViewsError(
            f"{folder} holds several files of {name} cameras: {shown}; data.folder may name one of"
            " them"
        )
    return name, files[0]


def _relative(file: Path, folder: Path) -> str:
    return str(file.relative_to(folder)) if file != folder else "a file for each view"


def _what_was_looked_for() -> str:
    return "; ".join(f"{reader.looked_for} ({name})" for name, reader in _READERS.items())

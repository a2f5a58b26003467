"""Finds image files by the names that camera files give them."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from lightning_rast.data.calibration import natural_order
from lightning_rast.data.errors import ViewsError

SUFFIXES = (
    ".png",
    ".jpg",
    ".jpeg",
    ".webp",
    ".tif",
    ".tiff",
    ".bmp",
    ".gif",
    ".pgm",
    ".ppm",
    ".pbm",
)
FOLDERS = ("images", "image", "rgb", "rgba", "input", "train")

MASK_SUFFIX = "_mask"

# What else begins with `images_` may be depth, normals, or pictures with something painted on.
_SCALED_DOWN = re.compile(r"images_(\d+|half|quarter|small)")


def is_file(path: Path) -> bool:
    """False also for what cannot be a path: a NUL inside, a name of a thousand letters."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def is_hidden(path: Path) -> bool:
    """Whether its name begins with a dot: what systems put beside files, as macOS `._000.png`."""
    return path.name.startswith(".")


def find_photograph(folder: Path, name: str) -> Path | None:
    """The image that a camera file calls `name`: with or without suffix, or in one of `FOLDERS`."""
    if not name:
        return None
    for place in (folder, *(folder / sub for sub in FOLDERS)):
        found = with_some_suffix(place / name)
        if found is not None:
            return found
    return None


def with_some_suffix(path: Path) -> Path | None:
    """The file itself, or with an image's suffix after it."""
    if is_file(path):
        return path
    candidates = (path.with_name(path.name + suffix) for suffix in SUFFIXES if path.name)
    return next((candidate for candidate in candidates if is_file(candidate)), None)


def images_in(folder: Path) -> list[Path]:
    """The image files directly in a folder, 2 before 10.

    Raises:
        ViewsError: the folder cannot be read.
    """
    try:
        files: Iterable[Path] = [file for file in folder.iterdir() if file.is_file()]
    except OSError as error:
        raise ViewsError(f"cannot read the folder {folder}: {error}") from None
    images = [file for file in files if file.suffix.lower() in SUFFIXES and not is_hidden(file)]
    return sorted(images, key=lambda file: natural_order(file.name))


def image_folder(folder: Path) -> Path | None:
    """Where the photographs are, if that is one of the usual places."""
    places = (*(folder / name for name in FOLDERS), folder)
    return next((place for place in places if place.is_dir() and images_in(place)), None)


def scaled_down(folder: Path, masks: Sequence[Path]) -> list[Path | None]:
    """Of each mask the image of its name in `images_2` (any number), `images_half`, `_quarter` or
    `_small`: good to look at, but not of the size that the cameras are for."""
    for place in sorted(folder.glob("images_*"), key=lambda each: natural_order(each.name)):
        if _SCALED_DOWN.fullmatch(place.name) and place.is_dir():
            by_stem = {image.stem: image for image in images_in(place)}
            found = [by_stem.get(mask.stem.removesuffix(MASK_SUFFIX)) for mask in masks]
            if any(found):
                return found
    return [None] * len(masks)

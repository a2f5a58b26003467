"""Finds the mask of every view: named by the camera file, beside the images, or in their alpha."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from lightning_rast.data.calibration import (
    CalibratedView,
    Calibration,
    check_distinct,
    last_number,
    shown,
)
from lightning_rast.data.errors import ViewsError
from lightning_rast.data.mask_image import has_alpha
from lightning_rast.data.photographs import (
    MASK_SUFFIX,
    SUFFIXES,
    find_photograph,
    image_folder,
    images_in,
    is_file,
    scaled_down,
)

Reading = Literal["mask", "alpha", "background"]
MASK_FOLDERS = ("masks", "mask", "silhouettes")


@dataclass(frozen=True)
class FoundMask:
    """Where a view's mask is, how it is read from there, and the photograph, if there is one.

    image_is_scaled_down: it is to look at, and says nothing of the size that the cameras are for.
    """

    path: Path
    reading: Reading
    image: Path | None
    image_is_scaled_down: bool = False


def find_masks(calibration: Calibration, masks: str = "auto") -> list[FoundMask]:
    """One mask for every view.

    masks: "auto" takes the files that the camera file names, or else those of a folder `masks`,
        `mask` or `silhouettes`, or else `*_mask.*` beside the images, or else the images' alpha.
        "alpha" and "background" take the images themselves. Anything else is a folder, or a
        pattern of paths with {stem}, {name} (with suffix) or {index}; relative to the data.

    All views get theirs in one way. Images that the camera file does not name are taken in their
    order, which needs one for every camera.

    Raises:
        ViewsError: there is no such way, or it leaves a view without a mask.
    """
    photographs = _photographs(calibration)
    if masks in ("alpha", "background"):
        reading: Reading = "alpha" if masks == "alpha" else "background"
        return [
            FoundMask(_present(view, image, calibration), reading, image)
            for view, image in zip(calibration.views, photographs, strict=True)
        ]
    found = _of_auto(calibration, photographs) if masks == "auto" else _named(calibration, masks)
    if isinstance(found, str):
        return find_masks(calibration, found)
    complete = _complete(calibration, found)
    are_scaled_down = not any(photographs)
    if are_scaled_down:
        photographs = scaled_down(calibration.folder, complete)
    return [
        FoundMask(mask, "mask", image, image_is_scaled_down=are_scaled_down)
        for mask, image in zip(complete, photographs, strict=True)
    ]


def _of_auto(
    calibration: Calibration, photographs: Sequence[Path | None]
) -> list[Path | None] | Literal["alpha"]:
    views, folder = calibration.views, calibration.folder
    if any(view.mask is not None for view in views):
        return [view.mask for view in views]
    for name in MASK_FOLDERS:
        if (folder / name).is_dir() and _all_images(folder / name):
            return _in_folder(calibration, folder / name)
    if any(photographs):
        beside = [None if image is None else _beside(image) for image in photographs]
        if any(beside):
            return beside
        first = next(image for image in photographs if image is not None)
        if has_alpha(first):
            return "alpha"
    at = image_folder(folder)
    if at is not None and not any(view.image for view in views):
        marked = [image for image in images_in(at) if image.stem.endswith(MASK_SUFFIX)]
        if marked:
            return _by_order(calibration, at, marked)
    raise ViewsError(
        f"no masks for the {len(views)} cameras of {calibration.path}: looked in {folder} for"
        f" folders {', '.join(MASK_FOLDERS)}, for *{MASK_SUFFIX}.png beside the images, and for"
        f" images with transparency{_photographs_found(photographs)}; data.masks names a folder, or"
        " says background where the photographs have a plain one"
    )


def _photographs_found(photographs: Sequence[Path | None]) -> str:
    found = [image for image in photographs if image is not None]
    if not found:
        return " (there are no images that fit the cameras either)"
    return f" (the images are there, {found[0]}, but opaque)"


def _named(calibration: Calibration, masks: str) -> list[Path | None]:
    """By a folder's name, or a pattern."""
    folder = calibration.folder
    if "{" in masks:
        return [_by_pattern(folder, view, masks) for view in calibration.views]
    place = folder / masks
    if not place.is_dir():
        raise ViewsError(
            f"data.masks: there is no folder {place} (it is auto, alpha, background, a folder, or a"
            " pattern such as segmentation/{stem}_fg.png)"
        )
    return _in_folder(calibration, place)


def _by_pattern(folder: Path, view: CalibratedView, pattern: str) -> Path:
    name = PurePosixPath(view.image)
    try:
        text = pattern.format(stem=name.stem, name=name.name, index=view.number)
    except (LookupError, ValueError, AttributeError) as error:
        known = "{stem}, {name} and {index} (also {index:03d})"
        raise ViewsError(f"data.masks: {pattern!r} is no pattern of {known}: {error}") from None
    return folder / text


def _in_folder(calibration: Calibration, place: Path) -> list[Path | None]:
    """By name where the camera file names its images and some name fits, or else by order."""
    views = calibration.views
    files = {file.relative_to(place).as_posix(): file for file in _all_images(place)}
    by_stem: dict[str, Path] = {}
    for name, file in files.items():
        by_stem.setdefault(name.rsplit(".", 1)[0], file)
    found = [_of_name(view.image, by_stem, files) for view in views]
    if any(found) or not _are_unnamed(views):
        return found
    return _by_order(calibration, place, images_in(place))


def _are_unnamed(views: Sequence[CalibratedView]) -> bool:
    """A view's own file of a matrix gives it a name without an image's suffix."""
    return not any(PurePosixPath(view.image).suffix.lower() in SUFFIXES for view in views)


def _of_name(name: str, by_stem: dict[str, Path], files: dict[str, Path]) -> Path | None:
    """The mask of image a/b.jpg: a/b.png, a/b.jpg.png (COLMAP), a/b_mask.png, or these of b.jpg."""
    if not name:
        return None
    parts = [part for part in PurePosixPath(name).parts if part not in (".", "..", "/")]
    for start in range(len(parts)):
        path = "/".join(parts[start:])
        stem = path.rsplit(".", 1)[0] if PurePosixPath(path).suffix.lower() in SUFFIXES else path
        if path in files:
            return files[path]
        for key in (stem, path, stem + MASK_SUFFIX):
            if key in by_stem:
                return by_stem[key]
    return None


def _by_order(calibration: Calibration, place: Path, files: Sequence[Path]) -> list[Path | None]:
    views = calibration.views
    if len(files) == len(views):
        return list(files)
    numbers = {last_number(file.stem): file for file in files}
    if len(numbers) == len(files) and numbers.keys() <= {view.number for view in views}:
        return [numbers.get(view.number) for view in views]
    raise ViewsError(
        f"camera count mismatch: {len(views)} cameras in {calibration.path} but {len(files)} images"
        f" in {place}, and without names only their order tells which belongs to which"
    )


def _photographs(calibration: Calibration) -> list[Path | None]:
    """Of each view the photograph, if there is one."""
    views, folder = calibration.views, calibration.folder
    named = [find_photograph(folder, view.image) for view in views]
    if any(named) or not _are_unnamed(views):
        return named
    place = image_folder(folder)
    if place is None:
        return named
    files = [file for file in images_in(place) if not file.stem.endswith(MASK_SUFFIX)]
    return list(files) if len(files) == len(views) else named


def _present(view: CalibratedView, image: Path | None, calibration: Calibration) -> Path:
    if image is None:
        name = view.image or f"number {view.number}"
        raise ViewsError(f"{view.label}: there is no image {name} in {calibration.folder}")
    return image


def _beside(image: Path) -> Path | None:
    candidates = (image.with_name(f"{image.stem}{MASK_SUFFIX}{suffix}") for suffix in SUFFIXES)
    return next((candidate for candidate in candidates if is_file(candidate)), None)


def _all_images(folder: Path) -> list[Path]:
    files = (file for file in sorted(folder.rglob("*")) if file.suffix.lower() in SUFFIXES)
    return [
        file
        for file in files
        if not any(part.startswith(".") for part in file.relative_to(folder).parts)
        and is_file(file)
    ]


def _complete(calibration: Calibration, found: Sequence[Path | None]) -> list[Path]:
    views = calibration.views
    missing = [view for view, mask in zip(views, found, strict=True) if mask is None]
    if missing:
        names = shown(view.image or str(view.number) for view in missing)
        raise ViewsError(
            f"{len(missing)} of {len(views)} cameras in {calibration.path} have no mask: {names}"
        )
    check_distinct((view.label, mask) for view, mask in zip(views, found, strict=True) if mask)
    return [mask for mask in found if mask is not None]

"""Image sizes of cameras whose file states none, from the photographs beside the masks.

A matrix from world to pixels holds for one image size alone. It is that of the photographs that
were calibrated, and masks may have been scaled or cropped since.
"""

import math
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image

from lightning_rast.data.calibration import (
    UNKNOWN_SIZE,
    CalibratedView,
    Calibration,
    is_scaled,
    shown,
)
from lightning_rast.data.errors import ViewsError
from lightning_rast.data.mask_files import FoundMask
from lightning_rast.data.mask_image import decoded, image_size_of

_EXIF_ORIENTATION = 0x0112
_ON_THEIR_SIDE = (5, 6, 7, 8)  # orientations whose width and height are exchanged
_Size = tuple[int, int]  # (H, W)


@dataclass(frozen=True)
class _Pair:
    """A view without a stated size; photograph: the size of its photograph, where there is one."""

    index: int
    path: Path
    mask: _Size
    photograph: _Size | None


def with_photographs_sizes(calibration: Calibration, masks: Sequence[FoundMask]) -> Calibration:
    """The cameras, with their photograph's size as the stated one where the mask is that scaled.

    Warns of those, of masks of another shape than their photograph, and of masks without a
    photograph that differ in size from the others. A principal point that lies much nearer to
    the middle of the mask's image shows that a camera is for that; then nothing is warned of.
    """
    views = list(calibration.views)
    pairs = _pairs(views, masks)
    scaled: list[_Pair] = []
    cropped: list[_Pair] = []
    for_masks: list[_Pair] = []
    for pair in pairs:
        view, photograph = views[pair.index], pair.photograph
        if photograph == pair.mask:
            continue
        if photograph is None or not _is_for_photograph(view, pair.mask, photograph):
            for_masks.append(pair)
        elif is_scaled(pair.mask, photograph):
            scaled.append(pair)
            camera = replace(view.camera, image_size=photograph)
            views[pair.index] = replace(view, camera=camera)
        else:
            cropped.append(pair)
    if scaled:
        _warn(
            f"{calibration.path} states no image size, and {_told(scaled)}. The cameras are taken"
            " to be for the photographs and scaled with the masks; if they are for images of the"
            " masks' size, scale the photographs to it"
        )
    if cropped:
        assert cropped[0].photograph is not None
        _warn(
            f"{calibration.path} states no image size, and {_told(cropped)}: another shape."
            " Were masks cropped or turned? Then the cameras do not fit them: pad or turn them, to"
            f" {_text(cropped[0].photograph)} pixels as the photograph"
        )
    scaled_at = {pair.index: pair.photograph or pair.mask for pair in scaled}
    sizes = [scaled_at.get(pair.index, pair.mask) for pair in pairs if pair not in cropped]
    _warn_of_odd_sizes(calibration, for_masks, sizes)
    return replace(calibration, views=tuple(views))


def _pairs(views: Sequence[CalibratedView], masks: Sequence[FoundMask]) -> list[_Pair]:
    pairs = []
    for index, (view, mask) in enumerate(zip(views, masks, strict=True)):
        # Whoever takes the mask from the photograph has no other size.
        if view.camera.image_size == UNKNOWN_SIZE and mask.reading == "mask":
            try:
                size = image_size_of(mask.path)
            except ViewsError:  # which reading it tells
                continue
            pairs.append(_Pair(index, mask.path, size, _photograph_size(mask, size)))
    return pairs


def _photograph_size(mask: FoundMask, mask_size: _Size) -> _Size | None:
    """After the turn that its camera noted, where only that fits the mask."""

    def sizes(image: Image.Image) -> tuple[_Size, bool]:
        on_its_side = image.getexif().get(_EXIF_ORIENTATION) in _ON_THEIR_SIDE
        return (image.height, image.width), on_its_side

    if mask.image is None or mask.image_is_scaled_down:
        return None
    try:
        size, on_its_side = decoded(mask.image, sizes, what="photograph")
    except ViewsError:  # a view needs none
        return None
    turned = (size[1], size[0])
    fits_turned = is_scaled(mask_size, turned) and not is_scaled(mask_size, size)
    return turned if on_its_side and fits_turned else size


def _is_for_photograph(view: CalibratedView, mask: _Size, photograph: _Size) -> bool:
    """Where the principal point does not tell, the larger image is the original."""
    if max(photograph) < max(mask) and is_scaled(mask, photograph):
        return _fits_better(view, photograph, mask)
    return not _fits_better(view, mask, photograph)


def _fits_better(view: CalibratedView, size: _Size, other: _Size) -> bool:
    return _off_center(view, size) < 0.5 * _off_center(view, other)


def _off_center(view: CalibratedView, size: _Size) -> float:
    """How far, in logarithms, the principal point is from an image's middle."""
    x, y = view.camera.K[0, :2, 2].tolist()
    if not (x > 0 and y > 0):
        return math.inf
    return abs(math.log(2 * x / size[1])) + abs(math.log(2 * y / size[0]))


def _warn_of_odd_sizes(
    calibration: Calibration, for_masks: Sequence[_Pair], sizes: Sequence[_Size]
) -> None:
    """for_masks: those whose size no photograph confirms; sizes: what each camera is taken for."""
    counts = Counter(sizes)
    usual = max(counts, key=lambda size: (counts[size], size), default=UNKNOWN_SIZE)
    odd = [
        pair
        for pair in for_masks
        if pair.mask != usual and not _fits_better(calibration.views[pair.index], pair.mask, usual)
    ]
    if odd:
        listed = shown(f"{pair.path} ({_text(pair.mask)})" for pair in odd)
        _warn(
            f"{calibration.path} states no image size, and of {len(sizes)} masks {_count(odd)} not"
            f" of the usual {_text(usual)} pixels: {listed}. Each is used as if its camera were for"
            f" just that size; if the photograph had {_text(usual)}, scale the mask back to that,"
            " or pad it where it was cropped",
            deeper=1,
        )


def _told(pairs: Sequence[_Pair]) -> str:
    first = pairs[0]
    assert first.photograph is not None
    more = ""
    if len(pairs) > 1:
        more = f" (likewise {len(pairs) - 1} more: {shown(pair.path.name for pair in pairs[1:])})"
    return (
        f"mask {first.path} has {_text(first.mask)} pixels where its photograph has"
        f" {_text(first.photograph)}{more}"
    )


def _count(pairs: Sequence[_Pair]) -> str:
    return "1 is" if len(pairs) == 1 else f"{len(pairs)} are"


def _text(size: _Size) -> str:
    return f"{size[1]} x {size[0]}"


def _warn(text: str, *, deeper: int = 0) -> None:
    """With the line that called `load_views`."""
    warnings.warn(text, stacklevel=5 + deeper)

"""Makes `Views` of calibrated cameras and the masks that were found for them."""

import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from lightning_rast.data.area import area_average
from lightning_rast.data.background import DEFAULT_THRESHOLD
from lightning_rast.data.calibration import (
    UNKNOWN_SIZE,
    CalibratedView,
    Calibration,
    is_scaled,
)
from lightning_rast.data.errors import EmptyMaskError, ViewsError
from lightning_rast.data.fitted_sphere import seen_center
from lightning_rast.data.mask_files import FoundMask
from lightning_rast.data.sources import (
    MaskReading,
    ViewSource,
    everything,
    pinhole_image,
    read_coverage,
)
from lightning_rast.data.unstated_sizes import with_photographs_sizes
from lightning_rast.data.views import NEAR_OF_DISTANCE, Views
from lightning_rast.scene import Camera

# Of all masks. A few are a segmentation's failures; with more, the folder is not what it should be.
_MOST_EMPTY = 0.25
# Below the darkest white that compression leaves of an object's inside.
_LEAST_CONVINCING_PEAK = 0.98


@dataclass(frozen=True)
class _One:
    """A view of the size that it is used in."""

    camera: Camera
    coverage: Tensor
    known: Tensor | None
    source: ViewSource
    has_free_sign: bool


def assembled(
    calibration: Calibration,
    masks: Sequence[FoundMask],
    *,
    max_image_size: int = 0,
    threshold: float = DEFAULT_THRESHOLD,
    inverted: bool = False,
) -> Views:
    """Views of one size, in the order of the calibration.

    Images whose longer side exceeds `max_image_size` (0 = no limit) are area-averaged to it,
    their cameras with them. Images of different sizes are padded at the right and below to
    the largest one; padding is unknown, as is what undoing a distortion leaves open.
    A view whose mask is empty is left out with a warning, if not more than a quarter of them are.

    Raises:
        ViewsError: names the file and the view for anything missing, malformed or inconsistent.
    """
    names = _names(calibration.views, masks)
    empty: list[EmptyMaskError] = []
    used: list[_One] = []
    used_names: list[str] = []
    doubts: list[tuple[Path, str]] = []
    sized = with_photographs_sizes(calibration, masks)
    for view, mask, name in zip(sized.views, masks, names, strict=True):
        how = MaskReading(reading=mask.reading, threshold=threshold, inverted=inverted)
        try:
            used.append(_one(view, mask, how, max_image_size, doubts))
            used_names.append(name)
        except EmptyMaskError as error:
            empty.append(error)
        except ViewsError:
            raise
        except (ValueError, RuntimeError) as error:  # what Camera, or torch, says about numbers
            raise ViewsError(f"{view.label}: {error}") from None
    if not used or len(empty) > _MOST_EMPTY * len(masks):
        raise empty[0]
    for error in empty:
        warnings.warn(f"{error}; this view is left out", stacklevel=3)
    _warn_of_doubts(doubts)
    _warn_of_scaled_cameras(calibration, used)
    views = _stacked(used, tuple(used_names))
    try:
        views = _facing_the_object(views, [one.has_free_sign for one in used])
        return replace(views, cameras=_with_near_planes(views))
    except ViewsError:
        raise
    except (ValueError, RuntimeError) as error:
        raise ViewsError(
            f"{calibration.path}: the cameras' numbers lead to no picture ({error})"
        ) from None


def _one(
    view: CalibratedView,
    mask: FoundMask,
    how: MaskReading,
    max_image_size: int,
    doubts: list[tuple[Path, str]],
) -> _One:
    coverage = read_coverage(mask.path, how)
    native_size = (coverage.shape[0], coverage.shape[1])
    camera = _fitting(view, native_size)
    coverage, known = pinhole_image(coverage, camera.K[0], view.distortion)
    if view.distortion is not None and not bool((coverage > 0).any()):
        raise EmptyMaskError(f"empty mask: undoing the distortion leaves nothing of {mask.path}")
    doubts.extend((mask.path, doubt) for doubt in _doubts(coverage))
    image_size = _limited_size(native_size, max_image_size)
    if known is not None and image_size != native_size:
        known = area_average(known.float()[None], image_size)[0] > 1 - 1e-6
    source = ViewSource(
        path=mask.path,
        how=how,
        image_size=native_size,
        K=camera.K[0],
        scale=(native_size[0] / image_size[0], native_size[1] / image_size[1]),
        distortion=view.distortion,
        photograph=mask.image,
    )
    averaged = area_average(coverage[None], image_size)[0]
    return _One(camera.resized(image_size), averaged, known, source, view.has_free_sign)


def _fitting(view: CalibratedView, image_size: tuple[int, int]) -> Camera:
    """The camera for an image of this size, which must have the calibrated shape."""
    calibrated = view.camera.image_size
    if calibrated in (UNKNOWN_SIZE, image_size):
        return replace(view.camera, image_size=image_size)
    height, width = calibrated
    if not is_scaled(image_size, calibrated):
        raise ViewsError(
            f"{view.label}: wrong size, the image is {image_size[1]} x {image_size[0]} pixels"
            f" but the camera is for {width} x {height}; were the images cropped or turned after"
            " the calibration? Use the original ones, or correct the camera file's width and height"
            " and its principal point"
        )
    return view.camera.resized(image_size)


def _warn_of_scaled_cameras(calibration: Calibration, used: Sequence[_One]) -> None:
    sizes = {view.camera.image_size for view in calibration.views} - {UNKNOWN_SIZE}
    natives = {one.source.image_size for one in used}
    if sizes and not natives <= sizes:
        (height, width), (own_height, own_width) = min(natives - sizes), min(sizes)
        warnings.warn(
            f"{calibration.path}: the cameras are for images of {own_width} x {own_height} pixels,"
            f" masks have {width} x {height}; the cameras are scaled with them",
            stacklevel=4,
        )


def _names(views: Sequence[CalibratedView], masks: Sequence[FoundMask]) -> list[str]:
    """Short ones, if they tell the views apart."""
    names = [mask.path.stem.removesuffix("_mask") for mask in masks]
    if len(set(names)) < len(names):
        paths = [view.image or str(mask.path) for view, mask in zip(views, masks, strict=True)]
        names = [path.strip("./").replace("/", "_") for path in paths]
    if len(set(names)) < len(names):
        names = [f"{index:03d}_{name}" for index, name in enumerate(names)]
    return names


def _facing_the_object(views: Views, has_free_sign: Sequence[bool]) -> Views:
    """P and -P project alike, but with -P everything is behind the camera: turn those round."""
    cameras = views.cameras
    center = seen_center(views)[None] if any(has_free_sign) else torch.zeros(1, 3)
    depth = cameras.world_to_view_points(center)[:, 0, 2]
    turned = torch.tensor(has_free_sign) & (depth < 0)
    if not turned.any():
        return views
    projection = cameras.K @ cameras.world_to_view[:, :3]
    facing = Camera.from_projection_matrix(
        projection, cameras.image_size, pixel_centers="half", in_front=center
    )
    pose = torch.where(turned[:, None, None], facing.world_to_view, cameras.world_to_view)
    K = torch.where(turned[:, None, None], facing.K, cameras.K)
    return replace(views, cameras=replace(cameras, world_to_view=pose, K=K))


def _with_near_planes(views: Views) -> Camera:
    """The cameras with a near plane in proportion to the least distance to the object."""
    cameras = views.cameras
    distances = (cameras.center_world - seen_center(views)).norm(dim=1)
    nearest, farthest = float(distances.min()), float(distances.max())
    if not math.isfinite(farthest):
        raise ViewsError("the cameras' positions are not finite numbers")
    if not nearest > 0:
        return cameras
    return replace(cameras, near=NEAR_OF_DISTANCE * nearest, far=farthest / NEAR_OF_DISTANCE)


def _warn_of_doubts(doubts: Sequence[tuple[Path, str]]) -> None:
    """One warning for all masks with the same doubt: what is wrong with one is with all."""
    of_doubt: dict[str, list[Path]] = {}
    for path, doubt in doubts:
        of_doubt.setdefault(doubt, []).append(path)
    for doubt, paths in of_doubt.items():
        more = f" and {len(paths) - 1} more masks" if len(paths) > 1 else ""
        warnings.warn(f"{paths[0]}{more}: {doubt}", stacklevel=4)


def _doubts(coverage: Tensor) -> Iterator[str]:
    """What makes a mask look unlike one, without being wrong for certain."""
    peak = float(coverage.max())
    if peak < _LEAST_CONVINCING_PEAK:
        yield f"its brightest pixel is {peak:.3g} of 1, but the object should be white"
    edges = (coverage[0], coverage[-1], coverage[1:-1, 0], coverage[1:-1, -1])
    if coverage.min() == 1:
        yield "the object covers the whole image"
    elif float((torch.cat(edges) > 0.5).double().mean()) > 0.5:
        yield "the object covers most of the image's border; is the mask inverted?"


def _limited_size(image_size: tuple[int, int], max_image_size: int) -> tuple[int, int]:
    longest = max(image_size)
    if not max_image_size or longest <= max_image_size:
        return image_size
    height, width = (max(1, round(side * max_image_size / longest)) for side in image_size)
    return height, width


def _stacked(used: Sequence[_One], names: tuple[str, ...]) -> Views:
    image_size = (
        max(one.coverage.shape[0] for one in used),
        max(one.coverage.shape[1] for one in used),
    )
    coverage = torch.zeros(len(used), *image_size)
    known = torch.zeros(len(used), *image_size, dtype=torch.bool)
    for index, one in enumerate(used):
        height, width = one.coverage.shape
        coverage[index, :height, :width] = one.coverage
        filled = everything(one.coverage.shape) if one.known is None else one.known
        known[index, :height, :width] = filled
        coverage[index, :height, :width][~filled] = 0
    # Padding at the right and below moves no pixel: K stays, only the image grows.
    padded = Camera.cat([replace(one.camera, image_size=image_size) for one in used])
    return Views(
        padded,
        coverage,
        names,
        known=None if bool(known.all()) else known,
        sources=tuple(one.source for one in used),
    )

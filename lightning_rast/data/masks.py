"""Views of a folder with a `cameras.json`, and of each view its file's own resolution."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

import torch

from lightning_rast.data.calibration import PixelCenters
from lightning_rast.data.formats import load_views
from lightning_rast.data.views import Views


def load_mask_views(
    folder: str | Path,
    *,
    max_image_size: int = 0,
    pixel_centers: PixelCenters | Literal["auto"] = "auto",
) -> Views:
    """`load_views` of a folder's `cameras.json`, whatever else is there."""
    return load_views(
        folder,
        format="cameras_json",
        max_image_size=max_image_size,
        pixel_centers=pixel_centers,
    )


def native_view(views: Views, index: int) -> Views:
    """One of the views of a folder in its file's resolution, on the CPU, read again.

    Raises:
        ViewsError: the file has gone or cannot be read any more.
    """
    assert views.sources is not None
    source = views.sources[index]
    coverage, known = source.read()
    camera = views.cameras[[index]].to("cpu")
    scale = torch.tensor([source.scale[1], source.scale[0], 1.0], dtype=camera.K.dtype)
    camera = replace(camera, K=scale[:, None] * camera.K, image_size=source.image_size)
    if known is not None:
        coverage, known = torch.where(known, coverage, 0), known[None]
    return Views(camera, coverage[None], (views.names[index],), known=known)


def native_views(views: Views) -> Iterator[Views]:
    """Each view alone, in the resolution of its image file if it comes from one.

    Raises:
        ViewsError: a file has gone or cannot be read any more.
    """
    for index in range(len(views)):
        view = views[[index]] if views.sources is None else native_view(views, index)
        yield view.to(views.coverage.device)

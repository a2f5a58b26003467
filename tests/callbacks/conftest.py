"""Runs of these tests are many: their pictures and samples are small."""

import functools
from collections.abc import Iterator

import pytest

from lightning_rast.callbacks import metrics, turntable
from lightning_rast.evaluation import surfaces


@pytest.fixture(autouse=True, scope="module")
def small_files() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(turntable, "_IMAGE_SIZE", (64, 64))
        patch.setattr(turntable, "_NUM_FRAMES", 12)
        patch.setattr(
            metrics, "chamfer_l1", functools.partial(surfaces.chamfer_l1, num_points=1000)
        )
        yield

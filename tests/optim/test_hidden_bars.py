"""Balls rolled inside of voxels."""

import numpy as np
import pytest
from scipy import ndimage

from lightning_rast.optim.hidden_bars import _dilated


@pytest.mark.parametrize("radius", [1, 2, 3, 4])
def test_dilating_reaches_all_points_within_the_radius_and_no_other(radius: int):
    points = np.random.default_rng(radius).random((30, 20, 25)) < 0.002
    expected = ndimage.distance_transform_edt(~points) <= radius  # pyright: ignore
    assert np.array_equal(_dilated(points, radius), expected)

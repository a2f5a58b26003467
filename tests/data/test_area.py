"""Area averaging against a definition written as a double loop over footprints."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lightning_rast.data.area import area_average, downscaled_size


def overlap(old, new, old_size, new_size):
    """Length shared by old pixel `old` and new pixel `new`, in new pixels."""
    ratio = new_size / old_size
    return max(0.0, min((old + 1) * ratio, new + 1) - max(old * ratio, new))


def averaged(image, image_size):
    rows, columns = (
        np.array([[overlap(o, n, old, new) for o in range(old)] for n in range(new)])
        for old, new in zip(image.shape, image_size, strict=True)
    )
    return rows @ image @ columns.T


@given(*[st.integers(1, 13)] * 4)
def test_any_ratio_averages_over_footprints(height, width, new_height, new_width):
    image = torch.rand(height, width, dtype=torch.float64)
    expected = averaged(image.numpy(), (new_height, new_width))
    result = area_average(image[None], (new_height, new_width))[0]
    np.testing.assert_allclose(result.numpy(), expected, atol=1e-12)


def test_the_mean_is_kept():
    images = torch.rand(3, 100, 77)
    small = area_average(images, (31, 20))
    torch.testing.assert_close(small.mean(dim=(1, 2)), images.mean(dim=(1, 2)))


def test_values_stay_within_their_range():
    ones = torch.ones(1, 1200, 1600)
    small = area_average(ones, (384, 511))
    assert small.dtype == torch.float32
    torch.testing.assert_close(small, torch.ones(1, 384, 511), atol=1e-6, rtol=0)


def test_a_size_of_zero_is_refused():
    with pytest.raises(ValueError, match="image_size"):
        area_average(torch.ones(1, 2, 2), (0, 2))


def test_a_downscaled_size_never_vanishes():
    assert downscaled_size((5, 100), 8) == (1, 12)

"""The picture of target, prediction and difference."""

import numpy as np
import pytest
import torch

from lightning_rast.callbacks import images
from lightning_rast.callbacks.images import comparison, signed_difference
from tests.callbacks.problem import Fit


def square(low, high, size=12):
    image = np.zeros((size, size), dtype=np.float32)
    image[low:high, low:high] = 1
    return image


def everywhere(image):
    return np.ones(image.shape, dtype=bool)


def test_red_is_too_much_and_blue_too_little():
    target, prediction = square(0, 6), square(3, 9)
    red, green, blue = signed_difference(target, prediction, known=everywhere(target))[
        [8, 1, 11], [8, 1, 11]
    ]
    assert red[0] > 150
    assert max(red[1:]) < 60
    assert green[2] > 150
    assert green[0] < 60
    assert (blue == 255).all()


def test_a_fraction_is_a_paler_colour():
    target = np.zeros((1, 2), dtype=np.float32)
    prediction = np.array([[0.2, 1.0]], dtype=np.float32)
    pale, strong = signed_difference(target, prediction, known=everywhere(target))[0].astype(int)
    assert pale[0] > strong[0]
    assert pale[1] > strong[1] + 100


def test_unknown_pixels_are_grey_whatever_is_predicted():
    target, prediction = square(0, 6), square(3, 9)
    known = np.zeros(target.shape, dtype=bool)
    colors = signed_difference(target, prediction, known=known)
    assert (colors == colors[0, 0]).all()
    assert 100 < colors[0, 0, 0] < 160


def test_small_images_are_enlarged_without_smoothing():
    target = square(3, 9)
    strip = np.asarray(comparison(target, target))
    shown, factor = target[2:10, 2:10], 30
    panel = strip[-8 * factor :, : 8 * factor, 0]
    np.testing.assert_array_equal(panel, 255 * shown.repeat(factor, 0).repeat(factor, 1))


def test_the_object_fills_the_picture():
    target = square(40, 60, size=100)
    panel = np.asarray(comparison(target, target))[32:, : 26 * 9, 0]
    assert (panel == 255).mean() == pytest.approx((20 / 26) ** 2, rel=1e-3)


def test_a_trace_of_coverage_is_a_part_of_the_object():
    target = square(40, 60, size=100)
    target[5, 5] = 0.001
    panel = np.asarray(comparison(target, square(40, 60, size=100)))[32:, :200, 0]
    assert (panel == 255).mean() < 0.3


def test_a_prediction_beyond_the_object_is_shown_with_all_of_the_image():
    strip = comparison(square(4, 8, size=60), square(40, 50, size=60))
    panel = np.asarray(strip)[-60 * 4 :, 60 * 4 + 8 : 2 * 60 * 4 + 8, 0]
    assert panel[45 * 4, 45 * 4] == 255


def test_the_headings_tell_the_iou():
    target = square(3, 9)
    plain, told = (np.asarray(comparison(target, target, iou=iou)) for iou in (None, 0.5))
    assert (plain[:32] != told[:32]).any()
    np.testing.assert_array_equal(plain[32:], told[32:])


def test_large_images_stay_as_they_are():
    target = np.zeros((400, 300), dtype=np.float32)
    strip = comparison(target, target)
    assert 900 <= strip.width < 930
    assert 400 < strip.height < 440


def test_views_are_made_smaller_in_a_deterministic_training_too(tmp_path, device, monkeypatch):
    # 24 pixels to 5: footprints share pixels, and the running sums that this takes have no
    # deterministic CUDA version.
    fit = Fit(tmp_path)
    fit.datamodule.train_views = fit.datamodule.train_views.to(device)
    monkeypatch.setattr(images, "_LARGEST_SIDE", 5)
    torch.use_deterministic_algorithms(True)
    try:
        (train, _) = images._chosen(fit.datamodule, 2)
    finally:
        torch.use_deterministic_algorithms(False)
    assert train.views.image_size == (5, 5)
    assert train.views.coverage.device.type == device.type

"""The picture of target, prediction and difference."""

import numpy as np
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
    factor = 20
    panel = strip[-12 * factor :, : 12 * factor, 0]
    np.testing.assert_array_equal(panel, 255 * target.repeat(factor, 0).repeat(factor, 1))


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

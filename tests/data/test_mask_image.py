"""Every kind of mask image means the same: 1 = object."""

import numpy as np
import pytest
from PIL import Image

from lightning_rast.data.mask_image import read_mask
from lightning_rast.data.views import ViewsError

# .##.
# .#..
MASK = np.array([[0, 1, 1, 0], [0, 1, 0, 0]], dtype=bool)


def as_bytes(mask):
    return mask.astype(np.uint8) * 255


def as_alpha(mask):
    return np.stack([np.full(mask.shape, 9, np.uint8)] * 3 + [as_bytes(mask)], axis=-1)


def as_opaque(mask):
    return np.stack([as_bytes(mask)] * 3 + [np.full(mask.shape, 255, np.uint8)], axis=-1)


IMAGES = {
    "1-bit": lambda: Image.fromarray(MASK),
    "8-bit": lambda: Image.fromarray(as_bytes(MASK)),
    "16-bit": lambda: Image.fromarray(MASK.astype(np.uint16) * 65535),
    "colour": lambda: Image.fromarray(np.stack([as_bytes(MASK)] * 3, axis=-1)),
    "alpha": lambda: Image.fromarray(as_alpha(MASK)),
    "opaque RGBA": lambda: Image.fromarray(as_opaque(MASK)),
    "grey with alpha": lambda: Image.fromarray(as_alpha(MASK)).convert("LA"),
    "palette": lambda: Image.fromarray(as_bytes(MASK)).convert("P"),
}


@pytest.mark.parametrize("kind", IMAGES)
def test_a_png_decodes_to_the_mask(tmp_path, kind):
    path = tmp_path / "mask.png"
    IMAGES[kind]().save(path)
    np.testing.assert_array_equal(read_mask(path).numpy(), MASK.astype(np.float32))


@pytest.mark.parametrize(("dtype", "peak"), [(np.uint8, 255), (np.uint16, 65535)])
def test_fractions_are_kept(tmp_path, dtype, peak):
    path = tmp_path / "mask.png"
    Image.fromarray(np.array([[0, peak // 3, peak]], dtype=dtype)).save(path)
    np.testing.assert_allclose(read_mask(path).numpy(), [[0, 1 / 3, 1]], atol=1e-6)


def test_a_missing_image_is_named(tmp_path):
    with pytest.raises(ViewsError, match="missing mask image: .*nowhere.png"):
        read_mask(tmp_path / "nowhere.png")


def test_an_empty_mask_is_named(tmp_path):
    Image.new("L", (4, 3)).save(tmp_path / "black.png")
    with pytest.raises(ViewsError, match=r"empty mask: .*black.png .*black everywhere"):
        read_mask(tmp_path / "black.png")


def test_a_mask_of_labels_zero_and_one_is_named(tmp_path):
    Image.fromarray(MASK.astype(np.uint8)).save(tmp_path / "labels.png")
    with pytest.raises(ViewsError, match=r"empty mask: .*brightest pixel is 0\.00392 of 1"):
        read_mask(tmp_path / "labels.png")


def test_a_file_that_is_no_image_is_named(tmp_path):
    (tmp_path / "text.png").write_text("hello")
    with pytest.raises(ViewsError, match=r"cannot read mask image .*text\.png"):
        read_mask(tmp_path / "text.png")


def test_a_truncated_image_is_named(tmp_path):
    path = tmp_path / "half.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ViewsError, match=r"cannot read mask image .*half\.png"):
        read_mask(path)

"""mask_distance against a reference that looks at every segment."""

import math

import pytest
import torch
from torch import Tensor

from lightning_rast.ops import mask_distance
from tests.reference import mask_distance as reference

BAND = 2.0  # px: up to here distances are to segments


def assert_matches_reference(image: Tensor, known: Tensor | None = None) -> None:
    found = mask_distance(image[None], None if known is None else known[None])[0].double()
    to_points, to_outline = reference.distances(image, known)
    seen = torch.ones_like(image, dtype=torch.bool) if known is None else known
    sign = torch.where(image >= 0.5, 1.0, -1.0)
    near = seen & (to_outline < BAND - 1e-4)
    torch.testing.assert_close(found[near], (sign * to_outline)[near], atol=1e-4, rtol=0)
    far = seen & (to_outline > BAND + 1e-4)
    assert bool((found[far].sign() == sign[far]).all())
    size = found[far].abs()
    assert bool((size >= to_outline[far] - 1e-3).all())
    assert bool((size <= to_points[far] + 1e-3).all())
    assert bool((found[~seen] == math.inf).all())


def disc(size: tuple[int, int], x: float, y: float, radius: float) -> Tensor:
    rows, columns = torch.meshgrid(*(torch.arange(n) + 0.5 for n in size), indexing="ij")
    return (radius - ((columns - x) ** 2 + (rows - y) ** 2).sqrt() + 0.5).clamp(0, 1)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 1), (2, 2), (13, 21), (24, 17)])
@pytest.mark.parametrize("kind", ["noise", "binary", "few"])
def test_any_image_matches_the_reference(size, kind):
    image = torch.rand(size)
    if kind == "binary":
        image = image.round()
    elif kind == "few":
        image = (image > 0.97).float()
    if bool((image >= 0.5).any()) and bool((image < 0.5).any()):
        assert_matches_reference(image)


def test_a_disc_matches_the_reference():
    assert_matches_reference(disc((40, 50), 22.3, 17.8, 11.4))


@pytest.mark.parametrize("seed", range(5))
def test_unknown_pixels_carry_no_outline(seed):
    generator = torch.Generator().manual_seed(seed)
    image = torch.rand(18, 15, generator=generator)
    known = torch.rand(18, 15, generator=generator) > 0.2
    assert_matches_reference(image, known)


def test_a_large_disc_is_off_by_less_than_a_tenth_of_a_pixel():
    # Linear interpolation of area-averaged coverage puts a straight edge up to .086 px off.
    image = disc((256, 256), 120.4, 131.7, 80.2)
    rows, columns = torch.meshgrid(torch.arange(256.0), torch.arange(256.0), indexing="ij")
    true = 80.2 - ((columns + 0.5 - 120.4) ** 2 + (rows + 0.5 - 131.7) ** 2).sqrt()
    error = mask_distance(image[None])[0] - true
    assert float(error[true.abs() < BAND].abs().max()) < 0.1
    assert float(error.abs().max()) < 0.15
    assert abs(float(error.mean())) < 0.01


def test_one_pixel_inside_lies_half_a_pixel_deep():
    image = torch.zeros(1, 9, 9)
    image[0, 4, 4] = 1
    distance = mask_distance(image)[0]
    # A diamond through the middles of the four sides between centres.
    assert float(distance[4, 4]) == pytest.approx(0.5 / math.sqrt(2))
    assert float(distance[4, 8]) == pytest.approx(-3.5, abs=0.02)


def test_a_mask_without_an_outline_is_infinitely_deep():
    images = torch.stack((torch.ones(5, 6), torch.zeros(5, 6)))
    distance = mask_distance(images)
    assert bool((distance[0] == math.inf).all())
    assert bool((distance[1] == -math.inf).all())


def test_the_image_border_is_no_outline():
    image = torch.zeros(1, 20, 20)
    image[0, :, 10:] = 1
    distance = mask_distance(image)[0]
    torch.testing.assert_close(distance[0], torch.arange(20) - 9.5)
    torch.testing.assert_close(distance[0], distance[19])


def test_no_field_changes_faster_than_one_pixel_per_pixel():
    distance = mask_distance(torch.rand(4, 60, 50))
    assert float(distance.diff(dim=1).abs().max()) < 1.05
    assert float(distance.diff(dim=2).abs().max()) < 1.05


def test_any_number_of_threads_gives_the_same_bits():
    images = torch.rand(5, 33, 47)
    threads = torch.get_num_threads()
    results = []
    for number in (1, 2, 3):
        torch.set_num_threads(number)
        results.append(mask_distance(images))
    torch.set_num_threads(threads)
    assert torch.equal(results[0], results[1])
    assert torch.equal(results[0], results[2])


def test_nan_is_refused_with_its_view():
    images = torch.zeros(3, 4, 4)
    images[2, 1, 1] = math.nan
    with pytest.raises(ValueError, match=r"coverage\[2\] holds NaN"):
        mask_distance(images)


def test_a_wrong_shape_is_refused(unchecked):
    with pytest.raises(ValueError, match=r"\(N, H, W\), got torch.float32 \(4, 4\)"):
        mask_distance(torch.zeros(4, 4))
    with pytest.raises(ValueError, match="known must be bool"):
        mask_distance(torch.zeros(1, 4, 4), torch.ones(1, 4, 4))

"""`antialias` of colours, masks, depth and normals against differences of supersampled pictures."""

import functools

import pytest

from tests.ops.antialias_channels import SCENES, cosines

SIZE = 48
of_scenes = pytest.mark.parametrize("name", SCENES)
of_levels = pytest.mark.parametrize(
    "level", [4, pytest.param(6, id="faces below a pixel", marks=pytest.mark.slow)]
)


@functools.cache
def measured(name: str, level: int, finer: int = 1) -> dict[str, tuple[float, float]]:
    return cosines(SCENES[name](level), SIZE, count=6, samples=16, finer=finer)


@of_levels
@of_scenes
@pytest.mark.parametrize("kind", ["color", "masks", "depth"])
def test_gradients_point_where_differences_do(name: str, level: int, kind: str):
    cosine, ratio = measured(name, level)[kind]
    assert cosine > 0.98
    assert 0.9 < ratio < 1.1


@of_levels
@of_scenes
def test_gradients_of_normals_point_there_roughly(name: str, level: int):
    # Towards an outline normals turn ever faster; a pixel's centre is one sample of that.
    cosine, ratio = measured(name, level)["normals"]
    assert cosine > 0.92
    assert 0.9 < ratio < 1.4


@of_levels
@of_scenes
def test_gradients_of_normals_of_four_samples_point_where_differences_do(name: str, level: int):
    cosine, ratio = measured(name, level, 2)["normals"]
    assert cosine > 0.97
    assert 0.9 < ratio < 1.15

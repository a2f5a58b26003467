"""`Renderer` refuses what it cannot render, with the name of what is wrong."""

import math

import pytest
import torch

from lightning_rast.render import Renderer
from lightning_rast.scene import Camera, cube

PERSPECTIVE = Camera.look_at(torch.tensor([[0.0, 0, 3]]), fov_deg=60, image_size=(24, 32))


def test_unknown_names_are_refused(unchecked):
    with pytest.raises(ValueError, match="outputs must be some of coverage, .*; got 'colour'"):
        Renderer(outputs=("depth", "colour"))
    with pytest.raises(ValueError, match="outputs must be some of .*; got none"):
        Renderer(outputs=())
    with pytest.raises(ValueError, match="shading must be one of .*; got 'phong'"):
        Renderer(shading="phong")
    with pytest.raises(
        ValueError, match="weighting must be one of area, angle, sphere; got 'mean'"
    ):
        Renderer(weighting="mean")


@pytest.mark.parametrize("supersampling", [0, -2, 1.5, 2.0, True, "2", None])
def test_a_supersampling_that_is_no_whole_number_of_at_least_1_is_refused(supersampling, unchecked):
    message = f"supersampling must be a whole number of at least 1, .*; got {supersampling!r}"
    with pytest.raises(ValueError, match=message):
        Renderer(supersampling=supersampling)


@pytest.mark.parametrize("antialias", [True, False])
def test_too_many_samples_are_refused_in_the_name_of_supersampling(antialias):
    renderer = Renderer(antialias=antialias, supersampling=2**14)
    message = r"supersampling = 16384 of images of \(24, 32\) makes \(393216, 524288\) samples"
    with pytest.raises(ValueError, match=message):
        renderer(cube(), PERSPECTIVE)


def test_a_background_of_another_number_of_channels_is_refused():
    with pytest.raises(ValueError, match="background has 2 channels, the colours 3"):
        Renderer(background=(0.0, 1.0))(cube(), PERSPECTIVE)


def test_a_vertex_that_is_not_finite_is_named():
    verts = cube().verts.clone()
    verts[5, 1] = math.nan
    with pytest.raises(ValueError, match=r"\[0, 5\]"):
        Renderer()(cube().with_verts(verts), PERSPECTIVE)

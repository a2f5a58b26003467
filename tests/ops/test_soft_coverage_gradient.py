"""Gradients of `soft_coverage` are those of its own values (float64, the real kernel)."""

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck

from lightning_rast.ops import soft_coverage
from lightning_rast.ops.soft_coverage import Semantics
from tests.ops.contour_views import seen_from
from tests.ops.soft_scenes import (
    SOFTNESS,
    Scene,
    cut_scene,
    one_triangle,
    options,
    orthographic_scene,
    soup_scene,
)

TRIANGLE = Scene(seen_from(one_triangle().verts), one_triangle().faces, (9, 11))
SCENES = {
    "triangle": TRIANGLE,
    "cut": Scene(cut_scene().verts_clip, cut_scene().faces, (7, 8)),
    "orthographic": Scene(orthographic_scene().verts_clip, orthographic_scene().faces, (9, 8)),
    "soup": Scene(*soup_scene(num_faces=12)[:2], (9, 9)),
}


@pytest.mark.parametrize("semantics", SOFTNESS)
@pytest.mark.parametrize("name", SCENES)
def test_gradients(name: str, semantics: str):
    verts_clip, faces, image_size = SCENES[name]
    # Coarse pictures need a wide blur, and the published cut-offs make a step.
    chosen = options(semantics)
    chosen["sigma"] = 0.8 if semantics == "pixel" else 0.05
    if semantics == "softras":
        chosen["cutoff"] = 1e-9
    if semantics == "pytorch3d":
        chosen |= {"blur_radius": 1.0, "faces_per_pixel": 1000}

    def image(verts: Tensor) -> Tensor:
        return soft_coverage(verts, faces, image_size, **chosen)

    assert gradcheck(image, verts_clip.clone().requires_grad_(), eps=1e-7, atol=2e-5, rtol=1e-4)


def test_gradients_where_only_the_nearest_faces_count():
    verts_clip, faces, image_size = SCENES["soup"]

    def image(verts: Tensor) -> Tensor:
        return soft_coverage(
            verts,
            faces,
            image_size,
            semantics="pytorch3d",
            sigma=0.05,
            blur_radius=1.0,
            faces_per_pixel=2,
        )

    assert gradcheck(image, verts_clip.clone().requires_grad_(), eps=1e-7, atol=2e-5, rtol=1e-4)


def test_the_gradient_at_the_outline_does_not_vanish_in_pixel_semantics():
    # A pixel's centre exactly on the outline of a half plane: d coverage / d x = 1 / (4 sigma).
    def slope(semantics: Semantics, sigma: float) -> float:
        x = torch.tensor(0.05, dtype=torch.float64, requires_grad=True)  # NDC of pixel 10's centre
        verts = torch.tensor([[0, -50, 0, 1], [-80, 0.5, 0, 1], [0, 50, 0, 1]]).double()
        edge = torch.tensor([[1.0, 0, 0, 0], [0, 0, 0, 0], [1.0, 0, 0, 0]]).double()
        verts = verts + x * edge
        faces = torch.tensor([[0, 1, 2]], dtype=torch.int32)
        image = soft_coverage(verts[None], faces, (20, 20), semantics=semantics, sigma=sigma)
        return float(torch.autograd.grad(image[0, 10, 10], x)[0]) / 10  # per pixel

    assert slope("pixel", 0.5) == pytest.approx(0.5, rel=1e-3)
    assert slope("softras", 1e-2) == pytest.approx(0, abs=1e-6)

"""The ends of the ranges of the parameters of `soft_coverage` and `soft_colors`."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from lightning_rast.ops import soft_colors, soft_coverage
from tests.ops.soft_scenes import sphere_scene
from tests.reference import soft_coverage as reference

SCENE = sphere_scene()
DTYPES = [torch.float32, torch.float64]
in_both_types = pytest.mark.parametrize("dtype", DTYPES, ids=["f32", "f64"])


def coverage(verts: Tensor, **options: Any) -> tuple[Tensor, ...]:
    chosen = {"sigma": 0.7 if options.get("semantics", "pixel") == "pixel" else 2e-3} | options
    return (soft_coverage(verts, SCENE.faces, SCENE.image_size, **chosen),)


def colors(verts: Tensor, **options: Any) -> tuple[Tensor, ...]:
    of_verts = torch.rand(verts.shape[1], 3, generator=torch.Generator().manual_seed(0))
    chosen = {"sigma": 0.7, "gamma": 0.1} | options
    return soft_colors(verts, SCENE.faces, of_verts.to(verts.dtype), SCENE.image_size, **chosen)


def named(value: Any) -> str:
    """An id that is the same in every process: a function's `str` holds its address."""
    return getattr(value, "__name__", str(value))


def assert_finite(op: Any, dtype: torch.dtype, options: dict[str, Any]) -> None:
    leaf = SCENE.verts_clip.to(dtype, copy=True).requires_grad_()
    images = op(leaf, **options)
    (grad,) = torch.autograd.grad(sum(image.sum() for image in images), leaf)
    assert all(((image >= 0) & (image <= 1)).all() for image in images)
    assert grad.isfinite().all()


ENDS = [
    *((op, {"sigma": 10.0**k}) for op in (coverage, colors) for k in (-14, 14)),
    *((coverage, {"semantics": "softras", "sigma": 10.0**k}) for k in (-24, 24)),
    *((coverage, {"semantics": "pytorch3d", "sigma": 10.0**k}) for k in (-24, 24)),
    *((coverage, {"semantics": "pixel", "cutoff": c}) for c in (5e-324, 0.4999)),
    *((coverage, {"semantics": "softras", "cutoff": c}) for c in (5e-324, 0.4999)),
    *((coverage, {"semantics": "pytorch3d", "blur_radius": b}) for b in (0.0, 1.0, 1e300)),
    *((coverage, {"semantics": "pytorch3d", "faces_per_pixel": k}) for k in (1, 2**31 - 1)),
    *((colors, {"gamma": 10.0**k}) for k in (-14, 300)),
    *((colors, {"near": n, "far": f}) for n, f in ((1e-300, 1.0), (1.0, 1e300))),
    *((colors, {"background_depth": 10.0**k}) for k in (-300, 12)),
]  # fmt: skip


@in_both_types
@pytest.mark.parametrize(("op", "options"), ENDS, ids=named)
def test_images_and_gradients_are_finite_to_the_ends(op, options, dtype):
    assert_finite(op, dtype, options)


@pytest.mark.parametrize(
    ("op", "name", "options"),
    [
        *((op, "sigma = .* too small", {"sigma": 1e-40}) for op in (coverage, colors)),
        *((op, "sigma = .* too large", {"sigma": 1e40}) for op in (coverage, colors)),
        (coverage, "sigma = .* too small", {"semantics": "softras", "sigma": 1e-60}),
        (coverage, "sigma = .* too large", {"semantics": "pytorch3d", "sigma": 1e60}),
        (colors, "gamma = .* too small", {"gamma": 1e-40}),
        (colors, r"\(near, far\) = .* too large", {"near": 1e300, "far": 1e301}),
        (colors, "near and far are too close", {"near": 1.9, "far": math.nextafter(1.9, 2.0)}),
        (colors, "background_depth = .* too large", {"background_depth": -1e40}),
    ],
    ids=named,
)
def test_what_the_type_cannot_hold_is_refused(op, name, options):
    with pytest.raises(ValueError, match=name):
        op(SCENE.verts_clip.float(), **options)


@in_both_types
def test_faces_far_beyond_their_outline_take_a_place_among_the_nearest(dtype):
    # 1000 e-folds out a probability is 0 in any type, and the face one of the nearest all the same.
    options = {"sigma": 2e-5, "blur_radius": 2e-2, "faces_per_pixel": 2}
    inputs = (SCENE.verts_clip, SCENE.faces, SCENE.image_size)
    expected = reference.pytorch3d(*inputs, **options)
    (actual,) = coverage(SCENE.verts_clip.to(dtype), semantics="pytorch3d", **options)
    torch.testing.assert_close(actual.double(), expected, rtol=0, atol=2e-4)
    unlimited = reference.pytorch3d(*inputs, **(options | {"faces_per_pixel": 1000}))
    assert (expected - unlimited).abs().max() > 0.1


@in_both_types
@pytest.mark.parametrize("semantics", ["pixel", "softras"])
def test_a_cutoff_below_what_the_type_resolves_is_as_good_as_none(semantics, dtype):
    verts = SCENE.verts_clip.to(dtype)
    fine, none = (coverage(verts, semantics=semantics, cutoff=c)[0] for c in (1e-25, 1e-300))
    torch.testing.assert_close(fine, none, rtol=0, atol=4 * torch.finfo(dtype).eps)


def test_the_default_blur_radius_goes_with_the_smallest_sigma():
    (sharp,) = coverage(SCENE.verts_clip, semantics="pytorch3d", sigma=1e-24)
    assert ((sharp == 0) | (sharp == 1) | (sharp == 0.5)).all()
    assert math.isclose(
        float(sharp.mean()), float(coverage(SCENE.verts_clip, sigma=1e-9)[0].mean())
    )

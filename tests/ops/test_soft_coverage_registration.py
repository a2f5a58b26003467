"""`soft_coverage` as a citizen of torch: opcheck, compile, meta tensors, saved-tensor hooks."""

import pytest
import torch
from torch import Tensor

from lightning_rast.ops import soft_coverage
from lightning_rast.ops.soft_coverage import Semantics, soft_model
from tests.ops.soft_scenes import SOFTNESS, cut_scene, options

IMAGE_SIZE = (12, 14)


def model(semantics: Semantics) -> tuple:
    chosen = options(semantics, faces_per_pixel=3)
    limit = chosen.get("faces_per_pixel")
    return soft_model("soft_coverage", IMAGE_SIZE, chosen["sigma"], semantics, 1e-4, None, limit)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("semantics", SOFTNESS)
def test_registration(semantics: Semantics, dtype: torch.dtype):
    scene = cut_scene()
    verts_clip = scene.verts_clip.to(dtype).requires_grad_()
    torch.library.opcheck(
        torch.ops.lightning_rast.soft_coverage.default,
        (verts_clip, scene.faces, *IMAGE_SIZE, *model(semantics)),
    )


@pytest.mark.parametrize("semantics", SOFTNESS)
def test_registration_of_the_backward_op(semantics: Semantics):
    scene = cut_scene()
    chosen = model(semantics)
    image, *results = torch.ops.lightning_rast.soft_coverage(
        scene.verts_clip, scene.faces, *IMAGE_SIZE, *chosen
    )
    torch.library.opcheck(
        torch.ops.lightning_rast.soft_coverage_backward.default,
        (torch.rand_like(image), scene.verts_clip, scene.faces, *results, *IMAGE_SIZE, *chosen),
    )


@pytest.mark.parametrize("semantics", SOFTNESS)
def test_compiles_into_one_graph(semantics: str):
    scene = cut_scene()

    def loss(verts_clip: Tensor) -> Tensor:
        image = soft_coverage(verts_clip * 1.01, scene.faces, IMAGE_SIZE, **options(semantics))
        return image.square().sum()

    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
    verts_clip = scene.verts_clip.clone().requires_grad_()
    value, expected = compiled(verts_clip), loss(verts_clip)
    torch.testing.assert_close(value, expected)
    (grad,) = torch.autograd.grad(value, verts_clip)
    (expected_grad,) = torch.autograd.grad(expected, verts_clip)
    torch.testing.assert_close(grad, expected_grad)


def test_shapes_are_known_without_running():
    faces = torch.empty(5, 3, dtype=torch.int32, device="meta")
    image = soft_coverage(torch.empty(3, 42, 4, device="meta"), faces, (5, 6), sigma=1.0)
    assert image.shape == (3, 5, 6)


def test_inputs_need_not_be_contiguous():
    scene = cut_scene()
    verts = scene.verts_clip.transpose(0, 1).contiguous().transpose(0, 1)
    faces = scene.faces.T.contiguous().T
    assert not verts.is_contiguous()
    assert not faces.is_contiguous()
    expected = soft_coverage(scene.verts_clip, scene.faces, IMAGE_SIZE, sigma=1.0)
    assert torch.equal(soft_coverage(verts, faces, IMAGE_SIZE, sigma=1.0), expected)


def test_a_second_derivative_is_refused():
    scene = cut_scene()
    verts_clip = scene.verts_clip.clone().requires_grad_()
    image = soft_coverage(verts_clip, scene.faces, IMAGE_SIZE, sigma=1.0)
    (grad,) = torch.autograd.grad(image.square().sum(), verts_clip, create_graph=True)
    with pytest.raises(RuntimeError):
        grad.square().sum().backward()

"""`rasterize` as a citizen of torch: opcheck, compile, meta tensors, views."""

import pytest
import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from lightning_rast.ops import rasterize
from tests.ops.contour_meshes import bumpy_sphere, icosphere
from tests.ops.contour_views import seen_from

IMAGE_SIZE = (12, 14)
RANGES = torch.tensor([[0, 100], [50, 320]])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("num_layers", [None, 2])
@pytest.mark.parametrize("packed", [False, True])
def test_registration(dtype: torch.dtype, num_layers: int | None, packed: bool):
    mesh = bumpy_sphere(2)
    verts_clip = seen_from(mesh.verts).to(dtype)
    verts_clip = (verts_clip[0] if packed else verts_clip).requires_grad_()
    ranges = RANGES if packed else None
    torch.library.opcheck(
        torch.ops.lightning_rast.rasterize.default,
        (verts_clip, mesh.faces, ranges, *IMAGE_SIZE, "none", num_layers),
    )


@pytest.mark.parametrize("absent", [None, "bary", "depth"])
def test_registration_of_the_backward_op(absent: str | None):
    mesh = bumpy_sphere(2)
    verts_clip = seen_from(mesh.verts)
    fragments = rasterize(verts_clip, mesh.faces, IMAGE_SIZE)
    grad_bary = None if absent == "bary" else torch.rand_like(fragments.bary)
    grad_depth = None if absent == "depth" else torch.rand_like(fragments.depth)
    torch.library.opcheck(
        torch.ops.lightning_rast.rasterize_backward.default,
        (grad_bary, grad_depth, fragments.face_idx, verts_clip, mesh.faces),
    )


def test_compiles_into_one_graph():
    mesh = icosphere(2)

    def loss(verts_clip: Tensor) -> Tensor:
        fragments = rasterize(verts_clip * 1.01, mesh.faces, IMAGE_SIZE, cull="back")
        return (fragments.bary[..., 0] * fragments.depth).sum()

    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
    verts_clip = seen_from(mesh.verts).requires_grad_()
    for scale in (1.0, 0.9):
        value, expected = compiled(verts_clip * scale), loss(verts_clip * scale)
        torch.testing.assert_close(value, expected)
        (grad,) = torch.autograd.grad(value, verts_clip)
        (expected_grad,) = torch.autograd.grad(expected, verts_clip)
        torch.testing.assert_close(grad, expected_grad)


def test_shapes_are_known_without_running():
    mesh = icosphere(1)
    faces = mesh.faces.to("meta")
    fragments = rasterize(torch.empty(3, 42, 4, device="meta"), faces, (5, 6), num_layers=2)
    assert fragments.face_idx.shape == (3, 2, 5, 6)
    assert fragments.face_idx.dtype == torch.int32
    assert fragments.bary.shape == (3, 2, 5, 6, 3)
    assert fragments.depth.device.type == "meta"


def test_arguments_need_not_be_contiguous():
    mesh = icosphere(2)
    verts_clip = seen_from(mesh.verts)
    expected = rasterize(verts_clip, mesh.faces, IMAGE_SIZE)
    strided = rasterize(verts_clip.mT.contiguous().mT, mesh.faces.T.contiguous().T, IMAGE_SIZE)
    assert torch.equal(strided.bary, expected.bary)


def test_checkpointing_recomputes_the_same_gradient():
    mesh = icosphere(2)
    verts_clip = seen_from(mesh.verts).requires_grad_()

    def depth(verts: Tensor) -> Tensor:
        return rasterize(verts, mesh.faces, IMAGE_SIZE).depth.sum()

    (expected,) = torch.autograd.grad(depth(verts_clip), verts_clip)
    recomputed = checkpoint(depth, verts_clip, use_reentrant=False)
    (actual,) = torch.autograd.grad(recomputed, verts_clip)
    assert torch.equal(actual, expected)


def test_a_second_derivative_is_refused():
    mesh = icosphere(1)
    verts_clip = seen_from(mesh.verts).requires_grad_()
    depth = rasterize(verts_clip, mesh.faces, IMAGE_SIZE).depth
    (grad,) = torch.autograd.grad(depth.square().sum(), verts_clip, create_graph=True)
    with pytest.raises(RuntimeError, match="cannot be differentiated again"):
        grad.square().sum().backward()

"""`contour_coverage` as a citizen of torch: opcheck, compile, meta tensors, saved-tensor hooks."""

import pytest
import torch
from torch import Tensor
from torch._subclasses import FakeTensor, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.checkpoint import checkpoint

from lightning_rast.ops import contour_coverage
from tests.ops.contour_meshes import Surface, bumpy_sphere, icosphere
from tests.ops.contour_views import seen_from

IMAGE_SIZE = (12, 14)


def operands(mesh: Surface) -> tuple[Tensor, ...]:
    topology = mesh.topology
    return (
        topology.faces,
        topology.edge_verts,
        topology.edge_faces,
        topology.irregular_offsets,
        topology.irregular_codes,
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("requires_grad", [False, True])
def test_registration(dtype: torch.dtype, requires_grad: bool):
    mesh = bumpy_sphere(2)
    verts_clip = seen_from(mesh.verts).to(dtype).requires_grad_(requires_grad)
    torch.library.opcheck(
        torch.ops.lightning_rast.contour_coverage.default,
        (verts_clip, *operands(mesh), *IMAGE_SIZE, requires_grad),
    )


def test_registration_of_the_backward_op():
    mesh = bumpy_sphere(2)
    verts_clip = seen_from(mesh.verts)
    coverage, tape = torch.ops.lightning_rast.contour_coverage(
        verts_clip, *operands(mesh), *IMAGE_SIZE, True
    )
    torch.library.opcheck(
        torch.ops.lightning_rast.contour_coverage_backward.default,
        (torch.rand_like(coverage), tape, verts_clip, *operands(mesh)),
    )


# PyTorch's own link command breaks in a folder with a space.
LINKS = pytest.mark.skipif(" " in torch.__file__, reason="torch is in a folder with a space")


@pytest.mark.parametrize("backend", ["aot_eager", pytest.param("inductor", marks=LINKS)])
def test_compiles_into_one_graph(backend: str):
    mesh = icosphere(2)
    topology = mesh.topology
    target = torch.rand(1, *IMAGE_SIZE, dtype=torch.float64)

    def loss(verts_clip: Tensor) -> Tensor:
        return (contour_coverage(verts_clip * 1.01, topology, IMAGE_SIZE) - target).square().sum()

    compiled = torch.compile(loss, fullgraph=True, backend=backend)
    verts_clip = seen_from(mesh.verts).requires_grad_()
    for scale in (1.0, 0.9):  # the second call meets a compiled graph and another outline
        value, expected = compiled(verts_clip * scale), loss(verts_clip * scale)
        torch.testing.assert_close(value, expected)
        (grad,) = torch.autograd.grad(value, verts_clip)
        (expected_grad,) = torch.autograd.grad(expected, verts_clip)
        torch.testing.assert_close(grad, expected_grad)


def test_a_plain_call_gives_the_operators_bits():
    # It does not go through the dispatcher.
    mesh = bumpy_sphere(2)
    verts_clip = seen_from(mesh.verts).requires_grad_()
    upstream = torch.rand(1, *IMAGE_SIZE, dtype=verts_clip.dtype)
    plain = contour_coverage(verts_clip, mesh.topology, IMAGE_SIZE)
    coverage, _ = torch.ops.lightning_rast.contour_coverage(
        verts_clip, *operands(mesh), *IMAGE_SIZE, True
    )
    assert torch.equal(plain, coverage)
    (grad,) = torch.autograd.grad(plain, verts_clip, upstream)
    (expected_grad,) = torch.autograd.grad(coverage, verts_clip, upstream)
    assert torch.equal(grad, expected_grad)


class _NamesOfOperators(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.names.append(func.name())
        return func(*args, **(kwargs or {}))


def test_dispatch_modes_see_both_operators():
    mesh = icosphere(1)
    verts_clip = seen_from(mesh.verts).requires_grad_()
    with _NamesOfOperators() as seen:
        coverage = contour_coverage(verts_clip, mesh.topology, IMAGE_SIZE)
        coverage.sum().backward()
    assert "lightning_rast::contour_coverage" in seen.names
    assert "lightning_rast::contour_coverage_backward" in seen.names


def test_fake_tensors_need_no_kernel():
    mesh = icosphere(1)
    topology, verts_clip = mesh.topology, seen_from(mesh.verts)
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        verts_clip = mode.from_tensor(verts_clip).requires_grad_()
        coverage = contour_coverage(verts_clip, topology, IMAGE_SIZE)
        (grad,) = torch.autograd.grad(coverage.sum(), verts_clip)
    assert isinstance(coverage, FakeTensor)
    assert isinstance(grad, FakeTensor)


def test_shapes_are_known_without_running():
    mesh = icosphere(1)
    topology = mesh.topology.to("meta")
    coverage = contour_coverage(torch.empty(3, 42, 4, device="meta"), topology, (5, 6))
    assert coverage.shape == (3, 5, 6)
    assert coverage.device.type == "meta"


def test_saved_tensors_may_be_copied_elsewhere():
    # Offloading hooks copy what autograd saves: views then lose the storage around them.
    mesh = icosphere(2)
    verts_clip = seen_from(mesh.verts).requires_grad_()
    (expected,) = torch.autograd.grad(
        contour_coverage(verts_clip, mesh.topology, IMAGE_SIZE).sum(), verts_clip
    )
    with torch.autograd.graph.saved_tensors_hooks(lambda saved: saved.clone(), lambda saved: saved):
        coverage = contour_coverage(verts_clip, mesh.topology, IMAGE_SIZE)
    (actual,) = torch.autograd.grad(coverage.sum(), verts_clip)
    assert torch.equal(actual, expected)


def test_checkpointing_recomputes_the_same_gradient():
    mesh = icosphere(2)
    verts_clip = seen_from(mesh.verts).requires_grad_()
    topology = mesh.topology

    def area(verts: Tensor) -> Tensor:
        return contour_coverage(verts, topology, IMAGE_SIZE).sum()

    (expected,) = torch.autograd.grad(area(verts_clip), verts_clip)
    recomputed = checkpoint(area, verts_clip, use_reentrant=False)
    (actual,) = torch.autograd.grad(recomputed, verts_clip)
    assert torch.equal(actual, expected)


def test_a_second_derivative_is_refused():
    mesh = icosphere(1)
    verts_clip = seen_from(mesh.verts).requires_grad_()
    coverage = contour_coverage(verts_clip, mesh.topology, IMAGE_SIZE)
    (grad,) = torch.autograd.grad(coverage.square().sum(), verts_clip, create_graph=True)
    with pytest.raises(RuntimeError):
        grad.square().sum().backward()

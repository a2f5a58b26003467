"""`transform_points` against its reference: values, gradients, bits, sizes, bad arguments."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from lightning_rast.ops import transform, transform_points
from tests.ops.instruction_sets import printed_by
from tests.ops.transform_cases import NUM_VERTS, case, fingerprint, outputs
from tests.reference import transform as reference

both_kinds_of_points = pytest.mark.parametrize("shared", [True, False], ids=["shared", "per_view"])
both_dtypes = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["f32", "f64"])


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def reference_outputs(points: Tensor, matrices: Tensor, grad: Tensor) -> tuple[Tensor, ...]:
    leaves = points.detach().requires_grad_(), matrices.detach().requires_grad_()
    out = reference.transform_points(*leaves)
    return out.detach(), *torch.autograd.grad(out, leaves, grad)


@both_kinds_of_points
@pytest.mark.parametrize("num_verts", NUM_VERTS)
def test_values_and_gradients_match_the_reference(num_verts: int, shared: bool):
    inputs = case(3, num_verts, shared=shared)
    for actual, expected in zip(outputs(*inputs), reference_outputs(*inputs), strict=True):
        torch.testing.assert_close(actual, expected, rtol=1e-12, atol=1e-11)


@both_kinds_of_points
def test_float32_is_rounded_once(shared: bool):
    points, matrices, grad = case(4, 700, shared=shared, dtype=torch.float32)
    actual = outputs(points, matrices, grad)
    exact = outputs(points.double(), matrices, grad.double())
    # Equal bits, so nothing in between was float32.
    assert torch.equal(actual[0], exact[0].float())
    assert torch.equal(actual[1], exact[1].float())
    assert torch.equal(actual[2], exact[2])
    assert [x.dtype for x in actual] == [torch.float32, torch.float32, torch.float64]


@both_kinds_of_points
def test_gradients(shared: bool):
    points, matrices, _ = case(3, 4, shared=shared)
    inputs = points.requires_grad_(), matrices.requires_grad_()
    assert torch.autograd.gradcheck(transform_points, inputs)


@both_kinds_of_points
def test_second_derivatives(shared: bool):
    points, matrices, _ = case(2, 3, shared=shared)
    inputs = points.requires_grad_(), matrices.requires_grad_()
    assert torch.autograd.gradgradcheck(transform_points, inputs)


@both_kinds_of_points
def test_third_derivatives_of_a_cubic(shared: bool):
    points, matrices, _ = case(2, 3, shared=shared)
    points.requires_grad_(), matrices.requires_grad_()

    def third(transform) -> Tensor:
        value = transform(points, matrices).pow(3).sum()
        for _ in range(3):
            grads = torch.autograd.grad(value, (points, matrices), create_graph=True)
            value = sum((grad.square().sum() for grad in grads), start=value * 0)
        return value.detach()

    torch.testing.assert_close(third(transform_points), third(reference.transform_points))


@pytest.mark.parametrize("wanted", ["points", "matrices"])
def test_the_operator_computes_only_the_gradient_that_is_needed(wanted: str):
    inputs = dict(zip(("points", "matrices"), case(2, 5, shared=True), strict=False))
    inputs[wanted].requires_grad_()
    with torch.profiler.profile() as profile:
        torch.ops.lightning_rast.transform_points(**inputs).sum().backward()
    called = {event.name for event in profile.events() if event.name.startswith("lightning_rast")}
    assert called == {"lightning_rast::transform_points", f"lightning_rast::transform_{wanted}_vjp"}


@pytest.mark.parametrize("wanted", ["points", "matrices"])
def test_a_plain_call_computes_only_the_gradient_that_is_needed(wanted: str, monkeypatch):
    called = []
    for name in ("points", "matrices"):
        compute = getattr(transform, f"_{name}_vjp")

        def noted(*arguments, name=name, compute=compute):
            called.append(name)
            return compute(*arguments)

        monkeypatch.setattr(transform, f"_{name}_vjp", noted)
    inputs = dict(zip(("points", "matrices"), case(2, 5, shared=True), strict=False))
    inputs[wanted].requires_grad_()
    transform_points(**inputs).sum().backward()
    assert called == [wanted]


@pytest.mark.parametrize("shared", [False, True])
def test_a_plain_call_gives_the_operators_bits(shared: bool):
    # It does not go through the dispatcher.
    inputs = [x.requires_grad_() for x in case(2, 5, shared=shared)[:2]]
    results = []
    for draw in (transform_points, torch.ops.lightning_rast.transform_points):
        out = draw(*inputs)
        results.append((out, *torch.autograd.grad(out.square().sum(), inputs)))
    assert all(map(torch.equal, *results))


@pytest.mark.parametrize("num_threads", [2, 3, 7])
def test_thread_counts_agree_bit_for_bit(threads: None, num_threads: int):
    torch.set_num_threads(1)
    expected = fingerprint()
    torch.set_num_threads(num_threads)
    assert fingerprint() == expected


@pytest.mark.parametrize("isa", ["v2", "v3", "v4"])
def test_instruction_sets_agree_bit_for_bit(isa: str):
    assert printed_by("tests.ops.transform_cases", isa) == fingerprint()


@both_dtypes
@both_kinds_of_points
@pytest.mark.parametrize(("num_views", "num_verts"), [(0, 0), (0, 4), (2, 0), (1, 1)])
def test_empty_and_smallest(num_views: int, num_verts: int, shared: bool, dtype: torch.dtype):
    inputs = case(num_views, num_verts, shared=shared, dtype=dtype)
    for actual, expected in zip(outputs(*inputs), reference_outputs(*inputs), strict=True):
        torch.testing.assert_close(actual, expected)


def test_strided_inputs():
    points, matrices, grad = case(3, 40, shared=False)
    expected = outputs(points, matrices, grad)
    strided = (
        points.permute(2, 0, 1).contiguous().permute(1, 2, 0),
        matrices.mT.contiguous().mT,
        grad[:, :, :1].expand(3, 40, 4),
    )
    assert not any(x.is_contiguous() for x in strided)
    actual = outputs(*strided)
    assert torch.equal(actual[0], expected[0])
    expected = outputs(points, matrices, strided[2].contiguous())
    assert torch.equal(actual[1], expected[1])
    assert torch.equal(actual[2], expected[2])


def test_values_that_are_not_finite_pass_through():
    points = torch.tensor([[torch.nan, 0, 0], [torch.inf, 1, 2]])
    out = transform_points(points, torch.eye(4, dtype=torch.float64)[None] + 1)
    assert out[0, 0].isnan().all()
    assert out[0, 1].isinf().all()


@both_dtypes
@both_kinds_of_points
def test_registration(shared: bool, dtype: torch.dtype):
    points, matrices, grad = case(2, 5, shared=shared, dtype=dtype)
    ops = torch.ops.lightning_rast
    leaves = points.requires_grad_(), matrices.requires_grad_()
    torch.library.opcheck(ops.transform_points.default, leaves)
    torch.library.opcheck(ops.transform_points_vjp.default, (grad, matrices, shared))
    torch.library.opcheck(ops.transform_matrices_vjp.default, (grad, points))


# PyTorch's own link command breaks in a folder with a space.
LINKS = pytest.mark.skipif(" " in torch.__file__, reason="torch is in a folder with a space")


@pytest.mark.parametrize("backend", ["aot_eager", pytest.param("inductor", marks=LINKS)])
def test_compiles_into_one_graph(backend: str):
    def loss(points: Tensor, matrices: Tensor) -> Tensor:
        return transform_points(points * 1.01, matrices).square().sum()

    compiled = torch.compile(loss, fullgraph=True, backend=backend)
    points, matrices, _ = case(2, 50, shared=True, dtype=torch.float32)
    leaves = points.requires_grad_(), matrices.requires_grad_()
    value, expected = compiled(*leaves), loss(*leaves)
    torch.testing.assert_close(value, expected)
    for actual, wanted in zip(
        torch.autograd.grad(value, leaves), torch.autograd.grad(expected, leaves), strict=True
    ):
        torch.testing.assert_close(actual, wanted)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("shape", [(5,), (5, 4), (2, 5, 2), (1, 2, 5, 3)])
def test_shape_of_points(shape: tuple[int, ...]):
    with pytest.raises(ValueError, match=r"points must be \(V, 3\) or \(N, V, 3\)") as error:
        transform_points(torch.zeros(shape), torch.eye(4).double().expand(2, 4, 4))
    assert str(shape) in str(error.value)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("shape", [(4, 4), (2, 3, 4), (1, 2, 4, 4)])
def test_shape_of_matrices(shape: tuple[int, ...]):
    with pytest.raises(ValueError, match=r"matrices must be \(N, 4, 4\)") as error:
        transform_points(torch.zeros(5, 3), torch.zeros(shape).double())
    assert str(shape) in str(error.value)


@pytest.mark.usefixtures("unchecked")
def test_numbers_of_views_must_agree():
    with pytest.raises(ValueError, match="points holds 3 views, matrices 2"):
        transform_points(torch.zeros(3, 5, 3), torch.zeros(2, 4, 4).double())


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("dtype", [torch.float16, torch.int32])
def test_dtype_of_points(dtype: torch.dtype):
    with pytest.raises(ValueError, match="points must be float32 or float64") as error:
        transform_points(torch.zeros(5, 3, dtype=dtype), torch.zeros(2, 4, 4).double())
    assert str(dtype) in str(error.value)


@pytest.mark.usefixtures("unchecked")
def test_dtype_of_matrices():
    with pytest.raises(ValueError, match="matrices must be float64, got torch.float32"):
        transform_points(torch.zeros(5, 3), torch.zeros(2, 4, 4))


def test_devices_must_agree():
    with pytest.raises(ValueError, match="points is on cpu, matrices on meta"):
        transform_points(torch.zeros(5, 3), torch.zeros(2, 4, 4, device="meta").double())

"""`interpolate` against its reference: values, gradients, bits, sizes."""

import functools
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from lightning_rast.ops import interpolate
from tests.ops.instruction_sets import printed_by
from tests.ops.interpolate_cases import NUM_CHANNELS, Picture, fingerprint, outputs
from tests.ops.interpolate_gpu_cases import SHAPES, Case, case
from tests.reference import interpolate as reference

all_layouts = pytest.mark.parametrize(
    ("by_vertex", "shared"),
    [(True, True), (True, False), (False, True), (False, False)],
    ids=["vertices", "vertices_per_view", "corners", "corners_per_view"],
)


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def reference_outputs(inputs: Case) -> tuple[Tensor, Tensor, Tensor]:
    attrs, bary = inputs.attrs.detach().requires_grad_(), inputs.bary.detach().requires_grad_()
    out = reference.interpolate(attrs, inputs.faces, inputs.face_idx, bary)
    return out.detach(), *torch.autograd.grad(out, (attrs, bary), inputs.grad)


@all_layouts
@pytest.mark.parametrize("num_channels", NUM_CHANNELS)
def test_values_and_gradients_match_the_reference(num_channels: int, by_vertex: bool, shared: bool):
    inputs = case(
        (2, 130, 140),
        num_channels=num_channels,
        by_vertex=by_vertex,
        shared=shared,
        dtype=torch.float64,
    )
    for actual, expected in zip(outputs(inputs), reference_outputs(inputs), strict=True):
        torch.testing.assert_close(actual, expected, rtol=1e-12, atol=1e-11)


@all_layouts
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["f32", "f64"])
def test_pictures_of_all_shapes(
    shape: tuple[int, ...], by_vertex: bool, shared: bool, dtype: torch.dtype
):
    inputs = case(shape, by_vertex=by_vertex, shared=shared, dtype=dtype)
    for actual, expected in zip(outputs(inputs), reference_outputs(inputs), strict=True):
        torch.testing.assert_close(actual, expected)


def test_gradients_of_float32_are_summed_in_double_and_rounded_once():
    inputs = case((3, 100, 120), num_channels=4)
    exact = outputs(Case(*(x.double() if x.is_floating_point() else x for x in inputs)))
    assert torch.equal(outputs(inputs)[1], exact[1].float())


def test_texture_coordinates_have_seams_of_their_own():
    # One edge, 1-2, is shared by both faces; its ends have another u in each.
    # 1---3
    # | \ |
    # 0---2
    faces_uv = torch.tensor([[0, 2, 1], [3, 4, 5]], dtype=torch.int32)
    uv = torch.tensor([[0.0, 0.0], [0.0, 1.0], [0.5, 0.0], [0.9, 0.0], [1.0, 1.0], [0.9, 1.0]])
    face_idx = torch.tensor([[[0, 1]]], dtype=torch.int32)
    on_the_edge = torch.tensor([[[[0.0, 0.5, 0.5], [0.5, 0.0, 0.5]]]])
    out = interpolate(uv, faces_uv, Picture(face_idx, on_the_edge))
    torch.testing.assert_close(out, torch.tensor([[[[0.25, 0.5], [0.9, 0.5]]]]))


def test_the_background_is_zero_whatever_the_attributes():
    attrs = torch.full((3, 4), torch.nan, requires_grad=True)
    bary = torch.full((1, 2, 2, 3), torch.nan, requires_grad=True)
    face_idx = torch.full((1, 2, 2), -1, dtype=torch.int32)
    out = interpolate(attrs, torch.tensor([[0, 1, 2]], dtype=torch.int32), Picture(face_idx, bary))
    grads = torch.autograd.grad(out, (attrs, bary), torch.full_like(out, torch.nan))
    assert [x.count_nonzero().item() for x in (out, *grads)] == [0, 0, 0]


def test_attributes_that_are_not_finite_stay_at_their_face():
    attrs = torch.tensor([[[1.0], [2.0], [torch.inf]], [[1.0], [2.0], [3.0]]])
    face_idx = torch.tensor([[[0, 1]]], dtype=torch.int32)
    out = interpolate(attrs, None, Picture(face_idx, torch.full((1, 1, 2, 3), 1 / 3)))
    assert out[0, 0, 0].isinf()
    torch.testing.assert_close(out[0, 0, 1], torch.tensor([2.0]))


@all_layouts
@pytest.mark.parametrize("num_channels", [1, 5])
def test_gradients(num_channels: int, by_vertex: bool, shared: bool):
    inputs = case(
        (2, 2, 3), num_channels=num_channels, by_vertex=by_vertex, shared=shared, dtype=torch.double
    )

    def picture(attrs: Tensor, bary: Tensor) -> Tensor:
        return interpolate(attrs, inputs.faces, Picture(inputs.face_idx, bary))

    leaves = inputs.attrs.requires_grad_(), inputs.bary.requires_grad_()
    assert torch.autograd.gradcheck(picture, leaves)
    assert torch.autograd.gradgradcheck(picture, leaves, fast_mode=True)


@pytest.mark.parametrize("wanted", ["attrs", "bary"])
def test_only_the_gradient_that_is_needed_is_computed(wanted: str):
    inputs = case((2, 5, 6))
    getattr(inputs, wanted).requires_grad_()
    with torch.profiler.profile() as profile:
        out = interpolate(inputs.attrs, inputs.faces, Picture(inputs.face_idx, inputs.bary))
        out.sum().backward()
    called = {event.name for event in profile.events() if event.name.startswith("lightning_rast")}
    assert called == {"lightning_rast::interpolate", f"lightning_rast::interpolate_{wanted}_vjp"}


@functools.cache
def expected_fingerprint() -> str:
    return fingerprint()


@pytest.mark.parametrize("num_threads", [2, 3, 7])
def test_thread_counts_agree_bit_for_bit(threads: None, num_threads: int):
    torch.set_num_threads(1)
    expected = expected_fingerprint()
    torch.set_num_threads(num_threads)
    assert fingerprint() == expected


@pytest.mark.parametrize("isa", ["v2", "v3", "v4"])
def test_instruction_sets_agree_bit_for_bit(isa: str):
    assert printed_by("tests.ops.interpolate_cases", isa) == expected_fingerprint()


@pytest.mark.parametrize(
    ("num_rows", "num_faces", "num_channels"), [(0, 0, 3), (5, 0, 3), (5, 4, 0)]
)
def test_empty_meshes_and_attributes(num_rows: int, num_faces: int, num_channels: int):
    attrs = torch.zeros(num_rows, num_channels, requires_grad=True)
    faces = torch.zeros(num_faces, 3, dtype=torch.int32)
    bary = torch.zeros(2, 3, 4, 3, requires_grad=True)
    face_idx = torch.full((2, 3, 4), min(0, num_faces - 1), dtype=torch.int32)
    out = interpolate(attrs, faces, Picture(face_idx, bary))
    grads = torch.autograd.grad(out.sum(), (attrs, bary))
    assert [tuple(x.shape) for x in (out, *grads)] == [
        (2, 3, 4, num_channels),
        (num_rows, num_channels),
        (2, 3, 4, 3),
    ]
    assert not grads[1].any()


@all_layouts
def test_strided_inputs(by_vertex: bool, shared: bool):
    inputs = case((2, 30, 40), by_vertex=by_vertex, shared=shared)

    def strided(x: Tensor) -> Tensor:
        return torch.stack((x, torch.zeros_like(x)), dim=-1)[..., 0]

    others = Case(*(None if x is None else strided(x) for x in inputs))
    assert not any(x is not None and x.is_contiguous() for x in others)
    for actual, expected in zip(outputs(others), outputs(inputs), strict=True):
        assert torch.equal(actual, expected)


@all_layouts
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["f32", "f64"])
def test_registration(by_vertex: bool, shared: bool, dtype: torch.dtype):
    attrs, faces, face_idx, bary, grad = case(
        (2, 4, 5), by_vertex=by_vertex, shared=shared, dtype=dtype
    )
    attrs.requires_grad_(), bary.requires_grad_(), grad.requires_grad_()
    ops, num_rows = torch.ops.lightning_rast, 15 if by_vertex else 3 * 23
    torch.library.opcheck(ops.interpolate.default, (attrs, faces, face_idx, bary))
    torch.library.opcheck(ops.interpolate_bary_vjp.default, (grad, attrs, faces, face_idx))
    torch.library.opcheck(
        ops.interpolate_attrs_vjp.default, (grad, faces, face_idx, bary, num_rows, shared)
    )


def test_compiles_into_one_graph():
    inputs = case((2, 6, 7))

    def loss(attrs: Tensor, bary: Tensor) -> Tensor:
        picture = Picture(inputs.face_idx, bary * 1.01)
        return interpolate(attrs, inputs.faces, picture).square().sum()

    leaves = inputs.attrs.requires_grad_(), inputs.bary.requires_grad_()
    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
    value, expected = compiled(*leaves), loss(*leaves)
    torch.testing.assert_close(value, expected)
    for actual, wanted in zip(
        torch.autograd.grad(value, leaves), torch.autograd.grad(expected, leaves), strict=True
    ):
        torch.testing.assert_close(actual, wanted)

"""The CUDA kernels of `antialias`, run on the CPU, against the CPU's own: the same pictures.

Threads and blocks run in several orders, and all memory starts as rubbish.
"""

import ctypes
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from lightning_rast.ops import antialias_cuda, contour_cuda
from lightning_rast.ops.antialias import _topology_tensors
from lightning_rast.scene import Topology
from tests.cuda_shim.on_the_cpu import FORWARD, REVERSE, SHUFFLED, cuda_is, fill_scratch, kernels_of
from tests.ops.antialias_gpu_cases import MESHES, Case, pictured, views
from tests.ops.contour_soups import general_soup, near_clipped_soup, tied_soup
from tests.ops.contour_views import seen_from


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> ctypes.CDLL:
    return kernels_of("contour", "antialias", folder=tmp_path_factory.mktemp("shim"))


@pytest.fixture
def capacities(monkeypatch) -> contour_cuda._Capacities:
    return fill_scratch(monkeypatch)


@pytest.fixture(autouse=True)
def on_the_cpu(library, capacities, monkeypatch) -> Iterator[None]:
    monkeypatch.setattr(contour_cuda, "_synchronize", lambda: None)
    with cuda_is(library, monkeypatch):
        yield


Wanted = tuple[bool, bool]
BOTH = (True, True)


def inputs_of(case: Case) -> tuple[Any, ...]:
    topology = _topology_tensors(case.topology)
    drawing = (case.face_ranges, case.cull, case.premultiplied)
    return (case.image, case.face_idx, case.verts_clip, *topology, *drawing)


def weights_of(case: Case) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.rand(case.image.shape, generator=generator, dtype=case.image.dtype) - 0.3


def through_kernels(case: Case, wanted: Wanted = BOTH) -> tuple[Tensor, Tensor, Tensor]:
    """Picture and both gradients."""
    inputs = inputs_of(case)
    out, tape = antialias_cuda._forward(*inputs, wanted[0], True)
    return out, *antialias_cuda._backward(weights_of(case), tape, *inputs, *wanted)


def on_this_cpu(case: Case, wanted: Wanted = BOTH) -> tuple[Tensor, Tensor, Tensor]:
    inputs, ops = inputs_of(case), torch.ops.lightning_rast
    out, tape = ops.antialias(*inputs, wanted[0], True)
    return out, *ops.antialias_backward(weights_of(case), tape, *inputs, *wanted)


def assert_same(case: Case, wanted: Wanted = BOTH) -> None:
    actual, expected = through_kernels(case, wanted), on_this_cpu(case, wanted)
    assert torch.equal(actual[0], expected[0])
    assert torch.equal(actual[1], expected[1])
    # The CPU adds to vertices one contribution after the other, in the picture's precision.
    tolerance = 1e-11 if case.image.dtype == torch.float64 else 2e-5
    scale = float(expected[2].abs().max()) if expected[2].numel() else 1.0
    torch.testing.assert_close(actual[2], expected[2], rtol=tolerance, atol=tolerance * scale)


@pytest.mark.parametrize("order", [FORWARD, REVERSE, SHUFFLED])
@pytest.mark.parametrize("name", MESHES)
def test_meshes(library, name, order):
    verts, faces = MESHES[name]
    library.cuda_shim_order(order, 5)
    assert_same(pictured(views(verts), faces, (33, 38)))
    assert_same(pictured(views(verts), faces, (21, 40), torch.float64))


@pytest.mark.parametrize("make", [tied_soup, general_soup, near_clipped_soup])
def test_soups(library, make):
    for seed in range(60):
        library.cuda_shim_order(seed % 3, seed)
        soup = make(seed)
        dtype = torch.float32 if seed % 2 else torch.float64
        assert_same(pictured(soup.verts_clip, soup.faces, soup.image_size, dtype))


@pytest.mark.parametrize("wanted", [(True, False), (False, True)])
def test_one_of_the_gradients(wanted):
    verts, faces = MESHES["crossing"]
    assert_same(pictured(views(verts), faces, (33, 38)), wanted)


def test_pixels_of_one_colour_are_left_out():
    verts, faces = MESHES["crossing"]
    case = pictured(views(verts), faces, (33, 38), num_channels=1)
    mask = (case.face_idx >= 0).float()[..., None]
    assert_same(case._replace(image=mask), (False, True))


@pytest.mark.parametrize("cull", ["back", "front"])
@pytest.mark.parametrize("name", ["ring", "crumpled", "nested"])
def test_culled_faces(name, cull):
    verts, faces = MESHES[name]
    assert_same(pictured(views(verts), faces, (33, 38), cull=cull))


def test_ranges_of_faces():
    verts, faces = MESHES["crossing"]
    half, end = len(faces) // 2, len(faces)
    ranges = torch.tensor([[0, half], [half - 9, end], [7, 7]])
    assert_same(pictured(views(verts), faces, (33, 38), face_ranges=ranges))
    assert_same(pictured(views(verts), faces, (33, 38), face_ranges=ranges, cull="back"))


@pytest.mark.parametrize("name", MESHES)
def test_backgrounds_that_are_zero(name):
    verts, faces = MESHES[name]
    assert_same(pictured(views(verts), faces, (33, 38), premultiplied=True))


def test_masks_over_backgrounds_that_are_zero():
    verts, faces = MESHES["crumpled"]
    case = pictured(views(verts), faces, (33, 38), num_channels=1, premultiplied=True)
    mask = (case.face_idx >= 0).float()[..., None]
    assert_same(case._replace(image=mask), (False, True))
    assert_same(case._replace(image=mask))


@pytest.mark.parametrize(("scale", "image_size"), [(0.02, (5, 6)), (0.2, (12, 12))])
def test_pixels_with_many_pieces(scale, image_size):
    verts, faces = MESHES["crumpled"]
    assert_same(pictured(seen_from(verts * scale), faces, image_size))


@pytest.mark.parametrize("image_size", [(1, 1), (1, 70), (65, 1)])
def test_shapes_of_images(image_size):
    verts, faces = MESHES["occluding"]
    assert_same(pictured(views(verts), faces, image_size))


@pytest.mark.parametrize("num_channels", [0, 1, 7])
def test_numbers_of_channels(num_channels):
    verts, faces = MESHES["crossing"]
    assert_same(pictured(views(verts), faces, (20, 22), num_channels=num_channels))


def test_nothing_to_draw():
    none = torch.zeros(0, 3, dtype=torch.int32)
    face = torch.tensor([[0, 1, 2]], dtype=torch.int32)
    for verts_clip, faces in [
        (torch.zeros(2, 0, 4), none),
        (torch.rand(1, 5, 4), none),
        (torch.zeros(0, 3, 4), face),
        (torch.zeros(1, 3, 4) + torch.tensor([0.0, 0, 0, 1]), face),
    ]:
        assert_same(pictured(verts_clip, faces, (3, 4)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["f32", "f64"])
def test_the_order_of_threads_does_not_show(library, dtype):
    verts, faces = MESHES["crossing"]
    case = pictured(views(verts), faces, (33, 38), dtype)
    results = []
    for order, seed in ((FORWARD, 0), (REVERSE, 0), (SHUFFLED, 1), (SHUFFLED, 2)):
        library.cuda_shim_order(order, seed)
        results.append(through_kernels(case))
    for result in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(result, results[0], strict=True))


@pytest.mark.parametrize(
    "value",
    [
        pytest.param([torch.nan, 0, 0, 1], id="x is NaN"),
        pytest.param([0, torch.inf, 0, 1], id="y is infinite"),
        pytest.param([0, 0, 1, -0.5], id="w is negative in front"),
    ],
)
def test_faces_with_an_impossible_vertex_have_no_outline(value):
    verts, faces = MESHES["occluding"]
    kept = faces[(faces != 7).all(dim=1)]
    case = pictured(seen_from(verts), kept, (20, 22), torch.float64)
    expected = on_this_cpu(case)
    refused = case.verts_clip.clone()
    refused[0, 7] = torch.tensor(value)
    numbers = torch.cat([(faces != 7).all(dim=1).nonzero()[:, 0], torch.tensor([-1])]).int()
    whole = case._replace(
        face_idx=numbers[case.face_idx.long()],
        verts_clip=refused,
        topology=Topology.from_faces(faces, len(verts)),
    )
    actual = through_kernels(whole)
    torch.testing.assert_close(actual[0], expected[0], rtol=0, atol=1e-12)
    assert actual[2].isfinite().all()


def test_numbers_of_faces_that_are_not_there_are_background():
    verts, faces = MESHES["occluding"]
    case = pictured(seen_from(verts), faces, (20, 22))
    wrong, right = case.face_idx.clone(), case.face_idx.clone()
    wrong[0, ::3], right[0, ::3] = len(faces) + 5, -1
    wrong[0, 1::5], right[0, 1::5] = -7, -1
    actual = through_kernels(case._replace(face_idx=wrong))
    expected = through_kernels(case._replace(face_idx=right))
    assert all(torch.equal(a, b) for a, b in zip(actual, expected, strict=True))


@pytest.fixture
def without_room(capacities, monkeypatch) -> Callable[[], tuple[Tensor, ...]]:
    """A picture that at first has room for 64 pieces."""
    capacities.pieces_per_view = 0
    monkeypatch.setattr(contour_cuda, "_default_capacity", lambda *sizes: 64)
    verts, faces = MESHES["crumpled"]
    return lambda: through_kernels(pictured(views(verts), faces, (33, 38)))


def test_too_little_room_is_told_until_there_is_enough(without_room):
    first = without_room()
    assert all(x.isfinite().all() for x in first)
    with pytest.warns(contour_cuda.ContourCapacityWarning, match="antialias: a picture had room"):
        without_room()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", contour_cuda.ContourCapacityWarning)
        while contour_cuda.contour_overflowed():
            without_room()
    verts, faces = MESHES["crumpled"]
    expected = on_this_cpu(pictured(views(verts), faces, (33, 38)))
    assert not torch.equal(first[0], expected[0])
    assert torch.equal(without_room()[0], expected[0])


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(Tensor.clone, id="a copy"),
        pytest.param(lambda tape: torch.cat([tape] * 100)[7:8], id="a part of another tensor"),
    ],
)
def test_a_tape_that_lost_its_records_is_made_again(change):
    verts, faces = MESHES["crossing"]
    case = pictured(views(verts), faces, (20, 22))
    inputs = inputs_of(case)
    _, tape = antialias_cuda._forward(*inputs, True, True)
    weights = weights_of(case)
    actual = antialias_cuda._backward(weights, change(tape), *inputs, *BOTH)
    expected = antialias_cuda._backward(weights, tape, *inputs, *BOTH)
    assert all(torch.equal(a, b) for a, b in zip(actual, expected, strict=True))


def test_a_foreign_tensor_of_a_tapes_size_gives_nan():
    verts, faces = MESHES["crossing"]
    case = pictured(views(verts), faces, (20, 22))
    inputs = inputs_of(case)
    _, tape = antialias_cuda._forward(*inputs, True, True)
    foreign = torch.zeros(tape.untyped_storage().nbytes() // 8, dtype=torch.int64)[:1]
    grads = antialias_cuda._backward(weights_of(case), foreign, *inputs, *BOTH)
    assert all(grad.isnan().all() for grad in grads)


def test_too_many_pixels_are_refused():
    topology = _topology_tensors(Topology.from_faces(torch.zeros(0, 3, dtype=torch.int32), 0))
    face_idx = torch.zeros(1, 1, 1, dtype=torch.int32).expand(2, 2**15, 2**15)
    image = torch.zeros(1, 1, 1, 0).expand(2, 2**15, 2**15, 0)
    with pytest.raises(ValueError, match="antialias: 2 views.*split the views"):
        antialias_cuda._forward(
            image, face_idx, torch.zeros(2, 0, 4), *topology, None, "none", False, True, True
        )

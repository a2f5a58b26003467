"""The CUDA kernels of `rasterize`, run on the CPU, against the CPU's own: the same fragments.

Threads and blocks run in several orders, and all memory starts as rubbish.
"""

import ctypes
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from lightning_rast.ops import _cuda_call, rasterize_cuda
from tests.cuda_shim.on_the_cpu import (
    FORWARD,
    REVERSE,
    SHUFFLED,
    cuda_is,
    fill_new_tensors,
    kernels_of,
)
from tests.ops.contour_soups import general_soup, near_clipped_soup, tied_near_soup, tied_soup
from tests.ops.contour_views import on_screen, seen_from
from tests.ops.rasterize_gpu_cases import MESHES, Case, grazing_faces, large_faces, packed, views

NOTHING = torch.zeros(0, 3, dtype=torch.int32)
FACE = torch.tensor([[0, 1, 2]], dtype=torch.int32)


def build(folder: Path, *, most_queued: int | None = None) -> ctypes.CDLL:
    """The kernels, or those with another length of the queue of large faces."""
    flags = () if most_queued is None else (f"-DLRAST_MOST_QUEUED={most_queued}",)
    return kernels_of("rasterize", folder=folder, flags=flags)


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> ctypes.CDLL:
    return build(tmp_path_factory.mktemp("shim"))


@pytest.fixture(autouse=True)
def on_the_cpu(library, monkeypatch) -> Iterator[None]:
    fill_new_tensors(monkeypatch)
    with cuda_is(library, monkeypatch):
        yield


def gradients_of(fragments: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    bary, depth, _ = fragments
    return tuple(torch.randn(x.shape, generator=generator, dtype=x.dtype) for x in (bary, depth))


def assert_same_fragments(case: Case) -> tuple[Tensor, ...]:
    actual = rasterize_cuda._forward(*case)
    expected = torch.ops.lightning_rast.rasterize(*case)
    for name, a, b in zip(("bary", "depth", "face_idx"), actual, expected, strict=True):
        assert torch.equal(a, b), name
    return actual


def assert_same(case: Case) -> None:
    fragments = assert_same_fragments(case)
    inputs = (*gradients_of(fragments), fragments[2], case.verts_clip, case.faces)
    actual = rasterize_cuda._backward(*inputs)
    expected = torch.ops.lightning_rast.rasterize_backward(*inputs)
    # Vertices of slivers take what is small beside their largest contribution.
    scale = expected.abs().amax(dim=-1, keepdim=True) if expected.numel() else 1.0
    error = ((actual - expected).abs() / (scale + 1e-12)).max() if expected.numel() else 0.0
    assert error < (1e-11 if case.verts_clip.dtype == torch.float64 else 1e-3)


@pytest.mark.parametrize("order", [FORWARD, REVERSE, SHUFFLED])
@pytest.mark.parametrize("mesh", MESHES.values(), ids=MESHES)
def test_meshes(library, mesh, order):
    library.cuda_shim_order(order, 5)
    assert_same(Case(views(mesh), mesh.faces, None, 32, 36))
    assert_same(Case(views(mesh, torch.float64), mesh.faces, None, 9, 70))


@pytest.mark.parametrize("make", [tied_soup, general_soup, near_clipped_soup, tied_near_soup])
def test_soups(library, make):
    for seed in range(150):
        library.cuda_shim_order(seed % 3, seed)
        soup = make(seed)
        dtype = torch.float32 if seed % 2 else torch.float64
        cull = ("none", "back", "front")[seed % 3]
        case = Case(soup.verts_clip.to(dtype), soup.faces, None, *soup.image_size, cull)
        assert_same_fragments(case)


@pytest.mark.parametrize("order", [FORWARD, REVERSE, SHUFFLED])
@pytest.mark.parametrize("image_size", [(90, 75), (1, 200), (300, 1), (1, 1)])
def test_faces_of_all_sizes(library, order, image_size):
    library.cuda_shim_order(order, 7)
    assert_same(large_faces(image_size))


@pytest.mark.parametrize("reach", [5.0, 50.0, 5000.0])
def test_edges_that_pass_pixel_centres_at_almost_no_distance(reach):
    assert_same_fragments(grazing_faces(12, reach))


@pytest.mark.parametrize("order", [FORWARD, REVERSE, SHUFFLED])
def test_a_full_queue_drops_nothing(tmp_path, monkeypatch, order):
    library = build(tmp_path, most_queued=5)
    monkeypatch.setattr(_cuda_call, "cuda", lambda: library)
    library.cuda_shim_order(order, 3)
    assert_same_fragments(large_faces((70, 65)))


def test_a_queue_of_many_faces_is_searched(library):
    size = (40, 40)
    generator = torch.Generator().manual_seed(0)
    xy = 40 * torch.rand(3 * 300, 2, generator=generator, dtype=torch.float64)
    faces = torch.arange(3 * 300, dtype=torch.int32).reshape(-1, 3)
    assert_same_fragments(Case(on_screen(xy, size)[None], faces, None, *size))


@pytest.mark.parametrize("cull", ["none", "back", "front"])
@pytest.mark.parametrize("num_layers", [1, 2, 5, 40])
@pytest.mark.parametrize("order", [FORWARD, REVERSE, SHUFFLED])
def test_layers(library, cull, num_layers, order):
    library.cuda_shim_order(order, 11)
    mesh = MESHES["nested"]
    assert_same(Case(views(mesh), mesh.faces, None, 12, 14, cull, num_layers))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["f32", "f64"])
@pytest.mark.parametrize("num_layers", [None, 2])
def test_packed_meshes(dtype, num_layers):
    assert_same(packed(dtype)._replace(num_layers=num_layers))


def test_a_range_that_is_none_draws_nothing():
    good = packed()
    ranges = torch.tensor([(-1, 5), (3, 2), (0, len(good.faces) + 1), (0, 100)])
    _, _, face_idx = rasterize_cuda._forward(*good._replace(face_ranges=ranges))
    assert (face_idx[:3] == -1).all()
    assert (face_idx[3] >= 0).any()


def test_a_single_view_far_from_perspective_is_told_from_its_neighbours():
    # Only the first view's clip w are all equal; the key of the second one is 1 / w.
    faces = torch.tensor([[0, 1, 2], [3, 4, 5]], dtype=torch.int32)
    corners = torch.tensor([[-1.0, -1, 0, 1], [3, -1, 0, 1], [-1, 3, 0, 1]])
    flat = torch.cat([corners, corners + torch.tensor([0, 0, -0.5, 0])])
    deep = torch.cat([corners, 2 * corners + torch.tensor([0, 0, -1.5, 0])])
    fragments = assert_same_fragments(Case(torch.stack([flat, deep]), faces, None, 4, 4))
    assert (fragments[2][0] == 1).all()
    assert (fragments[2][1] == 0).all()


def test_nothing_to_draw():
    for verts_clip, faces in [
        (torch.zeros(2, 0, 4), NOTHING),
        (torch.rand(1, 5, 4), NOTHING),
        (torch.zeros(0, 3, 4), FACE),
        (torch.zeros(1, 3, 4) + torch.tensor([0.0, 0, 0, 1]), FACE),
        (torch.ones(1, 3, 4) * torch.tensor([0.0, 0, -2, 1]), FACE),
    ]:
        assert_same(Case(verts_clip, faces, None, 3, 4))


@pytest.mark.parametrize(
    "value",
    [
        pytest.param([torch.nan, 0, 0, 1], id="x is NaN"),
        pytest.param([0, 0, 0, torch.nan], id="w is NaN"),
        pytest.param([0, torch.inf, 0, 1], id="y is infinite"),
        pytest.param([0, 0, -torch.inf, 1], id="z is infinite"),
        pytest.param([0, 0, 1, -0.5], id="w is negative in front"),
        pytest.param([1e308, 0, 0, 1e-308], id="beyond the largest number"),
    ],
)
@pytest.mark.parametrize("view", range(3), ids=["outside", "cut", "parallel"])
def test_faces_with_an_impossible_vertex_are_left_out(value, view):
    mesh = MESHES["bumpy"]
    case = Case(views(mesh, torch.float64)[view : view + 1], mesh.faces, None, 24, 26)
    refused = case.verts_clip.clone()
    refused[0, 7] = torch.tensor(value)
    is_kept = (mesh.faces != 7).all(dim=1)
    bary, depth, face_idx = rasterize_cuda._forward(*case._replace(verts_clip=refused))
    expected = torch.ops.lightning_rast.rasterize(*case._replace(faces=mesh.faces[is_kept]))
    numbers = torch.cat([is_kept.nonzero()[:, 0], torch.tensor([-1])]).int()
    assert torch.equal(face_idx, numbers[expected[2].long()])
    assert torch.equal(bary, expected[0])
    assert torch.equal(depth, expected[1])


@pytest.mark.parametrize("vert", [-1, 12_345, 2**31 - 1])
def test_faces_that_name_no_vertex_are_left_out(vert):
    mesh = MESHES["bumpy"]
    case = Case(views(mesh), mesh.faces.clone(), None, 24, 26)
    is_kept = torch.ones(len(mesh.faces), dtype=torch.bool)
    is_kept[:9] = False
    case.faces[:9, 1] = vert
    actual = rasterize_cuda._forward(*case)
    expected = torch.ops.lightning_rast.rasterize(*case._replace(faces=mesh.faces[is_kept]))
    assert torch.equal(actual[2], torch.where(expected[2] < 0, -1, expected[2] + 9))
    assert torch.equal(actual[0], expected[0])


def test_gradients_of_weights_or_depth_alone():
    mesh = MESHES["torus"]
    case = Case(views(mesh, torch.float64), mesh.faces, None, 20, 22)
    fragments = rasterize_cuda._forward(*case)
    grad_bary, grad_depth = gradients_of(fragments)
    for grads in [(grad_bary, None), (None, grad_depth)]:
        inputs = (*grads, fragments[2], case.verts_clip, case.faces)
        actual = rasterize_cuda._backward(*inputs)
        expected = torch.ops.lightning_rast.rasterize_backward(*inputs)
        torch.testing.assert_close(actual, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["f32", "f64"])
def test_the_order_of_threads_does_not_show_in_gradients(library, dtype):
    mesh = MESHES["torus"]
    case = Case(views(mesh, dtype), mesh.faces, None, 40, 44)
    fragments = rasterize_cuda._forward(*case)
    inputs = (*gradients_of(fragments), fragments[2], case.verts_clip, case.faces)
    results = []
    for order, seed in ((FORWARD, 0), (REVERSE, 0), (SHUFFLED, 1), (SHUFFLED, 2)):
        library.cuda_shim_order(order, seed)
        results.append(rasterize_cuda._backward(*inputs))
    assert all(torch.equal(result, results[0]) for result in results)


@pytest.mark.parametrize("order", [FORWARD, REVERSE, SHUFFLED])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["f32", "f64"])
def test_visible_faces(library, dtype, order):
    library.cuda_shim_order(order, 13)
    torus = MESHES["torus"]
    outside = Case(views(torus, dtype), torus.faces, None, 32, 36, "back")
    for case in (outside, packed(dtype), large_faces((90, 75))):
        actual = rasterize_cuda._visible_faces(*case[:6])
        expected = torch.ops.lightning_rast.visible_faces(*case[:6])
        assert torch.equal(actual[0], expected[0])
        assert torch.equal(actual[1], expected[1])


def test_many_faces_in_one_pixel():
    mesh = MESHES["crumpled"]
    verts_clip = seen_from(mesh.verts * 0.02).float()
    assert_same(Case(verts_clip, mesh.faces, None, 5, 6, "none", 3))

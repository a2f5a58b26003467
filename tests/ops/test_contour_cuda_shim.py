"""The CUDA kernels of `contour_coverage`, run on the CPU, against the CPU's own: same bits.

Threads and blocks run in several orders, and all scratch starts as rubbish.
"""

import ctypes
import gc
import warnings
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor

from lightning_rast.ops import contour, contour_cuda
from lightning_rast.scene import Topology
from tests.cuda_shim.on_the_cpu import FORWARD, REVERSE, SHUFFLED, cuda_is, fill_scratch, kernels_of
from tests.ops.contour_meshes import (
    Surface,
    bumpy_sphere,
    crumpled_sheet,
    icosphere,
    nested_shells,
    noisy_sphere,
    sheet,
    surface,
    torus,
)
from tests.ops.contour_soups import general_soup, near_clipped_soup, tied_soup
from tests.ops.contour_views import on_screen, seen_from


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> ctypes.CDLL:
    return kernels_of("contour", folder=tmp_path_factory.mktemp("shim"))


@pytest.fixture
def capacities(monkeypatch) -> contour_cuda._Capacities:
    return fill_scratch(monkeypatch)


@pytest.fixture(autouse=True)
def on_the_cpu(library, capacities, monkeypatch) -> Iterator[None]:
    monkeypatch.setattr(contour_cuda, "_synchronize", gc.collect)
    with cuda_is(library, monkeypatch):
        yield


def topology_tensors(faces: Tensor, num_verts: int) -> tuple[Tensor, ...]:
    return contour._topology_tensors(Topology.from_faces(faces, num_verts))


def picture_and_gradient(
    side, verts_clip: Tensor, faces: Tensor, image_size: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    topology = topology_tensors(faces, verts_clip.shape[1])
    coverage, tape = side._forward(verts_clip, *topology, *image_size, True)
    generator = torch.Generator().manual_seed(0)
    grad = torch.rand(coverage.shape, generator=generator, dtype=coverage.dtype) - 0.3
    return coverage, side._backward(grad, tape, verts_clip, *topology)


def assert_same_bits(verts_clip: Tensor, faces: Tensor, image_size: tuple[int, int]) -> None:
    coverage, grad = picture_and_gradient(contour_cuda, verts_clip, faces, image_size)
    expected, expected_grad = picture_and_gradient(contour, verts_clip, faces, image_size)
    assert torch.equal(coverage, expected)
    assert torch.equal(grad, expected_grad)


def totals(verts_clip: Tensor, faces: Tensor, image_size: tuple[int, int]) -> dict[str, int]:
    """What the kernels counted on the way; the layout is that of CudaTotals."""
    topology = topology_tensors(faces, verts_clip.shape[1])
    _, tape = contour_cuda._forward(verts_clip, *topology, *image_size, True)
    numbers = tape.new_empty(0).set_(tape.untyped_storage())[:5].tolist()
    return dict(zip(("edges", "pieces", "row_total", "many", "needed"), numbers, strict=True))


def two_views(mesh: Surface, dtype: torch.dtype) -> Tensor:
    """From outside, and from close by with faces on both sides of the near plane."""
    close = seen_from(mesh.verts, eye=(0.2, 0.1, 0.9), near=0.5)
    return torch.cat([seen_from(mesh.verts), close]).to(dtype)


def urchin(spikes: int = 24) -> Surface:
    """Triangles around one vertex, whose outlines all show."""
    angle = 2 * torch.pi * torch.arange(spikes).double() / spikes
    ring = [torch.stack([a.cos(), a.sin(), 0 * a], dim=1) for a in (angle, angle + 0.1)]
    k = torch.arange(spikes)
    faces = torch.stack([0 * k, 1 + k, 1 + spikes + k], dim=1)
    return Surface(torch.cat([torch.zeros(1, 3).double(), *ring]), faces.int())


@pytest.mark.parametrize("order", [FORWARD, REVERSE, SHUFFLED])
@pytest.mark.parametrize(
    "mesh",
    [
        torus(),
        bumpy_sphere(3),
        sheet(),
        crumpled_sheet(20),
        nested_shells(),
        noisy_sphere(4),
        urchin(),
    ],
    ids=["torus", "bumpy", "sheet", "crumpled", "nested", "noisy", "urchin"],
)
def test_meshes(library, mesh, order):
    library.cuda_shim_order(order, 5)
    assert_same_bits(two_views(mesh, torch.float32), mesh.faces, (32, 36))
    assert_same_bits(two_views(mesh, torch.float64), mesh.faces, (9, 70))


@pytest.mark.parametrize("make", [tied_soup, general_soup, near_clipped_soup])
def test_soups(library, make):
    for seed in range(120):
        library.cuda_shim_order(seed % 3, seed)
        soup = make(seed)
        dtype = torch.float32 if seed % 2 else torch.float64
        assert_same_bits(soup.verts_clip.to(dtype), soup.faces, soup.image_size)


@pytest.mark.parametrize(("scale", "at_least"), [(0.02, 257), (0.12, 9)])
def test_pixels_with_many_pieces(scale, at_least):
    mesh = noisy_sphere(4)
    verts_clip = seen_from(mesh.verts * scale).float()
    counted = totals(verts_clip, mesh.faces, (5, 6))
    assert counted["many"] > 0
    assert counted["pieces"] / (counted["row_total"] >> 32) >= at_least
    assert_same_bits(verts_clip, mesh.faces, (5, 6))


@pytest.mark.parametrize("image_size", [(1, 1), (1, 200), (300, 1), (33, 31)])
def test_shapes_of_images(image_size):
    mesh = icosphere(2)
    assert_same_bits(two_views(mesh, torch.float32), mesh.faces, image_size)


def test_more_rows_than_threads_in_a_block():
    mesh = urchin()
    views = [seen_from(mesh.verts, eye=(0.1 * k, 0.2, 2.0)) for k in range(20)]
    assert_same_bits(torch.cat(views), mesh.faces, (120, 30))


def test_nothing_to_draw():
    none = torch.zeros(0, 3, dtype=torch.int32)
    face = torch.tensor([[0, 1, 2]], dtype=torch.int32)
    for verts_clip, faces in [
        (torch.zeros(2, 0, 4), none),
        (torch.rand(1, 5, 4), none),
        (torch.zeros(0, 3, 4), face),
        (torch.zeros(1, 3, 4) + torch.tensor([0.0, 0, 0, 1]), face),
        (torch.ones(1, 3, 4) * torch.tensor([0.0, 0, -2, 1]), face),
    ]:
        assert_same_bits(verts_clip, faces, (3, 4))


@pytest.mark.parametrize(
    "value",
    [
        pytest.param([torch.nan, 0, 0, 1], id="x is NaN"),
        pytest.param([0, torch.inf, 0, 1], id="y is infinite"),
        pytest.param([0, 0, -torch.inf, 1], id="z is infinite"),
        pytest.param([0, 0, 1, -0.5], id="w is negative in front"),
        pytest.param([1e308, 0, 0, 1e-308], id="beyond the largest number"),
    ],
)
def test_faces_with_an_impossible_vertex_are_left_out(value):
    mesh = bumpy_sphere(2)
    verts_clip = seen_from(mesh.verts)
    refused = verts_clip.clone()
    refused[0, 7] = torch.tensor(value)
    coverage, grad = picture_and_gradient(contour_cuda, refused, mesh.faces, (20, 22))
    kept = mesh.faces[(mesh.faces != 7).all(dim=1)]
    expected, expected_grad = picture_and_gradient(contour, verts_clip, kept, (20, 22))
    torch.testing.assert_close(coverage, expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(grad, expected_grad, rtol=0, atol=1e-10)


def test_faces_whose_near_plane_cut_has_no_place_are_left_out():
    #   3---2     1 and 2 are in front, 0 is behind, w < 0 on the way from 1 to 0 where z = -w
    #  / \ /
    # 0---1
    xy = torch.tensor([[1.0, 9], [6, 9], [9, 3], [4, 3]]).double()
    verts_clip = on_screen(xy[None], (12, 12))
    faces = torch.tensor([[0, 1, 3], [1, 2, 3]], dtype=torch.int32)
    verts_clip[0, 0] = torch.tensor([0.0, 0, -9, -3])
    verts_clip[0, 1:, 2] = 5
    verts_clip[0, 1, 2] = 60
    coverage, _ = picture_and_gradient(contour_cuda, verts_clip, faces, (12, 12))
    expected, _ = picture_and_gradient(contour, verts_clip, faces[1:], (12, 12))
    assert torch.equal(coverage, expected)


@pytest.fixture
def without_room(capacities, monkeypatch) -> Callable[[], Tensor]:
    """A picture that at first has room for 64 pieces."""
    capacities.pieces_per_view = 0
    monkeypatch.setattr(contour_cuda, "_default_capacity", lambda *sizes: 64)
    mesh = crumpled_sheet(20)
    verts_clip = two_views(mesh, torch.float32)
    return lambda: torch.cat(
        [x.flatten() for x in picture_and_gradient(contour_cuda, verts_clip, mesh.faces, (32, 36))]
    )


def test_too_little_room_leaves_out_edges_until_there_is_enough(without_room):
    first = without_room()
    assert first.isfinite().all()
    assert first[: 2 * 32 * 36].min() >= 0
    assert first[: 2 * 32 * 36].max() <= 1
    with pytest.warns(contour_cuda.ContourCapacityWarning, match="room for 64 pieces"):
        without_room()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", contour_cuda.ContourCapacityWarning)
        while contour_cuda.contour_overflowed():
            without_room()
    mesh = crumpled_sheet(20)
    expected = picture_and_gradient(contour, two_views(mesh, torch.float32), mesh.faces, (32, 36))
    assert not torch.equal(first, torch.cat([x.flatten() for x in expected]))
    assert torch.equal(without_room(), torch.cat([x.flatten() for x in expected]))


def test_too_little_room_is_told_on_request(without_room):
    without_room()
    with pytest.warns(contour_cuda.ContourCapacityWarning, match="room for 64 pieces"):
        assert contour_cuda.contour_overflowed()
    assert not contour_cuda.contour_overflowed()


def test_reserved_room_suffices(without_room):
    contour_cuda.reserve_contour_pieces(20_000)
    without_room()
    assert not contour_cuda.contour_overflowed()


def test_negative_room_is_refused():
    with pytest.raises(ValueError, match="must not be negative"):
        contour_cuda.reserve_contour_pieces(-1)


def test_sizes_beyond_the_number_of_slots_are_forgotten():
    capacities = contour_cuda._Capacities(num_slots=2, pinned=False)
    addresses = [capacities.get((size,), 1, 64)[1] for size in "abcb"]
    assert addresses == [addresses[0], addresses[0] + 8, addresses[0], addresses[0] + 8]


def gradient_through(change: Callable[[Tensor], Tensor]) -> Tensor:
    """Gradient of an image's sum when the tape was changed between the two passes."""
    mesh = bumpy_sphere(2)
    verts_clip = two_views(mesh, torch.float32)
    topology = topology_tensors(mesh.faces, verts_clip.shape[1])
    coverage, tape = contour_cuda._forward(verts_clip, *topology, 20, 22, True)
    grad_coverage = torch.ones_like(coverage)
    return contour_cuda._backward(grad_coverage, change(tape), verts_clip, *topology)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(Tensor.clone, id="a copy"),
        pytest.param(lambda tape: torch.cat([tape] * 100)[7:8], id="a part of another tensor"),
        pytest.param(lambda tape: torch.cat([tape] * 3000)[:1], id="a larger copy"),
    ],
)
def test_a_tape_that_lost_its_records_is_made_again(change):
    assert torch.equal(gradient_through(change), gradient_through(lambda tape: tape))


def test_a_foreign_tensor_of_a_tapes_size_gives_nan():
    def foreign(tape: Tensor) -> Tensor:
        return torch.zeros(tape.untyped_storage().nbytes() // 8, dtype=torch.int64)[:1]

    assert gradient_through(foreign).isnan().all()


def test_too_many_pixels_are_refused():
    topology = topology_tensors(torch.zeros(0, 3, dtype=torch.int32), 0)
    with pytest.raises(ValueError, match="split the views"):
        contour_cuda._forward(torch.zeros(2, 0, 4), *topology, 2**15, 2**15, False)


def test_an_error_of_the_launch_is_raised(monkeypatch):
    monkeypatch.setattr(contour_cuda, "_num_bytes", lambda *sizes: 64)
    topology = topology_tensors(torch.zeros(0, 3, dtype=torch.int32), 0)
    tape = torch.zeros(2**10, dtype=torch.int64)[:1]
    monkeypatch.setattr(contour_cuda, "tape_capacity", lambda *args: 2**29)
    with pytest.raises(RuntimeError, match="CUDA error 1: invalid argument"):
        contour_cuda._backward(torch.zeros(1, 2, 2), tape, torch.zeros(1, 0, 4), *topology)


def test_surface_meshes_use_regular_and_irregular_edges():
    mesh = surface([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0.2]], [[0, 1, 2], [1, 3, 2]])
    assert 0 < mesh.topology.num_regular < mesh.topology.num_edges
    assert_same_bits(seen_from(mesh.verts), mesh.faces, (12, 10))

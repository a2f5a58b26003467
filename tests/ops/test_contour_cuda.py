"""`contour_coverage` on a GPU: against the CPU, without stalls, in a CUDA graph.

`compute-sanitizer --tool memcheck python -m pytest -m cuda tests/ops/test_contour_cuda.py` looks
for accesses out of bounds, and with `--tool racecheck`, `initcheck` or `synccheck` for races in
shared memory, uninitialised reads and misused barriers. All should report no error.
"""

import warnings

import pytest
import torch
from torch import Tensor

from lightning_rast.ops import contour_coverage, contour_cuda
from lightning_rast.scene import Topology
from tests.ops.column_weights import column_weights
from tests.ops.contour_meshes import Surface, bumpy_sphere, crumpled_sheet, noisy_sphere, torus
from tests.ops.contour_soups import near_clipped_soup, tied_soup
from tests.ops.contour_views import seen_from

pytestmark = [pytest.mark.cuda, pytest.mark.usefixtures("enough_room")]

IMAGE_SIZE = (48, 52)


def views(mesh: Surface, num_views: int = 3) -> Tensor:
    eyes = [(0.9 * k - 0.6, 0.4, 2.4) for k in range(num_views)]
    return torch.cat([seen_from(mesh.verts, eye=eye) for eye in eyes]).float()


def picture_and_gradient(
    verts_clip: Tensor, topology: Topology, image_size: tuple[int, int] = IMAGE_SIZE
) -> tuple[Tensor, Tensor]:
    verts_clip = verts_clip.detach().requires_grad_()
    coverage = contour_coverage(verts_clip, topology, image_size)
    weights = column_weights(coverage, image_size[1])
    (grad,) = torch.autograd.grad((coverage * weights).sum(), verts_clip)
    return coverage.detach(), grad


def assert_as_on_the_cpu(verts_clip: Tensor, topology: Topology, image_size=IMAGE_SIZE) -> None:
    expected = picture_and_gradient(verts_clip, topology, image_size)
    actual = picture_and_gradient(verts_clip.cuda(), topology.to("cuda"), image_size)
    assert torch.equal(actual[0].cpu(), expected[0])
    assert torch.equal(actual[1].cpu(), expected[1])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("make", [torus, bumpy_sphere, crumpled_sheet, noisy_sphere])
def test_meshes_have_the_same_bits_as_on_the_cpu(make, dtype):
    mesh = make()
    assert_as_on_the_cpu(views(mesh).to(dtype), mesh.topology)


@pytest.mark.parametrize("make", [tied_soup, near_clipped_soup])
def test_soups_have_the_same_bits_as_on_the_cpu(make):
    for seed in range(200):
        soup = make(seed)
        topology = Topology.from_faces(soup.faces, soup.verts_clip.shape[1])
        assert_as_on_the_cpu(soup.verts_clip, topology, soup.image_size)


def test_a_mesh_in_one_pixel():
    mesh = noisy_sphere(4)
    assert_as_on_the_cpu(seen_from(mesh.verts * 0.02).float(), mesh.topology, (5, 6))


def test_a_large_image():
    mesh = bumpy_sphere()
    assert_as_on_the_cpu(views(mesh, 1), mesh.topology, (4096, 4000))


def test_every_run_has_the_same_bits():
    mesh = noisy_sphere()
    verts_clip, topology = views(mesh).cuda(), mesh.topology.to("cuda")
    first = picture_and_gradient(verts_clip, topology)
    for _ in range(20):
        again = picture_and_gradient(verts_clip, topology)
        assert torch.equal(again[0], first[0])
        assert torch.equal(again[1], first[1])


def test_the_host_never_waits(never_waiting):
    mesh = bumpy_sphere()
    # Copies to the device are no part of the claim.
    torch.cuda.set_sync_debug_mode("default")
    verts_clip, topology = views(mesh).cuda(), mesh.topology.to("cuda")
    torch.cuda.set_sync_debug_mode("error")
    picture_and_gradient(verts_clip, topology)


def test_a_captured_graph_follows_its_input():
    mesh = bumpy_sphere()
    topology = mesh.topology.to("cuda")
    verts_clip = views(mesh).cuda()
    expected = [picture_and_gradient(x, topology) for x in (verts_clip, 1.1 * verts_clip)]

    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    still = verts_clip.clone()
    with torch.cuda.stream(stream):
        picture_and_gradient(still, topology)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        coverage, grad = picture_and_gradient(still, topology)
    for scaled, (expected_coverage, expected_grad) in zip((1.0, 1.1), expected, strict=True):
        still.copy_(scaled * verts_clip)
        graph.replay()
        assert torch.equal(coverage, expected_coverage)
        assert torch.equal(grad, expected_grad)


def test_another_stream():
    mesh = bumpy_sphere()
    topology = mesh.topology.to("cuda")
    verts_clip = views(mesh).cuda()
    expected = picture_and_gradient(verts_clip, topology)
    torch.cuda.synchronize()
    with torch.cuda.stream(torch.cuda.Stream()):
        actual = picture_and_gradient(verts_clip, topology)
    torch.cuda.synchronize()
    assert torch.equal(actual[0], expected[0])
    assert torch.equal(actual[1], expected[1])


def test_registration():
    mesh = bumpy_sphere(2)
    topology = mesh.topology.to("cuda")
    inputs = (
        views(mesh).cuda().requires_grad_(),
        topology.faces,
        topology.edge_verts,
        topology.edge_faces,
        topology.irregular_offsets,
        topology.irregular_codes,
        *IMAGE_SIZE,
        True,
    )
    # Beyond its first element the tape is scratch: nothing to compare between two runs.
    torch.library.opcheck(
        torch.ops.lightning_rast.contour_coverage.default,
        inputs,
        test_utils=("test_schema", "test_autograd_registration", "test_faketensor"),
    )


def test_faces_with_an_impossible_vertex_are_left_out():
    mesh = bumpy_sphere(2)
    verts_clip = views(mesh).cuda()
    kept = mesh.faces[(mesh.faces != 7).all(dim=1)]
    expected, _ = picture_and_gradient(verts_clip, Surface(mesh.verts, kept).topology.to("cuda"))
    refused = verts_clip.clone()
    refused[:, 7] = torch.nan
    coverage, grad = picture_and_gradient(refused, mesh.topology.to("cuda"))
    torch.testing.assert_close(coverage, expected, rtol=0, atol=1e-6)
    assert grad.isfinite().all()


def test_too_little_room_is_told(monkeypatch):
    contour_cuda.reserve_contour_pieces(0)
    monkeypatch.setattr(contour_cuda, "_default_capacity", lambda *sizes: 64)
    mesh = crumpled_sheet(30)
    verts_clip, topology = views(mesh).cuda(), mesh.topology.to("cuda")
    picture_and_gradient(verts_clip, topology, (50, 60))
    with pytest.warns(contour_cuda.ContourCapacityWarning, match="room for 64 pieces"):
        assert contour_cuda.contour_overflowed()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", contour_cuda.ContourCapacityWarning)
        picture_and_gradient(verts_clip, topology, (50, 60))
        while contour_cuda.contour_overflowed():
            picture_and_gradient(verts_clip, topology, (50, 60))
    assert_as_on_the_cpu(views(mesh), mesh.topology, (50, 60))

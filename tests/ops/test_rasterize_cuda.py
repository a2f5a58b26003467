"""`rasterize` on a GPU: against the CPU, repeatable, without stalls, in a CUDA graph.

`compute-sanitizer --tool memcheck python -m pytest -m cuda tests/ops/test_rasterize_cuda.py` looks
for accesses out of bounds, and with `--tool racecheck`, `initcheck` or `synccheck` for races in
shared memory, uninitialised reads and misused barriers. All should report no error.
"""

import pytest
import torch
from torch import Tensor

from lightning_rast.ops import rasterize
from tests.ops.column_weights import column_weights
from tests.ops.contour_soups import near_clipped_soup, tied_near_soup, tied_soup
from tests.ops.contour_views import seen_from
from tests.ops.rasterize_gpu_cases import MESHES, Case, grazing_faces, large_faces, packed, views

pytestmark = pytest.mark.cuda


def on_gpu(case: Case) -> Case:
    ranges = None if case.face_ranges is None else case.face_ranges.cuda()
    return case._replace(
        verts_clip=case.verts_clip.cuda(), faces=case.faces.cuda(), face_ranges=ranges
    )


def outputs(case: Case) -> tuple[Tensor, ...]:
    """Fragments, and the gradient of a weighted sum of bary and depth."""
    verts_clip, faces, face_ranges, height, width, cull, num_layers = case
    verts_clip = verts_clip.detach().requires_grad_()
    face_idx, bary, depth = rasterize(
        verts_clip,
        faces,
        (height, width),
        cull=cull,
        num_layers=num_layers,
        face_ranges=face_ranges,
    )
    columns = column_weights(depth, width)
    corners = torch.tensor([1.0, -2.0, 0.5], dtype=depth.dtype).to(depth.device)
    total = (bary * columns[:, None] * corners).sum() + (depth * columns).sum()
    (grad,) = torch.autograd.grad(total, verts_clip)
    return face_idx, bary.detach(), depth.detach(), grad


def assert_as_on_the_cpu(case: Case) -> None:
    expected = outputs(case)
    actual = [tensor.cpu() for tensor in outputs(on_gpu(case))]
    assert torch.equal(actual[0], expected[0])
    assert torch.equal(actual[1], expected[1])
    assert torch.equal(actual[2], expected[2])
    scale = expected[3].abs().amax(dim=-1, keepdim=True) + 1e-12
    error = ((actual[3] - expected[3]).abs() / scale).max() if expected[3].numel() else 0.0
    assert error < (1e-11 if case.verts_clip.dtype == torch.float64 else 1e-3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["f32", "f64"])
@pytest.mark.parametrize("image_size", [(48, 52), (1, 1), (300, 7), (1024, 1000)])
@pytest.mark.parametrize("mesh", MESHES.values(), ids=MESHES)
def test_meshes(mesh, image_size, dtype):
    assert_as_on_the_cpu(Case(views(mesh, dtype), mesh.faces, None, *image_size))


@pytest.mark.parametrize("make", [tied_soup, near_clipped_soup, tied_near_soup])
def test_soups(make):
    for seed in range(200):
        soup = make(seed)
        cull = ("none", "back", "front")[seed % 3]
        assert_as_on_the_cpu(Case(soup.verts_clip, soup.faces, None, *soup.image_size, cull))


@pytest.mark.parametrize("image_size", [(90, 75), (2048, 2000)])
def test_faces_of_all_sizes(image_size):
    assert_as_on_the_cpu(large_faces(image_size, num_faces=200))


@pytest.mark.parametrize("reach", [5.0, 50.0, 5000.0])
def test_edges_that_pass_pixel_centres_at_almost_no_distance(reach):
    assert_as_on_the_cpu(grazing_faces(12, reach))


@pytest.mark.parametrize("num_layers", [1, 2, 5, 40])
def test_layers(num_layers):
    mesh = MESHES["nested"]
    case = Case(views(mesh), mesh.faces, None, 60, 70, "none", num_layers)
    assert_as_on_the_cpu(case)


def test_packed_meshes():
    assert_as_on_the_cpu(packed())


def test_a_mesh_in_one_pixel():
    mesh = MESHES["crumpled"]
    verts_clip = seen_from(mesh.verts * 0.02).float()
    assert_as_on_the_cpu(Case(verts_clip, mesh.faces, None, 5, 6, "none", 3))


def test_every_run_has_the_same_bits():
    mesh = MESHES["nested"]
    case = on_gpu(Case(views(mesh), mesh.faces, None, 200, 220, "none", 2))
    first = outputs(case)
    for _ in range(20):
        assert all(torch.equal(a, b) for a, b in zip(outputs(case), first, strict=True))


def test_the_host_never_waits(never_waiting):
    torch.cuda.set_sync_debug_mode("default")  # copies to the device are no part of the claim
    mesh = MESHES["torus"]
    case = on_gpu(Case(views(mesh), mesh.faces, None, 48, 52))
    verts_clip = case.verts_clip.requires_grad_()
    grad = torch.ones(3, 48, 52, 3, device="cuda")
    torch.cuda.set_sync_debug_mode("error")
    torch.autograd.grad(rasterize(verts_clip, case.faces, (48, 52)).bary, verts_clip, grad)


def test_a_captured_graph_follows_its_input():
    mesh = MESHES["bumpy"]
    case = on_gpu(Case(views(mesh), mesh.faces, None, 48, 52))
    grad = torch.rand(3, 48, 52, 3, device="cuda")

    def run(verts_clip: Tensor) -> tuple[Tensor, ...]:
        verts_clip = verts_clip.detach().requires_grad_()
        fragments = rasterize(verts_clip, case.faces, (48, 52))
        return *fragments, torch.autograd.grad(fragments.bary, verts_clip, grad)[0]

    scales = [torch.tensor([k, k, 1.0, 1.0], device="cuda") for k in (1.0, 1.1)]
    expected = [run(scale * case.verts_clip) for scale in scales]
    still = case.verts_clip.clone()
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        run(still)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured = run(still)
    for scale, wanted in zip(scales, expected, strict=True):
        still.copy_(scale * case.verts_clip)
        graph.replay()
        assert all(torch.equal(a, b) for a, b in zip(captured, wanted, strict=True))


def test_faces_with_an_impossible_vertex_are_left_out():
    mesh = MESHES["bumpy"]
    refused = views(mesh)
    refused[:, 7] = torch.nan
    face_idx, bary, _, grad = outputs(on_gpu(Case(refused, mesh.faces, None, 48, 52)))
    kept = (mesh.faces != 7).all(dim=1)
    expected = outputs(on_gpu(Case(views(mesh), mesh.faces[kept], None, 48, 52)))
    numbers = torch.cat([kept.nonzero()[:, 0], torch.tensor([-1])]).int().cuda()
    assert torch.equal(face_idx, numbers[expected[0].long()])
    assert torch.equal(bary, expected[1])
    assert grad.isfinite().all()


def test_registration():
    mesh = MESHES["torus"]
    verts_clip = views(mesh, torch.float64).cuda().requires_grad_()
    inputs = (verts_clip, mesh.faces.cuda(), None, 12, 14, "none", 2)
    torch.library.opcheck(torch.ops.lightning_rast.rasterize.default, inputs)

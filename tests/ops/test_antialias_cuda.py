"""`antialias` on a GPU: against the CPU, repeatable, without stalls, in a CUDA graph.

`compute-sanitizer --tool memcheck python -m pytest -m cuda tests/ops/test_antialias_cuda.py` looks
for accesses out of bounds, and with `--tool racecheck`, `initcheck` or `synccheck` for races in
shared memory, uninitialised reads and misused barriers. All should report no error.
"""

import pytest
import torch
from torch import Tensor

from lightning_rast.ops import Fragments, antialias
from lightning_rast.ops.antialias import _topology_tensors
from tests.ops.antialias_gpu_cases import MESHES, Case, pictured, views
from tests.ops.column_weights import column_weights
from tests.ops.contour_soups import near_clipped_soup, tied_soup
from tests.ops.contour_views import seen_from

pytestmark = [pytest.mark.cuda, pytest.mark.usefixtures("enough_room")]


def on_gpu(case: Case) -> Case:
    ranges = None if case.face_ranges is None else case.face_ranges.cuda()
    return case._replace(
        image=case.image.cuda(),
        face_idx=case.face_idx.cuda(),
        verts_clip=case.verts_clip.cuda(),
        topology=case.topology.to("cuda"),
        face_ranges=ranges,
    )


def outputs(case: Case) -> tuple[Tensor, Tensor, Tensor]:
    """The picture, and the gradients of a weighted sum."""
    leaves = [x.detach().requires_grad_() for x in (case.image, case.verts_clip)]
    bary = leaves[0].new_zeros(*case.face_idx.shape, 3)
    fragments = Fragments(case.face_idx, bary, bary[..., 0])
    smooth = antialias(
        leaves[0],
        fragments,
        leaves[1],
        case.topology,
        cull=case.cull,
        face_ranges=case.face_ranges,
        premultiplied=case.premultiplied,
    )
    weights = column_weights(smooth, case.image.shape[2])
    loss = (smooth * weights[:, None]).sum()
    return smooth.detach(), *torch.autograd.grad(loss, leaves)


def assert_as_on_the_cpu(case: Case) -> None:
    expected = outputs(case)
    actual = [x.cpu() for x in outputs(on_gpu(case))]
    assert torch.equal(actual[0], expected[0])
    assert torch.equal(actual[1], expected[1])
    tolerance = 1e-10 if case.image.dtype == torch.float64 else 2e-5
    atol = tolerance * float(expected[2].abs().max())
    torch.testing.assert_close(actual[2], expected[2], rtol=tolerance, atol=atol)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["f32", "f64"])
@pytest.mark.parametrize("name", MESHES)
def test_meshes(name, dtype):
    verts, faces = MESHES[name]
    assert_as_on_the_cpu(pictured(views(verts), faces, (90, 100), dtype))


@pytest.mark.parametrize("make", [tied_soup, near_clipped_soup])
def test_soups(make):
    for seed in range(100):
        soup = make(seed)
        assert_as_on_the_cpu(pictured(soup.verts_clip, soup.faces, soup.image_size))


@pytest.mark.parametrize("cull", ["back", "front"])
def test_culled_faces_and_backgrounds_that_are_zero(cull):
    verts, faces = MESHES["crumpled"]
    case = pictured(views(verts), faces, (90, 100), cull=cull, premultiplied=True)
    assert_as_on_the_cpu(case)


def test_a_mesh_in_one_pixel():
    verts, faces = MESHES["crumpled"]
    assert_as_on_the_cpu(pictured(seen_from(verts * 0.02), faces, (5, 6)))


def test_a_large_image():
    verts, faces = MESHES["ring"]
    assert_as_on_the_cpu(pictured(seen_from(verts), faces, (2048, 2000)))


def test_every_run_has_the_same_bits():
    verts, faces = MESHES["crossing"]
    case = on_gpu(pictured(views(verts), faces, (90, 100)))
    first = outputs(case)
    for _ in range(20):
        assert all(torch.equal(a, b) for a, b in zip(outputs(case), first, strict=True))


def test_the_host_never_waits(never_waiting):
    torch.cuda.set_sync_debug_mode("default")  # copies to the device are no part of the claim
    verts, faces = MESHES["crossing"]
    case = on_gpu(pictured(views(verts), faces, (90, 100)))
    torch.cuda.set_sync_debug_mode("error")
    outputs(case)


def test_a_captured_graph_follows_its_input():
    verts, faces = MESHES["crossing"]
    case = on_gpu(pictured(views(verts), faces, (90, 100)))
    images = [case.image, 0.5 - case.image]
    expected = [outputs(case._replace(image=image)) for image in images]
    still = case._replace(image=case.image.clone())
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        outputs(still)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured = outputs(still)
    for image, wanted in zip(images, expected, strict=True):
        still.image.copy_(image)
        graph.replay()
        assert all(torch.equal(a, b) for a, b in zip(captured, wanted, strict=True))


def test_registration():
    verts, faces = MESHES["ring"]
    case = on_gpu(pictured(views(verts), faces, (20, 22)))
    topology = _topology_tensors(case.topology)
    leaves = (case.image.requires_grad_(), case.face_idx, case.verts_clip.requires_grad_())
    # Beyond its first element the tape is scratch: nothing to compare between two runs.
    torch.library.opcheck(
        torch.ops.lightning_rast.antialias.default,
        (*leaves, *topology, None, "none", False, True, True),
        test_utils=("test_schema", "test_autograd_registration", "test_faketensor"),
    )

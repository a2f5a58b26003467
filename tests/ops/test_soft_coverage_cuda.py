"""`soft_coverage` on a GPU: against the CPU, repeatable, without stalls, in a CUDA graph.

`compute-sanitizer --tool memcheck python -m pytest -m cuda tests/ops/test_soft_coverage_cuda.py`
looks for accesses out of bounds, and with `--tool racecheck`, `initcheck` or `synccheck` for races
in shared memory, uninitialised reads and misused barriers. All should report no error.
"""

import pytest
import torch
from torch import Tensor

from lightning_rast.ops import soft_coverage
from tests.ops.column_weights import column_weights
from tests.ops.contour_meshes import bumpy_sphere, icosphere
from tests.ops.contour_views import seen_from
from tests.ops.soft_scenes import SCENES, Scene, options

pytestmark = pytest.mark.cuda

KINDS = [("pixel", 50), ("softras", 50), ("pytorch3d", 1), ("pytorch3d", 4), ("pytorch3d", 50)]


def outputs(scene: Scene, semantics: str, faces_per_pixel: int) -> tuple[Tensor, Tensor]:
    """The picture, and the gradient of a weighted sum."""
    verts_clip = scene.verts_clip.detach().requires_grad_()
    chosen = options(semantics, faces_per_pixel)
    coverage = soft_coverage(verts_clip, scene.faces, scene.image_size, **chosen)
    weights = column_weights(coverage, scene.image_size[1])
    (grad,) = torch.autograd.grad((coverage * weights).sum(), verts_clip)
    return coverage.detach(), grad


def on_gpu(scene: Scene) -> Scene:
    return scene._replace(verts_clip=scene.verts_clip.cuda(), faces=scene.faces.cuda())


def assert_as_on_the_cpu(scene: Scene, semantics: str, faces_per_pixel: int) -> None:
    expected = outputs(scene, semantics, faces_per_pixel)
    actual = outputs(on_gpu(scene), semantics, faces_per_pixel)
    assert torch.equal(actual[0].cpu(), expected[0])
    tolerance = 1e-10 if scene.verts_clip.dtype == torch.float64 else 2e-5
    atol = tolerance * float(expected[1].abs().max())
    torch.testing.assert_close(actual[1].cpu(), expected[1], rtol=tolerance, atol=atol)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["f32", "f64"])
@pytest.mark.parametrize(("semantics", "faces_per_pixel"), KINDS)
@pytest.mark.parametrize("name", SCENES)
def test_scenes(name, semantics, faces_per_pixel, dtype):
    scene = SCENES[name]()
    scene = scene._replace(verts_clip=scene.verts_clip.to(dtype))
    assert_as_on_the_cpu(scene, semantics, faces_per_pixel)


@pytest.mark.parametrize(("semantics", "faces_per_pixel"), KINDS)
def test_a_fine_mesh(semantics, faces_per_pixel):
    mesh = bumpy_sphere(5)
    scene = Scene(seen_from(mesh.verts).float(), mesh.faces, (130, 141))
    assert_as_on_the_cpu(scene, semantics, faces_per_pixel)


def test_every_run_has_the_same_bits():
    mesh = icosphere(4)
    scene = on_gpu(Scene(seen_from(mesh.verts).float(), mesh.faces, (130, 141)))
    first = outputs(scene, "pixel", 50)
    for _ in range(20):
        again = outputs(scene, "pixel", 50)
        assert torch.equal(again[0], first[0])
        assert torch.equal(again[1], first[1])


def test_the_host_never_waits(never_waiting):
    torch.cuda.set_sync_debug_mode("default")  # copies to the device are no part of the claim
    scene = on_gpu(SCENES["sphere"]())
    torch.cuda.set_sync_debug_mode("error")
    outputs(scene, "pytorch3d", 4)


def test_a_captured_graph_follows_its_input():
    scene = on_gpu(SCENES["sphere"]())
    scales = [torch.tensor([k, k, 1.0, 1.0], device="cuda").double() for k in (1.0, 1.1)]
    scaled = [scene._replace(verts_clip=scale * scene.verts_clip) for scale in scales]
    expected = [outputs(each, "pixel", 50) for each in scaled]
    still = scene._replace(verts_clip=scene.verts_clip.clone())
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        outputs(still, "pixel", 50)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured = outputs(still, "pixel", 50)
    for each, wanted in zip(scaled, expected, strict=True):
        still.verts_clip.copy_(each.verts_clip)
        graph.replay()
        assert all(torch.equal(a, b) for a, b in zip(captured, wanted, strict=True))


def test_registration():
    scene = on_gpu(SCENES["sphere"]())
    model = (2.0, 2.0, 13.0, 0.0, 0.0, False, 4)
    inputs = (scene.verts_clip.requires_grad_(), scene.faces, *scene.image_size, *model)
    torch.library.opcheck(torch.ops.lightning_rast.soft_coverage.default, inputs)

"""`soft_colors` on a GPU: against the CPU, repeatable, without stalls, in a CUDA graph.

`compute-sanitizer --tool memcheck python -m pytest -m cuda tests/ops/test_soft_colors_cuda.py`
looks for accesses out of bounds, and with `--tool racecheck`, `initcheck` or `synccheck` for races
in shared memory, uninitialised reads and misused barriers. All should report no error.
"""

from typing import Any

import pytest
import torch
from torch import Tensor

from lightning_rast.ops import soft_colors
from tests.ops.column_weights import column_weights
from tests.ops.contour_meshes import bumpy_sphere, icosphere
from tests.ops.contour_views import seen_from
from tests.ops.soft_scenes import SCENES, SOFTNESS, Scene

pytestmark = pytest.mark.cuda


def corner_colors(scene: Scene, num_channels: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    shape = (len(scene.faces), 3, num_channels)
    return torch.rand(shape, generator=generator, dtype=scene.verts_clip.dtype)


def outputs(scene: Scene, colors: Tensor, semantics: Any = "pixel") -> tuple[Tensor, ...]:
    """Image and coverage, and the gradients of a weighted sum of both."""
    leaves = [x.detach().requires_grad_() for x in (scene.verts_clip, colors)]
    image, coverage = soft_colors(
        leaves[0],
        scene.faces,
        leaves[1],
        scene.image_size,
        sigma=SOFTNESS[semantics],
        gamma=0.05,
        semantics=semantics,
    )
    weights = column_weights(image, scene.image_size[1])
    loss = (image * weights[:, None]).sum() + (coverage * weights).sum()
    return image.detach(), coverage.detach(), *torch.autograd.grad(loss, leaves)


def on_gpu(scene: Scene) -> Scene:
    return scene._replace(verts_clip=scene.verts_clip.cuda(), faces=scene.faces.cuda())


def assert_as_on_the_cpu(scene: Scene, semantics: str = "pixel", num_channels: int = 3) -> None:
    colors = corner_colors(scene, num_channels)
    expected = outputs(scene, colors, semantics)
    actual = [x.cpu() for x in outputs(on_gpu(scene), colors.cuda(), semantics)]
    assert torch.equal(actual[0], expected[0])
    assert torch.equal(actual[1], expected[1])
    tolerance = 1e-10 if colors.dtype == torch.float64 else 1e-4
    for a, b in zip(actual[2:], expected[2:], strict=True):
        assert (a - b).norm() <= tolerance * b.norm()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["f32", "f64"])
@pytest.mark.parametrize("semantics", ["pixel", "softras"])
@pytest.mark.parametrize("name", SCENES)
def test_scenes(name, semantics, dtype):
    scene = SCENES[name]()
    assert_as_on_the_cpu(scene._replace(verts_clip=scene.verts_clip.to(dtype)), semantics)


@pytest.mark.parametrize("num_channels", [1, 4, 17])
def test_a_fine_mesh(num_channels):
    mesh = bumpy_sphere(5)
    scene = Scene(seen_from(mesh.verts).float(), mesh.faces, (130, 141))
    assert_as_on_the_cpu(scene, num_channels=num_channels)


def test_every_run_has_the_same_bits():
    mesh = icosphere(4)
    scene = Scene(seen_from(mesh.verts).float(), mesh.faces, (130, 141))
    colors, scene = corner_colors(scene).cuda(), on_gpu(scene)
    first = outputs(scene, colors)
    for _ in range(20):
        assert all(torch.equal(a, b) for a, b in zip(outputs(scene, colors), first, strict=True))


def test_the_host_never_waits(never_waiting):
    torch.cuda.set_sync_debug_mode("default")  # copies to the device are no part of the claim
    scene = SCENES["sphere"]()
    colors, scene = corner_colors(scene).cuda(), on_gpu(scene)
    torch.cuda.set_sync_debug_mode("error")
    outputs(scene, colors)


def test_a_captured_graph_follows_its_input():
    scene = SCENES["sphere"]()
    colors, scene = corner_colors(scene).cuda(), on_gpu(scene)
    inputs = [colors, 1 - colors]
    expected = [outputs(scene, each) for each in inputs]
    still = colors.clone()
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        outputs(scene, still)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured = outputs(scene, still)
    for each, wanted in zip(inputs, expected, strict=True):
        still.copy_(each)
        graph.replay()
        assert all(torch.equal(a, b) for a, b in zip(captured, wanted, strict=True))


def test_registration():
    scene = SCENES["sphere"]()
    colors, scene = corner_colors(scene).cuda(), on_gpu(scene)
    model = (2.0, 2.0, 13.0, 0.0, 0.0, False, 0, 1.0, 1.0, 0.0, 0.0, 0.1)
    leaves = (scene.verts_clip.requires_grad_(), scene.faces, colors.requires_grad_())
    torch.library.opcheck(
        torch.ops.lightning_rast.soft_colors.default, (*leaves, *scene.image_size, *model)
    )

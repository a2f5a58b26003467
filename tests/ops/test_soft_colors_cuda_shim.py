"""The CUDA kernels of `soft_colors`, run on the CPU, against the CPU's own: the same pictures.

Threads and blocks run in several orders, and all memory starts as rubbish.
"""

import ctypes
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from lightning_rast.ops import soft_colors_cuda
from lightning_rast.ops.soft_colors import _color_model
from lightning_rast.ops.soft_coverage import Semantics, soft_model
from tests.cuda_shim.on_the_cpu import (
    FORWARD,
    REVERSE,
    SHUFFLED,
    cuda_is,
    fill_new_tensors,
    kernels_of,
)
from tests.ops.contour_meshes import bumpy_sphere, icosphere
from tests.ops.contour_views import seen_from
from tests.ops.soft_scenes import SCENES, SOFTNESS, Scene, sliver_scene


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> ctypes.CDLL:
    folder = tmp_path_factory.mktemp("shim")
    return kernels_of(
        "soft_coverage", "soft_colors", folder=folder, flags=("-Wno-unknown-pragmas",)
    )


@pytest.fixture(autouse=True)
def on_the_cpu(library, monkeypatch) -> Iterator[None]:
    fill_new_tensors(monkeypatch)
    with cuda_is(library, monkeypatch):
        yield


def options(scene: Scene, semantics: Semantics, softness: float = 1.0, gamma: float = 0.05):
    sigma = softness * SOFTNESS[semantics]
    model = soft_model("soft_colors", scene.image_size, sigma, semantics, 1e-4, None, None)
    return (*scene.image_size, *model, *_color_model(gamma, 1.0, 100.0, 1e-3, torch.float32))


def colors_of(scene: Scene, dtype: torch.dtype, num_channels: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    shape = (len(scene.faces), 3, num_channels)
    return torch.rand(shape, generator=generator, dtype=dtype) * 2 - 0.5


def random_like(x: Tensor, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(x.shape, generator=generator, dtype=x.dtype) - 0.3


def gradients(backward, outputs: tuple[Tensor, ...], inputs: tuple, chosen: tuple):
    grads = (random_like(outputs[0], 0), random_like(outputs[1], 1))
    return backward(*grads, *inputs, outputs[0], *outputs[2:], *chosen)


def assert_same(
    scene: Scene, chosen: tuple, dtype: torch.dtype = torch.float32, num_channels: int = 3
) -> None:
    verts_clip, ops = scene.verts_clip.to(dtype), torch.ops.lightning_rast
    inputs = (verts_clip, scene.faces, colors_of(scene, dtype, num_channels))
    actual = soft_colors_cuda._forward(*inputs, *chosen)
    expected = ops.soft_colors(*inputs, *chosen)
    names = ("image", "coverage", "uncovered", "largest", "total")
    for name, a, b in zip(names, actual, expected, strict=True):
        assert torch.equal(a, b), name
    grads = gradients(soft_colors_cuda._backward, actual, inputs, chosen)
    expected_grads = gradients(ops.soft_colors_backward, actual, inputs, chosen)
    # Sums over pixels, tiles and faces in another order.
    tolerance = 1e-10 if dtype == torch.float64 else 1e-4
    for grad, expected_grad in zip(grads, expected_grads, strict=True):
        assert (grad - expected_grad).norm() <= tolerance * expected_grad.norm()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["f32", "f64"])
@pytest.mark.parametrize("semantics", ["pixel", "softras"])
@pytest.mark.parametrize("name", SCENES)
def test_scenes(name, semantics, dtype):
    scene = SCENES[name]()
    assert_same(scene, options(scene, semantics), dtype)


@pytest.mark.parametrize("order", [FORWARD, REVERSE, SHUFFLED])
@pytest.mark.parametrize("semantics", ["pixel", "softras"])
def test_orders_of_threads(library, order, semantics):
    library.cuda_shim_order(order, 5)
    mesh = bumpy_sphere(2)
    scene = Scene(seen_from(mesh.verts), mesh.faces, (20, 45))
    assert_same(scene, options(scene, semantics, softness=0.3))


@pytest.mark.parametrize("num_channels", [0, 1, 4, 11])
def test_numbers_of_channels(num_channels):
    scene = SCENES["cut at the near plane"]()
    assert_same(scene, options(scene, "pixel"), torch.float64, num_channels)


def test_slivers():
    scene = sliver_scene()
    scene = scene._replace(verts_clip=scene.verts_clip[:20])
    assert_same(scene, options(scene, "pixel"))


@pytest.mark.parametrize("gamma", [1e-3, 10.0])
def test_sharp_and_flat_depths(gamma):
    scene = SCENES["sphere"]()
    assert_same(scene, options(scene, "pixel", gamma=gamma), torch.float64)


@pytest.mark.parametrize("image_size", [(1, 1), (1, 70), (33, 64)])
def test_shapes_of_images(image_size):
    mesh = icosphere(1)
    views = torch.cat([seen_from(mesh.verts), seen_from(mesh.verts, eye=(0.2, 1.5, 2.0))])
    scene = Scene(views, mesh.faces, image_size)
    assert_same(scene, options(scene, "pixel"))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["f32", "f64"])
def test_the_order_of_threads_does_not_show(library, dtype):
    scene = SCENES["cut at the near plane"]()
    inputs = (scene.verts_clip.to(dtype), scene.faces, colors_of(scene, dtype))
    chosen, results = options(scene, "pixel"), []
    for order, seed in ((FORWARD, 0), (REVERSE, 0), (SHUFFLED, 1)):
        library.cuda_shim_order(order, seed)
        outputs = soft_colors_cuda._forward(*inputs, *chosen)
        grads = gradients(soft_colors_cuda._backward, outputs, inputs, chosen)
        results.append((*outputs, *grads))
    for result in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(result, results[0], strict=True))


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
        scene = Scene(verts_clip, faces, (3, 4))
        assert_same(scene, options(scene, "pixel"))


@pytest.mark.parametrize("value", [torch.nan, torch.inf, 1e200])
def test_faces_with_an_impossible_vertex_are_left_out(value):
    mesh = icosphere(2)
    verts_clip = seen_from(mesh.verts)
    scene = Scene(verts_clip, mesh.faces, (20, 22))
    kept, colors = (mesh.faces != 7).all(dim=1), colors_of(scene, torch.float64)
    refused, chosen = verts_clip.clone(), options(scene, "pixel")
    refused[0, 7, 0] = value
    actual = soft_colors_cuda._forward(refused, mesh.faces, colors, *chosen)
    left = (verts_clip, mesh.faces[kept], colors[kept])
    expected = torch.ops.lightning_rast.soft_colors(*left, *chosen)
    assert torch.equal(actual[0], expected[0])
    inputs = (refused, mesh.faces, colors)
    grads = gradients(soft_colors_cuda._backward, actual, inputs, chosen)
    assert all(grad.isfinite().all() for grad in grads)

"""The CUDA kernels of `soft_coverage`, run on the CPU, against the CPU's own: the same pictures.

Threads and blocks run in several orders, and all memory starts as rubbish.
"""

import ctypes
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from lightning_rast.ops import _cuda_call, soft_coverage, soft_coverage_cuda
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

KINDS = [("pixel", None), ("softras", None), ("pytorch3d", 1), ("pytorch3d", 4), ("pytorch3d", 50)]


def build(folder: Path, *flags: str) -> ctypes.CDLL:
    return kernels_of("soft_coverage", folder=folder, flags=flags)


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> ctypes.CDLL:
    return build(tmp_path_factory.mktemp("shim"))


@pytest.fixture(autouse=True)
def on_the_cpu(library, monkeypatch) -> Iterator[None]:
    fill_new_tensors(monkeypatch)
    with cuda_is(library, monkeypatch):
        yield


def options(scene: Scene, semantics: Semantics, faces_per_pixel: int | None, softness: float = 1.0):
    sigma = softness * SOFTNESS[semantics]
    model = soft_model(
        "soft_coverage", scene.image_size, sigma, semantics, 1e-4, None, faces_per_pixel
    )
    return (*scene.image_size, *model)


def assert_same(scene: Scene, chosen: tuple, dtype: torch.dtype = torch.float32) -> None:
    verts_clip, ops = scene.verts_clip.to(dtype), torch.ops.lightning_rast
    actual = soft_coverage_cuda._forward(verts_clip, scene.faces, *chosen)
    expected = ops.soft_coverage(verts_clip, scene.faces, *chosen)
    names = ("coverage", "uncovered", "last_key", "last_face")
    for name, a, b in zip(names, actual, expected, strict=True):
        assert torch.equal(a, b), name
    generator = torch.Generator().manual_seed(0)
    grad = torch.rand(actual[0].shape, generator=generator, dtype=dtype) - 0.3
    inputs = (grad, verts_clip, scene.faces, *actual[1:], *chosen)
    grads, expected_grads = (
        backward(*inputs) for backward in (soft_coverage_cuda._backward, ops.soft_coverage_backward)
    )
    scale = expected_grads.abs().max() if expected_grads.numel() else 1.0
    tolerance = 1e-11 if dtype == torch.float64 else 2e-5
    torch.testing.assert_close(grads, expected_grads, rtol=tolerance, atol=tolerance * float(scale))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["f32", "f64"])
@pytest.mark.parametrize(("semantics", "faces_per_pixel"), KINDS)
@pytest.mark.parametrize("name", SCENES)
def test_scenes(name, semantics, faces_per_pixel, dtype):
    scene = SCENES[name]()
    assert_same(scene, options(scene, semantics, faces_per_pixel), dtype)


@pytest.mark.parametrize("order", [FORWARD, REVERSE, SHUFFLED])
@pytest.mark.parametrize(("semantics", "faces_per_pixel"), KINDS)
def test_orders_of_threads(library, order, semantics, faces_per_pixel):
    library.cuda_shim_order(order, 5)
    mesh = bumpy_sphere(3)
    scene = Scene(seen_from(mesh.verts), mesh.faces, (40, 45))
    assert_same(scene, options(scene, semantics, faces_per_pixel, softness=0.3))


@pytest.mark.parametrize("image_size", [(1, 1), (1, 70), (65, 1), (33, 64)])
def test_shapes_of_images(image_size):
    mesh = icosphere(1)
    views = torch.cat([seen_from(mesh.verts), seen_from(mesh.verts, eye=(0.2, 1.5, 2.0))])
    scene = Scene(views, mesh.faces, image_size)
    assert_same(scene, options(scene, "pixel", None))


def test_more_faces_than_a_block_reads_at_once():
    mesh = icosphere(5)  # 20480 faces, 8192 of which fit the words that 256 threads hold
    scene = Scene(seen_from(mesh.verts * 0.4), mesh.faces, (12, 12))
    assert_same(scene, options(scene, "pixel", None, softness=0.05))


def test_bins_of_several_tiles(tmp_path, monkeypatch):
    library = build(tmp_path, "-DLRAST_MOST_BIN_BYTES=100")
    monkeypatch.setattr(_cuda_call, "cuda", lambda: library)
    mesh = icosphere(2)
    scene = Scene(seen_from(mesh.verts), mesh.faces, (70, 100))
    assert_same(scene, options(scene, "pixel", None))


def test_equal_depths_are_decided_by_number():
    mesh = icosphere(1)
    faces = mesh.faces.repeat(5, 1)
    scene = Scene(seen_from(mesh.verts), faces, (20, 22))
    assert_same(scene, options(scene, "pytorch3d", 3))


@pytest.mark.parametrize("faces_per_pixel", [1, 2])
def test_slivers(faces_per_pixel):
    # Views in which a pixel that counts is, by rounding, outside of all three sides.
    scene = sliver_scene()
    scene = scene._replace(verts_clip=scene.verts_clip[[1, 39, 105, 115, 179, 308]])
    assert_same(scene, options(scene, "pytorch3d", faces_per_pixel, softness=0.1))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["f32", "f64"])
def test_the_order_of_threads_does_not_show_in_gradients(library, dtype):
    scene = SCENES["cut at the near plane"]()
    chosen = options(scene, "pixel", None)
    verts_clip = scene.verts_clip.to(dtype)
    results = []
    for order, seed in ((FORWARD, 0), (REVERSE, 0), (SHUFFLED, 1), (SHUFFLED, 2)):
        library.cuda_shim_order(order, seed)
        outputs = soft_coverage_cuda._forward(verts_clip, scene.faces, *chosen)
        grad = outputs[0] - 0.3
        inputs = (grad, verts_clip, scene.faces, *outputs[1:], *chosen)
        results.append(soft_coverage_cuda._backward(*inputs))
    assert all(torch.equal(result, results[0]) for result in results)


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
        for semantics, faces_per_pixel in KINDS:
            assert_same(scene, options(scene, semantics, faces_per_pixel))


@pytest.mark.parametrize("value", [torch.nan, torch.inf, 1e200])
def test_faces_with_an_impossible_vertex_are_left_out(value):
    mesh = icosphere(2)
    verts_clip = seen_from(mesh.verts)
    kept = mesh.faces[(mesh.faces != 7).all(dim=1)]
    refused = verts_clip.clone()
    refused[0, 7, 0] = value
    chosen = options(Scene(verts_clip, kept, (20, 22)), "pixel", None)
    actual = soft_coverage_cuda._forward(refused, mesh.faces, *chosen)
    expected = torch.ops.lightning_rast.soft_coverage(verts_clip, kept, *chosen)
    assert torch.equal(actual[0], expected[0])
    inputs = (actual[0], refused, mesh.faces, *actual[1:], *chosen)
    assert soft_coverage_cuda._backward(*inputs).isfinite().all()


@pytest.mark.parametrize("vert", [-1, 999, 2**31 - 1])
def test_faces_that_name_no_vertex_are_left_out(vert):
    mesh = icosphere(2)
    verts_clip, faces = seen_from(mesh.verts), mesh.faces.clone()
    faces[5, 1] = vert
    chosen = options(Scene(verts_clip, faces, (20, 22)), "pixel", None)
    kept = torch.cat([faces[:5], faces[6:]])
    actual = soft_coverage_cuda._forward(verts_clip, faces, *chosen)
    expected = torch.ops.lightning_rast.soft_coverage(verts_clip, kept, *chosen)
    assert torch.equal(actual[0], expected[0])


def test_the_operator_asks_for_what_the_kernels_take():
    scene = SCENES["sphere"]()
    coverage = soft_coverage(scene.verts_clip, scene.faces, scene.image_size, sigma=0.7)
    chosen = options(scene, "pixel", None)
    actual = soft_coverage_cuda._forward(scene.verts_clip, scene.faces, *chosen)
    assert torch.equal(actual[0], coverage)

"""Both passes of every operator's CUDA side over scenes that reach all of its kernels."""

from collections.abc import Callable

import torch
from torch import Tensor

from lightning_rast.ops import (
    antialias_cuda,
    contour_coverage,
    contour_cuda,
    interpolate_cuda,
    rasterize_cuda,
    soft_colors_cuda,
    soft_coverage_cuda,
    thin_parts_cuda,
    transform_cuda,
)
from lightning_rast.ops.antialias import _topology_tensors
from lightning_rast.ops.soft_colors import _color_model
from lightning_rast.ops.soft_coverage import Semantics, soft_model
from lightning_rast.scene import Topology
from tests.ops import (
    antialias_gpu_cases,
    interpolate_gpu_cases,
    rasterize_gpu_cases,
    transform_cases,
)
from tests.ops.contour_meshes import noisy_sphere, torus
from tests.ops.contour_soups import needle_soup
from tests.ops.contour_views import seen_from
from tests.ops.soft_scenes import SCENES, SOFTNESS, Scene


def transform(size: int) -> None:
    for shared in (True, False):
        points, matrices, grad = transform_cases.case(3, 2100 * size, shared=shared)
        transform_cuda._forward(points, matrices)
        transform_cuda._points_vjp(grad, matrices, shared)
        transform_cuda._matrices_vjp(grad, points)


def interpolate(size: int) -> None:
    for by_vertex in (True, False):
        shape = (2, 20 * size, 30)
        attrs, faces, face_idx, bary, grad = interpolate_gpu_cases.case(shape, by_vertex=by_vertex)
        interpolate_cuda._forward(attrs, faces, face_idx, bary)
        interpolate_cuda._bary_vjp(grad, attrs, faces, face_idx)
        rows = interpolate_cuda._num_rows(attrs, faces)
        interpolate_cuda._attrs_vjp(grad, faces, face_idx, bary, rows, True)


def rasterize(size: int) -> None:
    """Small faces, layers of them, and large ones, for most of which the queue has no room."""
    mesh = rasterize_gpu_cases.MESHES["nested"]
    verts_clip = rasterize_gpu_cases.views(mesh)
    layers = rasterize_gpu_cases.Case(verts_clip, mesh.faces, None, 12 * size, 14, "none", 3)
    for case in (layers, rasterize_gpu_cases.large_faces((40 * size, 45))):
        bary, depth, face_idx = rasterize_cuda._forward(*case)
        rasterize_cuda._backward(bary, depth, face_idx, case.verts_clip, case.faces)
    rasterize_cuda._visible_faces(*rasterize_gpu_cases.packed()[:6])


def contour(size: int) -> None:
    for mesh, scale in ((torus(), 1.0), (noisy_sphere(3), 0.1)):
        close = seen_from(mesh.verts, eye=(0.2, 0.1, 0.9), near=0.5)
        verts_clip = torch.cat([seen_from(scale * mesh.verts), close]).float()
        topology = _topology_tensors(Topology.from_faces(mesh.faces, len(mesh.verts)))[:5]
        coverage, tape = contour_cuda._forward(verts_clip, *topology, 16 * size, 18, True)
        contour_cuda._backward(coverage - 0.3, tape, verts_clip, *topology)


def antialias(size: int) -> None:
    for name, image_size in (("crossing", (16 * size, 20)), ("crumpled", (6 * size, 5))):
        verts, faces = antialias_gpu_cases.MESHES[name]
        case = antialias_gpu_cases.pictured(antialias_gpu_cases.views(verts), faces, image_size)
        inputs = (case.image, case.face_idx, case.verts_clip, *_topology_tensors(case.topology))
        for image_grad in (True, False):
            drawing = (None, "none", not image_grad)
            out, tape = antialias_cuda._forward(*inputs, *drawing, image_grad, True)
            antialias_cuda._backward(out - 0.3, tape, *inputs, *drawing, image_grad, True)


def soft_coverage(size: int) -> None:
    """More pixels than a tile has, more faces to a pixel than are asked for, and more faces beside
    the picture than a block of threads looks at in one go."""
    cut = SCENES["cut at the near plane"]()._replace(image_size=(30 * size, 40))
    triangle = torch.tensor([[5.0, 0, 0, 1], [6, 0, 0, 1], [5, 1, 0, 1]])
    faces = torch.tensor([[0, 1, 2]], dtype=torch.int32).repeat(8200, 1)
    beside = Scene(triangle[None], faces, (20, 20))
    kinds: list[tuple[Scene, Semantics, int | None]]
    kinds = [(cut, "pixel", None), (beside, "pixel", None), (cut, "pytorch3d", 2)]
    for scene, semantics, nearest in kinds:
        sigma = SOFTNESS[semantics]
        arguments = ("soft_coverage", scene.image_size, sigma, semantics, 1e-4, None, nearest)
        chosen = (*scene.image_size, *soft_model(*arguments))
        outputs = soft_coverage_cuda._forward(scene.verts_clip, scene.faces, *chosen)
        grad = outputs[0] - 0.3
        inputs = (grad, scene.verts_clip, scene.faces, *outputs[1:])
        soft_coverage_cuda._backward(*inputs, *chosen)


def soft_colors(size: int) -> None:
    for name in ("cut at the near plane", "sphere"):
        scene: Scene = SCENES[name]()
        scene = scene._replace(image_size=(20 * size, 40))
        arguments = ("soft_colors", scene.image_size, 0.7, "pixel", 1e-4, None, None)
        model = (*soft_model(*arguments), *_color_model(0.05, 1.0, 100.0, 1e-3, torch.float64))
        colors: Tensor = torch.rand(len(scene.faces), 3, 6, dtype=torch.float64)
        inputs = (scene.verts_clip, scene.faces, colors)
        outputs = soft_colors_cuda._forward(*inputs, *scene.image_size, *model)
        grads = (outputs[0] - 0.3, outputs[1] - 0.3)
        saved = (outputs[0], *outputs[2:])
        soft_colors_cuda._backward(*grads, *inputs, *saved, *scene.image_size, *model)


def thin_parts(size: int) -> None:
    soup = needle_soup(9 * size, (20, 20 * size))
    topology = Topology.from_faces(soup.faces, soup.verts_clip.shape[1])
    coverage = contour_coverage(soup.verts_clip, topology, soup.image_size)
    face_idx = torch.full(coverage.shape, -1, dtype=torch.int32)
    tensors = _topology_tensors(topology)[:5]
    thin_parts_cuda._forward(face_idx, coverage, soup.verts_clip, *tensors, None, "none")


# What to run, and the sources that it needs, its own coming last.
EXERCISES: dict[str, tuple[Callable[[int], None], tuple[str, ...]]] = {
    "transform": (transform, ("transform",)),
    "interpolate": (interpolate, ("interpolate",)),
    "rasterize": (rasterize, ("rasterize",)),
    "thin_parts": (thin_parts, ("thin_parts",)),
    "contour": (contour, ("contour",)),
    "antialias": (antialias, ("contour", "antialias")),
    "soft_coverage": (soft_coverage, ("soft_coverage",)),
    "soft_colors": (soft_colors, ("soft_coverage", "soft_colors")),
}
FLAGS = ("-DLRAST_MOST_QUEUED=5", "-Wno-unknown-pragmas")

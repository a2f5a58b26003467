"""Prints a hash of the op's outputs on several scenes; one process per instruction set runs it."""

import hashlib
from typing import Any

import torch
from torch import Tensor

from lightning_rast.ops import rasterize
from tests.ops.contour_fingerprint import uneven_weights
from tests.ops.contour_meshes import bumpy_sphere, icosphere, noisy_sphere, torus
from tests.ops.contour_soups import near_clipped_soup, needle_soup, tied_near_soup, tied_soup
from tests.ops.contour_views import look_at, orthographic, projected, seen_from
from tests.ops.one_thread import on_one_thread


def outputs(
    verts_clip: Tensor, faces: Tensor, image_size: tuple[int, int], **options
) -> list[Tensor]:
    """Fragments and the gradient of a weighted sum, in both precisions."""
    results = []
    for dtype in (torch.float32, torch.float64):
        verts = verts_clip.to(dtype).requires_grad_()
        fragments = rasterize(verts, faces, image_size, **options)
        weights = uneven_weights(fragments.bary.numel(), dtype)
        weights = weights.reshape(fragments.bary.shape)
        loss = (fragments.bary * weights).sum() + (fragments.depth * weights[..., 0]).sum()
        (grad,) = torch.autograd.grad(loss, verts)
        results += [*(part.detach() for part in fragments), grad]
    return results


def all_scenes() -> list[tuple[Tensor, Tensor, tuple[int, int], dict[str, Any]]]:
    """Arguments of `outputs`, and its options."""
    scenes = []
    eyes = [(1.1, 0.9, 2.4), (-2, 0.3, 1.5), (0.2, 0.5, 0.9)]
    for mesh in (torus(), bumpy_sphere(), noisy_sphere()):
        verts_clip = torch.cat([seen_from(mesh.verts, eye=eye, near=0.3) for eye in eyes])
        scenes.append((verts_clip, mesh.faces, (151, 147), {"num_layers": 3}))
        scenes.append((verts_clip, mesh.faces, (61, 47), {}))
        scenes.append((verts_clip[:1], mesh.faces, (250, 331), {"cull": "back"}))
    large = icosphere(1)
    scenes.append((seen_from(large.verts, eye=(0.1, 0.2, 0.3)), large.faces, (300, 301), {}))
    flat = projected(large.verts, orthographic(1.1) @ look_at((1.0, 2.0, 3.0)))
    scenes.append((flat, large.faces, (99, 301), {"num_layers": 2}))
    for seed in range(60):
        soup = (tied_soup, near_clipped_soup, tied_near_soup)[seed % 3](seed)
        scenes.append((*soup, {"num_layers": 2 if seed % 2 else None}))
    return [*scenes, (*needle_soup(100, (200, 190)), {})]


def all_outputs() -> list[Tensor]:
    return [
        result
        for verts_clip, faces, image_size, options in on_one_thread(all_scenes)
        for result in outputs(verts_clip, faces, image_size, **options)
    ]


def fingerprint() -> str:
    digest = hashlib.sha256()
    for tensor in all_outputs():
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()


if __name__ == "__main__":
    print(fingerprint())

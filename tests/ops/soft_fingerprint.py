"""Prints a hash of `soft_coverage`'s outputs; one process per instruction set runs it."""

import hashlib

import torch
from torch import Tensor

from lightning_rast.ops import soft_coverage
from tests.ops.contour_fingerprint import uneven_weights
from tests.ops.one_thread import on_one_thread
from tests.ops.soft_scenes import SCENES, SOFTNESS, Scene, options, sliver_scene, soup_scene


def all_scenes() -> list[Scene]:
    scenes = [make() for make in SCENES.values()]
    slivers = sliver_scene()
    scenes.append(Scene(slivers.verts_clip[:50], slivers.faces.repeat(3, 1), slivers.image_size))
    return scenes + [soup_scene(num_faces=300, size=90, seed=seed) for seed in range(3)]


def all_outputs() -> list[Tensor]:
    results = []
    for scene in on_one_thread(all_scenes):
        for semantics in SOFTNESS:
            for dtype in (torch.float32, torch.float64):
                verts = scene.verts_clip.to(dtype, copy=True).requires_grad_()
                image = soft_coverage(
                    verts, scene.faces, scene.image_size, **options(semantics, faces_per_pixel=4)
                )
                weights = uneven_weights(image.numel(), dtype).reshape(image.shape)
                (grad,) = torch.autograd.grad((image * weights).sum(), verts)
                results += [image.detach(), grad]
    return results


def fingerprint() -> str:
    digest = hashlib.sha256()
    for tensor in all_outputs():
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()


if __name__ == "__main__":
    print(fingerprint())

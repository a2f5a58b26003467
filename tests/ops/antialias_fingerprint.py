"""Prints a hash of what `antialias` returns; one process per instruction set runs it."""

import hashlib

import torch
from torch import Tensor

from lightning_rast.ops import antialias, rasterize
from lightning_rast.scene import Topology
from tests.ops.antialias_scenes import SCENES
from tests.ops.contour_fingerprint import uneven_weights
from tests.ops.contour_soups import general_soup, near_clipped_soup
from tests.ops.contour_views import seen_from
from tests.ops.one_thread import on_one_thread


def all_cases() -> list[tuple[Tensor, Tensor, tuple[int, int]]]:
    """Clip coordinates, faces and the size of the image."""
    cases = []
    for make in SCENES.values():
        scene = make(3)
        eyes = [(1.1, 0.9, 2.4), (-2, 0.3, 1.5), (0.2, 0.5, 0.9)]
        views = torch.cat([seen_from(scene.verts, eye=eye, near=0.3) for eye in eyes])
        cases.append((views, scene.faces, (61, 47)))
    for seed in range(20):
        soup = (general_soup, near_clipped_soup)[seed % 2](seed)
        cases.append((soup.verts_clip, soup.faces, soup.image_size))
    return cases


def fingerprint() -> str:
    digest = hashlib.sha256()
    for verts_clip, faces, image_size in on_one_thread(all_cases):
        topology = Topology.from_faces(faces, verts_clip.shape[1])
        for dtype in (torch.float32, torch.float64):
            leaf = verts_clip.to(dtype, copy=True).requires_grad_()
            fragments = rasterize(leaf.detach(), topology.faces, image_size)
            shape = (*fragments.face_idx.shape, 2)
            image = uneven_weights(fragments.face_idx.numel() * 2, dtype).reshape(shape)
            image.requires_grad_()
            smooth = antialias(image, fragments, leaf, topology)
            weights = uneven_weights(smooth.numel(), dtype).flip(0).reshape(shape)
            for tensor in (smooth, *torch.autograd.grad((smooth * weights).sum(), (leaf, image))):
                digest.update(tensor.detach().contiguous().numpy().tobytes())
    return digest.hexdigest()


if __name__ == "__main__":
    print(fingerprint())

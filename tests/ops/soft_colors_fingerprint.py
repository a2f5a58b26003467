"""Prints a hash of `soft_colors`' outputs; one process per instruction set runs it."""

import hashlib

import numpy as np
import torch
from torch import Tensor

from lightning_rast.ops import soft_colors
from tests.ops.contour_fingerprint import uneven_weights
from tests.ops.one_thread import on_one_thread
from tests.ops.soft_scenes import SCENES, Scene


def colors_of(scene: Scene, channels: int = 3) -> Tensor:
    """Colours of corners, different for each."""
    count = 3 * channels * len(scene.faces)
    return torch.from_numpy(np.sin(np.arange(count)) * 0.5 + 0.5).reshape(-1, 3, channels)


def fingerprint() -> str:
    digest = hashlib.sha256()
    for scene in on_one_thread(lambda: [make() for make in SCENES.values()]):
        for dtype in (torch.float32, torch.float64):
            verts = scene.verts_clip.to(dtype, copy=True).requires_grad_()
            colors = colors_of(scene).to(dtype).requires_grad_()
            image, coverage = soft_colors(
                verts, scene.faces, colors, scene.image_size, sigma=0.6, gamma=0.02
            )
            weights = uneven_weights(image.numel(), dtype).reshape(image.shape)
            loss = (image * weights).sum() + coverage.square().sum()
            grads = torch.autograd.grad(loss, (verts, colors))
            for tensor in (image.detach(), coverage.detach(), *grads):
                digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()


if __name__ == "__main__":
    print(fingerprint())

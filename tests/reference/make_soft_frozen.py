"""Writes soft_frozen.npz: soft coverage and its gradient by the reference, for three scenes.

python -m tests.reference.make_soft_frozen
"""

from pathlib import Path

import numpy as np
import torch

from tests.ops.soft_scenes import SCENES, SOFTNESS, expected

FROZEN = Path(__file__).with_name("soft_frozen.npz")
NAMES = ("sphere", "cut at the near plane", "soup")


def arrays() -> dict[str, np.ndarray]:
    result = {}
    for name in NAMES:
        scene = SCENES[name]()
        result[f"{name}/verts_clip"] = scene.verts_clip.numpy()
        result[f"{name}/faces"] = scene.faces.numpy()
        result[f"{name}/image_size"] = np.array(scene.image_size)
        for semantics in SOFTNESS:
            verts = scene.verts_clip.clone().requires_grad_()
            image = expected(scene._replace(verts_clip=verts), semantics)
            (grad,) = torch.autograd.grad(image.square().sum(), verts)
            result[f"{name}/{semantics}/image"] = image.detach().numpy()
            result[f"{name}/{semantics}/gradient"] = grad.numpy()
    return result


if __name__ == "__main__":
    np.savez_compressed(FROZEN, **arrays())  # pyright: ignore[reportArgumentType]
    print(f"{FROZEN}: {FROZEN.stat().st_size} bytes")

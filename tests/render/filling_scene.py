"""A wavy surface that fills the picture, rendered as a function of all that can have a gradient."""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from lightning_rast.render import Renderer, Rendering
from lightning_rast.scene import Camera, grid


def images(rendering: Rendering) -> dict[str, Tensor]:
    return {name: image for name, image in vars(rendering).items() if image is not None}


def filling(
    renderer: Renderer, camera: Camera
) -> tuple[Callable[..., tuple[Tensor, ...]], list[Tensor]]:
    """What `renderer` makes of vertices, their colours, the camera's pose and K; and those inputs.
    Nothing but the inside of faces counts."""
    mesh = grid(2, 2, width=20, height=20).to(torch.float64)
    waves = torch.stack((0 * mesh.verts[:, 0], 0 * mesh.verts[:, 0], mesh.verts.sum(1).sin()), 1)
    mesh = mesh.with_verts(mesh.verts + 0.4 * waves)

    def render(verts: Tensor, colors: Tensor, pose: Tensor, K: Tensor) -> tuple[Tensor, ...]:
        moved = replace(
            camera,
            world_to_view=torch.cat((pose, camera.world_to_view[:, 3:]), dim=1),
            K=torch.cat((K, camera.K[:, 2:]), dim=1),
        )
        return tuple(images(renderer(mesh.with_verts(verts), moved, colors)).values())

    inputs = (
        mesh.verts,
        torch.rand(mesh.num_verts, 2).double(),
        camera.world_to_view[:, :3],
        camera.K[:, :2],
    )
    return render, [tensor.clone().requires_grad_() for tensor in inputs]

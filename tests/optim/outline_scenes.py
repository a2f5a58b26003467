"""Cameras, masks and meshes that the outline's Gauss-Newton steps are tested on."""

import torch
from torch import Tensor

from lightning_rast.scene import Camera, Mesh
from lightning_rast.scene.primitives import icosphere

SIZE = (48, 64)


def cameras(count: int = 4, image_size: tuple[int, int] = SIZE) -> Camera:
    angle = torch.arange(count, dtype=torch.float64) * 2.4
    eye = torch.stack((2.7 * angle.cos(), torch.linspace(-1, 1, count), 2.7 * angle.sin()), 1)
    return Camera.look_at(eye, fov_deg=45.0, image_size=image_size)


def disc_distances(views: Camera, radius_px: float) -> Tensor:
    """Signed distances to a disc in the middle of each image."""
    height, width = views.image_size
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    distance = radius_px - torch.hypot(x - width / 2, y - height / 2)
    return distance.expand(len(views), -1, -1).contiguous()


def bumpy(level: int = 3, radius: float = 0.8) -> Mesh:
    mesh = icosphere(level, radius=radius)
    noise = torch.randn(mesh.num_verts, 3, generator=torch.Generator().manual_seed(1))
    return mesh.with_verts(mesh.verts + 0.02 * noise)


def mean_edge(mesh: Mesh) -> float:
    a, b = mesh.topology.edge_verts.long().T
    return float((mesh.verts[a] - mesh.verts[b]).norm(dim=1).mean())

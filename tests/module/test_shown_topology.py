"""The genus that a whole reconstruction ends with."""

import pytest
import torch

from lightning_rast.config import Config
from lightning_rast.data import orbit_cameras, synthetic_views, view_directions
from lightning_rast.evaluate.retraining import trained
from lightning_rast.optim import part_genus
from lightning_rast.scene import Mesh, torus


def linked_rings() -> Mesh:
    flat = torus(64, 24, radius=1.0, tube_radius=0.22)
    turned = flat.verts[:, [0, 2, 1]] * torch.tensor([1.0, 1.0, -1.0])
    verts = torch.cat((flat.verts, turned + torch.tensor([1.0, 0.0, 0.0])))
    return Mesh(verts, torch.cat((flat.faces, flat.faces + flat.num_verts)))


def fitted(mesh: Mesh, num_views: int) -> Mesh:
    directions = view_directions("fibonacci", num_views)
    views = synthetic_views(mesh, orbit_cameras(mesh, directions, image_size=128))
    return trained(Config(), views)[0]


@pytest.mark.slow
def test_linked_rings_come_apart():
    assert part_genus(fitted(linked_rings(), 8)) == (1, 1)


@pytest.mark.slow
def test_a_ring_keeps_its_handle():
    assert part_genus(fitted(torus(96, 48), 8)) == (1,)

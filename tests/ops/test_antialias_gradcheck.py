"""`antialias` returns the exact derivative of what it computes: float64 gradcheck of the kernel."""

import pytest
import torch
from torch import Tensor

from lightning_rast.ops import Fragments, antialias, rasterize
from lightning_rast.scene import Topology
from tests.ops.contour_meshes import icosphere
from tests.ops.contour_soups import Soup, general_soup, near_clipped_soup
from tests.ops.contour_views import orthographic, projected, seen_from


def random_image(fragments: Fragments, channels: int = 2) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(*fragments.face_idx.shape, channels, generator=generator).double()


def gradcheck_antialias(
    verts_clip: Tensor, topology: Topology, image_size: tuple[int, int]
) -> bool:
    fragments = rasterize(verts_clip, topology.faces, image_size)
    return torch.autograd.gradcheck(
        lambda image, verts: antialias(image, fragments, verts, topology),
        (random_image(fragments).requires_grad_(), verts_clip.clone().requires_grad_()),
        eps=1e-6,
        atol=1e-6,
        rtol=1e-6,
    )


def gradcheck_soup(soup: Soup) -> bool:
    topology = Topology.from_faces(soup.faces, soup.verts_clip.shape[1])
    return gradcheck_antialias(soup.verts_clip, topology, soup.image_size)


@pytest.mark.parametrize("seed", range(8))
def test_gradcheck_on_soups_that_intersect(seed: int):
    assert gradcheck_soup(general_soup(seed))


@pytest.mark.parametrize("seed", range(6))
def test_gradcheck_on_faces_cut_by_the_near_plane(seed: int):
    assert gradcheck_soup(near_clipped_soup(seed))


def test_gradcheck_of_an_orthographic_view_reaches_z():
    # Two spheres intersect. w stays what it is: where it differs, the view is another.
    mesh = icosphere(1)
    generator = torch.Generator().manual_seed(0)
    jitter = 0.05 * torch.randn(84, 3, generator=generator, dtype=torch.float64)
    offset = torch.tensor([0.7, 0.3, 0.2], dtype=torch.float64)
    verts = torch.cat([mesh.verts, mesh.verts * 0.9 + offset]) + jitter
    topology = Topology.from_faces(torch.cat([mesh.faces, mesh.faces + 42]), 84)
    verts_clip = projected(verts, orthographic(1.7))
    fragments = rasterize(verts_clip, topology.faces, (7, 8))
    image = random_image(fragments)

    def blended(xyz: Tensor) -> Tensor:
        return antialias(image, fragments, torch.cat([xyz, verts_clip[..., 3:]], -1), topology)

    xyz = verts_clip[..., :3].clone().requires_grad_()
    (grad,) = torch.autograd.grad(blended(xyz).square().sum(), xyz)
    assert (grad[..., 2] != 0).any()
    assert torch.autograd.gradcheck(blended, (xyz,), eps=1e-6, atol=1e-6, rtol=1e-6)


def test_gradcheck_on_a_closed_mesh_in_two_views():
    mesh = icosphere(1)
    jitter = 0.05 * torch.randn(len(mesh.verts), 3, generator=torch.Generator().manual_seed(0))
    verts = mesh.verts + jitter
    verts_clip = torch.cat([seen_from(verts), seen_from(verts, eye=(-2.0, 0.7, 0.6))])
    assert gradcheck_antialias(verts_clip, mesh.topology, (7, 8))

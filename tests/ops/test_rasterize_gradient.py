"""Gradients of weights and depth: gradcheck of the kernel, and autograd through the reference."""

import pytest
import torch
from torch import Tensor

from lightning_rast.ops import rasterize
from tests.ops.contour_meshes import bumpy_sphere, icosphere, joined, torus
from tests.ops.contour_soups import general_soup, near_clipped_soup
from tests.ops.contour_views import look_at, on_screen, orthographic, projected, seen_from
from tests.reference import rasterize as reference


def gradcheck_fragments(
    verts_clip: Tensor, faces: Tensor, image_size: tuple[int, int], **options
) -> bool:
    def weights_and_depth(verts: Tensor) -> tuple[Tensor, Tensor]:
        fragments = rasterize(verts, faces, image_size, **options)
        return fragments.bary, fragments.depth

    verts = verts_clip.clone().requires_grad_()
    # A small step, so that no pixel changes its face on the way.
    return torch.autograd.gradcheck(weights_and_depth, (verts,), eps=1e-7, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("num_layers", [None, 3])
@pytest.mark.parametrize("seed", range(8))
def test_gradcheck_on_soups(seed: int, num_layers: int | None):
    assert gradcheck_fragments(*general_soup(seed), num_layers=num_layers)


@pytest.mark.parametrize("num_layers", [None, 3])
@pytest.mark.parametrize("seed", range(8))
def test_gradcheck_on_faces_cut_by_the_near_plane(seed: int, num_layers: int | None):
    assert gradcheck_fragments(*near_clipped_soup(seed), num_layers=num_layers)


def test_gradcheck_on_an_orthographic_view():
    mesh = icosphere(1)
    verts_clip = projected(mesh.verts, orthographic(1.1) @ look_at((1.0, 2.0, 3.0)))
    # One layer only: a step in w makes the view perspective, which orders layers by w.
    assert gradcheck_fragments(verts_clip, mesh.faces, (6, 7), cull="back")


def test_gradcheck_on_packed_meshes():
    both = joined(icosphere(0), torus(5, 4))
    ranges = torch.tensor([[0, 20], [20, len(both.faces)], [10, 40]])
    assert gradcheck_fragments(seen_from(both.verts)[0], both.faces, (6, 7), face_ranges=ranges)


def weighted_gradient(rasterizer, verts_clip: Tensor, faces: Tensor, **options) -> Tensor:
    verts = verts_clip.clone().requires_grad_()
    fragments = rasterizer(verts, faces, (37, 45), **options)
    bary, depth = fragments.bary.double(), fragments.depth.double()
    weights = torch.arange(bary.numel()).double().sin().reshape(bary.shape)
    loss = (bary * weights).sum() + (depth * weights[..., 0]).sum()
    return torch.autograd.grad(loss, verts)[0]


@pytest.mark.parametrize("num_layers", [None, 2])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
def test_gradients_of_a_mesh_are_those_of_the_reference(dtype: torch.dtype, num_layers: int | None):
    mesh = bumpy_sphere(3)
    eyes = [(1.1, 0.9, 2.4), (0.2, 0.5, 0.9)]
    verts_clip = torch.cat([seen_from(mesh.verts, eye=eye, near=0.3) for eye in eyes]).to(dtype)
    actual, expected = (
        weighted_gradient(rasterizer, verts_clip, mesh.faces, num_layers=num_layers)
        for rasterizer in (rasterize, reference.rasterize)
    )
    assert actual.dtype == dtype
    scale = float(expected.abs().max())
    atol = scale * (1e-6 if dtype == torch.float32 else 1e-11)
    torch.testing.assert_close(actual.double(), expected.double(), rtol=0, atol=atol)


def test_each_output_may_be_used_alone():
    mesh = icosphere(2)
    verts = seen_from(mesh.verts).requires_grad_()
    fragments = rasterize(verts, mesh.faces, (20, 20))
    (of_bary,) = torch.autograd.grad(fragments.bary.square().sum(), verts, retain_graph=True)
    (of_depth,) = torch.autograd.grad(fragments.depth.square().sum(), verts, retain_graph=True)
    both = fragments.bary.square().sum() + fragments.depth.square().sum()
    (of_both,) = torch.autograd.grad(both, verts)
    assert of_bary.abs().max() > 0
    assert of_depth.abs().max() > 0
    torch.testing.assert_close(of_bary + of_depth, of_both)


def test_depth_and_z_have_no_gradient_towards_each_other():
    mesh = icosphere(2)
    verts = seen_from(mesh.verts).requires_grad_()
    (grad,) = torch.autograd.grad(rasterize(verts, mesh.faces, (20, 20)).depth.sum(), verts)
    assert (grad[..., 2] == 0).all()


def test_face_numbers_are_not_differentiable():
    mesh = icosphere(1)
    fragments = rasterize(seen_from(mesh.verts).requires_grad_(), mesh.faces, (8, 8))
    assert not fragments.face_idx.requires_grad
    assert fragments.depth.requires_grad


def test_the_gradient_at_an_edge_is_that_of_the_plain_formula():
    # The pixel's centre lies on an edge of the face, where weight 2 is 0 but not constant.
    xy = torch.tensor([[0.5, 0.5], [4.5, 0.5], [0.5, 4.5]]).double()
    verts = on_screen(xy, (1, 1))[None].requires_grad_()
    bary = rasterize(verts, torch.tensor([[0, 1, 2]]).int(), (1, 1)).bary
    assert bary.flatten().tolist() == [1.0, 0.0, 0.0]
    (grad,) = torch.autograd.grad(bary[..., 2].sum(), verts)
    # Moving corner 0 down by d (clip y by -2 d) leaves weight -d / (4 px) at the centre.
    torch.testing.assert_close(grad[0, 0, 1], torch.tensor(0.5 / 4).double())


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_gradients_of_numbers_near_the_ends_of_the_range(scale: float):
    soup = general_soup(0, num_faces=1)
    verts = soup.verts_clip.clone().requires_grad_()
    (plain,) = torch.autograd.grad(rasterize(verts, *soup[1:]).bary.square().sum(), verts)
    verts = (soup.verts_clip * scale).requires_grad_()
    (scaled,) = torch.autograd.grad(rasterize(verts, *soup[1:]).bary.square().sum(), verts)
    torch.testing.assert_close(scaled * scale, plain, rtol=1e-9, atol=1e-12)


def test_single_precision_holds_over_a_million_pixels():
    # Sums of as many small terms in float would be off by far more.
    faces = torch.tensor([[0, 1, 2]], dtype=torch.int32)
    corners = torch.tensor([[[-4.0, -4, 0, 1], [12, -4, 0, 1.5], [-4, 12, 0, 2]]])
    grads = []
    for dtype in (torch.float32, torch.float64):
        verts_clip = corners.to(dtype, copy=True).requires_grad_()
        rasterize(verts_clip, faces, (1024, 1024)).depth.sum().backward()
        grads.append(verts_clip.grad)
    assert (grads[0] - grads[1]).norm() < 1e-6 * grads[1].norm()

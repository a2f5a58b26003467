"""What must hold for any picture: range, shifts, areas, precision, independence of views."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lightning_rast.ops import contour_coverage
from lightning_rast.scene import Topology
from tests.ops.contour_meshes import ALL, noisy_sphere, torus
from tests.ops.contour_soups import tied_soup
from tests.ops.contour_views import on_screen, seen_from


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("name", ALL)
def test_values_lie_between_zero_and_one(name: str, dtype: torch.dtype):
    mesh = ALL[name]()
    coverage = contour_coverage(seen_from(mesh.verts).to(dtype), mesh.topology, (64, 64))
    assert coverage.dtype == dtype
    assert coverage.min() == 0
    assert 0.9 < coverage.max() <= 1


@given(seed=st.integers(0, 2**31), shift=st.tuples(st.integers(-4, 4), st.integers(-4, 4)))
@settings(max_examples=150)
def test_moving_by_whole_pixels_moves_the_image(seed: int, shift: tuple[int, int]):
    soup = tied_soup(seed)
    topology = Topology.from_faces(soup.faces, soup.verts_clip.shape[1])
    height, width = soup.image_size
    large = (height + 8, width + 8)
    w = soup.verts_clip[..., 3:]
    ndc = soup.verts_clip[..., :2] / w
    xy = torch.stack([(ndc[..., 0] + 1) / 2 * width, (1 - ndc[..., 1]) / 2 * height], dim=-1) + 4
    moved = xy + torch.tensor([shift[1], shift[0]])

    first = contour_coverage(on_screen(xy, large, w[..., 0]), topology, large)
    second = contour_coverage(on_screen(moved, large, w[..., 0]), topology, large)
    inner = first[:, 4 : 4 + height, 4 : 4 + width]
    row, column = 4 + shift[0], 4 + shift[1]
    torch.testing.assert_close(
        second[:, row : row + height, column : column + width], inner, rtol=0, atol=1e-6
    )


@given(
    angles=st.lists(st.floats(0, 6.28), min_size=3, max_size=12, unique=True),
    centre=st.tuples(st.floats(9, 15), st.floats(8, 12)),
)
@settings(max_examples=150)
def test_pixels_of_a_convex_polygon_add_up_to_its_area(angles, centre):
    angle = torch.tensor(sorted(angles), dtype=torch.float64)
    rim = 7.3 * torch.stack([angle.cos(), angle.sin()], dim=1)
    xy = rim + torch.tensor(centre).double()
    following = rim.roll(-1, dims=0)
    area = 0.5 * (rim[:, 0] * following[:, 1] - rim[:, 1] * following[:, 0]).sum()
    corner = torch.arange(1, len(angle) - 1)
    faces = torch.stack([torch.zeros_like(corner), corner, corner + 1], dim=1)
    coverage = contour_coverage(
        on_screen(xy, (20, 24))[None], Topology.from_faces(faces, len(angle)), (20, 24)
    )
    torch.testing.assert_close(coverage.sum(), area, rtol=0, atol=1e-6)


def test_finer_pixels_average_to_coarser_ones():
    mesh = noisy_sphere(4)
    verts_clip = seen_from(mesh.verts)
    coarse = contour_coverage(verts_clip, mesh.topology, (20, 24))
    fine = contour_coverage(verts_clip, mesh.topology, (80, 96))
    pooled = torch.nn.functional.avg_pool2d(fine[None], 4)[0]
    torch.testing.assert_close(coarse, pooled, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ALL)
def test_float32_agrees_with_float64(name: str):
    mesh = ALL[name]()
    verts_clip = seen_from(mesh.verts).float()
    weights = torch.linspace(-1, 1, 64)
    results = []
    for dtype in (torch.float32, torch.float64):
        verts = verts_clip.to(dtype).requires_grad_()
        coverage = contour_coverage(verts, mesh.topology, (64, 64))
        (grad,) = torch.autograd.grad((coverage * weights.to(dtype)).sum(), verts)
        assert grad.dtype == dtype
        results.append((coverage.detach().double(), grad.double()))
    (coverage, grad), (coverage_precise, grad_precise) = results
    torch.testing.assert_close(coverage, coverage_precise, rtol=0, atol=1e-6)
    assert (grad - grad_precise).norm() <= 1e-5 * grad_precise.norm()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
def test_views_do_not_know_of_each_other(dtype: torch.dtype):
    mesh = torus()
    eyes = [(1.1, 0.9, 2.4), (0, 0.1, 3), (0.5, 0.2, 0.6), (0, 3, 0.1), (9, 9, 9)]
    batch = torch.cat([seen_from(mesh.verts, eye=eye) for eye in eyes]).to(dtype)
    batch.requires_grad_()
    together = contour_coverage(batch, mesh.topology, (40, 33))
    weights = torch.rand(together.shape, dtype=dtype)
    (grad_together,) = torch.autograd.grad((together * weights).sum(), batch)
    for view in range(len(eyes)):
        alone = batch[view : view + 1].detach().requires_grad_()
        coverage = contour_coverage(alone, mesh.topology, (40, 33))
        (grad,) = torch.autograd.grad((coverage * weights[view]).sum(), alone)
        assert torch.equal(coverage[0], together[view])
        assert torch.equal(grad[0], grad_together[view])


def test_noncontiguous_vertices_are_accepted():
    mesh = torus()
    verts_clip = seen_from(mesh.verts)
    strided = torch.cat([verts_clip, verts_clip], dim=2)[..., 4:].detach().requires_grad_()
    assert not strided.is_contiguous()
    coverage = contour_coverage(strided, mesh.topology, (16, 16))
    assert torch.equal(coverage, contour_coverage(verts_clip, mesh.topology, (16, 16)))
    # The gradient of sum() is an expanded scalar, without strides of its own.
    coverage.sum().backward()
    plain = verts_clip.detach().requires_grad_()
    contour_coverage(plain, mesh.topology, (16, 16)).sum().backward()
    assert strided.grad is not None
    assert plain.grad is not None
    assert torch.equal(strided.grad, plain.grad)


def test_two_backward_passes_through_one_image_agree():
    mesh = torus()
    verts_clip = seen_from(mesh.verts).requires_grad_()
    coverage = contour_coverage(verts_clip, mesh.topology, (16, 16))
    (first,) = torch.autograd.grad(coverage.sum(), verts_clip, retain_graph=True)
    (second,) = torch.autograd.grad(coverage.sum(), verts_clip)
    assert torch.equal(first, second)

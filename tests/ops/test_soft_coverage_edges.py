"""`soft_coverage` where things are empty, tiny, huge or degenerate."""

import itertools
import math

import pytest
import torch
from torch import Tensor

from lightning_rast.ops import soft_coverage
from lightning_rast.ops.soft_coverage import Semantics, soft_model
from tests.ops.contour_meshes import icosphere
from tests.ops.contour_views import on_screen, seen_from
from tests.ops.soft_scenes import SOFTNESS, options, sliver_scene
from tests.reference import soft_coverage as reference

BOTH = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
ALL = pytest.mark.parametrize("semantics", SOFTNESS)


def render(verts_clip: Tensor, faces: Tensor, image_size: tuple[int, int], **chosen):
    """Coverage and a gradient, both of which must be finite, and the first within [0, 1]."""
    verts = verts_clip.detach().clone().requires_grad_()
    image = soft_coverage(verts, faces, image_size, **chosen)
    (grad,) = torch.autograd.grad((image * torch.linspace(-1, 2, image.shape[-1])).sum(), verts)
    assert image.isfinite().all()
    assert grad.isfinite().all()
    assert image.min() >= 0
    assert image.max() <= 1
    return image.detach(), grad


def numbered(count: int) -> Tensor:
    return torch.arange(3 * count, dtype=torch.int32).reshape(-1, 3)


@ALL
@BOTH
def test_no_faces_cover_nothing(semantics: str, dtype: torch.dtype):
    verts = seen_from(icosphere(1).verts).to(dtype).requires_grad_()
    faces = torch.empty(0, 3, dtype=torch.int32)
    image = soft_coverage(verts, faces, (9, 40), **options(semantics))
    assert torch.equal(image, torch.zeros(1, 9, 40, dtype=dtype))
    (grad,) = torch.autograd.grad(image.sum(), verts)
    assert torch.equal(grad, torch.zeros_like(grad))


def test_no_views_and_no_vertices():
    faces = torch.empty(0, 3, dtype=torch.int32)
    assert soft_coverage(torch.empty(0, 5, 4), faces, (3, 4), sigma=1.0).shape == (0, 3, 4)
    assert soft_coverage(torch.empty(2, 0, 4), faces, (3, 4), sigma=1.0).sum() == 0


@ALL
@BOTH
def test_a_picture_of_one_pixel(semantics: str, dtype: torch.dtype):
    image, _ = render(
        seen_from(icosphere(1).verts).to(dtype), icosphere(1).faces, (1, 1), **options(semantics)
    )
    assert image.item() > 0.95


@ALL
@BOTH
def test_faces_without_area_do_not_count(semantics: str, dtype: torch.dtype):
    xy = torch.tensor([[2, 2], [9, 9], [5.5, 5.5], [4, 4], [4, 4], [7, 3], [8, 8]])
    faces = torch.tensor([[0, 1, 2], [3, 4, 5], [6, 6, 6], [0, 0, 1]], dtype=torch.int32)
    image, grad = render(
        on_screen(xy, (12, 12))[None].to(dtype), faces, (12, 12), **options(semantics)
    )
    assert image.max() == 0
    assert grad.abs().max() == 0


@BOTH
@pytest.mark.parametrize("thickness", [1e-1, 1e-3, 1e-5])
def test_thin_faces_match_the_reference(thickness: float, dtype: torch.dtype):
    xy = torch.tensor([[2, 3.2], [25, 17.9], [13.5, 10.55]]).double()
    xy[2, 1] += thickness
    verts_clip = on_screen(xy, (24, 28))[None].to(dtype)
    expected = reference.pixel(verts_clip.double(), numbered(1), (24, 28), sigma=0.7)
    image, _ = render(verts_clip, numbered(1), (24, 28), sigma=0.7)
    assert 0.4 < image.max() < 0.6
    torch.testing.assert_close(image.double(), expected, rtol=0, atol=1e-5)


def test_slivers_hide_what_is_behind_them():
    # Thinner than rounding: pixels on them may be outside of all three sides.
    scene = sliver_scene()
    chosen = {"semantics": "pytorch3d", "sigma": 2e-4, "faces_per_pixel": 1}
    verts_clip = scene.verts_clip.float()
    image, _ = render(verts_clip, scene.faces, scene.image_size, **chosen)
    alone, _ = render(verts_clip, scene.faces[:1], scene.image_size, **chosen)
    assert (alone > 0).flatten(1).any(dim=1).sum() > 200
    assert torch.equal(image, torch.where(alone > 0, alone, 1.0))


@pytest.mark.parametrize(("reach", "w"), [(1e41, 1e-3), (1e6, 1e-39)])
def test_depth_keys_are_finite_at_any_distance(reach: float, w: float):
    # Distances to sides, or 1 / w, that float does not hold.
    ndc = reach * torch.tensor([[-1.0, -1], [1, -1], [0, 1]]).double()
    near = torch.cat([ndc * w, torch.zeros(3, 1), torch.full((3, 1), w)], dim=1)
    verts_clip = torch.cat([near, near * torch.tensor([1, 1, 1, 1.5])])[None].float()
    model = soft_model("soft_coverage", (8, 8), 2e-3, "pytorch3d", 1e-4, None, 1)
    _, _, last_key, _ = torch.ops.lightning_rast.soft_coverage(
        verts_clip, numbered(2), 8, 8, *model
    )
    assert last_key.isfinite().all()


@ALL
@BOTH
def test_a_mesh_behind_the_camera_covers_nothing(semantics: str, dtype: torch.dtype):
    mesh = icosphere(1)
    verts_clip = seen_from(mesh.verts, target=(2.2, 1.8, 4.8)).to(dtype)
    image, grad = render(verts_clip, mesh.faces, (16, 16), **options(semantics))
    assert image.max() == 0
    assert grad.abs().max() == 0


@ALL
@BOTH
def test_the_inside_of_a_mesh_fills_the_picture(semantics: str, dtype: torch.dtype):
    verts_clip = seen_from(icosphere(2).verts, eye=(0.1, 0.2, 0.3)).to(dtype)
    chosen = options(semantics) | {"sigma": 1e-3}
    image, _ = render(verts_clip, icosphere(2).faces, (40, 40), **chosen)
    # Between two faces of a seam each is uncertain.
    assert image.min() > 0.7
    assert image.mean() > 0.85


@BOTH
def test_a_corner_on_the_near_plane(dtype: torch.dtype):
    verts = torch.tensor([[0.0, 0.5, -1, 1], [-0.6, -0.5, 0, 1], [0.5, -0.6, -3, 1]]).to(dtype)
    image, _ = render(verts[None], numbered(1), (20, 20), sigma=0.5)
    expected = reference.pixel(verts[None].double(), numbered(1), (20, 20), sigma=0.5)
    torch.testing.assert_close(image.double(), expected, rtol=0, atol=1e-5)
    assert 0.02 < image.mean() < 0.2


@ALL
@BOTH
@pytest.mark.parametrize("scale", [1e3, 1e6, 1e12])
def test_corners_far_off_the_picture(scale: float, semantics: str, dtype: torch.dtype):
    # A half plane left of x = 10.3 whose other corners are far away.
    xy = torch.tensor([[10.3, -scale], [-scale, 3.0], [10.3, scale]], dtype=torch.float64)
    chosen = options(semantics)
    image, _ = render(on_screen(xy, (20, 20))[None].to(dtype), numbered(1), (20, 20), **chosen)
    distance = 10.3 - (torch.arange(20) + 0.5)
    if semantics == "pixel":
        expected = torch.sigmoid(distance / chosen["sigma"])
    else:
        ndc2 = (distance / 10).square() * distance.sign()
        expected = torch.sigmoid(ndc2 / chosen["sigma"])
    expected = expected.double().expand(20, 20)[None]
    torch.testing.assert_close(image.double(), expected, rtol=0, atol=2e-4)


@ALL
@BOTH
def test_huge_softness_is_even(semantics: str, dtype: torch.dtype):
    # Every face has p = 1/2 everywhere.
    mesh = icosphere(0)
    chosen = options(semantics) | {"sigma": 1e9}
    image, _ = render(seen_from(mesh.verts).to(dtype), mesh.faces, (40, 33), **chosen)
    expected = torch.full((1, 40, 33), 1 - 0.5**20, dtype=dtype)
    torch.testing.assert_close(image, expected, rtol=0, atol=2e-5)


@ALL
@BOTH
@pytest.mark.parametrize("sigma", [1e-12, 1e-14])
def test_tiny_softness_is_hard(sigma: float, semantics: str, dtype: torch.dtype):
    xy = torch.tensor([[3.1, 2.2], [27.3, 5.4], [9.6, 21.7]]).double()
    verts_clip = on_screen(xy, (24, 30))[None]
    image, _ = render(verts_clip.to(dtype), numbered(1), (24, 30), semantics=semantics, sigma=sigma)
    _, inside = reference.outline_distance2(xy, reference.pixel_centres((24, 30)))
    assert torch.equal(image.double().reshape(-1), inside.double())


@ALL
def test_views_do_not_touch_each_other(semantics: str):
    mesh = icosphere(1)
    eyes = [(2.4, 0.3, 0.5), (0.2, 2.6, 0.4), (0.3, 0.2, 0.6)]
    verts_clip = torch.cat([seen_from(mesh.verts, eye=eye) for eye in eyes])
    images, grads = render(verts_clip, mesh.faces, (18, 35), **options(semantics))
    for view in range(3):
        image, grad = render(verts_clip[view][None], mesh.faces, (18, 35), **options(semantics))
        assert torch.equal(images[view], image[0])
        assert torch.equal(grads[view], grad[0])


@ALL
def test_many_layers_match_the_reference(semantics: Semantics):
    # A hundred copies saturate whole blocks of pixels, from which on faces are left out.
    xy = torch.tensor([[3.1, 2.2], [57.3, 5.4], [19.6, 41.7]]).double()
    verts_clip = on_screen(xy, (48, 60))[None]
    many = numbered(1).expand(100, 3).contiguous()
    chosen = options(semantics, faces_per_pixel=7)
    layers = 7 if semantics == "pytorch3d" else 100
    image, _ = render(verts_clip, many, (48, 60), **chosen)
    one, _ = render(verts_clip, numbered(1), (48, 60), **chosen)
    torch.testing.assert_close(image, 1 - (1 - one) ** layers, rtol=0, atol=1e-9)


def test_more_faces_cover_more():
    generator = torch.Generator().manual_seed(3)
    xy = torch.rand(30, 2, generator=generator).double() * 40
    verts_clip = on_screen(xy, (40, 40))[None]
    images = [soft_coverage(verts_clip, numbered(n), (40, 40), sigma=1.5) for n in range(11)]
    for fewer, more in itertools.pairwise(images):
        assert (more >= fewer).all()


def test_probabilities_follow_the_formula():
    # One long edge, so that d is the distance to a line: p = sigmoid(d / sigma) - about 1e-4.
    xy = torch.tensor([[50.5, -1e5], [-1e5, 7.0], [50.5, 1e5]]).double()
    row = soft_coverage(on_screen(xy, (9, 101))[None], numbered(1), (9, 101), sigma=3.0)[0, 4]
    for x in range(101):
        odds = max(math.exp((50.5 - (x + 0.5)) / 3.0) - 1e-4 / (1 - 1e-4), 0.0)
        assert row[x].item() == pytest.approx(odds / (1 + odds), abs=1e-6)

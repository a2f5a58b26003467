"""`antialias` where faces are left out, and where no pixel shows the background."""

import pytest
import torch
from torch import Tensor

from lightning_rast.ops import antialias, contour_coverage, interpolate, rasterize
from lightning_rast.scene import Topology, icosphere
from tests.ops.antialias_scenes import SCENES, ball, joined
from tests.ops.contour_soups import general_soup, near_clipped_soup, tied_soup
from tests.ops.contour_views import on_screen, seen_from
from tests.reference.supersampled import box_filtered

SIZE = 40


def image_and_gradient(
    verts_clip: Tensor, faces: Tensor, attrs: Tensor, size: tuple[int, int], **drawing
) -> tuple[Tensor, Tensor]:
    leaf = verts_clip.clone().requires_grad_()
    fragments = rasterize(leaf, faces, size, **drawing)
    topology = Topology.from_faces(faces, verts_clip.shape[-2])
    smooth = antialias(interpolate(attrs, faces, fragments), fragments, leaf, topology, **drawing)
    weights = torch.rand(smooth.shape, generator=torch.Generator().manual_seed(0)).double()
    (grad,) = torch.autograd.grad((smooth * weights).sum(), leaf)
    return smooth.detach(), grad


def is_front(verts_clip: Tensor, faces: Tensor) -> Tensor:
    """Of faces wholly before the camera."""
    a, b, c = (verts_clip[:, :2] / verts_clip[:, 3:])[faces.long()].unbind(1)
    u, v = b - a, c - a
    return u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0] > 0


def assert_same(actual: tuple[Tensor, Tensor], expected: tuple[Tensor, Tensor]) -> None:
    torch.testing.assert_close(actual[0], expected[0], rtol=0, atol=1e-12)
    torch.testing.assert_close(actual[1], expected[1], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("cull", ["back", "front"])
@pytest.mark.parametrize("seed", range(8))
def test_faces_left_out_by_cull_are_as_if_they_were_not_there(seed: int, cull: str):
    soup = general_soup(seed, (9, 11), 12)
    verts_clip = soup.verts_clip
    attrs = torch.rand(verts_clip.shape[1], 2, generator=torch.Generator().manual_seed(1)).double()
    kept = is_front(verts_clip[0], soup.faces) == (cull == "back")
    assert 0 < kept.sum() < len(kept)
    assert_same(
        image_and_gradient(verts_clip, soup.faces, attrs, soup.image_size, cull=cull),
        image_and_gradient(verts_clip, soup.faces[kept], attrs, soup.image_size),
    )


@pytest.mark.parametrize("seed", range(6))
def test_both_sides_of_faces_cut_by_the_near_plane_are_left_out(seed: int):
    soup = near_clipped_soup(seed)
    attrs = torch.rand(soup.verts_clip.shape[1], 2).double()
    parts = [
        image_and_gradient(soup.verts_clip, soup.faces, attrs, soup.image_size, cull=cull)
        for cull in ("back", "front")
    ]
    turned = soup.faces.flip(1)
    assert_same(
        parts[0],
        image_and_gradient(soup.verts_clip, turned, attrs, soup.image_size, cull="front"),
    )
    assert not torch.equal(parts[0][0], parts[1][0])


def test_the_inside_of_an_open_shell_shows_where_its_front_is_left_out():
    mesh = icosphere(3)
    verts = mesh.verts.double()
    attrs = 0.5 + 0.5 * verts
    verts_clip = seen_from(verts)
    smooth, _ = image_and_gradient(verts_clip, mesh.faces, attrs, (SIZE, SIZE), cull="front")
    inside = mesh.faces[~is_front(verts_clip[0], mesh.faces)]
    truth = box_filtered(verts_clip[0], inside, attrs, SIZE, 16)
    hard = interpolate(attrs, inside, rasterize(verts_clip, inside, (SIZE, SIZE)))
    before, after = (hard[0] - truth).abs(), (smooth[0] - truth).abs()
    boundary = before.amax(dim=-1) > 0.02
    assert after[boundary].mean() < 0.1 * before[boundary].mean()


def batch() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Two meshes, of which each of two views shows one: vertices, faces, attributes, ranges."""
    scene = joined(
        ball(2, 0.7, (0.1, 0, 0), (1.0, 0.1)), ball(3, 0.5, (-0.2, 0.1, 0.3), (0.2, 1.0))
    )
    first = len(icosphere(2).faces)
    ranges = torch.tensor([[0, first], [first, len(scene.faces)]])
    return scene.verts, scene.faces, scene.attrs, ranges


@pytest.mark.parametrize("shared", [True, False])
def test_a_view_has_only_the_outlines_of_its_own_faces(shared: bool):
    verts, faces, attrs, ranges = batch()
    one = seen_from(verts)
    packed = one[0] if shared else torch.cat([one, seen_from(verts, eye=(-2, 0.4, 1.0))])
    smooth, grad = image_and_gradient(packed, faces, attrs, (SIZE, SIZE), face_ranges=ranges)
    grads = []
    for view in range(2):
        verts_clip = (packed if shared else packed[view])[None]
        leaf = verts_clip.clone().requires_grad_()
        own = faces[ranges[view, 0] : ranges[view, 1]]
        fragments = rasterize(leaf, own, (SIZE, SIZE))
        image = interpolate(attrs, own, fragments)
        topology = Topology.from_faces(own, len(verts))
        alone = antialias(image, fragments, leaf, topology)
        torch.testing.assert_close(smooth[view : view + 1], alone, rtol=0, atol=1e-12)
        weights = torch.rand(smooth.shape, generator=torch.Generator().manual_seed(0)).double()
        grads += torch.autograd.grad((alone * weights[view : view + 1]).sum(), leaf)
    expected = torch.cat(grads).sum(0) if shared else torch.cat(grads)
    torch.testing.assert_close(grad, expected, rtol=1e-9, atol=1e-12)


def quad(x0: float, y0: float, x1: float, y1: float) -> tuple[Tensor, Tensor]:
    """A rectangle on the screen: vertices (4, 2) in pixels, faces."""
    corners = torch.tensor([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], dtype=torch.float64)
    return corners, torch.tensor([[0, 1, 2], [0, 2, 3]], dtype=torch.int32)


def slit() -> tuple[Tensor, Topology]:
    """Two plates with .4 px between them, no pixel's centre in the gap, and 0.2 px of background at
    the image's border."""
    left, faces = quad(0.2, 0.2, 3.58, 7.8)
    right, _ = quad(3.98, 0.2, 7.7, 7.8)
    verts_clip = on_screen(torch.cat([left, right]), (8, 8))[None]
    return verts_clip, Topology.from_faces(torch.cat([faces, faces + 4]), 8)


def premultiplied_mask(verts_clip: Tensor, topology: Topology, size: tuple[int, int]) -> Tensor:
    fragments = rasterize(verts_clip, topology.faces, size)
    mask = (fragments.face_idx >= 0).to(verts_clip.dtype)[..., None]
    return antialias(mask, fragments, verts_clip, topology, premultiplied=True)[..., 0]


def test_a_background_that_no_centre_hits_is_blended_if_it_is_known_to_be_0():
    verts_clip, topology = slit()
    mask = premultiplied_mask(verts_clip, topology, (8, 8))
    torch.testing.assert_close(mask, contour_coverage(verts_clip, topology, (8, 8)))
    torch.testing.assert_close(mask[0, 1:7, 3], torch.full((6,), 0.6, dtype=torch.float64))


def slanted_slit() -> tuple[Tensor, Topology]:
    """Without the ties of an upright one, in which the nearest of two pixels may change."""
    verts_clip, topology = slit()
    jitter = torch.rand(8, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    verts_clip[0, :, :2] += 0.02 * jitter
    return verts_clip, topology


def thin_soup(seed: int) -> tuple[Tensor, Topology]:
    soup = general_soup(seed, (8, 8), 9)
    return soup.verts_clip, Topology.from_faces(soup.faces, soup.verts_clip.shape[1])


@pytest.mark.parametrize("make", [slanted_slit, lambda: thin_soup(3), lambda: thin_soup(5)])
def test_gradcheck_where_the_background_is_0(make):
    verts_clip, topology = make()
    fragments = rasterize(verts_clip, topology.faces, (8, 8))
    image = torch.rand(1, 8, 8, 2, generator=torch.Generator().manual_seed(0)).double()

    def blended(image: Tensor, verts: Tensor) -> Tensor:
        return antialias(image, fragments, verts, topology, premultiplied=True)

    leaves = (image.requires_grad_(), verts_clip.clone().requires_grad_())
    assert torch.autograd.gradcheck(blended, leaves, eps=1e-6, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("make", [general_soup, near_clipped_soup, tied_soup])
def test_a_premultiplied_image_stays_between_its_range_and_0(make):
    for seed in range(40):
        soup = make(seed)
        topology = Topology.from_faces(soup.faces, soup.verts_clip.shape[1])
        fragments = rasterize(soup.verts_clip, topology.faces, soup.image_size)
        generator = torch.Generator().manual_seed(seed)
        image = torch.rand(*fragments.face_idx.shape, 3, generator=generator).double() * 5 - 2
        smooth = antialias(image, fragments, soup.verts_clip, topology, premultiplied=True)
        low, high = image.amin(dim=(1, 2)).clamp(max=0), image.amax(dim=(1, 2)).clamp(min=0)
        assert (smooth >= low[:, None, None] - 1e-12).all()
        assert (smooth <= high[:, None, None] + 1e-12).all()


def test_ranges_beyond_the_faces_are_refused():
    verts, faces, attrs, ranges = batch()
    verts_clip = seen_from(verts)[0]
    fragments = rasterize(verts_clip, faces, (8, 8), face_ranges=ranges)
    image = interpolate(attrs, faces, fragments)
    wrong = ranges + torch.tensor([0, 1])
    with pytest.raises(ValueError, match=r"face_ranges\[1\]"):
        antialias(
            image,
            fragments,
            verts_clip,
            Topology.from_faces(faces, len(verts)),
            face_ranges=wrong,
        )


@pytest.mark.usefixtures("unchecked")
def test_a_side_that_does_not_exist_cannot_be_left_out():
    scene = SCENES["crossing"](2)
    verts_clip = seen_from(scene.verts)
    fragments = rasterize(verts_clip, scene.faces, (8, 8))
    image = interpolate(scene.attrs, scene.faces, fragments)
    topology = Topology.from_faces(scene.faces, len(scene.verts))
    with pytest.raises(ValueError, match='cull must be "none", "back" or "front"'):
        antialias(image, fragments, verts_clip, topology, cull="both")  # pyright: ignore

"""What `antialias` leaves as it is, and pictures of any mesh from any view."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from lightning_rast.ops import antialias, contour_coverage, interpolate, rasterize
from lightning_rast.scene import Topology
from tests.ops.antialias_scenes import crossing
from tests.ops.contour_meshes import (
    Surface,
    icosphere,
    joined,
    nested_shells,
    noisy_sphere,
    sheet,
    surface,
)
from tests.ops.contour_soups import general_soup, near_clipped_soup, tied_near_soup, tied_soup
from tests.ops.contour_views import on_screen, orthographic, projected, seen_from
from tests.reference.supersampled import box_filtered

QUAD = torch.tensor([[0, 1, 2], [0, 2, 3]], dtype=torch.int32)


def drawn(verts_clip: Tensor, faces: Tensor, attrs: Tensor, image_size: tuple[int, int]):
    """Hard and antialiased picture."""
    fragments = rasterize(verts_clip, faces, image_size)
    image = interpolate(attrs.to(verts_clip.dtype), faces, fragments)
    topology = Topology.from_faces(faces, verts_clip.shape[1])
    return image, antialias(image, fragments, verts_clip, topology)


def random_picture(
    verts_clip: Tensor, faces: Tensor, image_size: tuple[int, int], channels: int = 3
) -> tuple[Tensor, Tensor]:
    """Every pixel of another colour, before and after."""
    topology = Topology.from_faces(faces, verts_clip.shape[1])
    fragments = rasterize(verts_clip, topology.faces, image_size)
    shape = (*fragments.face_idx.shape, channels)
    image = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=verts_clip.dtype)
    return image, antialias(image, fragments, verts_clip, topology)


def quads(*corners: list[list[float]], w: list[list[float]]) -> Surface:
    """Quadrilaterals from pixel coordinates in an 8 x 8 picture; `verts` are clip coordinates."""
    verts = [
        on_screen(torch.tensor(xy).double(), (8, 8), torch.tensor(depth).double())
        for xy, depth in zip(corners, w, strict=True)
    ]
    faces = [QUAD + 4 * i for i in range(len(corners))]
    return Surface(torch.cat(verts), torch.cat(faces))


# --- What stays as it is --------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
def test_a_picture_of_one_colour_stays_exactly_so(dtype: torch.dtype):
    mesh = noisy_sphere(4)
    verts_clip = seen_from(mesh.verts).to(dtype)
    fragments = rasterize(verts_clip, mesh.faces, (32, 32))
    image = torch.full((1, 32, 32, 2), 0.3, dtype=dtype)
    assert torch.equal(antialias(image, fragments, verts_clip, mesh.topology), image)


@given(st.integers(0, 10_000), st.sampled_from(["general", "tied", "near", "tied near"]))
def test_every_pixel_stays_in_the_range_of_its_neighbours(seed: int, kind: str):
    make = {
        "general": general_soup,
        "tied": tied_soup,
        "near": near_clipped_soup,
        "tied near": tied_near_soup,
    }[kind]
    soup = make(seed)
    image, blended = random_picture(soup.verts_clip, soup.faces, soup.image_size)
    channels_first = image.permute(0, 3, 1, 2)
    padded = torch.nn.functional.pad(channels_first, (1, 1, 1, 1), mode="replicate")
    most = torch.nn.functional.max_pool2d(padded, 3, stride=1).permute(0, 2, 3, 1)
    least = -torch.nn.functional.max_pool2d(-padded, 3, stride=1).permute(0, 2, 3, 1)
    assert (blended <= most).all()
    assert (blended >= least).all()


def test_a_smooth_hollow_is_no_intersection():
    # Seen into a bowl, the plane of each face leaves the surface behind that of the next. Colours
    # must not run into each other there.
    bowl = icosphere(5)
    inside = bowl.faces[(bowl.verts[bowl.faces.long()][..., 2] < 0.3).all(dim=1)].flip(1)
    verts_clip = seen_from(bowl.verts, eye=(0.1, 0.2, 3.0))
    image, blended = random_picture(verts_clip, inside, (24, 24))
    fragments = rasterize(verts_clip, inside, (24, 24))
    assert len(fragments.face_idx[0, 8:16, 8:16].unique()) > 60
    assert torch.equal(blended[0, 8:16, 8:16], image[0, 8:16, 8:16])


def test_pixels_that_no_border_passes_stay_exactly_as_they_are():
    mesh = icosphere(3)
    verts_clip = seen_from(mesh.verts)
    image, blended = random_picture(verts_clip, mesh.faces, (40, 40))
    coverage = contour_coverage(verts_clip, mesh.topology, (40, 40))
    away = (coverage == 0) | (coverage == 1)
    assert torch.equal(image[away], blended[away])
    assert (image[~away] != blended[~away]).any(dim=1).float().mean() > 0.99


def test_a_wire_that_no_pixel_shows_leaves_the_picture_as_it_is():
    # A sliver between two rows of pixel centres.
    wire = quads([[0.4, 4.1], [7.6, 4.1], [7.6, 4.3], [0.4, 4.3]], w=[[1.0] * 4])
    hard, image = drawn(wire.verts[None], wire.faces, torch.ones(4, 1), (8, 8))
    assert (hard == 0).all()
    assert torch.equal(image, hard)


def test_channels_do_not_meet():
    scene = crossing(2)
    verts_clip, topology = (
        seen_from(scene.verts),
        Topology.from_faces(scene.faces, len(scene.verts)),
    )
    image, blended = random_picture(verts_clip, scene.faces, (32, 32), channels=64)
    fragments = rasterize(verts_clip, scene.faces, (32, 32))
    for channel in (0, 17, 63):
        one = image[..., channel : channel + 1].contiguous()
        alone = antialias(one, fragments, verts_clip, topology)
        assert torch.equal(alone, blended[..., channel : channel + 1])


def test_views_do_not_meet():
    mesh = nested_shells()
    eyes = [(1.1, 0.9, 2.4), (-2.0, 0.3, 1.5), (0.2, 2.5, 0.9)]
    verts_clip = torch.cat([seen_from(mesh.verts, eye=eye) for eye in eyes])
    image, blended = random_picture(verts_clip, mesh.faces, (20, 20))
    for view in range(3):
        fragments = rasterize(verts_clip[view : view + 1], mesh.faces, (20, 20))
        alone = antialias(
            image[view : view + 1], fragments, verts_clip[view : view + 1], mesh.topology
        )
        assert torch.equal(alone[0], blended[view])


def test_the_result_is_the_same_whether_gradients_are_wanted():
    scene = crossing(2)
    verts_clip, topology = (
        seen_from(scene.verts),
        Topology.from_faces(scene.faces, len(scene.verts)),
    )
    fragments = rasterize(verts_clip, scene.faces, (40, 40))
    image = interpolate(scene.attrs, scene.faces, fragments)
    expected = antialias(image, fragments, verts_clip, topology)
    assert not expected.requires_grad
    for wants in ((True, False), (False, True), (True, True)):
        out = antialias(
            image.clone().requires_grad_(wants[0]),
            fragments,
            verts_clip.clone().requires_grad_(wants[1]),
            topology,
        )
        assert out.requires_grad
        assert torch.equal(out, expected)


def test_gradients_of_image_and_vertices_do_not_need_each_other():
    scene = crossing(2)
    verts_clip, topology = (
        seen_from(scene.verts),
        Topology.from_faces(scene.faces, len(scene.verts)),
    )
    fragments = rasterize(verts_clip, scene.faces, (40, 40))
    image = interpolate(scene.attrs, scene.faces, fragments)

    def grads(*wants: bool) -> list[Tensor]:
        inputs = [image.clone(), verts_clip.clone()]
        for tensor, wanted in zip(inputs, wants, strict=True):
            tensor.requires_grad_(wanted)
        loss = antialias(inputs[0], fragments, inputs[1], topology).square().sum()
        wanted = [t for t in inputs if t.requires_grad]
        return list(torch.autograd.grad(loss, wanted))

    both = grads(True, True)
    assert torch.equal(grads(True, False)[0], both[0])
    torch.testing.assert_close(grads(False, True)[0], both[1], rtol=0, atol=1e-13)


def test_the_gradient_of_the_image_spreads_all_of_what_comes_in():
    mesh = noisy_sphere(4)
    verts_clip = seen_from(mesh.verts)
    fragments = rasterize(verts_clip, mesh.faces, (32, 32))
    image = torch.rand(1, 32, 32, 1).double().requires_grad_()
    out = antialias(image, fragments, verts_clip, mesh.topology)
    (grad,) = torch.autograd.grad(out.sum(), image)
    assert (grad >= 0).all()
    assert grad.sum().item() == pytest.approx(32 * 32, abs=1e-9)


# --- Any mesh, any view ---------------------------------------------------------------------------


def test_a_background_with_colours_of_its_own_shows_beyond_the_outline():
    quad = quads([[2.25, 2.25], [5.75, 2.25], [5.75, 5.75], [2.25, 5.75]], w=[[1.0] * 4])
    fragments = rasterize(quad.verts[None], quad.faces, (8, 8))
    object_mask = fragments.face_idx[..., None] >= 0
    image = torch.where(object_mask, 1.0, torch.linspace(2, 3, 8).double()[None, None, :, None])
    out = antialias(image, fragments, quad.verts[None], Topology.from_faces(quad.faces, 4))
    # Column 2 is covered by 3/4 and shows the object; beyond it lies column 1.
    assert out[0, 4, 2, 0].item() == pytest.approx(0.75 + 0.25 * image[0, 4, 1, 0].item())
    assert out[0, 4, 5, 0].item() == pytest.approx(0.75 + 0.25 * image[0, 4, 6, 0].item())


def test_objects_may_reach_beyond_every_side_of_the_picture():
    big, small = icosphere(3, 2.5), icosphere(2, 0.4)
    mesh = joined(
        Surface(big.verts - torch.tensor([0.0, 0, 1]), big.faces),
        Surface(small.verts + torch.tensor([0.9, 0.4, 1.4]), small.faces),
    )
    verts_clip = seen_from(mesh.verts, fov_deg=30)
    image, blended = random_picture(verts_clip, mesh.faces, (9, 13))
    assert blended.isfinite().all()
    assert not torch.equal(image, blended)


@pytest.mark.parametrize("eye", [(0.2, 0.1, 0.3), (0.02, 0.91, 0.01)])
def test_camera_inside_the_mesh(eye: tuple[float, float, float]):
    mesh = nested_shells()
    verts_clip = seen_from(mesh.verts, eye=eye, target=(1.0, 0.2, -0.5), near=0.05)
    assert (verts_clip[..., 2] + verts_clip[..., 3] < 0).any()
    _, blended = random_picture(verts_clip, mesh.faces, (24, 24))
    assert blended.isfinite().all()


def test_edges_cut_by_the_near_plane_are_borders():
    # The near plane opens a sphere; through the hole its inner side shows a second one.
    mesh = joined(icosphere(4), icosphere(3, 0.45))
    verts_clip = seen_from(mesh.verts, near=2.0)
    masks = torch.zeros(len(mesh.verts), 2)
    masks[:2562, 0] = 1
    masks[2562:, 1] = 1
    hard, image = drawn(verts_clip, mesh.faces, masks, (48, 48))
    expected = box_filtered(verts_clip[0], mesh.faces, masks.double(), 48, samples=12)
    assert (hard[0, ..., 1] > 0).sum() > 50
    assert (image[0] - expected).abs().mean() < 0.25 * (hard[0] - expected).abs().mean()


def test_orthographic_cameras_order_depth_by_z():
    scene = crossing(4)
    verts_clip = projected(scene.verts, orthographic(1.2))
    hard, image = drawn(verts_clip, scene.faces, scene.attrs, (48, 48))
    expected = box_filtered(verts_clip[0], scene.faces, scene.attrs, 48, samples=12)
    assert (image[0] - expected).abs().mean() < 0.1 * (hard[0] - expected).abs().mean()


@pytest.mark.parametrize(
    "faces",
    [
        [[0, 1, 2], [0, 1, 3], [0, 1, 4]],  # three at an edge
        [[0, 1, 2], [2, 1, 3], [1, 2, 4]],  # wound against each other
        [[0, 1, 2], [0, 1, 2], [2, 1, 0]],  # repeated
        [[0, 1, 1], [2, 2, 2], [0, 3, 2]],  # without area
        [[0, 1, 0]],
    ],
)
def test_any_triangles_will_do(faces: list[list[int]]):
    verts = torch.randn(5, 3, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    soup = surface(0.5 * verts, faces)
    _, blended = random_picture(seen_from(soup.verts), soup.faces, (16, 16))
    assert blended.isfinite().all()


def test_an_open_sheet_is_one_sided_at_its_border():
    mesh = sheet(24)
    attrs = torch.ones(len(mesh.verts), 1)
    verts_clip = seen_from(mesh.verts)
    hard, image = drawn(verts_clip, mesh.faces, attrs, (64, 64))
    expected = box_filtered(verts_clip[0], mesh.faces, attrs.double(), 64, samples=12)
    assert (image[0] - expected).abs().mean() < 0.1 * (hard[0] - expected).abs().mean()


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (7, 1), (2, 2)])
def test_small_pictures(size: tuple[int, int]):
    scene = crossing(2)
    _, blended = random_picture(seen_from(scene.verts), scene.faces, size)
    assert blended.shape == (1, *size, 3)
    assert blended.isfinite().all()


@pytest.mark.parametrize("scale", [1e3, 1e8, 1e12])
def test_huge_coordinates(scale: float):
    mesh = joined(icosphere(2), Surface(scale * icosphere(1).verts, icosphere(1).faces))
    verts_clip = seen_from(mesh.verts, eye=(0, 0.3, 3.0))
    _, blended = random_picture(verts_clip.requires_grad_(), mesh.faces, (16, 16))
    (grad,) = torch.autograd.grad(blended.square().sum(), verts_clip)
    assert blended.isfinite().all()
    assert grad.isfinite().all()

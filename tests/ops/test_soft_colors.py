"""`soft_colors` against the independent float64 reference, its gradients, and torch."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck

from lightning_rast.ops import soft_colors, soft_coverage
from tests.ops.instruction_sets import printed_by
from tests.ops.soft_colors_fingerprint import colors_of, fingerprint
from tests.ops.soft_scenes import (
    SCENES,
    Scene,
    cut_scene,
    orthographic_scene,
    sliver_scene,
    soup_scene,
)
from tests.reference import soft_colors as reference

SOFTNESS: dict[str, float] = {"pixel": 0.7, "softras": 2e-3}
BACKGROUND = torch.tensor([0.2, 0.5, 0.9], dtype=torch.float64)


def rendered(scene: Scene, colors: Tensor, semantics: Any, **options: Any):
    return soft_colors(
        scene.verts_clip,
        scene.faces,
        colors,
        scene.image_size,
        sigma=SOFTNESS[semantics],
        gamma=options.pop("gamma", 0.05),
        semantics=semantics,
        background=BACKGROUND.to(colors),
        **options,
    )


@pytest.mark.parametrize("semantics", SOFTNESS)
@pytest.mark.parametrize("name", SCENES)
def test_matches_the_reference(name: str, semantics: str):
    # Colours across a sliver change too fast for a comparison of float32.
    scene = soup_scene(thinness=0.5) if name == "soup" else SCENES[name]()
    colors = colors_of(scene)
    verts, own = scene.verts_clip.clone().requires_grad_(), colors.clone().requires_grad_()
    expected = reference.soft_colors(
        verts,
        scene.faces,
        own,
        scene.image_size,
        sigma=SOFTNESS[semantics],
        gamma=0.05,
        semantics=semantics,
        background=BACKGROUND,
    )
    weights = torch.arange(expected.numel()).sin().reshape(expected.shape).double()
    expected_grads = torch.autograd.grad((expected * weights).sum(), (verts, own))
    assert expected.std() > 0.1
    for dtype, tolerance in ((torch.float64, 1e-5), (torch.float32, 5e-4)):
        verts = scene.verts_clip.to(dtype, copy=True).requires_grad_()
        own = colors.to(dtype, copy=True).requires_grad_()
        image, _ = rendered(scene._replace(verts_clip=verts), own, semantics)
        torch.testing.assert_close(image.double(), expected, rtol=0, atol=tolerance)
        grads = torch.autograd.grad((image * weights.to(dtype)).sum(), (verts, own))
        for grad, expected_grad in zip(grads, expected_grads, strict=True):
            assert (grad - expected_grad).norm() < tolerance * expected_grad.norm()


@pytest.mark.parametrize("semantics", SOFTNESS)
def test_coverage_is_that_of_soft_coverage(semantics: Any):
    scene = SCENES["sphere"]()
    _, coverage = rendered(scene, colors_of(scene), semantics)
    expected = soft_coverage(*scene, sigma=SOFTNESS[semantics], semantics=semantics)
    assert torch.equal(coverage, expected)


GRADIENT_SCENES = {
    "cut": Scene(cut_scene().verts_clip, cut_scene().faces[::6], (6, 7)),
    "orthographic": Scene(orthographic_scene().verts_clip, orthographic_scene().faces[::5], (7, 6)),
    "soup": Scene(*soup_scene(num_faces=9)[:2], (7, 7)),
}


@pytest.mark.parametrize("semantics", SOFTNESS)
@pytest.mark.parametrize("name", GRADIENT_SCENES)
def test_gradients(name: str, semantics: Any):
    scene = GRADIENT_SCENES[name]
    inputs = (scene.verts_clip.clone().requires_grad_(), colors_of(scene, 2).requires_grad_())

    # Views whose w are all 1 are orthographic: a step of one w would make another camera.
    moves = torch.tensor([1.0, 1.0, 1.0, float(name != "orthographic")]).double()

    def both(verts: Tensor, colors: Tensor) -> tuple[Tensor, Tensor]:
        verts = scene.verts_clip + (verts - scene.verts_clip) * moves
        return soft_colors(
            verts,
            scene.faces,
            colors,
            scene.image_size,
            sigma=0.8 if semantics == "pixel" else 0.05,
            gamma=0.1,
            semantics=semantics,
            cutoff=1e-9,
        )

    assert gradcheck(both, inputs, eps=1e-7, atol=5e-5, rtol=1e-3)


def test_the_background_takes_its_share_of_the_gradient():
    scene = SCENES["sphere"]()
    background = BACKGROUND.clone().requires_grad_()
    image, _ = soft_colors(
        scene.verts_clip,
        scene.faces,
        colors_of(scene),
        scene.image_size,
        sigma=0.5,
        gamma=0.1,
        background=background,
    )
    (grad,) = torch.autograd.grad(image.sum(), background)
    far_away, _ = soft_colors(
        scene.verts_clip,
        scene.faces,
        torch.zeros_like(colors_of(scene)),
        scene.image_size,
        sigma=0.5,
        gamma=0.1,
        background=torch.ones(3).double(),
    )
    torch.testing.assert_close(grad, far_away.sum(dim=(0, 1, 2)))


def test_a_flat_mesh_that_faces_a_perspective_camera_is_no_special_case():
    # A tilt that hardly moves a corner makes clip w differ.
    facing = torch.tensor([[-0.7, -0.6], [0.8, -0.7], [0.1, 0.9]], dtype=torch.float64)
    images = []
    for tilt in (0.0, 1e-9):
        w = 3 + tilt * torch.tensor([1.0, -1.0, 0.5], dtype=torch.float64)
        z = 1.02 * w - 0.202  # of a frustum with its near plane at 0.1
        verts_clip = torch.cat([facing * 3, z[:, None], w[:, None]], dim=1)[None]
        image, _ = soft_colors(
            verts_clip,
            torch.tensor([[0, 1, 2]], dtype=torch.int32),
            torch.ones(3, 1, dtype=torch.float64),
            (12, 12),
            sigma=0.7,
            gamma=0.1,
            background_depth=0.2,
        )
        images.append(image)
    torch.testing.assert_close(images[0], images[1], rtol=0, atol=1e-6)


def test_a_sharp_softmax_shows_the_nearest_face():
    # Two squares; the red one is nearer and covers the left half of the green one.
    corners = [[-0.8, -0.8], [0.8, -0.8], [0.8, 0.8], [-0.8, 0.8]]
    green = torch.tensor([[4 * x, 4 * y, 3.0, 4.0] for x, y in corners])
    red = torch.tensor([[2 * min(x, 0.0), 2 * y, 1.0, 2.0] for x, y in corners])
    square = torch.tensor([[0, 1, 2], [0, 2, 3]], dtype=torch.int32)
    colors = torch.tensor([[0.0, 1.0]] * 4 + [[1.0, 0.0]] * 4)
    for order in ([green, red], [red, green]):
        chosen = colors if order[0] is green else colors.flip(0)
        image, coverage = soft_colors(
            torch.cat(order)[None],
            torch.cat([square, square + 4]),
            chosen,
            (20, 20),
            sigma=1e-3,
            gamma=1e-3,
            background_depth=-1.0,
        )
        assert coverage[0, 10, 5] == 1
        torch.testing.assert_close(image[0, 9, 5], torch.tensor([1.0, 0.0]))
        torch.testing.assert_close(image[0, 9, 14], torch.tensor([0.0, 1.0]))
        torch.testing.assert_close(image[0, 0, 0], torch.tensor([0.0, 0.0]))


def test_hidden_faces_have_gradients():
    scene = SCENES["sphere"]()
    colors = colors_of(scene).requires_grad_()
    image, _ = rendered(scene, colors, "pixel", gamma=1.0)
    (grad,) = torch.autograd.grad(image.sum(), colors)
    assert (grad.abs().amax(dim=(1, 2)) > 0).all()


def test_colors_of_vertices_are_those_of_their_corners():
    scene = SCENES["sphere"]()
    colors = torch.rand(scene.verts_clip.shape[1], 4).double().requires_grad_()
    image, _ = soft_colors(
        scene.verts_clip, scene.faces, colors, scene.image_size, sigma=0.5, gamma=0.1
    )
    corners = colors[scene.faces.long()]
    expected, _ = soft_colors(
        scene.verts_clip, scene.faces, corners, scene.image_size, sigma=0.5, gamma=0.1
    )
    assert torch.equal(image, expected)


@pytest.mark.parametrize("gamma", [1e-6, 1e6])
def test_extreme_depth_softness_stays_finite(gamma: float):
    for scene in (SCENES["sphere"](), SCENES["camera inside"]()):
        verts = scene.verts_clip.float().requires_grad_()
        colors = colors_of(scene).float()
        image, _ = rendered(scene._replace(verts_clip=verts), colors, "softras", gamma=gamma)
        (grad,) = torch.autograd.grad(image.sum(), verts)
        assert image.isfinite().all()
        assert grad.isfinite().all()
        assert image.min() >= -1e-4
        assert image.max() <= 1 + 1e-4


@pytest.mark.parametrize("semantics", SOFTNESS)
def test_slivers_show_colors_of_their_corners(semantics: str):
    # Thinner than rounding: all barycentric coordinates of a pixel may be negative.
    scene = sliver_scene()
    verts = scene.verts_clip.float().requires_grad_()
    colors = colors_of(scene).float().requires_grad_()
    image, _ = rendered(scene._replace(verts_clip=verts), colors, semantics)
    grads = torch.autograd.grad(image.sum(), (verts, colors))
    assert all(grad.isfinite().all() for grad in grads)
    assert image.min() > colors.min() - 1e-5
    assert image.max() < colors.max() + 1e-5


def test_no_faces_show_the_background():
    verts = torch.rand(2, 3, 4)
    faces, colors = torch.empty(0, 3, dtype=torch.int32), torch.empty(0, 3, 3)
    background = torch.tensor([0.1, 0.2, 0.3])
    image, coverage = soft_colors(
        verts, faces, colors, (5, 40), sigma=1.0, gamma=0.1, background=background
    )
    assert torch.equal(image, background.expand(2, 5, 40, 3))
    assert coverage.sum() == 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
def test_registration(dtype: torch.dtype):
    scene = GRADIENT_SCENES["cut"]
    verts, colors = scene.verts_clip.to(dtype), colors_of(scene).to(dtype)
    options = (6, 7, 1.0, 1.0, 13.0, 1e-4, 0.0, True, 0, 5.0, 8.0, 5.0, -0.1, 0.01)
    ops = torch.ops.lightning_rast
    inputs = (verts.requires_grad_(), scene.faces, colors.requires_grad_(), *options)
    torch.library.opcheck(ops.soft_colors.default, inputs)
    with torch.no_grad():
        image, coverage, *results = ops.soft_colors(*inputs)
        grads = (torch.rand_like(image), torch.rand_like(coverage))
        saved = (verts.detach(), scene.faces, colors.detach(), image, *results)
        torch.library.opcheck(ops.soft_colors_backward.default, (*grads, *saved, *options))


def test_compiles_into_one_graph():
    scene = GRADIENT_SCENES["cut"]
    colors = colors_of(scene)

    def loss(verts: Tensor) -> Tensor:
        image, coverage = rendered(scene._replace(verts_clip=verts * 1.01), colors, "pixel")
        return image.square().sum() + coverage.sum()

    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
    verts = scene.verts_clip.clone().requires_grad_()
    value, expected = compiled(verts), loss(verts)
    torch.testing.assert_close(value, expected)
    (grad,) = torch.autograd.grad(value, verts)
    (expected_grad,) = torch.autograd.grad(expected, verts)
    torch.testing.assert_close(grad, expected_grad)


@pytest.mark.parametrize("num_threads", [2, 5])
def test_thread_counts_agree_bit_for_bit(num_threads: int):
    expected = fingerprint()
    torch.set_num_threads(num_threads)
    assert fingerprint() == expected


@pytest.mark.parametrize("isa", ["v2", "v3"])
def test_instruction_sets_agree_bit_for_bit(isa: str):
    assert printed_by("tests.ops.soft_colors_fingerprint", isa) == fingerprint()


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sigma", 0.0),
        ("gamma", -1.0),
        ("near", 0.0),
        ("far", 0.5),
        ("background_depth", math.nan),
        ("semantics", "pytorch3d"),
    ],
)
def test_numbers_and_names(name: str, value: object):
    scene = SCENES["sphere"]()
    options: dict[str, Any] = {"sigma": 1.0, "gamma": 0.1} | {name: value}
    with pytest.raises(ValueError, match=f"soft_colors: .*{name}"):
        soft_colors(scene.verts_clip, scene.faces, colors_of(scene), scene.image_size, **options)


@pytest.mark.usefixtures("unchecked")
def test_shape_and_dtype_of_colors():
    scene = SCENES["sphere"]()
    for colors in (torch.zeros(7, 3), torch.zeros(320, 2, 3), torch.zeros(162)):
        with pytest.raises(
            ValueError, match=r"colors must be \(162, C\) or \(320, 3, C\)"
        ) as error:
            soft_colors(
                scene.verts_clip, scene.faces, colors.double(), (4, 4), sigma=1.0, gamma=0.1
            )
        assert str(tuple(colors.shape)) in str(error.value)
    with pytest.raises(ValueError, match=r"colors are torch\.float32 on cpu"):
        soft_colors(
            scene.verts_clip, scene.faces, torch.zeros(162, 3), (4, 4), sigma=1.0, gamma=0.1
        )


@pytest.mark.usefixtures("unchecked")
def test_vertices_that_are_not_finite_are_named():
    scene = SCENES["sphere"]()
    verts = scene.verts_clip.clone()
    verts[0, 7, 2] = math.nan
    with pytest.raises(ValueError, match=r"soft_colors: verts_clip\[0, 7\].*finite"):
        soft_colors(verts, scene.faces, colors_of(scene), (4, 4), sigma=1.0, gamma=0.1)

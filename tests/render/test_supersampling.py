"""`Renderer(supersampling=...)`: pixels are means of samples, and so are gradients."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck

from lightning_rast.render import Lights, Renderer, TextureMap, render_silhouettes
from lightning_rast.scene import Camera, Mesh, cube, grid, icosphere, quad, torus
from tests.render.filling_scene import filling, images

EYES = torch.tensor([[0.0, 0, 3], [3, 0.5, 0], [-1, 2, 2]])
PERSPECTIVE = Camera.look_at(EYES, fov_deg=60, image_size=(12, 17))
ORTHOGRAPHIC = Camera.orthographic_look_at(EYES, height=3, image_size=(12, 17))
both_lenses = pytest.mark.parametrize("camera", [PERSPECTIVE, ORTHOGRAPHIC])
both_kinds = pytest.mark.parametrize("antialias", [True, False])
factors = pytest.mark.parametrize("factor", [2, 3])
LIGHTS = Lights(headlight=0.6, sun=0.4)


def finer(camera: Camera, factor: int) -> Camera:
    height, width = camera.image_size
    return camera.resized((factor * height, factor * width))


def means(image: Tensor, factor: int) -> Tensor:
    num_views, height, width, *channels = image.shape
    shape = (num_views, height // factor, factor, width // factor, factor, *channels)
    return image.reshape(shape).mean(dim=(2, 4))


@both_kinds
@both_lenses
@factors
def test_images_are_means_of_finer_ones(camera, antialias, factor):
    mesh, colors = torus(24, 12).to(torch.float64), torch.rand(3, 288, 2).double()
    renderer = Renderer(lights=LIGHTS, background=(0.2, 0.9), antialias=antialias)
    made = images(replace(renderer, supersampling=factor)(mesh, camera, colors))
    fine = images(renderer(mesh, finer(camera, factor), colors))
    assert set(made) == set(fine)
    for name in set(made) - {"face_idx"}:
        torch.testing.assert_close(made[name], means(fine[name], factor))


@both_kinds
@factors
def test_face_numbers_are_those_at_the_pixels_centres(antialias, factor):
    mesh = icosphere(3)
    for outputs in (("face_idx",), ("face_idx", "coverage"), ("face_idx", "depth")):
        renderer = Renderer(outputs=outputs, antialias=antialias)
        expected = renderer(mesh, PERSPECTIVE).face_idx
        found = replace(renderer, supersampling=factor)(mesh, PERSPECTIVE).face_idx
        assert torch.equal(found, expected)


@factors
def test_exact_coverage_keeps_its_value(factor):
    mesh = torus(24, 12).to(torch.float64)
    rendering = Renderer(outputs=("coverage",), supersampling=factor)(mesh, PERSPECTIVE)
    torch.testing.assert_close(rendering.coverage, render_silhouettes(mesh, PERSPECTIVE))


@both_kinds
def test_depth_and_normals_over_coverage_are_the_surfaces_own(antialias):
    mesh = quad(size=0.7).to(torch.float64)
    rendering = Renderer(antialias=antialias, supersampling=3)(mesh, PERSPECTIVE[0])
    coverage = rendering.coverage
    assert ((coverage > 0) & (coverage < 1)).sum() >= 8
    seen = coverage > 0
    depth = rendering.depth[seen] / coverage[seen]
    torch.testing.assert_close(depth, torch.full_like(depth, 3))
    normals = rendering.normals[seen] / coverage[seen][:, None]
    torch.testing.assert_close(normals, torch.tensor([0.0, 0, 1]).double().expand_as(normals))


def test_hard_samples_count_how_much_of_a_pixel_is_covered():
    camera = Camera.orthographic_look_at([0.0, 0, 3], height=4, image_size=(4, 4))
    rendering = Renderer(antialias=False, supersampling=2, lights=None, albedo=(0.8,))(
        grid(1, 1, width=2.8, height=2.8), camera
    )
    sides = torch.tensor([0.5, 1, 1, 0.5])
    expected = sides[:, None] * sides
    torch.testing.assert_close(rendering.coverage[0], expected)
    torch.testing.assert_close(rendering.color[0, ..., 0], 0.8 * expected)


def test_one_image_does_not_depend_on_which_others_are_made():
    mesh, colors = icosphere(2), torch.rand(162, 3)
    together = images(Renderer(supersampling=2)(mesh, PERSPECTIVE, colors))
    for name, image in together.items():
        alone = Renderer(outputs=(name,), supersampling=2)(mesh, PERSPECTIVE, colors)
        assert torch.equal(image, images(alone)[name])


def test_a_texture_is_looked_up_as_finely_as_it_is_sampled():
    # Stripes of a texel each: blurred by the mip map at one sample a pixel, distinct at three.
    mesh = grid(1, 1, width=2, height=2)
    stripes = (torch.arange(24) % 2).float().expand(24, -1)[..., None].contiguous()
    texture = TextureMap(texture=stripes, uv=mesh.verts[:, :2] / 2 + 0.5)
    camera = Camera.orthographic_look_at([0.0, 0, 3], height=2, image_size=(8, 8))

    def contrast(renderer: Renderer, camera: Camera) -> float:
        return renderer(mesh, camera, texture).color.std().item()

    unlit = Renderer(outputs=("color",), lights=None)
    assert contrast(unlit, camera) < 1e-3
    assert contrast(unlit, finer(camera, 3)) > 0.4
    # Three stripes a pixel: twice a bright one and once, in turn.
    torch.testing.assert_close(
        contrast(replace(unlit, supersampling=3), camera), 1 / 6, rtol=0.02, atol=0
    )


@pytest.mark.filterwarnings("ignore:visibility gradients are missing")
@both_kinds
@both_lenses
def test_gradients_reach_vertices_colours_and_cameras(camera, antialias):
    outputs = ("depth", "normals", "color")
    renderer = Renderer(outputs=outputs, lights=LIGHTS, antialias=antialias, supersampling=2)
    render, inputs = filling(renderer, camera[0].resized((2, 3)))
    assert gradcheck(render, inputs, atol=1e-5, fast_mode=True)


def test_gradients_at_outlines_are_those_of_the_picture():
    # A flat square of one colour: its picture is colour times exact coverage, which has a slope.
    mesh, camera = quad(size=0.7).to(torch.float64), PERSPECTIVE[0]
    turned = torch.tensor(
        [[math.cos(0.3), -math.sin(0.3), 0], [math.sin(0.3), math.cos(0.3), 0], [0, 0, 1]]
    ).double()
    renderer = Renderer(lights=None, albedo=(0.6,), background=0.1, supersampling=2)

    def render(verts: Tensor) -> tuple[Tensor, ...]:
        rendering = renderer(mesh.with_verts(verts), camera)
        return rendering.coverage, rendering.color

    verts = (mesh.verts @ turned.mT).requires_grad_()
    assert gradcheck(render, [verts], atol=1e-5)


@factors
def test_gradients_are_means_of_finer_ones(factor):
    mesh, weights = torus(24, 12).to(torch.float64), torch.randn(3, 12, 17, 3).double()
    renderer = Renderer(outputs=("normals",))

    def gradient(renderer: Renderer, camera: Camera, weights: Tensor) -> Tensor:
        verts = mesh.verts.clone().requires_grad_()
        image = renderer(mesh.with_verts(verts), camera).normals
        return torch.autograd.grad((image * weights).sum(), verts)[0]

    blocks = weights.repeat_interleave(factor, 1).repeat_interleave(factor, 2) / factor**2
    torch.testing.assert_close(
        gradient(replace(renderer, supersampling=factor), PERSPECTIVE, weights),
        gradient(renderer, finer(PERSPECTIVE, factor), blocks),
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_type_and_shape_follow_mesh_and_camera(dtype):
    made = images(Renderer(supersampling=2)(cube().to(dtype), PERSPECTIVE))
    assert made.pop("face_idx").dtype == torch.int32
    for name, image in made.items():
        assert image.dtype == dtype
        assert image.shape[:3] == (3, 12, 17), name


@both_kinds
def test_an_empty_mesh_shows_the_background(antialias):
    empty = Mesh(torch.zeros(0, 3), torch.zeros(0, 3, dtype=torch.int32))
    renderer = Renderer(background=0.5, supersampling=2, antialias=antialias)
    made = images(renderer(empty, PERSPECTIVE))
    assert (made.pop("face_idx") == -1).all()
    assert (made.pop("color") == 0.5).all()
    assert all((image == 0).all() for image in made.values())

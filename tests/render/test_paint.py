"""Textures and the looks of a file on surfaces that `Renderer` draws."""

import io
import math

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.autograd import gradcheck

from lightning_rast.render import (
    AssetColors,
    Paint,
    Renderer,
    TextureMap,
    linear_from_srgb,
    turntable_cameras,
)
from lightning_rast.render.pictures import present
from lightning_rast.scene import Asset, Camera, Material, Mesh, Texture, cylinder, quad

FRONT = Camera.orthographic_look_at([[0.0, 0, 3]], height=2, image_size=(8, 8))


def facing_quad() -> tuple[Mesh, Tensor]:
    """The square from (-1, -1) to (1, 1), which fills the picture, and uv with v downwards."""
    mesh = quad(size=2.0)
    uv = torch.stack((0.5 + 0.5 * mesh.verts[:, 0], 0.5 - 0.5 * mesh.verts[:, 1]), dim=1)
    return mesh, uv


def drawn(mesh: Mesh, camera: Camera, colors: Paint) -> Tensor:
    """(N, H, W, C), unlit."""
    return present(Renderer(outputs=("color",), lights=None)(mesh, camera, colors).color)


def png(pixels: np.ndarray) -> Texture:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="PNG")
    return Texture(file.getvalue(), ".png")


@pytest.mark.parametrize("how", ["nearest", "bilinear", "mipmap"])
def test_a_texture_of_the_pictures_size_is_the_picture(how):
    mesh, uv = facing_quad()
    texture = torch.rand(8, 8, 3)
    image = drawn(mesh, FRONT, TextureMap(texture=texture, uv=uv, filter=how))
    torch.testing.assert_close(image[0], texture)


def test_a_texture_of_twice_the_size_is_averaged_by_its_levels():
    mesh, uv = facing_quad()
    texture = torch.rand(16, 16, 3)
    image = drawn(mesh, FRONT, TextureMap(texture=texture, uv=uv))
    torch.testing.assert_close(image[0], texture.reshape(8, 2, 8, 2, 3).mean(dim=(1, 3)))


def test_seams_between_corners_are_not_seen():
    # Around a cylinder, u jumps from 1 to 0 at vertices, but not within a face.
    mesh = cylinder(256, height=1.6)
    corners = mesh.verts[mesh.faces.long()]
    u = torch.atan2(corners[..., 0], corners[..., 2]) / (2 * math.pi)
    u = u - (u - u[:, :1]).round()
    uv = torch.stack((u, torch.full_like(u, 0.5)), dim=2)
    angle = 2 * math.pi * (torch.arange(512) + 0.5) / 512
    texture = (0.5 + 0.5 * angle.sin())[None, :, None].expand(2, 512, 1)
    eyes = [[3 * math.sin(a), 0, 3 * math.cos(a)] for a in (0.4, math.pi - 0.3)]
    camera = Camera.orthographic_look_at(eyes, height=2.4, image_size=(24, 24))
    image = drawn(mesh, camera, TextureMap(texture=texture, uv=uv))[:, 12, :, 0]
    x = 2.4 * ((torch.arange(24) + 0.5) / 24 - 0.5)
    on = x.abs() < 0.85
    for row, a in zip(image, (0.4, math.pi - 0.3), strict=True):
        expected = 0.5 + 0.5 * torch.sin(a + torch.asin(x[on]))
        torch.testing.assert_close(row[on], expected, rtol=0, atol=0.01)


def test_views_may_have_textures_of_their_own():
    mesh, uv = facing_quad()
    cameras = Camera.orthographic_look_at([[0.0, 0, 3]] * 2, height=2, image_size=(8, 8))
    textures = torch.rand(2, 8, 8, 3)
    image = drawn(mesh, cameras, TextureMap(texture=textures, uv=uv))
    torch.testing.assert_close(image, textures)


def test_gradients_reach_texture_coordinates_and_vertices():
    mesh, uv = facing_quad()
    camera = Camera.look_at([[0.2, 0.1, 2.0]], fov_deg=40, image_size=(3, 4))
    verts = (1.3 * mesh.verts + 0.01 * torch.randn(4, 3)).double().requires_grad_()
    texture = torch.rand(7, 6, 1, dtype=torch.float64).requires_grad_()
    uv = (0.7 * uv.double() + 0.1).requires_grad_()

    def picture(verts: Tensor, texture: Tensor, uv: Tensor) -> Tensor:
        return drawn(mesh.with_verts(verts), camera, TextureMap(texture=texture, uv=uv))

    assert gradcheck(picture, (verts, texture, uv))


def test_a_texture_can_be_fitted():
    mesh, uv = facing_quad()
    camera = turntable_cameras(mesh, 1, image_size=(32, 32), elevation_deg=20)
    truth = torch.rand(8, 8, 3)
    target = drawn(mesh, camera, TextureMap(texture=truth, uv=uv))
    texture = torch.full_like(truth, 0.5).requires_grad_()
    optimizer = torch.optim.Adam([texture], lr=0.05)
    for _ in range(150):
        optimizer.zero_grad()
        image = drawn(mesh, camera, TextureMap(texture=texture, uv=uv))
        (image - target).square().sum().backward()
        optimizer.step()
    # Texels at the border fade where the texture repeats; inside they are seen well.
    assert (texture - truth).detach()[1:-1, 1:-1].abs().mean() < 0.02


def test_colours_materials_and_textures_of_a_file_are_multiplied():
    mesh, uv = facing_quad()
    corner_uv = torch.stack((uv[:, 0], 1 - uv[:, 1]), dim=1)[mesh.faces.long()]
    pixels = np.full((8, 8, 4), 255, dtype=np.uint8)
    pixels[..., 0], pixels[:4, :, 1] = 188, 0  # the upper half has no green
    asset = Asset(
        mesh=mesh,
        colors=torch.tensor([1.0, 1.0, 0.5, 1.0]).expand(2, 3, 4),
        uvs=corner_uv,
        material_idx=torch.tensor([0, 1], dtype=torch.int32),
        materials=(Material(texture=png(pixels)), Material(color=(0.5, 0.5, 1, 1))),
    )
    rendering = Renderer(outputs=("color", "face_idx"), lights=None)(
        mesh, FRONT, AssetColors.of(asset, mesh.verts)
    )
    image, face = present(rendering.color)[0], present(rendering.face_idx)[0]
    half, bright = (float(linear_from_srgb(torch.tensor(x))) for x in (0.5, 188 / 255))
    is_upper = (torch.arange(8) < 4)[:, None]
    # Away from the edge between the halves, and from the border, where the texture repeats.
    inner = torch.zeros(8, 8, dtype=torch.bool)
    inner[1:3, 1:-1] = inner[5:7, 1:-1] = True
    for number, tint in ((0, (bright, 1.0, half)), (1, (half, half, half))):
        for upper in (True, False):
            here = image[inner & (face == number) & (is_upper == upper)]
            green = 0.0 if upper and number == 0 else tint[1]
            wanted = torch.tensor([tint[0], green, tint[2]])
            assert len(here)
            torch.testing.assert_close(here, wanted.expand_as(here), rtol=1e-4, atol=1e-4)


def test_a_plain_file_is_white():
    mesh, _ = facing_quad()
    image = drawn(mesh, FRONT, AssetColors.of(Asset(mesh=mesh), mesh.verts))
    torch.testing.assert_close(image, torch.ones_like(image))


def test_a_texture_that_cannot_be_decoded_is_refused():
    mesh, uv = facing_quad()
    material = Material(texture=Texture(b"no picture"))
    asset = Asset(mesh=mesh, uvs=uv[mesh.faces.long()], materials=(material,),
                  material_idx=torch.zeros(2, dtype=torch.int32))  # fmt: skip
    with pytest.raises(ValueError, match="cannot be decoded"):
        AssetColors.of(asset, mesh.verts)


@pytest.mark.parametrize("colors", [np.ones((4, 3)), (0.5, 0.5, 0.5), Asset(mesh=quad())])
def test_what_is_no_paint_is_refused_with_what_makes_some(colors, unchecked):
    with pytest.raises(TypeError, match=r"as_tensor\(\).*AssetColors\.of\(asset, mesh\.verts\)"):
        drawn(quad(), FRONT, colors)


def test_colours_of_another_mesh_are_refused():
    colors = AssetColors.of(Asset(mesh=quad()), quad().verts)
    with pytest.raises(ValueError, match="of a mesh with 2 faces, this one has 32; after remesh"):
        drawn(cylinder(8), FRONT, colors)


@pytest.mark.parametrize(("shape", "elements"), [((4, 2), "vertices"), ((2, 3, 2), "faces")])
def test_texture_coordinates_of_another_mesh_are_refused(shape, elements):
    colors = TextureMap(texture=torch.ones(2, 2, 3), uv=torch.zeros(shape))
    with pytest.raises(ValueError, match=f"these uv are of a mesh with {shape[0]} {elements}, "):
        drawn(cylinder(8), FRONT, colors)


def test_colours_of_another_type_are_refused_with_the_remedy():
    mesh = quad()
    colors = AssetColors.of(Asset(mesh=mesh), mesh.verts)
    with pytest.raises(ValueError, match=r"colours are torch\.float32, .* torch\.float64; Asset"):
        drawn(mesh.with_verts(mesh.verts.double()), FRONT, colors)


@pytest.mark.parametrize("wrong", [{"filter": "linear"}, {"wrap": "tile"}])
def test_a_texture_map_knows_its_names(wrong, unchecked):
    with pytest.raises(ValueError, match="TextureMap: .* must be one of .*, got "):
        TextureMap(texture=torch.ones(2, 2, 3), uv=torch.zeros(4, 2), **wrong)


@pytest.mark.parametrize("name", ["texture", "uv"])
def test_a_texture_map_is_made_of_tensors(name, unchecked):
    parts = {"texture": torch.ones(2, 2, 3), "uv": torch.zeros(4, 2)}
    with pytest.raises(TypeError, match=rf"{name} must be a torch\.Tensor, got ndarray"):
        TextureMap(**parts | {name: parts[name].numpy()})

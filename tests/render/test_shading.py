"""Light on matt surfaces, and the code that colours have in files."""

import math
from dataclasses import replace

import pytest
import torch
from torch.autograd import gradcheck

from lightning_rast.render.shading import (
    Lights,
    directions_to_camera,
    linear_from_srgb,
    shaded,
    srgb_from_linear,
)
from lightning_rast.scene import Camera

DARK = Lights(ambient=0, headlight=0, sun=0)
CAMERA = Camera.look_at([[0, 0, 3.0], [2, 1, -3]], fov_deg=50, image_size=(4, 6))


def light_on(normal: tuple[float, float, float], lights: Lights, camera: Camera = CAMERA):
    normals = torch.tensor(normal, dtype=torch.float64).expand(len(camera), *camera.image_size, 3)
    return shaded(torch.ones_like(normals[..., :1]), normals, camera, lights)[..., 0]


@pytest.mark.parametrize("orthographic", [False, True])
def test_rays_come_from_the_pixels_centres(orthographic):
    K = CAMERA.K.clone()
    K[:, 0, 1], K[:, 0, 2], K[:, 1, 2] = 1.5, 1.0, 7.0  # skewed, and off the centre
    camera = replace(CAMERA, K=K, orthographic=orthographic, near=1e-3)
    direction = directions_to_camera(camera, torch.float64)
    torch.testing.assert_close(direction.norm(dim=3), torch.ones(2, 4, 6).double())
    y, x = torch.meshgrid(torch.arange(4) + 0.5, torch.arange(6) + 0.5, indexing="ij")
    pixels = torch.stack((x, y), dim=2).double().reshape(1, -1, 2).expand(2, -1, -1)
    if orthographic:
        torch.testing.assert_close(
            direction, -camera.look_direction[:, None, None].expand(2, 4, 6, 3)
        )
    else:
        points = camera.center_world[:, None] - 5 * direction.reshape(2, -1, 3)
        torch.testing.assert_close(camera.project(points), pixels)


def test_a_mirrored_camera_has_mirrored_rays():
    flipped = CAMERA.K * torch.tensor([-1.0, 1, 1])[:, None].double()
    flipped[:, 0, 2] = 6 - CAMERA.K[:, 0, 2]
    torch.testing.assert_close(
        directions_to_camera(replace(CAMERA, K=flipped), torch.float64),
        directions_to_camera(CAMERA, torch.float64).flip(2),
    )


def test_the_headlight_falls_off_with_the_cosine():
    camera = Camera.orthographic_look_at([0, 0, 3.0], height=2, image_size=(2, 2))
    for degrees in (0, 30, 75):
        angle = math.radians(degrees)
        light = light_on(
            (math.sin(angle), 0, math.cos(angle)), replace(DARK, headlight=0.5), camera
        )
        torch.testing.assert_close(light, torch.full_like(light, 0.5 * math.cos(angle)))


def test_the_sun_may_stay_in_the_world_or_follow_the_camera():
    lights = replace(DARK, sun=1.0, sun_direction=(0.0, 0.0, -2.0))
    # In view coordinates -z is where the viewer is: the first camera looks along -z of the world.
    light = light_on((0, 0, 1), lights)
    torch.testing.assert_close(light[0], torch.ones(4, 6).double())
    assert (light[1] < 0.9).all()
    fixed = replace(lights, sun_follows_camera=False)
    for direction, expected in ((1, 0.0), (-1, 1.0)):
        light = light_on((0, 0, direction), fixed)
        torch.testing.assert_close(light, torch.full_like(light, expected))


def test_light_comes_from_above():
    lights = replace(DARK, ambient=1.0)
    above, below = light_on((0, 1, 0), lights)[1, 3, 0], light_on((0, -1, 0), lights)[0, 0, 0]
    assert above == 1.0
    assert below == 0.5


def test_shading_has_the_right_gradients():
    pose = CAMERA.world_to_view[:, :3].clone().requires_grad_()
    normals = torch.nn.functional.normalize(torch.randn(2, 4, 6, 3).double(), dim=3)
    albedo = torch.rand(2, 4, 6, 2).double()
    inputs = [tensor.requires_grad_() for tensor in (albedo, normals, CAMERA.K[:, :2].clone())]

    def function(albedo, normals, K, pose):
        camera = Camera(
            world_to_view=torch.cat((pose, CAMERA.world_to_view[:, 3:]), dim=1),
            K=torch.cat((K, CAMERA.K[:, 2:]), dim=1),
            image_size=CAMERA.image_size,
        )
        return shaded(albedo, normals, camera, Lights())

    assert gradcheck(function, (*inputs, pose), fast_mode=True)


def test_srgb_has_the_known_values():
    linear = torch.tensor([-1.0, 0, 0.001, 0.0031308, 0.18, 0.5, 1, 7]).double()
    srgb = torch.tensor([0.0, 0, 0.01292, 0.04045, 0.46135613, 0.73535698, 1, 1]).double()
    torch.testing.assert_close(srgb_from_linear(linear), srgb, atol=1e-6, rtol=1e-6)


def test_srgb_and_linear_are_each_others_inverse():
    values = torch.linspace(0, 1, 256).double()
    torch.testing.assert_close(linear_from_srgb(srgb_from_linear(values)), values)

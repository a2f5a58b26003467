"""`render_silhouettes`: mesh and camera in, coverage out, gradients back."""

import math
from inspect import signature
from typing import get_args

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck

from lightning_rast.config import RenderConfig
from lightning_rast.ops import LightningRastWarning, advice, soft_coverage
from lightning_rast.render import coverage_model, render_silhouettes
from lightning_rast.render.silhouette import CoverageKind
from lightning_rast.scene import Camera, Mesh, cube, grid, icosphere, quad

EYES = torch.tensor([[0.0, 0, 3], [3, 0.5, 0], [-1, 2, 2]])


def test_a_sphere_covers_the_disc_that_it_should():
    camera = Camera.look_at(EYES[:1], fov_deg=60, image_size=(64, 64))
    coverage = render_silhouettes(icosphere(5), camera)
    # The outline is a cone of half-angle asin(1/3): a circle around the axis.
    radius_px = 32 / math.tan(math.radians(30)) * math.tan(math.asin(1 / 3))
    assert coverage.sum().item() == pytest.approx(math.pi * radius_px**2, rel=2e-3)


def test_a_square_lands_on_its_pixels():
    # 4 pixels a unit; a unit square with its lower left corner at the origin.
    camera = Camera.orthographic_look_at([0, 0, 5], height=2, image_size=(8, 8))
    coverage = render_silhouettes(quad(center=(0.5, 0.5, 0)), camera)[0]
    expected = torch.zeros(8, 8)
    expected[0:4, 4:8] = 1
    torch.testing.assert_close(coverage, expected, atol=1e-5, rtol=0)


def test_a_mirrored_camera_sees_the_mirrored_picture():
    camera = Camera.look_at(EYES, fov_deg=60, image_size=(20, 30))
    mirrored_world = torch.diag(torch.tensor([1.0, 1, -1, 1])).double()
    P = camera.K @ camera.world_to_view[:, :3]
    mirrored = Camera.from_projection_matrix(
        P @ mirrored_world, camera.image_size, pixel_centers="half"
    )
    mesh = cube(center=(0.2, 0.1, 0.3))
    flipped = mesh.with_verts(mesh.verts * torch.tensor([1.0, 1, -1]))
    torch.testing.assert_close(
        render_silhouettes(flipped, mirrored), render_silhouettes(mesh, camera), atol=1e-5, rtol=0
    )


@pytest.mark.parametrize("factor", [2, 4])
def test_resized_cameras_see_the_area_average(factor: int):
    camera = Camera.look_at(EYES, fov_deg=60, image_size=(32, 48))
    mesh = cube(center=(0.2, 0.1, 0.3)).to(torch.float64)
    full = render_silhouettes(mesh, camera)
    small = render_silhouettes(mesh, camera.resized((32 // factor, 48 // factor)))
    average = torch.nn.functional.avg_pool2d(full[:, None], factor)[:, 0]
    torch.testing.assert_close(small, average, atol=1e-6, rtol=0)


def test_type_and_shape_follow_mesh_and_camera():
    camera = Camera.look_at(EYES, fov_deg=60, image_size=(5, 7))
    for dtype in (torch.float32, torch.float64):
        coverage = render_silhouettes(grid().to(dtype), camera)
        assert coverage.shape == (3, 5, 7)
        assert coverage.dtype == dtype


def test_gradients_reach_vertices_and_camera():
    mesh = icosphere(0).to(torch.float64)
    camera = Camera.look_at(EYES[1:2], fov_deg=60, image_size=(6, 6))
    verts = mesh.verts.clone().requires_grad_()
    pose = camera.world_to_view[:, :3].clone().requires_grad_()
    K = camera.K[:, :2].clone().requires_grad_()

    def render(verts: Tensor, pose: Tensor, K: Tensor) -> Tensor:
        moved = Camera(
            world_to_view=torch.cat((pose, camera.world_to_view[:, 3:]), dim=1),
            K=torch.cat((K, camera.K[:, 2:]), dim=1),
            image_size=camera.image_size,
        )
        return render_silhouettes(Mesh(verts, mesh.faces, topology=mesh.topology), moved)

    assert gradcheck(render, (verts, pose, K), eps=1e-7, atol=1e-5)


def test_every_coverage_model_is_high_inside_and_zero_outside():
    camera = Camera.look_at(EYES, fov_deg=60, image_size=(32, 32))
    exact = render_silhouettes(icosphere(3), camera)
    for kind in get_args(CoverageKind):
        coverage = coverage_model(kind, sigma=0.02)(icosphere(3), camera)
        # Soft faces leave seams: where two of them meet, each has a probability of one half.
        assert (coverage[exact == 1] > 0.7).all()
        assert (coverage[exact == 0] < 0.05).all()


def test_a_composited_mask_is_the_exact_coverage_where_centres_are_hit():
    camera = Camera.look_at(EYES, fov_deg=60, image_size=(32, 32))
    composited = coverage_model("antialias")(icosphere(3), camera)
    torch.testing.assert_close(composited, render_silhouettes(icosphere(3), camera))


def test_models_of_other_systems_have_their_numbers():
    # Whoever moves over has sigma = 1e-4 there.
    mesh, camera = icosphere(2), Camera.look_at(EYES, fov_deg=60, image_size=(64, 64))
    clip = camera.world_to_clip(mesh.verts)
    for kind in ("softras", "pytorch3d"):
        expected = soft_coverage(clip, mesh.faces, (64, 64), sigma=1e-4, semantics=kind)
        torch.testing.assert_close(coverage_model(kind, sigma=0.32)(mesh, camera), expected)


@pytest.mark.parametrize("kind", ["soft", "softras", "pytorch3d"])
def test_sigma_is_the_width_of_the_soft_outline_in_pixels(kind):
    # Across a straight edge, from its inside to its outside.
    widths = []
    for sigma in (1.0, 2.0):
        camera = Camera.orthographic_look_at([0, 0, 5], height=2, image_size=(128, 128))
        row = coverage_model(kind, sigma=sigma)(quad(size=1), camera)[0, 64, :64]
        widths.append(float(((row > 0.05) & (row < 0.95)).sum()))
    assert widths[0] > 1
    assert widths[1] == pytest.approx(2 * widths[0], rel=0.3)


def test_an_unknown_coverage_model_is_refused(unchecked):
    with pytest.raises(ValueError, match="contour, soft, antialias, .* got 'sharp'"):
        coverage_model("sharp")


@pytest.mark.parametrize("kind", ["contour", "antialias"])
def test_seams_are_warned_of_once_where_a_fit_would_open_them(kind, monkeypatch):
    monkeypatch.setattr(advice, "_given", set())
    sphere = icosphere(1)
    split = Mesh(sphere.corners.reshape(-1, 3), torch.arange(240).reshape(-1, 3))
    fitted = split.with_verts(split.verts.clone().requires_grad_())
    camera = Camera.look_at(EYES, fov_deg=60, image_size=(16, 16))
    model = coverage_model(kind)

    def look() -> None:
        for _ in range(2):
            model(fitted, camera)

    with pytest.warns(LightningRastWarning, match=r"Mesh\.weld") as found:
        look()
    assert len(found) == 1


@pytest.mark.parametrize("kind", ["soft", "softras", "pytorch3d"])
@pytest.mark.parametrize("sigma", [-1.0, 0.0, 1e-30, math.inf, math.nan])
def test_a_blur_is_checked_in_pixels_when_the_model_is_made(kind, sigma):
    with pytest.raises(ValueError, match=f"sigma must be .* pixels, got {sigma}"):
        coverage_model(kind, sigma=sigma)


@pytest.mark.parametrize("kind", ["soft", "softras", "pytorch3d"])
@pytest.mark.parametrize("sigma", [1e-12, 1e12])
def test_the_extreme_blurs_can_be_computed(kind, sigma):
    camera = Camera.look_at(EYES, fov_deg=60, image_size=(8, 8))
    assert coverage_model(kind, sigma=sigma)(icosphere(1), camera).isfinite().all()


def test_a_training_and_a_plain_call_have_the_same_blur():
    assert signature(coverage_model).parameters["sigma"].default == RenderConfig().sigma == 0.1

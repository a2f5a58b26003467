"""`Camera`: frames, pixel centres and gradients, against the formulas written out in numpy."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck

from lightning_rast.scene import Camera, screen_from_ndc

IMAGE_SIZE = (48, 64)


def rotation(seed: int) -> np.ndarray:
    q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    return q * np.linalg.det(q)


def some_cameras(count: int = 3) -> Camera:
    K = np.array([[50.0, 2.0, 30.0], [0.0, 45.0, 28.0], [0.0, 0.0, 1.0]])
    R = np.stack([rotation(seed) for seed in range(count)])
    t = np.array([[0.1 * i, -0.2, 5.0 + i] for i in range(count)])
    return Camera.from_krt(K, R, t, IMAGE_SIZE, pixel_centers="half")


def some_points(count: int = 20) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.rand(count, 3, generator=generator, dtype=torch.float64) * 2 - 1


def test_a_point_on_the_axis_lands_in_the_middle():
    camera = Camera.look_at([[0, 0, 3], [5, 1, 0]], fov_deg=40, image_size=IMAGE_SIZE)
    pixel = camera.project(torch.zeros(1, 3, dtype=torch.float64))
    assert torch.allclose(pixel, torch.tensor([32.0, 24.0]).double().expand(2, 1, 2))


def test_up_in_the_world_is_up_in_the_image_and_right_is_right():
    camera = Camera.look_at([0, 0, 3], fov_deg=40, image_size=IMAGE_SIZE)
    (up, right) = camera.project(torch.tensor([[0.0, 0.1, 0], [0.1, 0, 0]]))[0]
    assert up[0] == pytest.approx(32)
    assert up[1] < 24
    assert right[0] > 32


def test_the_field_of_view_is_vertical():
    camera = Camera.look_at([0, 0, 3], fov_deg=40, image_size=IMAGE_SIZE)
    top = torch.tensor([[0.0, 3 * math.tan(math.radians(20)), 0]], dtype=torch.float64)
    assert camera.project(top)[0, 0, 1].item() == pytest.approx(0, abs=1e-9)


def test_project_is_k_times_view_over_depth():
    camera, points = some_cameras(), some_points()
    view = camera.world_to_view.numpy()
    x = points.numpy() @ view[:, :3, :3].transpose(0, 2, 1) + view[:, None, :3, 3]
    pixel = x @ camera.K.numpy().transpose(0, 2, 1)
    expected = pixel[..., :2] / pixel[..., 2:]
    np.testing.assert_allclose(camera.project(points), expected, atol=1e-10)
    np.testing.assert_allclose(camera.world_to_view_points(points), x, atol=1e-12)


def test_clip_ndc_and_screen_agree():
    camera, points = some_cameras(), some_points()
    clip = camera.world_to_clip(points)
    ndc = camera.world_to_ndc(points)
    torch.testing.assert_close(clip[..., :3] / clip[..., 3:], ndc)
    torch.testing.assert_close(screen_from_ndc(ndc, IMAGE_SIZE), camera.project(points))
    torch.testing.assert_close(clip[..., 3], camera.world_to_view_points(points)[..., 2])


@pytest.mark.parametrize("orthographic", [False, True])
def test_near_and_far_are_the_ends_of_the_depth_range(orthographic: bool):
    camera = Camera.look_at([0, 0, 0], [0, 0, 1], fov_deg=40, image_size=(4, 4), near=0.5, far=20)
    camera = replace(camera, orthographic=orthographic)
    points = torch.tensor([[0, 0, 0.5], [0, 0, 20], [0, 0, 0.4]], dtype=torch.float64)
    clip = camera.world_to_clip(points)[0]
    torch.testing.assert_close(clip[0, 2], -clip[0, 3])
    torch.testing.assert_close(clip[1, 2], clip[1, 3])
    assert clip[2, 2] < -clip[2, 3]


def test_corners_of_the_image_are_the_corners_of_ndc():
    ndc = torch.tensor([[-1.0, 1.0], [1.0, -1.0], [0.0, 0.0]])
    assert screen_from_ndc(ndc, (4, 6)).tolist() == [[0, 0], [6, 4], [3, 2]]


def test_integer_pixel_centres_move_the_image_by_half_a_pixel():
    K, R, t = np.diag([50.0, 50, 1]), np.eye(3), np.array([0, 0, 5.0])
    half = Camera.from_krt(K, R, t, IMAGE_SIZE, pixel_centers="half")
    integer = Camera.from_krt(K, R, t, IMAGE_SIZE, pixel_centers="integer")
    points = some_points()
    torch.testing.assert_close(integer.project(points), half.project(points) + 0.5)


def test_orthographic_pixels_do_not_depend_on_depth():
    camera = Camera.orthographic_look_at([0, 0, 9], height=4, image_size=IMAGE_SIZE)
    points = torch.tensor([[1.0, 0.5, 0], [1, 0.5, -3]])
    assert camera.project(points)[0].tolist() == [[44, 18], [44, 18]]  # 12 pixels a unit
    assert (camera.world_to_clip(points)[..., 3] == 1).all()


def test_batched_vertices_go_to_their_own_camera():
    camera, points = some_cameras(), some_points()
    shifted = torch.stack([points, points + 0.1, points - 0.1])
    each = [camera[i].project(shifted[i])[0] for i in range(3)]
    torch.testing.assert_close(camera.project(shifted), torch.stack(each))


@pytest.mark.parametrize("scale", [1.0, 3.7, 1e-6])
@pytest.mark.parametrize("mirror", [1.0, -1.0])
def test_projection_matrices_come_apart_into_themselves(scale: float, mirror: float):
    original, points = some_cameras(), some_points()
    P = scale * original.K @ original.world_to_view[:, :3]
    P[:, :, 2] *= mirror  # the world mirrored in z
    camera = Camera.from_projection_matrix(P, IMAGE_SIZE, pixel_centers="half")
    mirrored = points * torch.tensor([1, 1, mirror])
    torch.testing.assert_close(camera.project(mirrored), original.project(points))
    torch.testing.assert_close(
        camera.world_to_view_points(mirrored)[..., 2], original.world_to_view_points(points)[..., 2]
    )
    R = camera.world_to_view[:, :3, :3]
    torch.testing.assert_close(R @ R.mT, torch.eye(3).double().expand(3, 3, 3))
    assert (torch.linalg.det(R) > 0).all()
    assert (torch.sign(camera.K[:, 0, 0]) == mirror).all()
    assert (camera.K[:, 1, 1] > 0).all()


def test_a_point_in_front_settles_the_sign_of_a_projection_matrix():
    original, points = some_cameras(), some_points()
    P = original.K @ original.world_to_view[:, :3] * torch.tensor([1.0, -1, -2])[:, None, None]
    camera = Camera.from_projection_matrix(
        P, IMAGE_SIZE, pixel_centers="half", in_front=(0.0, 0.0, 0.0)
    )
    torch.testing.assert_close(camera.project(points), original.project(points))
    torch.testing.assert_close(camera.world_to_view, original.world_to_view)


def test_opengl_poses_go_there_and_back():
    original, points = some_cameras(), some_points()
    K = original.K.clone()
    K[:, 0, 1] = 0
    original = replace(original, K=K)
    camera = Camera.from_opengl(
        original.to_opengl(), fx=K[:, 0, 0], fy=45.0, cx=30.0, cy=28.0, image_size=IMAGE_SIZE
    )
    torch.testing.assert_close(camera.project(points), original.project(points))


def test_an_opengl_camera_looks_along_minus_z_with_y_up():
    camera = Camera.from_opengl(np.eye(4), fx=10, fy=10, cx=32, cy=24, image_size=IMAGE_SIZE)
    assert camera.look_direction.tolist() == [[0, 0, -1]]
    pixel = camera.project(torch.tensor([[0.1, 0.2, -1.0]]))[0, 0]
    assert pixel.tolist() == pytest.approx([33, 22])


def test_centre_and_direction_are_where_the_camera_was_put():
    eye = torch.tensor([[1.0, 2, 3], [-4, 0, 1]], dtype=torch.float64)
    camera = Camera.look_at(eye, [0.5, 0, 0], fov_deg=30, image_size=IMAGE_SIZE)
    torch.testing.assert_close(camera.center_world, eye)
    towards = torch.tensor([0.5, 0, 0]) - eye
    torch.testing.assert_close(camera.look_direction, towards / towards.norm(dim=1, keepdim=True))


@pytest.mark.parametrize("size", [(24, 32), (96, 128), (7, 200)])
def test_resizing_keeps_the_place_relative_to_the_image(size: tuple[int, int]):
    camera, points = some_cameras(), some_points()
    extent = torch.tensor([IMAGE_SIZE[1], IMAGE_SIZE[0]])
    new_extent = torch.tensor([size[1], size[0]])
    resized = camera.resized(size)
    assert resized.image_size == size
    torch.testing.assert_close(
        resized.project(points) / new_extent, camera.project(points) / extent
    )
    torch.testing.assert_close(resized.world_to_ndc(points), camera.world_to_ndc(points))


def test_cropping_shifts_pixels():
    camera, points = some_cameras(), some_points()
    window = camera.crop(5, 10, (20, 30))
    assert window.image_size == (20, 30)
    expected = camera.project(points) - torch.tensor([10, 5])
    torch.testing.assert_close(window.project(points), expected)


def test_float32_vertices_hold_at_long_focal_lengths():
    # A telephoto turntable: an object of 6 units seen from 1400 with 80,000 px.
    K = [[80000.0, 0, 320], [0, 80000.0, 240], [0, 0, 1]]
    R = rotation(3)
    camera = Camera.from_krt(K, R, np.array([0.0, 0, 1400]), (480, 640), pixel_centers="half")
    points = (some_points(500) * 3).float()
    view = points.double().numpy() @ R.T + [0, 0, 1400]
    exact = view[:, :2] / view[:, 2:] * 80000 + [320, 240]
    clip = camera.world_to_clip(points)
    assert clip.dtype == torch.float32
    clip = clip.double()
    pixel = screen_from_ndc(clip[..., :2] / clip[..., 3:], (480, 640))[0].numpy()
    assert np.abs(pixel - exact).max() < 1e-3
    assert np.abs(camera.project(points)[0].numpy() - exact).max() < 1e-3


@pytest.mark.parametrize("orthographic", [False, True])
def test_gradients_reach_vertices_pose_and_intrinsics(orthographic: bool):
    camera = replace(some_cameras(2), orthographic=orthographic)
    points = some_points(4).requires_grad_()
    pose = camera.world_to_view.clone()[:, :3].requires_grad_()
    K = camera.K.clone()[:, :2].requires_grad_()

    def clip(points: Tensor, pose: Tensor, K: Tensor) -> Tensor:
        moved = replace(
            camera,
            world_to_view=torch.cat((pose, camera.world_to_view[:, 3:]), dim=1),
            K=torch.cat((K, camera.K[:, 2:]), dim=1),
        )
        return moved.world_to_clip(points)

    assert gradcheck(clip, (points, pose, K))


def test_gradients_reach_a_projection_matrix():
    camera, points = some_cameras(2), some_points(4)
    P = (camera.K @ camera.world_to_view[:, :3]).requires_grad_()

    def project(P: Tensor) -> Tensor:
        taken_apart = Camera.from_projection_matrix(P, IMAGE_SIZE, pixel_centers="half")
        return taken_apart.project(points)

    assert gradcheck(project, (P,))


def test_slices_and_cat_are_inverse():
    camera, points = some_cameras(), some_points()
    joined = Camera.cat([camera[0], camera[1:], camera[[2]]])
    assert len(joined) == 4
    torch.testing.assert_close(
        joined.project(points), camera[torch.tensor([0, 1, 2, 2])].project(points)
    )


def test_cat_refuses_unequal_images():
    camera = some_cameras()
    with pytest.raises(ValueError, match="differ in image_size"):
        Camera.cat([camera, camera.resized((8, 8))])


def test_parameters_are_float64_and_results_follow_the_vertices():
    camera = Camera.look_at(torch.tensor([[0.0, 0, 3]]), fov_deg=40, image_size=IMAGE_SIZE)
    assert camera.K.dtype == camera.world_to_view.dtype == torch.float64
    points = some_points()
    for dtype in (torch.float32, torch.float64):
        assert camera.project(points.to(dtype)).dtype == dtype
        assert camera.world_to_ndc(points.to(dtype)).dtype == dtype


def krt(**changed: object) -> Camera:
    parts = {"K": np.eye(3), "R": np.eye(3), "t": np.zeros(3)} | changed
    return Camera.from_krt(**parts, image_size=(8, 8), pixel_centers="half")  # type: ignore


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: krt(R=np.eye(3) * 2), "R is not a rotation"),
        (lambda: krt(R=np.diag([1, 1, -1])), "det R = -1"),
        (lambda: krt(R=np.full((3, 3), np.nan)), "R is not a rotation"),
        (lambda: krt(K=np.eye(4)), r"K must be \(N, 3, 3\) or \(3, 3\), got \(4, 4\)"),
        (lambda: krt(K=np.eye(3) * 2), "K must end in a row"),
        (lambda: krt(K=np.diag([np.inf, 1, 1])), "K of camera 0 holds values that are not finite"),
        (lambda: krt(t=np.zeros(4)), r"t must be \(N, 3\)"),
        (lambda: krt(R=np.stack([np.eye(3)] * 2), t=np.zeros((3, 3))), "R holds 2 cameras"),
        (lambda: replace(krt(), K=torch.eye(3)), r"K must be \(N, 3, 3\), got \(3, 3\)"),
        (lambda: replace(krt(), K=torch.eye(3)[None].long()), "K must be a floating-point"),
        (lambda: replace(krt(), K=torch.eye(3).expand(2, 3, 3)), "K holds 2 cameras"),
        (lambda: replace(krt(), image_size=(0, 4)), "image_size"),
        (lambda: replace(krt(), near=0.0), "0 < near < far"),
        (lambda: krt().resized((3.5, 2)), "image_size"),
        (lambda: krt().resized(8), "image_size must be two positive integers .*, got 8"),
        (lambda: replace(krt(), image_size=(8,)), "image_size"),
        (lambda: Camera.look_at([0, 0, 1], fov_deg=40, image_size=(8,)), "image_size"),
        (lambda: Camera.look_at([0, 0, 1], fov_deg=40, image_size=8), "image_size"),
        (lambda: Camera.look_at([0, 0, 1], fov_deg=40, image_size=(8.0, 8.0)), "image_size"),
        (lambda: Camera.orthographic_look_at([0, 0, 1], height=4, image_size=8), "image_size"),
        (lambda: krt(K=np.diag([0.0, 10, 1])), "K of camera 0 is singular.*focal lengths"),
        (lambda: Camera.look_at([0, 0, 0], fov_deg=40, image_size=(8, 8)), "camera 0: eye"),
        (lambda: Camera.look_at([0, 1, 0], fov_deg=40, image_size=(8, 8)), "parallel"),
        (lambda: Camera.look_at([0, 0, 1], fov_deg=180, image_size=(8, 8)), "fov_deg"),
        (
            lambda: Camera.from_projection_matrix(np.zeros((3, 4)), (8, 8), pixel_centers="half"),
            "singular",
        ),
        (
            lambda: Camera.from_krt(
                np.eye(3), np.eye(3), np.zeros(3), (8, 8), pixel_centers="corner"
            ),
            "pixel_centers",
        ),
    ],
)
def test_bad_parameters_are_named(make, message: str):
    with pytest.raises(ValueError, match=message):
        make()

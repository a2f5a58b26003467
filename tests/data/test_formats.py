"""Every format of cameras gives the same views, and auto tells them apart."""

import numpy as np
import pytest
import torch

from lightning_rast.data import ViewsError, load_views, recognise
from tests.data import camera_files
from tests.data.camera_files import WRITERS, scene_cameras, scene_mesh, write_masks


def refusal(path, **options):
    with pytest.raises(ViewsError) as caught:
        load_views(path, **options)
    return str(caught.value)


def assert_same_pixels(cameras, expected, *, atol=1e-6):
    verts = scene_mesh().verts.double()
    torch.testing.assert_close(cameras.project(verts), expected.project(verts), atol=atol, rtol=0)


@pytest.fixture
def folder(tmp_path):
    write_masks(tmp_path / "masks")
    return tmp_path


@pytest.mark.parametrize("format_name", WRITERS)
def test_each_format_gives_the_same_pixels(folder, format_name):
    WRITERS[format_name](folder)
    assert recognise(folder) == format_name.split()[0]
    views = load_views(folder)
    assert views.names == tuple(camera_files.names())
    assert_same_pixels(views.cameras, scene_cameras())


@pytest.mark.parametrize("format_name", WRITERS)
def test_a_camera_file_may_be_named_itself(folder, format_name):
    WRITERS[format_name](folder)
    (file,) = (
        (file for file in folder.rglob("*") if file.is_file() and file.suffix != ".png")
        if (not format_name.startswith("colmap"))
        else sorted(folder.rglob("images.*"))
    )
    assert recognise(file) == format_name.split()[0]
    assert_same_pixels(load_views(file).cameras, scene_cameras())


@pytest.mark.parametrize("format_name", WRITERS)
def test_depth_is_positive_in_front(folder, format_name):
    WRITERS[format_name](folder)
    points = load_views(folder).cameras.world_to_view_points(scene_mesh().verts.double())
    assert bool((points[..., 2] > 0).all())


def test_a_cameras_json_decides(folder):
    for name in ("cameras_json", "transforms", "neus"):
        WRITERS[name](folder)
    assert recognise(folder) == "cameras_json"


def test_two_formats_in_a_folder_are_named(folder):
    WRITERS["transforms"](folder)
    WRITERS["middlebury"](folder)
    message = refusal(folder)
    assert "transforms (transforms.json) and middlebury (scene_par.txt)" in message
    assert "data.format" in message


def test_the_format_can_be_said(folder):
    WRITERS["transforms"](folder)
    WRITERS["middlebury"](folder)
    assert_same_pixels(load_views(folder, format="middlebury").cameras, scene_cameras())


def test_a_folder_without_cameras_tells_what_was_looked_for(folder):
    message = refusal(folder)
    for wanted in ("cameras.json", "transforms.json", "sparse/0", "npz", "_par.txt", ".mat"):
        assert wanted in message


def test_a_format_that_is_not_there_is_named(folder):
    WRITERS["transforms"](folder)
    assert "no cameras of data.format colmap" in refusal(folder, format="colmap")


def test_a_path_that_does_not_exist_is_named(tmp_path):
    assert "no such folder or camera file" in refusal(tmp_path / "nowhere")
    (tmp_path / "kettle").mkdir()
    assert refusal(tmp_path / "ketle").endswith(f"Did you mean {tmp_path / 'kettle'}?")


def test_a_file_of_no_format_is_named(folder):
    (folder / "cameras.xml").write_text("<cameras/>")
    assert "cameras.xml has no name that a format" in refusal(folder / "cameras.xml")


def test_several_files_of_one_format_are_named(folder):
    WRITERS["middlebury"](folder)
    (folder / "scene_par.txt").rename(folder / "a_par.txt")
    WRITERS["middlebury"](folder)
    assert "several files of middlebury cameras: a_par.txt, scene_par.txt" in refusal(folder)


@pytest.mark.parametrize(("centers", "moved"), [("integer", 0.5), ("half", 0.0), ("matlab", -0.5)])
@pytest.mark.parametrize("format_name", WRITERS)
def test_pixel_centers_can_be_overridden(folder, format_name, centers, moved):
    WRITERS[format_name](folder)
    is_half = format_name.split()[0] in ("cameras_json", "transforms", "colmap")
    moved += 0.0 if is_half else -0.5
    pixels = load_views(folder, pixel_centers=centers).cameras.project(scene_mesh().verts.double())
    expected = scene_cameras().project(scene_mesh().verts.double()) + moved
    torch.testing.assert_close(pixels, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("unit", [1e-6, 1e6])
@pytest.mark.parametrize("negated", [1.0, -1.0])
def test_matrices_of_any_scale_and_sign_are_the_same_cameras(folder, unit, negated):
    P = (
        camera_files.matrices(scene_cameras())
        * negated
        * np.array([1e-8, 1, 1e8, 3, 7])[:, None, None]
    )
    P[:, :, 3] *= unit  # the scene in another unit
    np.save(folder / "P.npy", P)
    cameras = load_views(folder).cameras
    verts = scene_mesh().verts.double()
    expected = scene_cameras().project(verts)
    torch.testing.assert_close(cameras.project(verts * unit), expected, atol=1e-6, rtol=0)


def test_skew_and_a_mirrored_world_are_kept(folder):
    cameras = scene_cameras(skew=-7.0)
    mirrored = camera_files.matrices(cameras) @ np.diag([1.0, 1.0, -1.0, 1.0])
    np.save(folder / "P.npy", mirrored)
    verts = scene_mesh().verts.double()
    pixels = load_views(folder).cameras.project(verts * torch.tensor([1.0, 1.0, -1.0]))
    torch.testing.assert_close(pixels, cameras.project(verts), atol=1e-6, rtol=0)


def test_a_principal_point_outside_and_a_huge_focal_length_are_kept(folder):
    crop = np.array([[900.0, 0, -50_000], [0, 900, 30_000], [0, 0, 1]])
    np.save(folder / "P.npy", crop @ camera_files.matrices(scene_cameras()))
    verts = scene_mesh().verts.double()
    half = torch.tensor([0.5, 0.5], dtype=torch.float64)
    expected = (scene_cameras().project(verts) - half) * 900 + torch.tensor([-5e4, 3e4]) + half
    torch.testing.assert_close(
        load_views(folder).cameras.project(verts), expected, atol=1e-5, rtol=0
    )


def test_half_sized_masks_scale_the_cameras_with_a_warning(tmp_path):
    cameras = scene_cameras()
    write_masks(tmp_path / "masks", cameras=cameras.resized((18, 24)))
    WRITERS["transforms"](tmp_path)
    with pytest.warns(UserWarning, match="48 x 36 pixels, masks have 24 x 18; the cameras are sca"):
        views = load_views(tmp_path)
    assert_same_pixels(views.cameras, cameras.resized((18, 24)))


def test_masks_of_another_shape_are_refused(tmp_path):
    write_masks(tmp_path / "masks", cameras=scene_cameras().resized((36, 36)))
    WRITERS["colmap"](tmp_path)
    message = refusal(tmp_path)
    assert "wrong size, the image is 36 x 36 pixels but the camera is for 48 x 36" in message
    assert "000.jpg" in message
    assert "cropped or turned after the calibration? Use the original ones" in message


@pytest.mark.parametrize(
    ("format_name", "hidden"), [("middlebury", "._scene_par.txt"), ("matrices", "._P.npy")]
)
def test_hidden_files_are_no_cameras(folder, format_name, hidden):
    WRITERS[format_name](folder)
    seen = next(path for path in folder.iterdir() if path.is_file())
    (folder / hidden).write_bytes(seen.read_bytes())
    assert recognise(folder) == format_name


def test_images_in_hidden_folders_are_no_masks(folder):
    WRITERS["colmap"](folder)
    (folder / "masks").rename(folder / "silhouettes")
    write_masks(folder / "masks" / ".checkpoints", suffix="-checkpoint.png")
    assert load_views(folder).names == tuple(camera_files.names())

"""transforms.json: what NeRF, instant-ngp and nerfstudio write, and what they would not."""

import json
import math

import numpy as np
import pytest
import torch

from lightning_rast.data import ViewsError, load_views, read_calibration
from tests.data.camera_files import (
    HEIGHT,
    WIDTH,
    scene_cameras,
    scene_mesh,
    transforms,
    write_masks,
)


@pytest.fixture
def folder(tmp_path):
    write_masks(tmp_path / "masks")
    return tmp_path


def write(folder, content, name="transforms.json"):
    (folder / name).write_text(json.dumps(content))


def content(**changes):
    found = transforms(scene_cameras()) | changes
    return {key: value for key, value in found.items() if value is not None}


def changed_frame(**changes):
    found = content()
    found["frames"][1] |= changes
    return found


def refusal(folder, **options):
    with pytest.raises(ViewsError) as caught:
        load_views(folder, **options)
    return str(caught.value)


def intrinsics(folder, view=0):
    return read_calibration(folder).views[view].camera.K[0]


def test_an_angle_of_view_gives_the_focal_length(folder):
    write(folder, content(fl_x=None, fl_y=None, camera_angle_x=2 * math.atan(WIDTH / 2 / 52)))
    K = intrinsics(folder)
    assert K[0, 0].item() == pytest.approx(52)
    assert K[1, 1].item() == pytest.approx(52)


def test_two_angles_of_view_give_two_focal_lengths(folder):
    angles = {
        "camera_angle_x": 2 * math.atan(WIDTH / 2 / 52),
        "camera_angle_y": 2 * math.atan(HEIGHT / 2 / 55),
    }
    write(folder, content(fl_x=None, fl_y=None, **angles))
    K = intrinsics(folder)
    assert [K[0, 0].item(), K[1, 1].item()] == pytest.approx([52, 55])


@pytest.mark.parametrize(("centers", "at"), [("auto", 0.0), ("integer", 0.0), ("matlab", 0.0)])
def test_without_a_centre_it_is_the_images_middle_in_any_convention(folder, centers, at):
    write(folder, content(cx=None, cy=None))
    K = read_calibration(folder, pixel_centers=centers).views[0].camera.K[0]
    assert K[:2, 2].tolist() == pytest.approx([WIDTH / 2 + at, HEIGHT / 2 + at])


def test_the_size_comes_from_the_image_where_none_is_stated(tmp_path):
    write_masks(tmp_path / "images")
    write(tmp_path, content(w=None, h=None, cx=None, cy=None))
    assert intrinsics(tmp_path)[:2, 2].tolist() == [WIDTH / 2, HEIGHT / 2]


def test_a_missing_size_without_images_is_named(folder):
    write(folder, content(w=None, h=None))
    message = refusal(folder)
    assert "the image size is needed" in message
    assert "frame 0" in message


def test_a_frames_own_intrinsics_win(folder):
    write(folder, changed_frame(fl_x=77.0, cx=11.0))
    assert intrinsics(folder, 1)[0].tolist() == pytest.approx([77, 0, 11])
    assert intrinsics(folder, 2)[0].tolist() == pytest.approx([52, 0, 25.5])


def test_a_scaled_pose_is_the_same_camera(folder):
    found = content()
    for frame in found["frames"]:
        pose = np.array(frame["transform_matrix"])
        pose[:3, :3] *= 0.3
        frame["transform_matrix"] = pose.tolist()
    write(folder, found)
    verts = scene_mesh().verts.double()
    torch.testing.assert_close(
        load_views(folder).cameras.project(verts), scene_cameras().project(verts)
    )


def test_a_pose_of_three_rows_is_read(folder):
    found = content()
    for frame in found["frames"]:
        frame["transform_matrix"] = frame["transform_matrix"][:3]
    write(folder, found)
    verts = scene_mesh().verts.double()
    torch.testing.assert_close(
        load_views(folder).cameras.project(verts), scene_cameras().project(verts)
    )


def test_windows_paths_and_names_without_suffix_find_their_masks(folder):
    found = content()
    for index, frame in enumerate(found["frames"]):
        frame["file_path"] = f".\\images\\{index:03d}"
    write(folder, found)
    assert len(load_views(folder)) == len(found["frames"])


def test_the_training_part_of_blender_data_is_found(folder):
    write(folder, content(), "transforms_train.json")
    write(folder, {"frames": []}, "transforms_test.json")
    assert len(load_views(folder)) == len(content()["frames"])


def test_masks_that_the_frames_name_are_read(tmp_path):
    write_masks(tmp_path / "segmented")
    found = content()
    for index, frame in enumerate(found["frames"]):
        frame["mask_path"] = f"segmented/{index:03d}.png"
    write(tmp_path, found)
    views = load_views(tmp_path)
    assert views.files is not None
    assert {file.parent.name for file in views.files} == {"segmented"}


@pytest.mark.parametrize(
    ("broken", "expected"),
    [
        ({}, 'an object with a list "frames"'),
        ({"frames": []}, '"frames" is empty'),
        ({"frames": [3]}, 'frame 0: needs "file_path"'),
        (changed_frame(file_path=""), 'frame 1: needs "file_path"'),
        (changed_frame(transform_matrix=[[1, 2], [3, 4]]), "must have shape (4, 4), got (2, 2)"),
        (changed_frame(transform_matrix=np.zeros((4, 4)).tolist()), "end in the row 0, 0, 0, 1"),
        (changed_frame(transform_matrix=np.diag([0, 0, 0, 1]).tolist()), "is singular"),
        (changed_frame(transform_matrix=np.diag([1, 1, -1, 1]).tolist()), "det R = -1"),
        (changed_frame(transform_matrix=np.diag([1, 9, 1, 1]).tolist()), "R is not a rotation"),
        (changed_frame(transform_matrix="identity"), '"transform_matrix" must hold numbers'),
        (changed_frame(fl_x=-3), '"fl_x" must be more than 0, got -3'),
        (changed_frame(fl_x="52"), '"fl_x" must be a number, got "52"'),
        (changed_frame(cx=1e400), '"cx" must be finite'),
        (changed_frame(w=0), "0 x 36 pixels"),
        (changed_frame(mask_path=7), '"mask_path" must be the path of an image'),
        (changed_frame(k4=0.1), '"k4" is a fourth radial term'),
        (changed_frame(camera_model="EQUIRECTANGULAR"), "undistort the images first"),
        (content(fl_x=None, fl_y=None), '"fl_x" in pixels or "camera_angle_x" in radians'),
        (content(fl_x=None, fl_y=None, camera_angle_x=40), "between 0 and pi (radians), got 40"),
    ],
)
def test_a_bad_file_is_refused_with_what_is_wrong(folder, broken, expected):
    write(folder, broken)
    message = refusal(folder)
    assert expected in message
    assert "transforms.json" in message


@pytest.mark.parametrize("text", ["[" * 100_000, '{"frames": ' + "9" * 5000 + "}", "\ufeff{]", ""])
def test_what_is_no_json_is_refused(folder, text):
    (folder / "transforms.json").write_text(text)
    assert "transforms.json" in refusal(folder)

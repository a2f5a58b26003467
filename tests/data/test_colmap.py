"""COLMAP models: odd but valid ones are read, damaged ones refused; pycolmap agrees."""

import struct

import numpy as np
import pytest
import torch

from lightning_rast.data import ViewsError, load_views, read_calibration
from lightning_rast.data.colmap_files import MODELS
from tests.data.camera_files import (
    NUM_VIEWS,
    colmap_entries,
    scene_cameras,
    scene_mesh,
    write_colmap_binary,
    write_colmap_text,
    write_masks,
)


@pytest.fixture
def folder(tmp_path):
    write_masks(tmp_path / "masks")
    return tmp_path


@pytest.fixture
def text_model(folder):
    write_colmap_text(folder)
    return folder / "sparse" / "0"


@pytest.fixture
def binary_model(folder):
    write_colmap_binary(folder)
    return folder / "sparse" / "0"


def refusal(path):
    with pytest.raises(ViewsError) as caught:
        load_views(path)
    return str(caught.value)


def assert_reads_the_scene(path):
    verts = scene_mesh().verts.double()
    pixels = load_views(path).cameras.project(verts)
    torch.testing.assert_close(pixels, scene_cameras().project(verts))


@pytest.mark.parametrize("points", ["", None])
def test_lines_of_points_may_be_empty_or_missing(text_model, points):
    lines = (text_model / "images.txt").read_text().splitlines()
    kept = [points if line.startswith("1.5") else line for line in lines]
    text = "\n".join(line for line in kept if line is not None)
    (text_model / "images.txt").write_text(text)
    assert_reads_the_scene(text_model.parent.parent)


def test_the_models_own_folder_leads_to_the_masks(text_model):
    assert_reads_the_scene(text_model)


@pytest.mark.parametrize("name", ["colmap", "dense", "65", "sparse"])
def test_a_folder_of_data_may_be_named_like_colmaps_own(tmp_path, name):
    write_masks(tmp_path / name / "masks")
    write_colmap_text(tmp_path / name)
    assert len(load_views(tmp_path / name)) == NUM_VIEWS


def test_masks_named_as_colmap_does_are_found(tmp_path):
    write_masks(tmp_path / "masks", suffix=".jpg.png")
    write_colmap_text(tmp_path)
    assert len(load_views(tmp_path)) == NUM_VIEWS


def test_quaternions_of_any_length_are_rotations(text_model):
    path = text_model / "images.txt"
    lines = path.read_text().splitlines()
    for index in range(1, len(lines), 2):
        words = lines[index].split()
        words[1:5] = [repr(-2.5 * float(word)) for word in words[1:5]]
        lines[index] = " ".join(words)
    path.write_text("\n".join(lines))
    assert_reads_the_scene(text_model)


def test_names_may_have_spaces_and_folders(tmp_path):
    write_masks(tmp_path / "masks" / "left camera")
    write_colmap_text(tmp_path)
    path = tmp_path / "sparse" / "0" / "images.txt"
    path.write_text(path.read_text().replace(" 00", " left camera/00"))
    assert len(load_views(tmp_path)) == NUM_VIEWS


def test_a_second_model_is_warned_of(text_model):
    other = text_model.parent / "1"
    other.mkdir()
    for name in ("cameras.txt", "images.txt"):
        (other / name).write_bytes((text_model / name).read_bytes())
    with pytest.warns(UserWarning, match="split the images into 2 models"):
        load_views(text_model.parent.parent)


def test_an_image_without_a_mask_is_named(text_model):
    (text_model.parent.parent / "masks" / "002.png").unlink()
    assert "1 of 5 cameras" in (message := refusal(text_model))
    assert "have no mask: 002.jpg" in message


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        ("cameras.txt", "3 PINHOLE", "3 PINHOLES", "no camera model 'PINHOLES'"),
        ("cameras.txt", "3 PINHOLE", "3 RADIAL", "RADIAL has 5 parameters, the file has 4"),
        ("cameras.txt", "3 PINHOLE", "3 FOV", "FOV has 5 parameters"),
        ("cameras.txt", "3 PINHOLE 48", "3 PINHOLE x", "line 4: must be CAMERA_ID MODEL"),
        ("cameras.txt", "3 PINHOLE 48", "3 PINHOLE 0", "an image of 0 x 36 pixels cannot be"),
        ("cameras.txt", "3 PINHOLE", "8 PINHOLE", "there is no camera 3"),
        ("images.txt", "3 002.jpg", "x 002.jpg", "line 6: must be IMAGE_ID"),
        ("images.txt", "3 002.jpg", "", "line 6: must be IMAGE_ID"),
    ],
)
def test_a_bad_line_is_named(text_model, file, old, new, expected):
    text = (text_model / file).read_text()
    assert old in text
    (text_model / file).write_text(text.replace(old, new, 1))
    assert expected in refusal(text_model)


def test_a_zero_quaternion_is_named(text_model):
    path = text_model / "images.txt"
    words = path.read_text().splitlines()
    first = words[1].split()
    words[1] = " ".join([first[0], "0", "0", "0", "0", *first[5:]])
    path.write_text("\n".join(words))
    assert "is no rotation" in refusal(text_model)


def test_a_model_without_images_is_refused(text_model):
    (text_model / "images.txt").write_text("# Image list\n")
    assert "holds no image: COLMAP has registered none" in refusal(text_model)


@pytest.mark.parametrize("file", ["cameras.bin", "images.bin"])
def test_a_truncated_binary_file_is_named(binary_model, file):
    content = (binary_model / file).read_bytes()
    for length in range(0, len(content), 7):
        (binary_model / file).write_bytes(content[:length])
        message = refusal(binary_model)
        assert file in message
        assert "copied whole" in message or "has no end" in message


@pytest.mark.parametrize("file", ["cameras.bin", "images.bin"])
def test_a_binary_file_that_announces_too_much_is_refused_at_once(binary_model, file):
    content = (binary_model / file).read_bytes()
    (binary_model / file).write_bytes(struct.pack("<Q", 2**62) + content[8:])
    assert f"announces {2**62} entries" in refusal(binary_model)


def test_an_unknown_binary_model_is_named(binary_model):
    content = bytearray((binary_model / "cameras.bin").read_bytes())
    content[12:16] = struct.pack("<i", 99)
    (binary_model / "cameras.bin").write_bytes(content)
    assert "there is no camera model 99" in refusal(binary_model)


def test_pycolmap_writes_what_is_read(tmp_path):
    pycolmap = pytest.importorskip("pycolmap", reason="pip install pycolmap")
    entries = colmap_entries()
    model = pycolmap.Reconstruction()
    for index, (name, params, pose) in enumerate(entries, start=1):
        camera = pycolmap.Camera(
            camera_id=index, model="PINHOLE", width=48, height=36, params=params
        )
        w, x, y, z = pose[:4]
        cam_from_world = pycolmap.Rigid3d(pycolmap.Rotation3d(np.array([x, y, z, w])), pose[4:])
        model.add_camera_with_trivial_rig(camera)
        image = pycolmap.Image(image_id=index, camera_id=index, name=name)
        model.add_image_with_trivial_frame(image, cam_from_world)
    for kind, write in (("text", model.write_text), ("binary", model.write_binary)):
        folder = tmp_path / kind
        write_masks(folder / "masks")
        (folder / "sparse").mkdir()
        write(str(folder / "sparse"))
        assert_reads_the_scene(folder)


def test_models_have_the_numbers_that_pycolmap_gives_them():
    pycolmap = pytest.importorskip("pycolmap", reason="pip install pycolmap")
    known = pycolmap.CameraModelId.__members__
    for number, (name, num_params) in enumerate(MODELS.items()):
        assert known[name].value == number
        camera = pycolmap.Camera.create_from_model_name(1, name, 50.0, 48, 36)
        assert len(camera.params) == num_params


@pytest.mark.parametrize(
    ("model", "params"),
    [
        ("SIMPLE_RADIAL", [50, 24, 18, 0.05]),
        ("RADIAL", [50, 24, 18, 0.05, -0.02]),
        ("OPENCV", [50, 52, 24, 18, 0.05, -0.02, 0.003, -0.004]),
        ("FULL_OPENCV", [50, 52, 24, 18, 0.05, -0.02, 0.003, -0.004, 0.01, 0.02, 0.01, -0.01]),
        ("OPENCV_FISHEYE", [50, 52, 24, 18, 0.05, -0.02, 0.003, -0.004]),
        ("SIMPLE_RADIAL_FISHEYE", [50, 24, 18, 0.05]),
        ("RADIAL_FISHEYE", [50, 24, 18, 0.05, -0.02]),
        ("SIMPLE_FISHEYE", [50, 24, 18]),
        ("FISHEYE", [50, 52, 24, 18]),
    ],
)
def test_lenses_bend_as_pycolmap_says(text_model, model, params):
    pycolmap = pytest.importorskip("pycolmap", reason="pip install pycolmap")
    words = " ".join(map(str, params))
    lines = [f"{index} {model} 48 36 {words}" for index in range(1, NUM_VIEWS + 1)]
    (text_model / "cameras.txt").write_text("\n".join(lines))
    view = read_calibration(text_model).views[0]
    assert view.distortion is not None
    camera = pycolmap.Camera(camera_id=1, model=model, width=48, height=36, params=params)
    x, y = np.meshgrid(np.linspace(-0.3, 0.3, 5), np.linspace(-0.3, 0.3, 5))
    rays = np.stack([x.ravel(), y.ravel(), np.ones(x.size)], axis=1)
    expected = np.array([camera.img_from_cam(ray) for ray in rays])
    K = view.camera.K[0].numpy()
    distorted = distorted_rays(rays[:, :2], view.distortion)
    found = distorted @ K[:2, :2].T + K[:2, 2]
    np.testing.assert_allclose(found, expected, atol=1e-9)


def distorted_rays(rays, distortion):
    """OpenCV's documented formulas."""
    k = (*distortion.coefficients, 0, 0, 0, 0, 0)
    r2 = (rays**2).sum(axis=1, keepdims=True)
    if distortion.model == "fisheye":
        r = np.sqrt(r2)
        theta = np.arctan(r)
        bent = theta * (1 + sum(k[i] * theta ** (2 * i + 2) for i in range(4)))
        return rays * np.divide(bent, r, out=np.ones_like(r), where=r > 0)
    radial = (1 + k[0] * r2 + k[1] * r2**2 + k[4] * r2**3) / (
        1 + k[5] * r2 + k[6] * r2**2 + k[7] * r2**3
    )
    x, y = rays[:, :1], rays[:, 1:]
    tangential = np.hstack(
        [2 * k[2] * x * y + k[3] * (r2 + 2 * x**2), k[2] * (r2 + 2 * y**2) + 2 * k[3] * x * y]
    )
    return rays * radial + tangential

"""Pictures: white where nothing is, the object where it is, files that others can read."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lightning_rast.render import (
    Renderer,
    Rendering,
    linear_from_srgb,
    pictures,
    render_silhouettes,
    save_gif,
    save_png,
    shaded_preview,
    srgb_from_linear,
    turntable_cameras,
)
from lightning_rast.render.pictures import (
    FAR_VALUE,
    NEAR_VALUE,
    color_pictures,
    contact_sheet,
    depth_pictures,
    face_pictures,
    in_groups,
    normals_pictures,
    sheet_size,
    thumbnail,
)
from lightning_rast.scene import Camera, Mesh, cube, grid, icosphere, torus


def test_the_picture_is_painted_where_the_silhouette_is():
    mesh = torus(32, 16)
    camera = turntable_cameras(mesh, 3, image_size=(60, 80))
    pictures = shaded_preview(mesh, camera)
    coverage = render_silhouettes(mesh, camera).numpy()
    assert pictures.shape == (3, 60, 80, 3)
    assert pictures.dtype == np.uint8
    assert (pictures[coverage == 0] == 255).all()
    assert (pictures[coverage == 1] < 250).all()


def test_light_comes_from_above():
    mesh = icosphere(4)
    picture = shaded_preview(mesh, Camera.look_at([0, 0, 4], fov_deg=40, image_size=(64, 64)))[0]
    assert picture[18, 32].astype(int).sum() > picture[46, 32].astype(int).sum() + 60


def test_the_near_side_of_a_solid_hides_the_far_side():
    camera = Camera.look_at([0, 0, 4], fov_deg=40, image_size=(32, 32))
    near, far = icosphere(3, center=(0, 0, 1)), icosphere(3, center=(0, 0, -1))
    for order in ((near, far), (far, near)):
        both = Mesh(
            torch.cat([mesh.verts for mesh in order]),
            torch.cat((order[0].faces, order[1].faces + near.num_verts)),
        )
        np.testing.assert_array_equal(
            shaded_preview(both, camera)[0, 12:20, 12:20],
            shaded_preview(near, camera)[0, 12:20, 12:20],
        )


def test_winding_does_not_change_the_picture_of_a_solid():
    mesh = torus(16, 8)
    camera = turntable_cameras(mesh, 1, image_size=(40, 40))
    inside_out = Mesh(mesh.verts, mesh.faces.flip(1))
    difference = np.abs(
        shaded_preview(mesh, camera).astype(int) - shaded_preview(inside_out, camera)
    )
    assert difference.max() <= 2


@pytest.mark.parametrize(
    "mesh",
    [
        Mesh(torch.zeros(0, 3), torch.zeros(0, 3, dtype=torch.int32)),
        Mesh(torch.zeros(3, 3), torch.tensor([[0, 1, 2]])),
        grid(center=(0, 0, 9)),
    ],
)
def test_what_cannot_be_seen_leaves_the_page_white(mesh: Mesh):
    camera = Camera.look_at([0, 0, 4], fov_deg=40, image_size=(32, 32))
    assert (shaded_preview(mesh, camera) == 255).all()


def test_many_views_are_rendered_in_groups(monkeypatch):
    mesh = torus(16, 8)
    camera = turntable_cameras(mesh, 5, image_size=(20, 30))
    at_once = shaded_preview(mesh, camera)
    monkeypatch.setattr(pictures, "_SAMPLES_AT_ONCE", 2 * 4 * 20 * 30)
    np.testing.assert_array_equal(shaded_preview(mesh, camera), at_once)


def test_light_blends_with_the_background_before_it_is_coded():
    half = Rendering(coverage=torch.tensor([[[0.0, 0.5, 1]]]), color=torch.zeros(1, 1, 3, 3))
    grey = color_pictures(half, background=(1, 1, 1))[0, 0, :, 0]
    assert grey.tolist() == [255, 188, 0]


def test_a_transparent_picture_on_white_is_the_one_painted_on_white():
    mesh = cube()
    camera = turntable_cameras(mesh, 2, image_size=(30, 30))
    [(_, rendering)] = in_groups(Renderer(), mesh, camera)
    rgba = color_pictures(rendering, background=None)
    alpha = rgba[..., 3:] / 255
    linear = linear_from_srgb(torch.from_numpy(rgba[..., :3] / 255)).numpy()
    on_white = srgb_from_linear(torch.from_numpy(linear * alpha + 1 - alpha)).numpy()
    expected = color_pictures(rendering, background=(1, 1, 1)) / 255
    assert {0, 255} < set(rgba[..., 3].flatten().tolist())
    np.testing.assert_allclose(on_white, expected, atol=0.02)


def test_normals_have_the_usual_colours():
    normals = torch.tensor([[[[0.0, 0, 1], [-1, 0, 0], [0, 0, 0]]]])
    rendering = Rendering(normals=normals, coverage=torch.tensor([[[1.0, 1, 0]]]))
    assert normals_pictures(rendering, background=(0, 0, 0))[0, 0].tolist() == [
        [128, 128, 255],
        [0, 128, 128],
        [0, 0, 0],
    ]
    assert normals_pictures(rendering, background=None)[0, 0, :, 3].tolist() == [255, 255, 0]


def test_depths_can_be_read_back():
    depth = torch.tensor([[[0.0, 2, 3, 5]]], dtype=torch.float64)
    picture = depth_pictures(depth, (2.0, 5.0))[0, 0]
    assert picture.dtype == np.uint16
    assert picture[0] == 0
    decoded = 2 + 3 * (NEAR_VALUE - picture[1:].astype(float)) / (NEAR_VALUE - FAR_VALUE)
    np.testing.assert_allclose(decoded, [2, 3, 5], atol=1e-4)


def test_neighbouring_faces_have_different_colours():
    picture = face_pictures(torch.arange(-1, 500, dtype=torch.int32)[None, None], background=None)
    colors = picture[0, 0].astype(int)
    assert (colors[0] == 0).all()
    assert (colors[1:, 3] == 255).all()
    assert np.abs(np.diff(colors[1:], axis=0)).max(axis=1).min() > 30
    assert len(np.unique(colors, axis=0)) == 501


def test_a_sheet_has_a_row_for_each_kind_and_wraps():
    white, red = (Image.new("RGB", (50, 40), color) for color in ("white", "red"))
    rows = {"one": [white] * 9 + [red], "two": [red] + [white] * 9}
    sheet = np.asarray(contact_sheet(rows, headings=[str(view) for view in range(10)]))
    is_red = (sheet == [255, 0, 0]).all(axis=2)
    assert is_red.sum() == 2 * 40 * 50
    assert sheet.shape[0] > 4 * 40
    assert 8 * 50 < sheet.shape[1] < 10 * 50
    top, bottom = np.split(is_red, 2)
    heading, row = 30, 46
    assert top[heading + row :].sum() == 40 * 50
    assert bottom[heading : heading + row].sum() == 40 * 50


def test_large_pictures_are_shown_small():
    assert sheet_size((100, 100), 8) == (100, 100)
    height, width = sheet_size((1000, 2000), 8)
    assert width == pytest.approx(2 * height, abs=1)
    assert width < 250


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        (np.full((4, 4), 51, dtype=np.uint8), 51),
        (np.full((4, 4), 51 * 257, dtype=np.uint16), 51),
        (np.full((4, 4, 3), 51, dtype=np.uint8), 51),
        (np.full((4, 4, 4), 51, dtype=np.uint8), 214),  # a fifth of it, on white
    ],
)
def test_every_kind_of_picture_has_a_thumbnail(picture, expected):
    small = np.asarray(thumbnail(picture, (2, 3)))
    assert small.shape == (2, 3, 3)
    assert (small == expected).all()


def test_pictures_are_written_whole(tmp_path: Path):
    picture = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    save_png(tmp_path / "one.png", picture)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "one.png")), picture)
    assert [path.name for path in tmp_path.iterdir()] == ["one.png"]


def test_gifs_keep_their_frames(tmp_path: Path):
    mesh = cube()
    frames = shaded_preview(mesh, turntable_cameras(mesh, 5, image_size=(30, 40)))
    save_gif(tmp_path / "turn.gif", frames, frames_per_second=10)
    with Image.open(tmp_path / "turn.gif") as image:
        assert image.n_frames == 5
        assert image.size == (40, 30)
        assert image.info["duration"] == 100
        assert image.info["loop"] == 0
        first = np.asarray(image.convert("RGB")).astype(int)
    assert np.abs(first - frames[0]).max() < 20
    assert [path.name for path in tmp_path.iterdir()] == ["turn.gif"]


def test_a_gif_of_nothing_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match="at least one frame"):
        save_gif(tmp_path / "turn.gif", np.zeros((0, 4, 4, 3), dtype=np.uint8))

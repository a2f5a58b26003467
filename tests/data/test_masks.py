"""A folder of masks: read right, or refused with what is wrong."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from lightning_rast.data.masks import load_mask_views
from lightning_rast.data.views import ViewsError
from lightning_rast.scene import Camera, icosphere

HEIGHT, WIDTH = 24, 32
K = [[30.0, 0.0, 16.0], [0.0, 30.0, 12.0], [0.0, 0.0, 1.0]]
R = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]


def write_mask(path, size=(WIDTH, HEIGHT)):
    path.parent.mkdir(exist_ok=True)
    image = Image.new("L", size)
    image.paste(255, (size[0] // 4, size[1] // 4, size[0] // 2, size[1] // 2))
    image.save(path)


@pytest.fixture
def folder(tmp_path):
    """Three views of a rectangle, with the cameras one unit further away each."""
    for index in range(3):
        write_mask(tmp_path / "masks" / f"{index}.png")
    write_cameras(tmp_path, [view(index) for index in range(3)])
    return tmp_path


def view(index):
    return {"mask": f"masks/{index}.png", "K": K, "R": R, "t": [0, 0, 3 + index]}


def write_cameras(folder, views, **rest):
    (folder / "cameras.json").write_text(json.dumps({**rest, "views": views}))


def refusal(folder, **options):
    with pytest.raises(ViewsError) as caught:
        load_mask_views(folder, **options)
    return str(caught.value)


def test_views_have_the_files_masks_and_cameras(folder):
    views = load_mask_views(folder)
    assert views.names == ("0", "1", "2")
    assert views.image_size == (HEIGHT, WIDTH)
    assert views.known is None
    assert float(views.coverage.sum()) == 3 * (WIDTH // 4) * (HEIGHT // 4)
    torch.testing.assert_close(
        views.cameras.center_world[:, 2], -torch.tensor([3.0, 4.0, 5.0], dtype=torch.float64)
    )


def center_pixel(views):
    origin = torch.zeros(1, 3, dtype=torch.float64)
    return views.cameras.project(origin)[0, 0].tolist()


@pytest.mark.parametrize(
    ("rest", "option", "expected"),
    [
        ({}, "auto", [16.5, 12.5]),
        ({"pixel_centers": "integer"}, "auto", [16.5, 12.5]),
        ({"pixel_centers": "half"}, "auto", [16.0, 12.0]),
        ({"pixel_centers": "half"}, "integer", [16.5, 12.5]),
        ({}, "half", [16.0, 12.0]),
    ],
)
def test_half_a_pixel_follows_the_convention(folder, rest, option, expected):
    write_cameras(folder, [view(index) for index in range(3)], **rest)
    assert center_pixel(load_mask_views(folder, pixel_centers=option)) == pytest.approx(expected)


def test_a_projection_matrix_is_the_same_camera(folder):
    verts = icosphere(1).verts.double()
    expected = load_mask_views(folder).cameras.project(verts)
    for index, scale in enumerate((1.0, -2.0, 0.01)):
        Rt = np.hstack([R, [[0], [0], [3 + index]]])
        views = [view(other) for other in range(3)]
        views[index] = {"mask": f"masks/{index}.png", "P": (scale * np.array(K) @ Rt).tolist()}
        write_cameras(folder, views)
        torch.testing.assert_close(load_mask_views(folder).cameras.project(verts), expected)


def test_a_limited_size_scales_cameras_and_keeps_the_area(folder):
    full, small = load_mask_views(folder), load_mask_views(folder, max_image_size=20)
    assert small.image_size == (15, 20)
    torch.testing.assert_close(
        small.coverage.mean(dim=(1, 2)), full.coverage.mean(dim=(1, 2)), atol=1e-6, rtol=0
    )
    verts = icosphere(1).verts.double()
    torch.testing.assert_close(
        small.cameras.project(verts), full.cameras.project(verts) * (20 / 32)
    )


def test_masks_of_different_sizes_are_padded_with_unknown(folder):
    write_mask(folder / "masks" / "1.png", size=(20, 40))
    with pytest.warns(UserWarning, match=r"1\.png \(20 x 40\)"):
        views = load_mask_views(folder)
    assert views.image_size == (40, 32)
    assert views.known is not None
    assert views.known.sum(dim=(1, 2)).tolist() == [24 * 32, 40 * 20, 24 * 32]
    assert center_pixel(views) == pytest.approx([16.5, 12.5])


def test_a_mask_that_covers_the_image_warns(folder):
    Image.new("L", (WIDTH, HEIGHT), 255).save(folder / "masks" / "1.png")
    with pytest.warns(UserWarning, match=r"1\.png: the object covers the whole image"):
        load_mask_views(folder)


def test_a_dark_mask_warns(folder):
    mask = np.asarray(Image.open(folder / "masks" / "1.png")) // 2 + 1
    Image.fromarray(mask).save(folder / "masks" / "1.png")
    with pytest.warns(UserWarning, match=r"1\.png: its brightest pixel is 0\.502 of 1"):
        load_mask_views(folder)


def test_an_inverted_mask_warns(folder):
    mask = 255 - np.asarray(Image.open(folder / "masks" / "1.png"))
    Image.fromarray(mask).save(folder / "masks" / "1.png")
    with pytest.warns(UserWarning, match=r"1\.png: .*most of the image's border.* inverted\?"):
        load_mask_views(folder)


@pytest.mark.filterwarnings("error")
def test_an_object_that_leaves_the_image_on_one_side_is_no_cause_for_doubt(folder):
    mask = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    mask[8:] = 250
    mask[:, :4] = mask[:, -4:] = 0
    Image.fromarray(mask).save(folder / "masks" / "1.png")
    load_mask_views(folder)


@pytest.mark.parametrize("unit", [1e-5, 1.0, 1e5])
def test_the_near_plane_follows_the_distance_to_the_object(folder, unit):
    views = [view(index) | {"t": [0, 0, (3 + index) * unit]} for index in range(3)]
    write_cameras(folder, views)
    cameras = load_mask_views(folder).cameras
    nearest = float(cameras.center_world.norm(dim=1).min())
    assert 0 < cameras.near < 0.01 * nearest
    assert cameras.far > 10 * nearest


def test_a_missing_image_is_named(folder):
    (folder / "masks" / "1.png").unlink()
    message = refusal(folder)
    assert "missing mask image" in message
    assert "1.png" in message


def test_an_empty_mask_is_named(folder):
    Image.new("L", (WIDTH, HEIGHT)).save(folder / "masks" / "2.png")
    assert "empty mask" in refusal(folder)


def test_a_single_empty_mask_among_good_ones_is_left_out_with_a_warning(folder):
    for index in range(3, 5):
        write_mask(folder / "masks" / f"{index}.png")
    write_cameras(folder, [view(index) for index in range(5)])
    Image.new("L", (WIDTH, HEIGHT)).save(folder / "masks" / "2.png")
    with pytest.warns(UserWarning, match=r"empty mask: .*2\.png .*left out"):
        views = load_mask_views(folder)
    assert views.names == ("0", "1", "3", "4")
    distances = views.cameras.center_world.norm(dim=1).tolist()
    assert distances == pytest.approx([3, 4, 6, 7])


def test_an_image_without_a_camera_is_named(folder):
    write_mask(folder / "masks" / "extra.png")
    message = refusal(folder)
    assert "camera count mismatch" in message
    assert "extra.png" in message


def test_photographs_beside_the_masks_are_no_mismatch(folder):
    write_mask(folder / "masks" / "0.jpg")
    assert len(load_mask_views(folder)) == 3


def test_named_photographs_of_the_masks_kind_beside_them_are_no_mismatch(folder):
    write_mask(folder / "masks" / "0_photograph.png")
    entries = [view(index) for index in range(3)]
    entries[0]["image"] = "masks/0_photograph.png"
    write_cameras(folder, entries)
    assert len(load_mask_views(folder)) == 3


def test_hidden_files_beside_the_masks_are_no_mismatch(folder):
    (folder / "masks" / "._0.png").write_bytes(b"of macOS")
    assert len(load_mask_views(folder)) == 3


def without(key):
    return {name: value for name, value in view(1).items() if name != key}


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (without("mask"), 'view 1: needs "mask"'),
        (without("K"), 'needs "K"'),
        (without("t"), 'needs "t"'),
        (view(1) | {"mask": "masks/0.png"}, "the same mask as"),
        (view(1) | {"width": 64, "height": 24}, "wrong size, the image is 32 x 24 pixels"),
        (view(1) | {"width": 32}, '"width" and "height" come together'),
        (view(1) | {"width": "64"}, '"width" must be a number, got "64"'),
        (view(1) | {"height": None}, '"height" must be a number, got null'),
        (view(1) | {"K": [[0, 0, 16], [0, 30, 12], [0, 0, 1]]}, "K of camera 0 is singular"),
        (view(1) | {"K": [[3, 6, 16], [1, 2, 12], [0, 0, 1]]}, "K of camera 0 is singular"),
        (view(1) | {"K": [[1, 2], [3, 4]]}, '"K" must have shape (3, 3), got (2, 2)'),
        (view(1) | {"K": [[1, 2, 3], [4]]}, '"K" must hold numbers'),
        (view(1) | {"t": ["a", 0, 0]}, '"t" must hold numbers'),
        (view(1) | {"t": [float("nan"), 0, 0]}, '"t" must be finite'),
        (view(1) | {"R": [[2, 0, 0], [0, 1, 0], [0, 0, 1]]}, "R is not a rotation"),
        (view(1) | {"R": [[-1, 0, 0], [0, 1, 0], [0, 0, 1]]}, "det R = -1"),
        ("masks/1.png", 'view 1: needs "mask"'),
    ],
)
def test_a_bad_entry_is_named(folder, entry, expected):
    write_cameras(folder, [view(0), entry, view(2)])
    message = refusal(folder)
    assert expected in message
    assert "view 1" in message


def test_unreadable_json_names_the_line(folder):
    (folder / "cameras.json").write_text('{\n "views": [\n  {]\n}')
    assert "at line 3, column 4" in refusal(folder)


@pytest.mark.parametrize("text", ["[]", "{}", '{"views": 3}', '{"views": []}'])
def test_a_file_without_views_is_refused(folder, text):
    (folder / "cameras.json").write_text(text)
    assert '"views"' in refusal(folder)


def test_a_folder_without_cameras_is_refused(tmp_path):
    assert "cameras.json" in refusal(tmp_path)


def test_an_unknown_convention_is_refused(folder):
    write_cameras(folder, [view(0), view(1), view(2)], pixel_centers="corner")
    assert '"pixel_centers" must be' in refusal(folder)


@pytest.mark.parametrize(
    ("name", "num_views", "held_out"), [("vgg_dino", 36, 7), ("dtu_scan65", 49, 10)]
)
def test_real_photographs_masks_load(shared_data, name, num_views, held_out):
    views = load_mask_views(shared_data / name, max_image_size=128)
    assert len(views) == num_views
    assert max(views.image_size) == 128
    assert isinstance(views.cameras, Camera)
    assert sum(i % 5 == 2 for i in range(num_views)) == held_out

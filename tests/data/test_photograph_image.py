"""Photographs come to lie where their view's coverage is, whatever file they are in."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from lightning_rast.data import ViewsError, load_views, synthetic_views
from lightning_rast.data import photograph_image as module
from lightning_rast.data.photograph_image import NEUTRAL, photograph_in_view
from tests.data.camera_files import (
    HEIGHT,
    WIDTH,
    names,
    scene_cameras,
    scene_mesh,
    transforms,
    write_masks,
)

SIZE = (HEIGHT, WIDTH)


def coverages(image_size):
    """Coverage as a picture, of each view: as a photograph, it must lie on the mask."""
    views = synthetic_views(scene_mesh(), scene_cameras().resized(image_size))
    return (255 * views.coverage).round().byte().numpy()


def write(folder, images, pattern="{}.png", **options):
    folder.mkdir(parents=True, exist_ok=True)
    for name, image in zip(names(), images, strict=True):
        image = image if isinstance(image, Image.Image) else Image.fromarray(image)
        image.save(folder / pattern.format(name), **options)


@pytest.fixture
def folder(tmp_path):
    write_masks(tmp_path / "masks")
    (tmp_path / "transforms.json").write_text(json.dumps(transforms(scene_cameras())))
    return tmp_path


def misplaced(views, index, image_size=None):
    """Pixels between the middle of the coverage and that of a photograph which shows it."""
    found = photograph_in_view(views, index, image_size)
    assert found is not None
    expected = views.coverage[index]
    known = torch.ones_like(expected) if views.known is None else views.known[index].float()
    middles = []
    for image in (torch.from_numpy(found[..., 0].copy()) / 255, expected):
        rows, columns = torch.meshgrid(*(torch.arange(n) for n in image.shape), indexing="ij")
        weight = image * known
        middles.append(torch.stack([(weight * x).sum() for x in (rows, columns)]) / weight.sum())
    return float((middles[0] - middles[1]).norm())


@pytest.mark.parametrize("size", [SIZE, (2 * HEIGHT, 2 * WIDTH), (5 * HEIGHT, 5 * WIDTH)])
def test_a_photograph_of_another_size_lies_on_the_mask(folder, size):
    write(folder / "images", coverages(size))
    views = load_views(folder)
    assert max(misplaced(views, index) for index in range(len(views))) < 0.05


def test_a_photograph_smaller_than_its_mask_lies_on_it(folder):
    write(folder / "images", coverages((HEIGHT // 2, WIDTH // 2)))
    assert misplaced(load_views(folder), 1) < 0.1


def test_a_photograph_follows_its_view_to_another_size(folder):
    write(folder / "images", coverages((2 * HEIGHT, 2 * WIDTH)))
    views = load_views(folder, max_image_size=19)
    assert views.image_size == (14, 19)
    assert misplaced(views, 2) < 0.05
    assert misplaced(views.downscaled(1.7), 2) < 0.05


def write_two_sizes(folder):
    """Odd views have images of half the size."""
    cameras, entries = scene_cameras(), []
    for index, name in enumerate(names()):
        size = SIZE if index % 2 == 0 else (HEIGHT // 2, WIDTH // 2)
        camera = cameras[[index]].resized(size)
        picture = coverages(size)[index]
        large = coverages((3 * size[0], 3 * size[1]))[index]
        for place, image in (("masks", picture), ("images", large)):
            (folder / place).mkdir(exist_ok=True)
            Image.fromarray(image).save(folder / place / f"{name}.png")
        pose = camera.world_to_view[0]
        entries.append(
            {
                "mask": f"masks/{name}.png",
                "image": f"images/{name}.png",
                "K": camera.K[0].tolist(),
                "R": pose[:3, :3].tolist(),
                "t": pose[:3, 3].tolist(),
            }
        )
    text = json.dumps({"pixel_centers": "half", "views": entries})
    (folder / "cameras.json").write_text(text)


@pytest.mark.parametrize("factor", [1, 1.3, 5])
def test_padding_moves_no_photograph(tmp_path, factor):
    write_two_sizes(tmp_path)
    views = load_views(tmp_path).downscaled(factor)
    assert views.known is not None
    assert not views.known[1, -1, -1]
    assert misplaced(views, 0) < 0.1
    assert misplaced(views, 1) < 0.1


def test_a_photograph_is_undistorted_as_its_mask(folder):
    pytest.importorskip("cv2", reason="pip install opencv-python-headless")
    lens = {"k1": -0.3, "k2": 0.05, "p1": 0.01, "p2": 0.0}
    (folder / "transforms.json").write_text(json.dumps(transforms(scene_cameras()) | lens))
    images = coverages(SIZE)
    write(folder / "masks", images)
    write(folder / "images", [np.asarray(Image.fromarray(i).resize((480, 360))) for i in images])
    views = load_views(folder)
    bent = replace(
        views, sources=tuple(replace(source, distortion=None) for source in views.sources)
    )
    differences = []
    for each in (views, bent):
        found = photograph_in_view(each, 1)
        assert found is not None
        shown = torch.from_numpy(found[..., 0].copy()) / 255
        differences.append(float((shown - views.coverage[1]).abs()[3:-3, 3:-3].mean()))
    assert differences[0] < 0.6 * differences[1]  # it is blurred, as an enlarged mask


def test_what_is_transparent_is_grey(folder):
    clear = np.zeros((*SIZE, 4), dtype=np.uint8)
    clear[:, WIDTH // 2 :] = (200, 10, 30, 255)
    write(folder / "images", [clear] * 5)
    found = photograph_in_view(load_views(folder), 0)
    assert tuple(found[5, 5]) == NEUTRAL
    assert tuple(found[5, -5]) == (200, 10, 30)


def ramp(highest):
    values = np.linspace(0, highest, WIDTH)[None].repeat(HEIGHT, axis=0)
    return values.astype(np.uint16 if highest > 255 else np.uint8)


KINDS = {
    "grey": Image.fromarray(ramp(255)),
    "16 bits": Image.fromarray(ramp(65535)),
    "12 of 16 bits": Image.fromarray(ramp(4095)),
    "32 bits": Image.fromarray(ramp(65535).astype(np.int32)),
    "floating point": Image.fromarray(ramp(65535).astype(np.float32) / 65535),
    "palette": Image.fromarray(ramp(255)).convert("P"),
    "grey and alpha": Image.fromarray(ramp(255)).convert("LA"),
    "CMYK": Image.fromarray(ramp(255)).convert("RGB").convert("CMYK"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_file_shows_the_same_picture(folder, kind):
    write(folder / "images", [KINDS[kind]] * 5, "{}.png.tif")
    found = photograph_in_view(load_views(folder), 3)
    np.testing.assert_allclose(found, ramp(255)[..., None].repeat(3, axis=2), atol=2)


def test_black_and_white_is_shown(folder):
    write(folder / "images", [Image.fromarray(ramp(255) > 127)] * 5)
    found = photograph_in_view(load_views(folder), 3)
    assert set(found[:, 0].ravel().tolist()) == {0}
    assert set(found[:, -1].ravel().tolist()) == {255}


def test_a_turn_that_the_camera_noted_counts_where_only_it_fits(folder):
    upright = coverages(SIZE)
    lying = [Image.fromarray(np.ascontiguousarray(np.rot90(image))) for image in upright]
    exif = Image.Exif()
    exif[0x0112] = 6  # is shown turned clockwise
    write(folder / "images", lying, exif=exif)
    assert misplaced(load_views(folder), 1) < 0.05
    write(folder / "images", upright, exif=exif)
    assert misplaced(load_views(folder), 1) < 0.05


@pytest.mark.parametrize("size", [(48, 36), (36, 36), (100, 400)])
def test_a_photograph_of_another_shape_is_refused(folder, size):
    write(folder / "images", [np.zeros(size, dtype=np.uint8)] * 5)
    with pytest.raises(ViewsError, match="another shape than its mask of 48 x 36"):
        photograph_in_view(load_views(folder), 0)


def test_a_damaged_photograph_is_refused_by_name(folder):
    write(folder / "images", coverages(SIZE))
    views = load_views(folder)
    path = folder / "images" / "001.png"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ViewsError, match=r"cannot read photograph .*001\.png"):
        photograph_in_view(views, 1)
    path.unlink()
    with pytest.raises(ViewsError, match=r"missing photograph: .*001\.png"):
        photograph_in_view(views, 1)
    assert photograph_in_view(views, 2) is not None


@pytest.mark.parametrize("content", [b"no picture", b""])
def test_what_is_no_photograph_is_named_once(folder, content):
    write(folder / "images", coverages(SIZE))
    views = load_views(folder)
    path = folder / "images" / "001.png"
    path.write_bytes(content)
    with pytest.raises(ViewsError) as refused:
        photograph_in_view(views, 1)
    assert str(refused.value) == f"cannot read photograph {path}: it is no image that Pillow knows"


def test_views_without_photographs_have_none(folder):
    views = load_views(folder)
    assert photograph_in_view(views, 0) is None
    assert photograph_in_view(replace(views, sources=None), 0) is None


def test_a_large_jpeg_is_not_decoded_in_full(folder, monkeypatch):
    write(folder / "images", coverages((50 * HEIGHT, 50 * WIDTH)), "{}.png.jpg")
    sizes = []
    colors = module._colors
    monkeypatch.setattr(module, "_colors", lambda image: sizes.append(image.size) or colors(image))
    assert misplaced(load_views(folder), 1) < 0.05
    assert sizes == [(50 * WIDTH // 8, 50 * HEIGHT // 8)]

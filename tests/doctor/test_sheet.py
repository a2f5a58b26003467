"""The contact sheet: outlines over photographs where there are some, over masks elsewhere."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.doctor_cases import saved
from lightning_rast.data import (
    Views,
    load_views,
    orbit_cameras,
    synthetic_views,
    view_directions,
)
from lightning_rast.doctor.command import main
from lightning_rast.doctor.sheet import HULL_LINE, LINE, MASK_LINE, contact_sheet
from lightning_rast.scene import Mesh, icosphere

# Photographs of a table of this colour; what the sheet makes of it is darker and greyer.
TABLE = (60, 140, 90)
IOUS = [1.0] * 6


@pytest.fixture(scope="module")
def mesh() -> Mesh:
    return icosphere(3, radius=0.8)


@pytest.fixture
def folder(tmp_path: Path, mesh: Mesh) -> Path:
    cameras = orbit_cameras(mesh, view_directions("fibonacci", 6), image_size=96)
    return saved(synthetic_views(mesh, cameras), tmp_path / "ball")


def photographed(folder: Path, *, skipped: int | None = None) -> Views:
    """The views of the folder, after photographs were put beside their masks."""
    (folder / "images").mkdir()
    content = json.loads((folder / "cameras.json").read_text())
    for index, view in enumerate(content["views"]):
        if index != skipped:
            view["image"] = view["mask"].replace("masks", "images")
            Image.new("RGB", (192, 192), TABLE).save(folder / view["image"])
    (folder / "cameras.json").write_text(json.dumps(content))
    return load_views(folder)


def pixels(views: Views, mesh: Mesh | None) -> np.ndarray:
    """(H, W, 3) below the legend, which shows all colours."""
    return np.asarray(contact_sheet(views, mesh, IOUS).picture).astype(int)[40:]


def count(picture: np.ndarray, color: tuple[int, int, int]) -> int:
    return int((np.abs(picture - color).max(axis=2) < 25).sum())


def test_outlines_are_drawn_over_photographs(folder: Path, mesh: Mesh):
    views = photographed(folder)
    small = mesh.with_verts(0.8 * mesh.verts)
    picture = pixels(views, small)
    assert count(picture, HULL_LINE) > 1000
    assert count(picture, MASK_LINE) > 1000
    dimmed = (43, 59, 49)
    assert count(picture, dimmed) > 0.3 * picture[..., 0].size
    assert count(picture, LINE) == 0


def test_without_a_hull_the_masks_outline_is_there(folder: Path):
    picture = pixels(photographed(folder), None)
    assert count(picture, MASK_LINE) > 1000
    assert count(picture, HULL_LINE) == 0


def test_the_masks_outline_lies_on_the_masks_edge(folder: Path, mesh: Mesh):
    views = photographed(folder)
    is_blue = np.abs(pixels(views, None) - MASK_LINE).max(axis=2) < 25
    rows, columns = is_blue[:378, :378].nonzero()  # of the first view
    assert rows.max() - rows.min() == pytest.approx(columns.max() - columns.min(), abs=3)
    seen = (views.coverage[0] > 0.5).any(dim=0).sum() / 96
    assert (columns.max() - columns.min()) / 366 == pytest.approx(float(seen), abs=0.02)


def test_where_there_is_no_photograph_the_mask_is_shown(folder: Path, mesh: Mesh):
    sheet = contact_sheet(photographed(folder, skipped=1), mesh, IOUS)
    assert sheet.notes == ()
    picture = np.asarray(sheet.picture).astype(int)[40:]
    assert count(picture, LINE) > 200
    assert count(picture, MASK_LINE) > 200


def test_views_without_photographs_look_as_if_there_were_no_files(folder: Path, mesh: Mesh):
    views = load_views(folder)
    without = replace(views, sources=None)
    np.testing.assert_array_equal(pixels(views, mesh), pixels(without, mesh))


def test_photographs_that_cannot_be_read_are_noted_and_the_masks_shown(folder: Path, mesh: Mesh):
    masks = pixels(load_views(folder), mesh)
    views = photographed(folder)
    for path in (folder / "images").iterdir():
        path.write_bytes(b"no picture")
    sheet = contact_sheet(views, mesh, IOUS)
    np.testing.assert_array_equal(np.asarray(sheet.picture).astype(int)[40:], masks)
    (note,) = sheet.notes
    assert "cannot read photograph" in note
    assert "and 5 more likewise; the sheet shows the mask alone there" in note


def test_the_command_tells_of_a_photograph_that_it_cannot_read(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    photographed(folder)
    (folder / "images" / "view_003.png").write_bytes(b"no picture")
    assert main([str(folder), "--out", str(tmp_path / "out")]) == 0
    assert "note: cannot read photograph" in capsys.readouterr().out

"""Pictures: white where nothing is, the object where it is, files that others can read."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lightning_rast.render import (
    render_silhouettes,
    save_gif,
    shaded_preview,
    turntable_cameras,
)
from lightning_rast.scene import Camera, Mesh, cube, grid, icosphere, torus


def test_the_picture_is_painted_where_the_silhouette_is():
    mesh = torus(32, 16)
    camera = turntable_cameras(mesh.bounds, 3, image_size=(60, 80))
    pictures = shaded_preview(mesh, camera)
    coverage = render_silhouettes(mesh, camera).numpy()
    assert pictures.shape == (3, 60, 80, 3)
    assert pictures.dtype == np.uint8
    assert (pictures[coverage == 0] == 255).mean() > 0.97  # Pillow's outlines reach half a pixel on
    assert (pictures[coverage == 1] < 250).all()


def test_a_turntable_sees_the_whole_object_from_all_sides():
    mesh = cube(size=0.05, center=(3, 4, 5))
    for image_size in ((40, 40), (40, 20), (20, 40)):
        camera = turntable_cameras(mesh.bounds, 8, image_size=image_size)
        pixels = camera.project(mesh.verts)
        height, width = image_size
        assert (pixels > 0).all()
        assert (pixels < torch.tensor([width, height])).all()
        away = camera.center_world - torch.tensor([3.0, 4, 5])
        assert torch.allclose(away.mean(0)[[0, 2]], torch.zeros(2).double(), atol=1e-9)
        assert (away[:, 1] > 0).all()


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
    camera = turntable_cameras(mesh.bounds, 1, image_size=(40, 40))
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
        Mesh(torch.full((3, 3), torch.nan), torch.tensor([[0, 1, 2]])),
        grid(center=(0, 0, 9)),
    ],
)
def test_what_cannot_be_seen_leaves_the_page_nearly_white(mesh: Mesh):
    camera = Camera.look_at([0, 0, 4], fov_deg=40, image_size=(32, 32))
    assert (shaded_preview(mesh, camera) == 255).mean() > 0.99


def test_gifs_keep_their_frames(tmp_path: Path):
    mesh = cube()
    frames = shaded_preview(mesh, turntable_cameras(mesh.bounds, 5, image_size=(30, 40)))
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

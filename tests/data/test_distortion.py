"""Lens distortion: a picture bent by the documented formulas comes back straight."""

import json
import sys

import numpy as np
import pytest
import torch

from lightning_rast.data import ViewsError, load_views
from lightning_rast.data.distortion import Distortion, undistorted
from lightning_rast.data.masks import native_view
from tests.data.camera_files import scene_cameras, transforms, write_masks
from tests.data.test_colmap import distorted_rays

HEIGHT, WIDTH = 90, 120
LENSES = [
    Distortion("brown", (-0.25, 0.08, 0.0, 0.0)),
    Distortion("brown", (0.15, -0.05, 0.004, -0.006, 0.02)),
    Distortion("brown", (0.1, -0.05, 0.002, -0.001, 0.01, 0.02, 0.01, -0.01)),
    Distortion("fisheye", (0.05, -0.02, 0.003, -0.004)),
]
K = torch.tensor([[80.0, 0.0, 64.5], [0.0, 84.0, 41.0], [0.0, 0.0, 1.0]]).double()
K_SKEWED = K + torch.tensor([[0.0, 9.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]])


def pattern(rays):
    """A smooth picture of directions."""
    return 0.5 + 0.25 * np.sin(6 * rays[:, 0] + 1) + 0.25 * np.cos(5 * rays[:, 1])


def pixel_rays(K):
    """Directions of all pixel centres, of a camera without distortion."""
    x, y = np.meshgrid(np.arange(WIDTH) + 0.5, np.arange(HEIGHT) + 0.5)
    pixels = np.stack([x.ravel(), y.ravel(), np.ones(x.size)])
    return np.linalg.solve(K.numpy(), pixels)[:2].T


def straight(bent, lens):
    """The directions that the lens bends to these, by fixed-point iteration."""
    rays = bent.copy()
    for _ in range(200):
        rays += bent - distorted_rays(rays, lens)
    assert np.abs(distorted_rays(rays, lens) - bent).max() < 1e-9
    return rays


@pytest.mark.parametrize("matrix", [K, K_SKEWED], ids=["square", "skewed"])
@pytest.mark.parametrize("lens", LENSES, ids=lambda lens: f"{lens.model}{len(lens.coefficients)}")
def test_a_bent_picture_comes_back_straight(lens, matrix):
    pytest.importorskip("cv2", reason="pip install opencv-python-headless")
    bent = pattern(straight(pixel_rays(matrix), lens)).reshape(HEIGHT, WIDTH)
    found, known = undistorted(torch.from_numpy(bent).float(), matrix, lens)
    expected = pattern(pixel_rays(matrix)).reshape(HEIGHT, WIDTH)
    inner = known[1:-1, 1:-1]  # bilinear values at the border are of a repeated pixel
    error = (found - torch.from_numpy(expected)).abs()[1:-1, 1:-1][inner]
    assert float(inner.double().mean()) > 0.7
    assert float(error.max()) < 0.01  # half a pixel off would be 0.02 and more
    assert float(error.mean()) < 2e-3


def test_beyond_the_turn_of_the_polynomial_nothing_is_known():
    pytest.importorskip("cv2", reason="pip install opencv-python-headless")
    lens = Distortion("brown", (-0.5, 0.0, 0.0, 0.0))  # turns back at r^2 = 1 / 1.5
    wide = K * torch.tensor([[0.5], [0.5], [1.0]]).double()
    wide[:2, 2] = K[:2, 2]
    _, known = undistorted(torch.ones(HEIGHT, WIDTH), wide, lens)
    radius = np.hypot(*pixel_rays(wide).T).reshape(HEIGHT, WIDTH)
    assert not known[radius > 0.83].any()
    assert known[radius < 0.80].all()


def write_bent(folder, lens):
    """The scene's masks with a lens before them, and transforms.json that tells of it."""
    cameras = scene_cameras()
    write_masks(folder / "masks")
    k = (*lens.coefficients, 0.0)
    fields = {"k1": k[0], "k2": k[1], "p1": k[2], "p2": k[3], "k3": k[4]}
    (folder / "transforms.json").write_text(json.dumps(transforms(cameras) | fields))


def test_masks_are_undistorted_at_load(tmp_path):
    pytest.importorskip("cv2", reason="pip install opencv-python-headless")
    lens = Distortion("brown", (-0.3, 0.0, 0.0, 0.0))
    write_bent(tmp_path, lens)
    bent = load_views(tmp_path / "transforms.json")
    (tmp_path / "transforms.json").write_text(json.dumps(transforms(scene_cameras())))
    plain = load_views(tmp_path)
    expected, _ = undistorted(plain.coverage[1], plain.cameras.K[1], lens)
    torch.testing.assert_close(bent.coverage[1], expected)
    assert (bent.coverage[1] - plain.coverage[1]).abs().max() > 0.1


def test_what_a_lens_did_not_see_is_unknown(tmp_path):
    pytest.importorskip("cv2", reason="pip install opencv-python-headless")
    write_bent(tmp_path, Distortion("brown", (0.5, 0.0, 0.0, 0.0)))
    views = load_views(tmp_path)
    assert views.known is not None
    assert not views.known[:, 0, 0].any()
    assert views.known[:, 18, 24].all()
    assert float(views.coverage[~views.known].sum()) == 0


def test_a_view_in_native_size_is_undistorted_too(tmp_path):
    pytest.importorskip("cv2", reason="pip install opencv-python-headless")
    write_bent(tmp_path, Distortion("brown", (0.5, 0.0, 0.0, 0.0)))
    full, small = load_views(tmp_path), load_views(tmp_path, max_image_size=20)
    again = native_view(small.downscaled(2), 3)
    torch.testing.assert_close(again.coverage[0], full.coverage[3])
    torch.testing.assert_close(again.cameras.K[0], full.cameras.K[3])
    assert full.known is not None
    assert again.known is not None
    assert torch.equal(again.known[0], full.known[3])


def test_without_opencv_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    write_bent(tmp_path, LENSES[0])
    with pytest.raises(ViewsError, match=r'pip install "lightning_rast\[undistort\]"'):
        load_views(tmp_path)


def test_without_distortion_opencv_is_not_needed(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    write_bent(tmp_path, Distortion("brown", (0.0, 0.0, 0.0, 0.0)))
    assert len(load_views(tmp_path)) == len(scene_cameras())


def test_absurd_coefficients_are_refused():
    pytest.importorskip("cv2", reason="pip install opencv-python-headless")
    with pytest.raises(ViewsError, match="leaves nothing of the image"):
        undistorted(torch.ones(HEIGHT, WIDTH), K, Distortion("brown", (0, 0, 1e6, 1e6)))


def test_cameras_json_may_have_distortion(tmp_path):
    pytest.importorskip("cv2", reason="pip install opencv-python-headless")
    write_masks(tmp_path / "masks")
    cameras = scene_cameras()
    entries = [
        {
            "mask": f"masks/{index:03d}.png",
            "K": cameras.K[index].tolist(),
            "R": cameras.world_to_view[index, :3, :3].tolist(),
            "t": cameras.world_to_view[index, :3, 3].tolist(),
            "distortion": [-0.3, 0, 0, 0],
        }
        for index in range(len(cameras))
    ]
    text = json.dumps({"pixel_centers": "half", "views": entries})
    (tmp_path / "cameras.json").write_text(text)
    found = load_views(tmp_path).coverage
    write_bent(tmp_path, Distortion("brown", (-0.3, 0.0, 0.0, 0.0)))
    torch.testing.assert_close(found, load_views(tmp_path, format="transforms").coverage)

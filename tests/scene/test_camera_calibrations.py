"""`Camera` on real calibrations, against their own formulas and file formats."""

import json
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import torch
from PIL import Image

from lightning_rast.scene import Camera

SETS = (
    "colmap_silhouettes",
    "dtu_scan65",
    "forbes_elephant",
    "middlebury_dinoSparseRing",
    "nerf_lego_synthetic",
    "tsinghua_wd2",
    "vgg_dino",
)


def points_seen_by_all(K: np.ndarray, R: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Points around where the cameras' axes meet."""
    centers = -np.einsum("nji,nj->ni", R, t)
    across = np.eye(3) - R[:, 2, :, None] * R[:, 2, None, :]
    meeting = np.linalg.solve(across.sum(0), np.einsum("nij,nj->i", across, centers))
    spread = 0.02 * np.linalg.norm(centers - meeting, axis=1).mean()
    return meeting + spread * np.random.default_rng(0).uniform(-1, 1, size=(50, 3))


@pytest.mark.parametrize("name", SETS)
def test_calibrations_project_as_their_formula_says(shared_data: Path, name: str):
    views = json.loads((shared_data / name / "cameras.json").read_text())["views"]
    K, R, t = (np.array([view[key] for view in views], dtype=np.float64) for key in "KRt")
    t = t.reshape(-1, 3)
    size = views[0]["height"], views[0]["width"]
    camera = Camera.from_krt(K, R, t, size, pixel_centers="integer")
    points = points_seen_by_all(K, R, t)
    view = points @ R.transpose(0, 2, 1) + t[:, None]
    assert (view[..., 2] > 0).all()
    homogeneous = view @ K.transpose(0, 2, 1)
    expected = homogeneous[..., :2] / homogeneous[..., 2:] + 0.5
    pixels = camera.project(torch.from_numpy(points))
    np.testing.assert_allclose(pixels, expected, atol=1e-7)


@pytest.mark.parametrize("name", SETS)
def test_calibrations_survive_as_projection_matrices(shared_data: Path, name: str):
    views = json.loads((shared_data / name / "cameras.json").read_text())["views"]
    K, R, t = (np.array([view[key] for view in views], dtype=np.float64) for key in "KRt")
    t = t.reshape(-1, 3)
    points = torch.from_numpy(points_seen_by_all(K, R, t))
    direct = Camera.from_krt(K, R, t, (480, 640), pixel_centers="integer")
    P = 0.3 * K @ np.concatenate((R, t[:, :, None]), axis=2)
    apart = Camera.from_projection_matrix(P, (480, 640), pixel_centers="integer")
    np.testing.assert_allclose(apart.project(points), direct.project(points), atol=1e-6)


def mirrored_dinosaur(shared_data: Path) -> np.ndarray:
    P = scipy.io.loadmat(shared_data / "vgg_dino" / "dino_Ps.mat")["P"]
    return np.stack([matrix.astype(np.float64) for matrix in P.reshape(-1)])


def test_a_mirrored_world_projects_exactly(shared_data: Path):
    P = mirrored_dinosaur(shared_data)
    assert (np.linalg.det(P[:, :, :3]) < 0).all()
    camera = Camera.from_projection_matrix(P, (576, 720), pixel_centers="integer")
    assert (camera.K[:, 0, 0] < 0).all()
    low, high = [-0.1, -0.1, -0.73], [0.1, 0.1, -0.52]
    points = np.random.default_rng(0).uniform(low, high, size=(100, 3))
    homogeneous = np.concatenate((points, np.ones((100, 1))), axis=1) @ P.transpose(0, 2, 1)
    expected = homogeneous[..., :2] / homogeneous[..., 2:] + 0.5
    np.testing.assert_allclose(camera.project(torch.from_numpy(points)), expected, atol=1e-8)
    depth = camera.world_to_view_points(torch.from_numpy(points))[..., 2]
    assert (depth > 0).all()


def test_a_mirrored_world_is_the_unmirrored_one_seen_in_z(shared_data: Path):
    P = mirrored_dinosaur(shared_data)
    mirrored = Camera.from_projection_matrix(P, (576, 720), pixel_centers="integer")
    views = json.loads((shared_data / "vgg_dino" / "cameras.json").read_text())["views"]
    K, R, t = (np.array([view[key] for view in views], dtype=np.float64) for key in "KRt")
    proper = Camera.from_krt(K, R, t.reshape(-1, 3), (576, 720), pixel_centers="integer")
    points = torch.tensor([[0.05, -0.03, 0.6], [0.0, 0.0, 0.7]], dtype=torch.float64)
    flipped = points * torch.tensor([1, 1, -1])
    torch.testing.assert_close(mirrored.project(flipped), proper.project(points), atol=1e-4, rtol=0)


def test_the_known_box_covers_the_masks(shared_data: Path):
    # Fails if rows and columns, or the sign of an axis, were confused anywhere.
    folder = shared_data / "vgg_dino"
    description = json.loads((folder / "cameras.json").read_text())
    views = description["views"][::6]
    low, high = np.array(description["bbox"])
    corners = torch.tensor([[x, y, z] for x, y, z in np.ndindex(2, 2, 2)]).double()
    corners = torch.from_numpy(low) + corners * torch.from_numpy(high - low)
    for view in views:
        camera = Camera.from_krt(
            view["K"], view["R"], np.reshape(view["t"], 3),
            (view["height"], view["width"]), pixel_centers="integer",
        )  # fmt: skip
        pixels = camera.project(corners)[0].numpy()
        rows, columns = np.nonzero(np.asarray(Image.open(folder / view["mask"]).convert("L")))
        for axis, inside in ((0, columns), (1, rows)):
            assert pixels[:, axis].min() <= np.percentile(inside, 1)
            assert pixels[:, axis].max() >= np.percentile(inside, 99)

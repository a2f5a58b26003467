"""Real sets through their original camera files, against what was derived from them by hand."""

import functools
import json
import re
import shutil
import warnings

import numpy as np
import pytest
import scipy.io
import torch

from lightning_rast.config_file import load_config
from lightning_rast.data import Views, load_views, read_calibration, recognise
from lightning_rast.data.fitted_sphere import fitted_sphere
from lightning_rast.data.mask_files import find_masks
from lightning_rast.optim import visual_hull
from lightning_rast.render import render_silhouettes
from lightning_rast.training import make_views
from tests.conftest import REPOSITORY

# Set -> format of its original files, and the config that reads it.
SETS = {
    "vgg_dino": "matrices",
    "middlebury_dinoSparseRing": "middlebury",
    "dtu_scan65": "neus",
    "nerf_lego_synthetic": "transforms",
    "colmap_silhouettes": "colmap",
}


@functools.cache
def derived(folder) -> Views:
    """The set's cameras.json; masks are small, since cameras are what matters."""
    return load_views(folder, format="cameras_json", max_image_size=64)


def pixel_difference(calibration, expected, *, mirrored=False):
    """Largest difference, in pixels of the files, over points of the object's sphere."""
    center, radius = fitted_sphere(expected)
    points = torch.nn.functional.normalize(torch.randn(200, 3, dtype=torch.float64), dim=1)
    points = center + radius * points
    seen = points * torch.tensor([1.0, 1.0, -1.0 if mirrored else 1.0])
    masks = [mask.path.stem for mask in find_masks(calibration)]
    assert tuple(masks) == expected.names
    worst = 0.0
    for index, view in enumerate(calibration.views):
        homogeneous = seen @ view.camera.world_to_view[0, :3, :3].T
        homogeneous = (homogeneous + view.camera.world_to_view[0, :3, 3]) @ view.camera.K[0].T
        pixels = homogeneous[:, :2] / homogeneous[:, 2:]
        scale = torch.tensor(expected.sources[index].scale, dtype=torch.float64).flip(0)
        there = expected.cameras[index].project(points)[0] * scale
        worst = max(worst, float((pixels - there).abs().max()))
    return worst


@pytest.mark.parametrize("name", SETS)
def test_the_original_file_gives_the_pixels_of_the_derived_one(shared_data, name):
    calibration = read_calibration(shared_data / name, format=SETS[name])
    expected = derived(shared_data / name)
    # The dinosaur's matrices have det < 0; its cameras.json has the world's z negated instead.
    difference = pixel_difference(calibration, expected, mirrored=name == "vgg_dino")
    # The npz holds float32, and its derived K, R and t have been rounded to float32 once more.
    assert difference < (2e-3 if name == "dtu_scan65" else 1e-6)


@pytest.mark.parametrize("name", SETS)
def test_auto_recognises_the_original_files(shared_data, tmp_path, name):
    for file in (shared_data / name).iterdir():
        if file.name != "cameras.json":
            (tmp_path / file.name).symlink_to(file)
    assert recognise(tmp_path) == SETS[name]


@pytest.mark.slow
@pytest.mark.parametrize("name", SETS)
def test_the_original_file_gives_views_of_the_same_masks(shared_data, name):
    views = load_views(shared_data / name, format=SETS[name], max_image_size=64)
    assert torch.equal(views.coverage, derived(shared_data / name).coverage)


@pytest.mark.slow
def test_alpha_agrees_with_the_masks_made_of_it(shared_data):
    folder = shared_data / "nerf_lego_synthetic"
    alpha = load_views(folder, format="transforms", masks="alpha").coverage > 0.5
    masks = load_views(folder, format="transforms").coverage > 0.5
    different = float((alpha != masks).double().mean())
    assert different < 1e-3


@pytest.mark.slow
def test_a_dark_background_gives_about_the_authors_masks(shared_data):
    folder = shared_data / "middlebury_dinoSparseRing"
    found = load_views(folder, format="middlebury", masks="background").coverage > 0.5
    masks = load_views(folder, format="middlebury").coverage > 0.5
    iou = (found & masks).sum((1, 2)) / (found | masks).sum((1, 2))
    assert float(iou.mean()) > 0.96
    assert float(iou.min()) > 0.92


def test_a_turntable_before_a_wall_is_no_plain_background(shared_data):
    with pytest.raises(ValueError, match=r"viff\.000\.jpg: .*no plain colour"):
        load_views(shared_data / "vgg_dino", format="matrices", masks="background")


def link_masks(source, target):
    shutil.copytree(source / "masks", target / "masks")


def test_matlab_text_with_one_based_pixels_as_matrices(shared_data, tmp_path):
    """The elephant's own calibration, K [R | t] of what MATLAB's lines say, in a .mat file."""
    folder = shared_data / "forbes_elephant"
    text = (folder / "original_calibration.m.txt").read_text()
    focal, u0, v0 = (
        [float(value) for value in re.findall(rf"\.{key} = ([-\d.]+);", text)]
        for key in ("efl", "u0", "v0")
    )
    poses = [
        np.array(
            [
                [float(x) for x in column.split(";")]
                for column in re.findall(r"\[([^\[\]]+)\]", line)
            ]
        )
        for line in re.findall(r"\.pose = \[(.*?)\];", text)
    ]
    cells = np.empty((1, len(focal)), dtype=object)
    for index, columns in enumerate(poses):
        K = np.array([[focal[index], 0, u0[index]], [0, focal[index], v0[index]], [0, 0, 1]])
        cells[0, index] = K @ columns.T[:3]
    scipy.io.savemat(tmp_path / "P.mat", {"P": cells})
    link_masks(folder, tmp_path)
    calibration = read_calibration(tmp_path, pixel_centers="matlab")
    assert pixel_difference(calibration, derived(folder)) < 1e-3


def test_a_dome_of_cameras_with_skew_as_text(shared_data, tmp_path):
    """The dome's K and [R | t], multiplied, as rows of numbers."""
    folder = shared_data / "tsinghua_wd2"
    words = (folder / "calibParamsI.txt").read_text().split()
    blocks = np.array([float(word) for word in words]).reshape(-1, 24)
    P = blocks[:, 1:10].reshape(-1, 3, 3) @ blocks[:, 12:].reshape(-1, 3, 4)
    np.savetxt(tmp_path / "P.txt", P.reshape(-1, 4))
    link_masks(folder, tmp_path)
    assert pixel_difference(read_calibration(tmp_path), derived(folder)) < 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("name", SETS)
def test_a_set_trains_with_six_lines(shared_data, tmp_path, name):
    example = (REPOSITORY / "configs" / f"{SETS[name]}.yaml").read_text()
    lines = [line for line in example.splitlines() if not line.startswith("#")]
    assert len(lines) <= 6
    config_file = tmp_path / "mine.yaml"
    config_file.write_text(example.replace('folder: ""', f"folder: {shared_data / name}"))
    training, held_out = make_views(load_config(config_file).data, None, seed=0)
    assert held_out is not None
    assert len(training) + len(held_out) == len(derived(shared_data / name))


def agreement(views):
    """Mean IoU of the views with the silhouettes of their own visual hull."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        hull = visual_hull(views.coverage, views.cameras, known=views.known, resolution=160)
    with torch.no_grad():
        found = render_silhouettes(hull.mesh, views.cameras)
    least, most = torch.minimum(found, views.coverage), torch.maximum(found, views.coverage)
    return float((least.sum((1, 2)) / most.sum((1, 2))).mean())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("nerf_lego_synthetic", "integer"),
        ("colmap_silhouettes", "integer"),
        ("dtu_scan65", "matlab"),
    ],
)
def test_masks_agree_best_in_the_documented_convention(shared_data, tmp_path, name, other):
    options = {"format": SETS[name], "max_image_size": 400}
    path = shared_data / name
    if name == "nerf_lego_synthetic":
        # Without cx and cy they are the image's middle in any convention: say them.
        for file in path.iterdir():
            (tmp_path / file.name).symlink_to(file)
        (tmp_path / "transforms.json").write_text(
            json.dumps(
                json.loads((path / "transforms_train.json").read_text()) | {"cx": 100, "cy": 100}
            )
        )
        path = tmp_path
    documented = agreement(load_views(path, **options))
    shifted = agreement(load_views(path, pixel_centers=other, **options))
    print(f"{name}: documented {documented:.5f}, {other} {shifted:.5f}")
    assert documented > shifted

"""Matrices, npz and par files: every layout that is meant, and clear refusals of the rest."""

import zipfile

import numpy as np
import pytest
import scipy.io
import torch

from lightning_rast.data import ViewsError, load_views, recognise
from tests.data.camera_files import (
    NUM_VIEWS,
    matrices,
    names,
    scene_cameras,
    scene_mesh,
    write_masks,
    write_middlebury,
    write_neus,
)


@pytest.fixture
def folder(tmp_path):
    write_masks(tmp_path / "masks")
    return tmp_path


@pytest.fixture
def projections():
    return matrices(scene_cameras())


def refusal(path, **options):
    with pytest.raises(ViewsError) as caught:
        load_views(path, **options)
    return str(caught.value)


def square(P):
    return np.concatenate([P, np.tile([[[0.0, 0, 0, 1]]], (len(P), 1, 1))], axis=1)


def cells(P):
    found = np.empty((1, len(P)), dtype=object)
    for index, matrix in enumerate(P):
        found[0, index] = matrix
    return found


LAYOUTS = {
    "npy": lambda folder, P: np.save(folder / "P.npy", P),
    "npy 4x4": lambda folder, P: np.save(folder / "P.npy", square(P)),
    "npy float32": lambda folder, P: np.save(folder / "P.npy", P.astype(np.float32)),
    "txt 4 columns": lambda folder, P: np.savetxt(folder / "P.txt", P.reshape(-1, 4)),
    "txt 12 columns": lambda folder, P: np.savetxt(folder / "P.txt", P.reshape(-1, 12)),
    "txt 4x4": lambda folder, P: np.savetxt(folder / "P.txt", square(P).reshape(-1, 4)),
    "csv": lambda folder, P: np.savetxt(folder / "P.txt", P.reshape(-1, 4), delimiter=", "),
    "mat cells": lambda folder, P: scipy.io.savemat(folder / "P.mat", {"P": cells(P)}),
    "mat 3x4xN": lambda folder, P: scipy.io.savemat(folder / "P.mat", {"P": np.moveaxis(P, 0, 2)}),
    "mat Nx3x4": lambda folder, P: scipy.io.savemat(folder / "P.mat", {"P": P, "n": 5}),
    "mat compressed": lambda folder, P: scipy.io.savemat(
        folder / "P.mat", {"P": cells(P)}, do_compression=True
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_layout_gives_the_same_pixels(folder, projections, layout):
    LAYOUTS[layout](folder, projections)
    assert recognise(folder) == "matrices"
    verts = scene_mesh().verts.double()
    pixels = load_views(folder).cameras.project(verts)
    tolerance = 1e-3 if "float32" in layout else 1e-6
    torch.testing.assert_close(pixels, scene_cameras().project(verts), atol=tolerance, rtol=0)


@pytest.mark.parametrize("place", ["", "calib"])
@pytest.mark.parametrize("header", ["", "CONTOUR\n", "# of camera\n"])
def test_a_file_for_every_view_is_read(folder, projections, place, header):
    (folder / place).mkdir(exist_ok=True)
    for name, matrix in zip(names(), projections, strict=True):
        text = "\n".join(" ".join(map(repr, row)) for row in matrix.tolist())
        (folder / place / f"{name}.txt").write_text(header + text)
    assert recognise(folder) == "matrices"
    verts = scene_mesh().verts.double()
    pixels = load_views(folder).cameras.project(verts)
    torch.testing.assert_close(pixels, scene_cameras().project(verts), atol=1e-6, rtol=0)


def test_matlab_counts_pixels_from_one(folder, projections):
    shift = np.array([[1, 0, 1], [0, 1, 1], [0, 0, 1]])
    scipy.io.savemat(folder / "P.mat", {"P": cells(shift @ projections)})
    verts = scene_mesh().verts.double()
    pixels = load_views(folder, pixel_centers="matlab").cameras.project(verts)
    torch.testing.assert_close(pixels, scene_cameras().project(verts), atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("file", "write", "expected"),
    [
        ("P.npy", lambda path: np.save(path, np.zeros((5, 17))), "got float64 (5, 17)"),
        ("P.npy", lambda path: np.save(path, np.array([{}], dtype=object)), "cannot read"),
        ("P.npy", lambda path: path.write_bytes(b"\x93NUMPY"), "cannot read"),
        ("P.npy", lambda path: path.write_bytes(b""), "cannot read"),
        ("P.npy", lambda path: np.save(path, np.zeros((5, 3, 4))), "P is 0 everywhere"),
        ("P.npy", lambda path: np.save(path, np.full((5, 3, 4), np.nan)), "not finite"),
        ("P.npy", lambda path: np.save(path, np.ones((5, 3, 4))), "P[:, :3] is singular"),
        ("P.npy", lambda path: np.save(path, np.tile(np.eye(4), (5, 1, 1))), "this is a pose"),
        ("P.mat", lambda path: scipy.io.savemat(path, {"x": 3}), "none of its variables is 3x4"),
        (
            "P.mat",
            lambda path: scipy.io.savemat(path, {"A": np.ones((3, 4)), "B": np.ones((3, 4))}),
            "A and B could be 3x4 matrices",
        ),
        ("P.mat", lambda path: path.write_bytes(b"MATLAB 7.3 MAT-file" + bytes(105)), "P.mat"),
        ("P.mat", lambda path: path.write_bytes(b""), "cannot read"),
        ("P.txt", lambda path: path.write_text("1 2 3\n4 5 6"), "it has 2 rows of [3]"),
        ("P.txt", lambda path: path.write_text("a b c d"), "could not convert string"),
        ("P.txt", lambda path: path.write_text(""), "rows of 4 numbers"),
    ],
)
def test_a_file_that_holds_no_matrices_is_refused(folder, file, write, expected):
    write(folder / file)
    message = refusal(folder / file)
    assert expected in message
    assert file in message


def test_a_damaged_file_is_explained_where_no_format_fits(folder):
    (folder / "P.mat").write_bytes(b"nothing of MATLAB's")
    message = refusal(folder)
    assert "missing cameras" in message
    assert "Not taken: cannot read" in message
    assert "P.mat" in message


def test_a_header_that_announces_more_than_the_file_holds_is_refused(folder):
    np.save(folder / "P.npy", np.zeros((9, 3, 4)))
    content = (folder / "P.npy").read_bytes()
    (folder / "P.npy").write_bytes(content.replace(b"(9, 3, 4)", b"(9000000000000, 3, 4)"))
    assert "cannot read" in refusal(folder / "P.npy")


def npz_with(folder, **changes):
    write_neus(folder)
    path = folder / "cameras_sphere.npz"
    with np.load(path) as content:
        arrays = dict(content)
    np.savez(path, **{key: value for key, value in (arrays | changes).items() if value is not None})
    return folder


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"world_mat_2": np.eye(3)}, "world_mat_2 must hold 4x4 numbers, got float64 (3, 3)"),
        ({"world_mat_2": np.full((4, 4), "x")}, "world_mat_2 must hold 4x4 numbers"),
        ({"world_mat_2": np.full((4, 4), np.inf)}, "world_mat_2 holds values that are not finite"),
        ({"world_mat_2": np.zeros((4, 4))}, "camera 2: P is 0 everywhere"),
        ({"scale_mat_3": np.eye(4)}, "scale_mat_3 differs from scale_mat_0"),
        ({f"world_mat_{i}": None for i in range(NUM_VIEWS)}, "holds no world_mat_0"),
    ],
)
def test_a_bad_npz_is_refused(folder, changes, expected):
    assert expected in refusal(npz_with(folder, **changes))


def test_an_npz_without_scale_is_in_the_world(folder):
    npz_with(folder, **{f"scale_mat_{index}": None for index in range(NUM_VIEWS)})
    verts = 2 * scene_mesh().verts.double() + torch.tensor([5.0, -1.0, 3.0])
    pixels = load_views(folder).cameras.project(verts)
    expected = scene_cameras().project(scene_mesh().verts.double())
    torch.testing.assert_close(pixels, expected, atol=1e-6, rtol=0)


def test_the_file_that_programs_train_with_goes_first(folder):
    write_neus(folder)
    (folder / "cameras.npz").write_bytes(b"not read")
    (folder / "cameras_linear_init.npz").write_bytes(b"not read")
    assert len(load_views(folder)) == NUM_VIEWS


def test_a_zip_of_zeros_is_refused_before_it_is_unpacked(folder):
    with zipfile.ZipFile(folder / "cameras.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("world_mat_0.npy", bytes(2**26 + 1))
    assert "more than 64 MB: no camera file" in refusal(folder)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("5\n", "6\n", "line 1 announces 6 images, 5 lines follow"),
        ("5\n", "", "must begin with the number of images"),
        ("001.png ", "001.png 1 ", "line 3 (001.png): needs an image name and 21 numbers"),
        ("001.png ", "001.png x", "line 3 (001.png): could not convert"),
        ("001.png ", "nowhere.png ", "have no mask: nowhere.png"),
    ],
)
def test_a_bad_par_file_is_refused(folder, old, new, expected):
    write_middlebury(folder)
    path = folder / "scene_par.txt"
    path.write_text(path.read_text().replace(old, new, 1))
    assert expected in refusal(folder)

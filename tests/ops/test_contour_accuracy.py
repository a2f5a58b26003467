"""`contour_coverage` against the supersampled union, on ordinary and on difficult surfaces."""

from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from torch import Tensor

from lightning_rast.ops import contour_coverage
from tests.ops.contour_meshes import ALL, Surface, surface
from tests.ops.contour_views import EYE, seen_from
from tests.reference.coverage import supersampled_coverage

IMAGE_SIZE = (64, 64)
# The straight borders of a sheet run along rows of samples: 64 a side are too few to judge by.
SAMPLES = dict.fromkeys(ALL, 64) | {"open sheet": 200}
SCANS = ["rocker-arm.obj", "skull_nds.obj", "cow.obj", "spot/cow.obj"]


def assert_matches_supersampling(
    verts_clip: Tensor,
    mesh: Surface,
    image_size: tuple[int, int] = IMAGE_SIZE,
    samples: int = 64,
) -> None:
    actual = contour_coverage(verts_clip, mesh.topology, image_size).double()
    expected = supersampled_coverage(verts_clip, mesh.faces, image_size, samples)
    error = (actual - expected).abs()
    boundary = ((expected > 0) & (expected < 1)) | ((actual > 0) & (actual < 1))
    assert boundary.sum() > 50
    # The bounds are the noise of the reference, so they shrink with it.
    assert error[boundary].mean() <= 5e-4 * 64 / samples
    assert error.max() <= 0.01 * 64 / samples


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("name", ALL)
def test_surfaces_match_the_supersampled_union(name: str, dtype: torch.dtype):
    mesh = ALL[name]()
    assert_matches_supersampling(seen_from(mesh.verts).to(dtype), mesh, samples=SAMPLES[name])


@pytest.mark.parametrize("name", ALL)
def test_surfaces_match_from_a_close_camera(name: str):
    # Most of the surface is out of frame, on all four sides.
    mesh = ALL[name]()
    verts_clip = seen_from(mesh.verts, eye=(-0.4, 1.3, -1.2), fov_deg=30, target=(0.4, 0.5, 0.1))
    assert_matches_supersampling(verts_clip.float(), mesh, samples=SAMPLES[name])


@pytest.mark.parametrize("name", ["noisy sphere", "crumpled sheet"])
def test_folds_smaller_than_a_pixel_match(name: str):
    mesh = ALL[name]()
    assert_matches_supersampling(seen_from(mesh.verts, fov_deg=90).float(), mesh, (32, 32))


@pytest.mark.parametrize("image_size", [(1, 1), (2, 3)])
@pytest.mark.parametrize("name", ["noisy sphere", "crumpled sheet"])
def test_thousands_of_faces_in_one_pixel_match(name: str, image_size: tuple[int, int]):
    mesh = ALL[name]()
    verts_clip = seen_from(mesh.verts, fov_deg=60).float()
    actual = contour_coverage(verts_clip, mesh.topology, image_size).double()
    expected = supersampled_coverage(verts_clip, mesh.faces, image_size, samples=300)
    assert (actual - expected).abs().max() <= 3e-4


@pytest.mark.parametrize("file", SCANS)
def test_real_meshes_match_the_supersampled_union(shared_data: Path, file: str):
    mesh = loaded(shared_data / "meshes" / file)
    assert_matches_supersampling(seen_from(mesh.verts).float(), mesh)


@pytest.mark.slow
@pytest.mark.parametrize("eye", [EYE, (-2.0, 0.3, 1.5), (0.1, 2.6, -0.4)])
@pytest.mark.parametrize("file", SCANS)
def test_real_meshes_match_at_full_size(
    shared_data: Path, file: str, eye: tuple[float, float, float]
):
    mesh = loaded(shared_data / "meshes" / file)
    assert_matches_supersampling(seen_from(mesh.verts, eye=eye).float(), mesh, (256, 256))


def loaded(path: Path) -> Surface:
    """The mesh at `path` with equal positions merged, centred, with half-diagonal 1."""
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    mesh = trimesh.load(path, force="mesh", process=False)
    assert isinstance(mesh, trimesh.Trimesh)
    verts, index = np.unique(np.asarray(mesh.vertices), axis=0, return_inverse=True)
    verts = verts - (verts.min(axis=0) + verts.max(axis=0)) / 2
    return surface(verts / np.linalg.norm(verts.max(axis=0)), index.reshape(-1)[mesh.faces])

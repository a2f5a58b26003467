"""No pixel is lost or taken twice where faces meet."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import Delaunay
from torch import Tensor

from lightning_rast.ops import rasterize
from tests.ops.contour_meshes import icosphere, noisy_sphere, sheet, torus
from tests.ops.contour_views import look_at, on_screen, perspective, projected, seen_from

SIZE = (17, 23)


def layer_counts(verts_clip: Tensor, faces: Tensor, num_layers: int, **options) -> Tensor:
    """How many faces each pixel shows, `(N, H, W)`."""
    fragments = rasterize(verts_clip, faces, SIZE, num_layers=num_layers, **options)
    counts = (fragments.face_idx >= 0).sum(dim=1)
    assert int(counts.max()) < num_layers
    return counts


def tiling(xy: np.ndarray) -> tuple[Tensor, Tensor]:
    """Triangles over all of the picture, with these points among their corners."""
    height, width = SIZE
    rim = np.array([[-9, -9], [width + 9, -9], [width + 9, height + 9], [-9, height + 9]])
    points = np.unique(np.concatenate([xy, rim]), axis=0)
    faces = torch.from_numpy(Delaunay(points).simplices.astype(np.int32))
    return torch.from_numpy(points.astype(np.float64)), faces


@pytest.mark.parametrize("grid", [None, 1.0, 0.5, 0.25], ids=["free", "1", "1/2", "1/4"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@given(seed=st.integers(0, 2**31), num_points=st.integers(1, 60))
@settings(max_examples=40)
def test_a_tiling_of_the_plane_covers_each_pixel_once(
    grid: float | None, dtype: torch.dtype, seed: int, num_points: int
):
    random = np.random.default_rng(seed)
    xy = random.uniform([-3, -3], [SIZE[1] + 3, SIZE[0] + 3], size=(num_points, 2))
    if grid is not None:
        xy = np.round(xy / grid) * grid
    points, faces = tiling(xy)
    w = torch.from_numpy(2.0 ** random.integers(-2, 3, size=len(points)))
    verts_clip = on_screen(points, SIZE, w)[None].to(dtype)
    assert (layer_counts(verts_clip, faces, 3) == 1).all()


@given(seed=st.integers(0, 2**31))
@settings(max_examples=40)
def test_half_pixel_vertices_in_any_tiling_of_a_grid(seed: int):
    # Vertices on all pixel centres, each cell cut along a random diagonal.
    random = np.random.default_rng(seed)
    rows, columns = np.meshgrid(np.arange(-2, SIZE[0] + 2), np.arange(-2, SIZE[1] + 2))
    points = torch.from_numpy(np.stack([columns.T, rows.T], axis=-1).reshape(-1, 2) + 0.5)
    across = SIZE[1] + 4
    corner = (np.arange(SIZE[0] + 3)[:, None] * across + np.arange(SIZE[1] + 3)).reshape(-1)
    quad = corner[:, None] + np.array([0, 1, across + 1, across])
    turn = random.integers(0, 2, size=(len(quad), 1))
    quad = np.take_along_axis(quad, (np.arange(4) + turn) % 4, axis=1)
    faces = np.concatenate([quad[:, [0, 1, 2]], quad[:, [2, 0, 3]]])
    faces = torch.from_numpy(random.permutation(faces).astype(np.int32))
    assert (layer_counts(on_screen(points.double(), SIZE)[None], faces, 3) == 1).all()


MESHES = {
    "icosphere": lambda: icosphere(3),
    "noisy sphere": lambda: noisy_sphere(2, noise=0.1),
    "torus": lambda: torus(24, 12),
}


@pytest.mark.parametrize("grid", [None, 0.5], ids=["free", "half pixels"])
@pytest.mark.parametrize("mesh", MESHES.values(), ids=MESHES)
def test_a_ray_enters_a_closed_mesh_as_often_as_it_leaves(mesh, grid: float | None):
    verts, faces = mesh()
    for seed in range(8):
        eye = tuple(np.random.default_rng(seed).normal(size=3) * 2 + [0, 0, 3])
        verts_clip = seen_from(verts, eye=eye)
        if grid is not None:
            ndc = verts_clip[0, :, :2] / verts_clip[0, :, 3:]
            xy = torch.stack([(ndc[:, 0] + 1) * SIZE[1], (1 - ndc[:, 1]) * SIZE[0]], dim=1) / 2
            verts_clip = on_screen((xy / grid).round() * grid, SIZE, verts_clip[0, :, 3])[None]
        seen = [layer_counts(verts_clip, faces, 40, cull=cull) for cull in ("back", "front")]
        assert torch.equal(*seen)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("seed", range(6))
def test_a_plane_cut_by_the_near_plane_has_no_holes(seed: int, dtype: torch.dtype):
    # A tiled floor that reaches behind the camera. Rays that go down meet it once, unless before
    # the near plane.
    random = np.random.default_rng(seed)
    xz = random.uniform(-30, 30, size=(300, 2))
    rim = np.array([[-900, -900], [900, -900], [900, 900], [-900, 900]])
    xz = np.concatenate([xz, rim])
    faces = torch.from_numpy(Delaunay(xz).simplices.astype(np.int32))
    verts = torch.from_numpy(np.stack([xz[:, 0], np.full(len(xz), -1.0), xz[:, 1]], axis=1))
    near = 1.5
    target = tuple(random.uniform([-1, -0.6, -1], [1, 0.0, 1]))
    view = look_at((0.0, 0.0, 0.0), target)
    clip_from_world = perspective(80.0, near=near, far=1e4) @ view
    counts = layer_counts(projected(verts, clip_from_world).to(dtype), faces, 3)[0]
    height, width = SIZE
    row, column = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    ndc = torch.stack([2 * (column + 0.5) / width - 1, 1 - 2 * (row + 0.5) / height], dim=-1)
    ray = torch.cat([ndc.double() * np.tan(np.radians(40)), -torch.ones(height, width, 1)], dim=-1)
    slope = -(ray.double() @ view[:3, :3])[..., 1]  # how far down per unit of depth
    hit = (slope > 1.2e-3) & (slope < 1 / near)
    border = (slope - 1 / near).abs() < 1e-5
    assert 0 < hit.sum() < hit.numel()
    assert torch.equal(counts[~border & (slope > 1.2e-3)] == 1, hit[~border & (slope > 1.2e-3)])
    assert int(counts.max()) == 1


def test_an_open_sheet_in_float_covers_what_it_covers_in_double():
    mesh = sheet(24)
    verts_clip = seen_from(mesh.verts).float()
    single = rasterize(verts_clip, mesh.faces, SIZE).face_idx
    assert torch.equal(single, rasterize(verts_clip.double(), mesh.faces, SIZE).face_idx)

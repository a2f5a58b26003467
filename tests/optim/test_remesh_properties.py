"""What holds for every manifold, tried on hundreds of random ones."""

import functools

import numpy as np
import pytest
import torch
from scipy.spatial import cKDTree

from lightning_rast.optim import Remeshed, remesh
from lightning_rast.scene import Mesh, cylinder, flipped_faces
from tests.optim.remesh_meshes import KINDS, random_mesh

FEW, MANY = range(3), range(3, 40)
SEEDS = [pytest.param(FEW, id="few"), pytest.param(MANY, id="many", marks=pytest.mark.slow)]
every_kind = pytest.mark.parametrize("kind", KINDS)
all_seeds = pytest.mark.parametrize("seeds", SEEDS)


@functools.lru_cache(maxsize=400)
def case(kind: str, seed: int) -> tuple[Mesh, torch.Tensor, Remeshed]:
    """A mesh, its wished lengths (for every third a field that changes threefold), the result."""
    mesh = random_mesh(kind, seed)
    rng = np.random.default_rng(seed)
    low, high = mesh.bounds
    size = float((high - low).max())
    middle = float(np.clip(mean_edge(mesh) * np.exp(rng.uniform(-1, 1)), size / 30, size / 6))
    wish = torch.full((mesh.num_verts,), middle, dtype=torch.float64)
    if seed % 3 == 2:
        along = mesh.verts @ torch.from_numpy(rng.normal(size=3))
        wish = wish * (0.5 + (along - along.min()) / (along.max() - along.min()))
    return mesh, wish, remesh(mesh, wish)


def mean_edge(mesh: Mesh) -> float:
    a, b = mesh.verts[mesh.topology.edge_verts.long()].unbind(1)
    return float((a - b).norm(dim=1).mean())


def ratios(wish: torch.Tensor, made: Remeshed) -> torch.Tensor:
    """Edge lengths over wished ones."""
    ends = made.mesh.topology.edge_verts.long()
    a, b = made.mesh.verts[ends].unbind(1)
    return (a - b).norm(dim=1) / made.source.interpolate(wish)[ends].mean(dim=1)


def num_boundary_loops(mesh: Mesh) -> int:
    """Where every boundary vertex has two boundary edges, as in a manifold."""
    edges = mesh.topology.boundary_edges.tolist()
    root = {v: v for edge in edges for v in edge}

    def find(v: int) -> int:
        while root[v] != v:
            root[v] = root[root[v]]
            v = root[v]
        return v

    for a, b in edges:
        root[find(a)] = find(b)
    return len({find(v) for v in root})


def nearest_normals(mesh: Mesh, points: np.ndarray) -> np.ndarray:
    """Normals of the input's faces nearest to the points, by places on a fine lattice on each."""
    steps = 12
    pairs = [(i, k) for i in range(steps + 1) for k in range(steps - i + 1)]
    weights = np.array([(i, k, steps - i - k) for i, k in pairs])
    places = np.einsum("wk,fkc->fwc", weights / steps, mesh.corners.numpy())
    _, nearest = cKDTree(places.reshape(-1, 3)).query(points)
    return mesh.face_normals.numpy()[nearest // len(weights)]


@every_kind
@all_seeds
def test_the_result_is_a_manifold(kind, seeds):
    for seed in seeds:
        topology = case(kind, seed)[2].mesh.topology
        assert topology.is_manifold, seed
        assert topology.is_oriented, seed
        assert topology.num_degenerate_faces == 0, seed


@every_kind
@all_seeds
def test_components_handles_and_boundaries_stay(kind, seeds):
    for seed in seeds:
        mesh, _, made = case(kind, seed)
        before, after = mesh.topology, made.mesh.topology
        assert after.num_components == before.num_components, seed
        assert after.euler == before.euler, seed
        assert num_boundary_loops(made.mesh) == num_boundary_loops(mesh), seed


@every_kind
@all_seeds
def test_faces_look_where_the_input_does(kind, seeds):
    for seed in seeds:
        mesh, _, made = case(kind, seed)
        if len(flipped_faces(mesh, fold_deg=120)):
            continue  # the input is folded over itself
        expected = nearest_normals(mesh, made.mesh.corners.mean(dim=1).numpy())
        cosines = (made.mesh.face_normals.numpy() * expected).sum(axis=1)
        if kind == "needles":  # bars thinner than the wished length: their ends get blunt
            assert (cosines < 0).mean() < 0.03, seed
        else:
            assert cosines.min() > 0, seed


@every_kind
@all_seeds
def test_lengths_are_mostly_those_wished_for(kind, seeds):
    shares = []
    for seed in seeds:
        _, wish, made = case(kind, seed)
        ratio = ratios(wish, made)
        shares.append(float(((ratio > 0.5) & (ratio < 1.6)).double().mean()))
        # Boundaries keep their corners, however near to each other.
        assert shares[-1] > (0.75 if kind in ("sheet", "holes") else 0.95), seed
    assert np.mean(shares) > 0.9


@every_kind
@all_seeds
def test_every_coordinate_is_finite(kind, seeds):
    for seed in seeds:
        assert bool(torch.isfinite(case(kind, seed)[2].mesh.verts).all()), seed


@every_kind
@all_seeds
def test_faces_keep_an_area(kind, seeds):
    for seed in seeds:
        mesh = case(kind, seed)[2].mesh
        assert float(mesh.face_area_vectors.norm(dim=1).min()) > 0, seed


@pytest.mark.parametrize("kind", ["bumpy", "solid"])
@all_seeds
def test_smooth_solids_keep_their_volume(kind, seeds):
    for seed in seeds:
        mesh = case(kind, seed)[0]
        low, high = mesh.bounds
        made = remesh(mesh, float((high - low).max()) / 40).mesh
        assert float(made.volume) == pytest.approx(float(mesh.volume), rel=0.005), seed


def test_remeshing_again_and_again_keeps_the_volume():
    start = mesh = random_mesh("bumpy", 0)
    wish = 1.5 * mean_edge(mesh)
    for _ in range(5):
        mesh = remesh(mesh, wish).mesh
    assert float(mesh.volume) == pytest.approx(float(start.volume), rel=0.01)


@pytest.mark.parametrize("thickness", [0.05, 0.1])
def test_thin_parts_keep_their_length(thickness):
    rod = cylinder(16, radius=thickness / 2, height=2.0)
    mesh = remesh(rod.with_verts(rod.verts[:, [1, 2, 0]]), thickness / 4).mesh
    low, high = remesh(mesh, 2 * thickness).mesh.bounds
    assert float(high[0] - low[0]) == pytest.approx(2.0, rel=0.03)


@pytest.mark.parametrize("seed", range(6))
def test_faces_without_area_do_no_harm(seed):
    mesh = random_mesh("torus", seed)
    rng = np.random.default_rng(seed)
    ends = mesh.topology.edge_verts.long()[torch.from_numpy(rng.permutation(80))]
    verts = mesh.verts.clone()
    verts[ends[:, 0]] = verts[ends[:, 1]]  # edges without length
    if seed % 2:
        verts[:, 2] = 0.0  # and all in one plane
    made = remesh(mesh.with_verts(verts), mean_edge(mesh)).mesh
    assert bool(torch.isfinite(made.verts).all())
    assert made.topology.genus == 1

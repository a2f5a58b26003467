"""The sample meshes in `data/models` are what their script makes, and good to reconstruct."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import trimesh
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

FOLDER = Path(__file__).parents[1] / "data" / "models"
GENUS = {"avocado": 0, "kettle": 1, "tree": 0}


@pytest.fixture(params=GENUS)
def name(request):
    return request.param


@pytest.fixture
def mesh(name):
    return trimesh.load_mesh(FOLDER / f"{name}.glb", process=False)


def test_file_is_what_the_script_makes(name, mesh):
    spec = importlib.util.spec_from_file_location("make_models", FOLDER / "make_models.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    made = script.make_model(name)
    np.testing.assert_allclose(mesh.vertices, made.vertices, rtol=0, atol=1e-5)
    np.testing.assert_array_equal(mesh.faces, made.faces)


def test_mesh_is_closed_and_consistently_wound(mesh):
    assert mesh.is_watertight
    assert mesh.is_winding_consistent


def test_faces_around_each_vertex_form_one_fan(mesh):
    # Spokes (corner, other vertex) joined by faces: one connected fan of spokes per vertex.
    num_verts = len(mesh.vertices)
    spokes = np.concatenate([np.roll(mesh.faces, -turn, axis=1) for turn in range(3)])
    left, right = (spokes[:, 0] * num_verts + spokes[:, side] for side in (1, 2))
    keys, index = np.unique(np.concatenate([left, right]), return_inverse=True)
    joins = coo_array((np.ones(len(left)), np.split(index, 2)), shape=(len(keys), len(keys)))
    num_fans, _ = connected_components(joins, directed=False)
    assert num_fans == num_verts


def test_faces_look_outward(mesh):
    assert mesh.volume > 0.05


def test_mesh_is_one_component_of_the_stated_genus(name, mesh):
    assert mesh.body_count == 1
    assert mesh.euler_number == 2 - 2 * GENUS[name]


def test_triangles_are_well_shaped(mesh):
    assert np.degrees(mesh.face_angles.min()) > 15


def test_mesh_is_one_unit_tall_and_centred(mesh):
    np.testing.assert_allclose(mesh.bounds.sum(axis=0), 0, atol=1e-6)
    assert mesh.extents[1] == pytest.approx(1, abs=1e-6)
    assert mesh.extents.max() < 1.6


def test_mesh_is_small(name, mesh):
    assert 6_000 <= len(mesh.faces) <= 12_000
    assert (FOLDER / f"{name}.glb").stat().st_size < 400_000

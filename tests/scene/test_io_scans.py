"""Mesh files that other programs wrote, good ones and broken ones."""

import logging
from pathlib import Path

import pytest

from lightning_rast.scene import Mesh, MeshFileError, load_mesh

SUFFIXES = {".obj", ".ply", ".stl", ".gltf", ".glb", ".off"}

# file: vertices, faces, closed, genus, height
GOOD = {
    "avocado/Avocado.gltf": (363, 682, False, None, 0.0629),
    "bob/bob_tri.obj": (5344, 10688, True, 1, 0.9725),
    "cow.obj": (2903, 5804, True, None, 6.3968),
    "kettle/kettle.glb": (1101, 2172, False, None, 0.5551),
    "kettle/kettle.obj": (449, 894, True, 0, 20.0475),
    "rocker-arm.obj": (10044, 20088, True, 1, 0.5149),
    "spot/cow.glb": (2930, 5856, True, 0, 1.6904),
    "spot/cow.obj": (2930, 5856, True, 0, 1.6904),
    "suzanne.obj": (505, 968, False, None, 1.9688),
    "teapot/teapot.obj": (1232, 2464, True, 1, 1.0051),
    "tree/PalmTree.gltf": (5236, 10124, False, None, 4.8555),
}

REFUSED = {
    "assimp/OBJ/point_cloud.obj": "no surface",
    "assimp/OBJ/testline.obj": "no surface",
    "assimp/OBJ/number_formats.obj": "not made of numbers",
    "assimp/glTF2/BoxWithInfinites-glTF-Binary/BoxWithInfinites.glb": "infinite",
    "assimp/glTF2/IndexOutOfRange/IndexOutOfRange.gltf": "vertex 255, but there are 24",
    "assimp/glTF2/MissingBin/BoxTextured.gltf": "BoxTextured0.bin",
    "assimp/glTF2/draco/2CylinderEngine.gltf": "KHR_draco_mesh_compression",
    "assimp/PLY/points.ply": "no surface",
}

AREAS = {
    "assimp/OBJ/concave_polygon.obj": 0.2455,
    "assimp/OBJ/box_UTF16BE.obj": 6,
    "assimp/PLY/cube.ply": 6,
    "assimp/PLY/cube_binary_header_with_RN_newline.ply": 6,
    "assimp/PLY/cube_binary_starts_with_nl.ply": 6,
    "assimp/glTF2/BoxBadNormals-glTF-Binary/BoxBadNormals.glb": 6,
    "trimesh/negative_indices.obj": 24,
    "trimesh/face_in_group_name_mid_file.obj": 113.3,
}


@pytest.fixture(autouse=True)
def quiet_trimesh() -> None:
    logging.getLogger("trimesh").setLevel(logging.CRITICAL)


def height(mesh: Mesh) -> float:
    low, high = mesh.bounds[:, 1].tolist()
    return high - low


@pytest.mark.parametrize("name", GOOD)
def test_models_load_as_their_makers_meant_them(shared_data: Path, name: str):
    mesh = load_mesh(shared_data / "meshes" / name)
    num_verts, num_faces, is_closed, genus, expected_height = GOOD[name]
    assert (mesh.num_verts, mesh.num_faces) == (num_verts, num_faces)
    assert mesh.topology.is_closed == is_closed
    assert mesh.topology.genus == genus
    assert height(mesh) == pytest.approx(expected_height, abs=1e-4)


@pytest.mark.parametrize("name", AREAS)
def test_odd_dialects_give_the_right_surface(shared_data: Path, name: str):
    mesh = load_mesh(shared_data / "meshes" / "nasty" / name)
    assert mesh.area.item() == pytest.approx(AREAS[name], rel=1e-3)


@pytest.mark.parametrize("name", REFUSED)
def test_broken_files_are_refused_for_the_right_reason(shared_data: Path, name: str):
    with pytest.raises(MeshFileError, match=REFUSED[name]):
        load_mesh(shared_data / "meshes" / "nasty" / name)


def test_every_file_loads_or_is_refused(shared_data: Path):
    loaded = 0
    for path in sorted((shared_data / "meshes").rglob("*")):
        if path.suffix.lower() not in SUFFIXES:
            continue
        try:
            mesh = load_mesh(path)
        except MeshFileError:
            continue
        loaded += 1
        assert mesh.num_faces > 0
        assert mesh.verts.isfinite().all()
        assert int(mesh.faces.max()) == mesh.num_verts - 1
    assert loaded >= 90

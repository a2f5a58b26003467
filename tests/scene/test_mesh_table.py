"""Every mesh file in the folder of real test data: the right surface, or a reason and a remedy."""

from pathlib import Path

import pytest

from lightning_rast.scene import MeshFileError, load_asset
from tests.scene.mesh_table import LOADED, REFUSED

SUFFIXES = {".obj", ".ply", ".glb", ".gltf", ".stl", ".off"}


def test_the_table_knows_every_file(shared_data: Path):
    folder = shared_data / "meshes"
    found = {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES or "payload" in path.name
    }
    assert found == set(LOADED) | set(REFUSED)


@pytest.mark.parametrize("name", LOADED)
def test_it_loads_to_the_right_surface(shared_data: Path, name: str):
    asset = load_asset(shared_data / "meshes" / name)
    num_verts, num_faces, area, is_closed, look = LOADED[name]
    assert (asset.mesh.num_verts, asset.mesh.num_faces) == (num_verts, num_faces)
    assert asset.mesh.area.item() == pytest.approx(area, rel=1e-3)
    assert asset.mesh.topology.is_closed == is_closed
    assert ("v" in look) == (asset.colors is not None)
    assert ("t" in look) == any(material.texture is not None for material in asset.materials)
    assert ("m" in look) == any(material.color != (1, 1, 1, 1) for material in asset.materials)


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_with_a_reason_and_a_remedy(shared_data: Path, name: str):
    path = shared_data / "meshes" / name
    with pytest.raises(MeshFileError) as caught:
        load_asset(path)
    assert str(caught.value) == f"{path}: {REFUSED[name]}"
    assert any(word in REFUSED[name] for word in ("export", "mend", "put it"))


def test_a_famous_attack_on_ply_readers_is_refused(shared_data: Path, tmp_path: Path):
    # The file comes without an ending; with it, the reader meets it.
    path = tmp_path / "payload.ply"
    path.write_bytes((shared_data / "meshes/nasty/assimp/PLY/payload_JVN42386607").read_bytes())
    with pytest.raises(MeshFileError, match="names element vertex twice; export or copy"):
        load_asset(path)

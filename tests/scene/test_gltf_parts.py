"""glTF files of many parts: the work to read one grows with its parts, not with their square."""

import base64
import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from lightning_rast.scene import load_asset, load_mesh
from lightning_rast.scene.gltf_document import GltfDocument

_TRIANGLE = np.eye(3, dtype="<f4").tobytes()


def many_parts(path: Path, num: int, *, num_spare: int = 4) -> Path:
    """As many nodes, meshes, materials and tables, all in one buffer view with spare bytes."""
    content = _TRIANGLE * num + bytes(num_spare)
    uri = "data:;base64," + base64.b64encode(content).decode()
    table = {"bufferView": 0, "componentType": 5126, "type": "VEC3", "count": 3}
    header = {
        "asset": {"version": "2.0"},
        "buffers": [{"byteLength": len(content), "uri": uri}],
        "bufferViews": [{"buffer": 0, "byteLength": len(_TRIANGLE) * num + num_spare // 2}],
        "accessors": [{**table, "byteOffset": len(_TRIANGLE) * part} for part in range(num)],
        "materials": [{} for _ in range(num)],
        "meshes": [
            {"primitives": [{"attributes": {"POSITION": part}, "material": part}]}
            for part in range(num)
        ],
        "nodes": [{"mesh": part, "translation": [part, 0, 0]} for part in range(num)],
        "scenes": [{"nodes": list(range(num))}],
    }
    path.write_text(json.dumps(header))
    return path


def test_each_part_stands_in_its_place(tmp_path: Path):
    mesh = load_mesh(many_parts(tmp_path / "parts.gltf", 7))
    assert mesh.num_faces == 7
    assert mesh.bounds.tolist() == [[0, 0, 0], [7, 1, 1]]


def num_checked(path: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """Entries of the header that are looked at to see whether their list is one of objects."""
    lengths: list[int] = []
    objects = GltfDocument.objects

    def counted(self: GltfDocument, value: object, what: str) -> list:
        found = objects(self, value, what)
        lengths.append(len(found))
        return found

    with monkeypatch.context() as patch:
        patch.setattr(GltfDocument, "objects", counted)
        load_asset(path)
    return sum(lengths)


def test_twice_the_parts_are_twice_the_checks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    few = num_checked(many_parts(tmp_path / "few.gltf", 50), monkeypatch)
    many = num_checked(many_parts(tmp_path / "many.gltf", 100), monkeypatch)
    assert many < 2.2 * few


def test_a_table_does_not_copy_the_view_that_it_shares(tmp_path: Path):
    num_spare = 2**20
    document = GltfDocument(many_parts(tmp_path / "parts.gltf", 2, num_spare=num_spare))
    document.accessor(0, ("VEC3",), "the buffer is decoded here")
    tracemalloc.start()
    try:
        document.accessor(1, ("VEC3",), "a small table")
        assert tracemalloc.get_traced_memory()[1] < num_spare / 8
    finally:
        tracemalloc.stop()

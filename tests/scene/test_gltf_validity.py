"""Every GLB that is written passes the Khronos validator, without a warning."""

from pathlib import Path

import pytest
import torch

from lightning_rast.scene import (
    Mesh,
    MeshFileError,
    export_mesh,
    icosphere,
    load_asset,
    with_vertex_colors,
)
from tests.scene.gltf_validator import validated
from tests.scene.test_export import colored_ball, textured_quads, two_materials

pytestmark = pytest.mark.slow
SAMPLES = Path(__file__).parents[2] / "data" / "models"


def assert_valid(path: Path) -> dict:
    report = validated(path)
    issues = report["issues"]
    assert issues["numErrors"] == issues["numWarnings"] == 0, issues["messages"]
    return report["info"]


@pytest.mark.parametrize("name", ["kettle", "avocado", "tree"])
def test_samples_are_valid(tmp_path: Path, name: str):
    mesh = load_asset(SAMPLES / f"{name}.glb")
    export_mesh(mesh, tmp_path / "sample.glb")
    assert assert_valid(tmp_path / "sample.glb")["totalTriangleCount"] == mesh.mesh.num_faces


@pytest.mark.parametrize("make", [textured_quads, two_materials, colored_ball])
def test_colors_are_valid(tmp_path: Path, make):
    export_mesh(make(), tmp_path / "colors.glb")
    assert_valid(tmp_path / "colors.glb")


@pytest.mark.parametrize("num_verts", [65534, 65535, 65536, 65537])
def test_indices_at_the_border_of_16_bits_are_valid(tmp_path: Path, num_verts: int):
    # A fan around the first vertex.
    turn = torch.linspace(0, 6.28, num_verts - 1)
    verts = torch.cat((torch.zeros(1, 3), torch.stack((turn.cos(), turn.sin(), 0 * turn), 1)))
    rim = torch.arange(1, num_verts - 1)
    mesh = Mesh(verts, torch.stack((0 * rim, rim, rim + 1), dim=1))
    export_mesh(mesh, tmp_path / "fan.glb")
    assert assert_valid(tmp_path / "fan.glb")["totalVertexCount"] == num_verts
    assert torch.equal(load_asset(tmp_path / "fan.glb").mesh.faces, mesh.faces)


def test_a_large_mesh_with_vertex_colors_is_valid(tmp_path: Path):
    ball = icosphere(7)
    assert ball.num_verts > 65536
    export_mesh(with_vertex_colors(ball, ball.verts / 2 + 0.5), tmp_path / "large.glb", smooth=True)
    assert assert_valid(tmp_path / "large.glb")["totalVertexCount"] == ball.num_verts


def test_whatever_can_be_read_is_written_as_a_valid_file(tmp_path: Path, shared_data: Path):
    written = 0
    for path in sorted((shared_data / "meshes").rglob("*")):
        if path.suffix.lower() not in {".obj", ".ply", ".glb", ".gltf", ".stl"}:
            continue
        try:
            asset = load_asset(path)
        except MeshFileError:
            continue
        export_mesh(asset, tmp_path / "again.glb")
        report = validated(tmp_path / "again.glb")
        faults = [issue for issue in report["issues"]["messages"] if issue["severity"] < 2]
        assert not faults, (path, faults)
        written += 1
    assert written >= 90

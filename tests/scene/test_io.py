"""Mesh files: what is read is right, what cannot be right is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh

from lightning_rast.scene import (
    Mesh,
    MeshFileError,
    cube,
    icosphere,
    load_asset,
    load_mesh,
    quad,
    save_mesh,
    torus,
)

TETRAHEDRON = "v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\n"
PLY_TRIANGLE = """ply
format ascii 1.0
element vertex 3
property float x
property float y
property float z
element face 1
property list uchar int vertex_indices
end_header
0 0 0
1 0 0
{corner}
{face}
"""


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize("suffix", [".obj", ".ply", ".glb"])
@pytest.mark.parametrize("mesh", [icosphere(2, radius=1e-3, center=(1, 2, 3)), cube(), torus(9, 7)])
def test_files_keep_vertices_and_faces(tmp_path: Path, suffix: str, mesh: Mesh):
    save_mesh(mesh, tmp_path / f"mesh{suffix}")
    loaded = load_mesh(tmp_path / f"mesh{suffix}")
    assert torch.equal(loaded.verts, mesh.verts)
    assert torch.equal(loaded.faces, mesh.faces)


@pytest.mark.parametrize("suffix", [".obj", ".ply"])
def test_text_and_ply_keep_float64(tmp_path: Path, suffix: str):
    mesh = Mesh(torch.rand(9, 3, dtype=torch.float64), torch.arange(9).reshape(3, 3))
    save_mesh(mesh, tmp_path / f"mesh{suffix}")
    scene = trimesh.load_mesh(tmp_path / f"mesh{suffix}", process=False)
    np.testing.assert_array_equal(scene.vertices, mesh.verts.numpy())


def test_other_programs_read_what_is_saved(tmp_path: Path):
    for suffix in (".obj", ".ply", ".glb"):
        save_mesh(torus(9, 7), tmp_path / f"mesh{suffix}")
        read = trimesh.load_mesh(tmp_path / f"mesh{suffix}")
        assert read.is_watertight
        assert read.volume == pytest.approx(torus(9, 7).volume.item(), rel=1e-5)


def test_saving_leaves_nothing_else_behind(tmp_path: Path):
    save_mesh(cube(), tmp_path / "mesh.glb")
    assert [path.name for path in tmp_path.iterdir()] == ["mesh.glb"]


def test_meshes_that_need_gradients_are_saved(tmp_path: Path):
    mesh = cube()
    save_mesh(mesh.with_verts(mesh.verts.clone().requires_grad_()), tmp_path / "mesh.ply")
    assert load_mesh(tmp_path / "mesh.ply").num_faces == 12


def test_only_known_endings_are_written(tmp_path: Path):
    with pytest.raises(MeshFileError, match=r"\.off: can only write \.obj, \.ply, \.glb, \.stl"):
        save_mesh(cube(), tmp_path / "mesh.off")


def test_infinite_positions_are_not_written(tmp_path: Path):
    verts = cube().verts.clone()
    verts[3, 1] = torch.inf
    with pytest.raises(MeshFileError, match="not finite"):
        save_mesh(cube().with_verts(verts), tmp_path / "mesh.obj")
    assert not list(tmp_path.iterdir())


def test_seams_are_merged_and_what_collapses_is_dropped(tmp_path: Path):
    path = written(
        tmp_path / "seam.obj",
        "v 0 0 0\nv 1 0 0\nv 0 1 0\nv 1 0 0\nv 0 1 0\nv 1 1 0\nv 7 7 7\n"
        "f 1 2 3\nf 4 6 5\nf 2 4 1\n",
    )
    mesh = load_mesh(path)
    assert mesh.num_verts == 4
    assert mesh.num_faces == 2
    assert mesh.topology.num_components == 1
    assert len(mesh.topology.boundary_edges) == 4


def test_obj_understands_its_dialects(tmp_path: Path):
    path = written(
        tmp_path / "dialect.obj",
        "# \xe9\xff comment\r\nv 0 0 0 1.0\r\nv 1 0 0 0.5 0.5 0.5\r\nvt 0 0\r\nv 0 1 0\r\n"
        "g f of v\r\nf -3/1/1 -2//1 \\\r\n -1/1 # done\r\nv 0 0 5\r\nl 1 2\r\nf 1 2\r\n"
        "f 1// 2// 4//\r\n",
    )
    mesh = load_mesh(path)
    assert mesh.verts[mesh.faces.long()].sum(1).tolist() == [[1, 1, 0], [1, 0, 5]]


def colors_of(path: Path, *rows: str) -> list:
    verts = zip(("0 0 0", "1 0 0", "0 1 0"), rows, strict=True)
    lines = [f"v {place} {color}" for place, color in verts]
    colors = load_asset(written(path, "\n".join((*lines, "f 1 2 3\n")))).colors
    assert colors is not None
    return colors[0, :, :3].tolist()


def test_colors_a_hair_above_1_are_white(tmp_path: Path):
    found = colors_of(tmp_path / "white.obj", "1 1 1", "1.00001 1 0.5", "1 1 1")
    assert found == [[1, 1, 1], [1, 1, 0.5], [1, 1, 1]]


def test_colors_of_whole_numbers_are_bytes(tmp_path: Path):
    found = colors_of(tmp_path / "bytes.obj", "255 255 255", "51 0 255", "0 0 1")
    assert found == pytest.approx(np.array([[1, 1, 1], [0.2, 0, 1], [0, 0, 1 / 255]]))


def test_obj_in_utf16_is_read(tmp_path: Path):
    path = written(tmp_path / "wide.obj", (TETRAHEDRON + "f 1 2 3\n").encode("utf-16"))
    assert load_mesh(path).num_faces == 1


def test_concave_polygons_keep_their_area(tmp_path: Path):
    outline = [(0, 0), (3, 0), (3, 3), (2, 3), (2, 1), (1, 1), (1, 3), (0, 3)]
    lines = [f"v {x} {y} 1\n" for x, y in outline]
    path = written(tmp_path / "u.obj", "".join(lines) + "f 1 2 3 4 5 6 7 8\n")
    assert load_mesh(path).area.item() == pytest.approx(7)


@pytest.mark.parametrize("order", ["<", ">"])
def test_binary_ply_may_mix_polygons(tmp_path: Path, order: str):
    name = {"<": "little", ">": "big"}[order]
    header = (
        f"ply\r\nformat binary_{name}_endian 1.0\r\ncomment mixed\r\nelement vertex 5\r\n"
        "property double x\r\nproperty uchar red\r\nproperty double y\r\nproperty double z\r\n"
        "element face 2\r\nproperty list uchar ushort vertex_index\r\nproperty char kind\r\n"
        "end_header\r\n"
    )
    verts = np.zeros(5, dtype=[("x", order + "f8"), ("r", "u1"), ("yz", order + "f8", 2)])
    verts["x"] = [0, 2, 2, 0, 1]
    verts["yz"][:, 0] = [0, 0, 2, 2, 3]
    faces = [
        bytes([len(face)]) + np.array(face, dtype=order + "u2").tobytes() + b"\x07"
        for face in ([0, 1, 2, 3], [3, 2, 4])
    ]
    path = written(tmp_path / "mixed.ply", header.encode() + verts.tobytes() + b"".join(faces))
    mesh = load_mesh(path)
    assert mesh.num_faces == 3
    assert mesh.area.item() == pytest.approx(5)
    cut = written(tmp_path / "cut.ply", path.read_bytes()[:-3])
    with pytest.raises(MeshFileError, match="ends within"):
        load_mesh(cut)


def test_scene_nodes_are_put_in_place_and_mirrors_stay_outward(tmp_path: Path):
    box = trimesh.creation.box()
    scene = trimesh.Scene()
    scene.add_geometry(box, transform=np.diag([2.0, 1, 1, 1]))
    mirror = np.diag([-1.0, 1, 1, 1])
    mirror[0, 3] = 10
    scene.add_geometry(box, transform=mirror)
    written(tmp_path / "scene.glb", scene.export(file_type="glb"))
    mesh = load_mesh(tmp_path / "scene.glb")
    assert mesh.num_verts == 16
    assert mesh.topology.num_components == 2
    assert mesh.volume.item() == pytest.approx(3)
    assert mesh.bounds[:, 0].tolist() == [-1, 10.5]


def gltf(tmp_path: Path, **changed: object) -> Path:
    """A glTF triangle as text, with parts of its header replaced."""
    exported = trimesh.Trimesh(quad().verts, quad().faces, process=False).scene()
    files = trimesh.exchange.gltf.export_gltf(exported)
    for name, content in files.items():
        written(tmp_path / name, content)
    header = json.loads(files["model.gltf"])
    return written(tmp_path / "changed.gltf", json.dumps(header | changed))


def test_gltf_is_read(tmp_path: Path):
    assert load_mesh(gltf(tmp_path)).area.item() == pytest.approx(1)


def test_a_header_that_contradicts_itself_is_refused(tmp_path: Path):
    with pytest.raises(MeshFileError, match="names accessors 1, but there are 0; export or copy"):
        load_mesh(gltf(tmp_path, accessors=[]))


def test_decoration_may_be_required(tmp_path: Path):
    path = gltf(tmp_path, extensionsRequired=["KHR_texture_transform", "KHR_materials_unlit"])
    assert load_mesh(path).num_faces == 2


@pytest.mark.parametrize(
    "extension",
    ["KHR_draco_mesh_compression", "EXT_meshopt_compression", "FOREIGN_extension"],
)
def test_compressed_gltf_is_refused(tmp_path: Path, extension: str):
    with pytest.raises(MeshFileError, match=f"needs {extension}"):
        load_mesh(gltf(tmp_path, extensionsRequired=[extension]))


def test_draco_is_refused_even_where_it_is_called_optional(tmp_path: Path):
    header = json.loads(gltf(tmp_path).read_text())
    primitive = header["meshes"][0]["primitives"][0]
    primitive["extensions"] = {"KHR_draco_mesh_compression": {"bufferView": 0, "attributes": {}}}
    with pytest.raises(MeshFileError, match="needs KHR_draco_mesh_compression"):
        load_mesh(gltf(tmp_path, meshes=header["meshes"]))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.obj", "", "no surface"),
        ("points.obj", TETRAHEDRON, "no surface"),
        ("lines.obj", TETRAHEDRON + "l 1 2 3\n", "no surface"),
        ("range.obj", TETRAHEDRON + "f 1 2 3\nf 1 2 5\n", "line 6: a face names vertex 5, .* 4"),
        ("range.obj", TETRAHEDRON + "f 1 2 -5\n", "line 5: a face names vertex -5"),
        ("zero.obj", TETRAHEDRON + "f 0 1 2\n", "vertex 0"),
        ("huge.obj", TETRAHEDRON + f"f 1 2 {10**30}\n", "a face is not made of vertex numbers"),
        ("words.obj", TETRAHEDRON + "f one two three\n", "a face is not made of vertex numbers"),
        ("words.obj", "v a b c\nf 1 1 1\n", "a vertex is not made of numbers"),
        ("short.obj", "v 1 2\n", "line 1: a vertex needs three coordinates"),
        ("inf.obj", TETRAHEDRON + "v 0 0 inf\nf 1 2 5\n", "infinite"),
        ("nan.obj", TETRAHEDRON + "v 0 nan 0\nf 1 2 5\n", "infinite, not a number"),
        ("big.obj", TETRAHEDRON + "v 0 1e300 0\nf 1 2 5\n", "beyond float32"),
        ("flat.obj", TETRAHEDRON + "f 1 2 2\n", "every face is a single point or line"),
        ("a.ply", "", 'starts with "ply"'),
        ("a.ply", "ply\nformat ascii 1.0\nend_header\n", "no vertices"),
        ("a.ply", "ply\nelement vertex 3\nend_header\n", "names no format"),
        ("a.ply", "ply\nformat ascii 1.0\nproperty float x\nend_header\n", "makes no sense"),
        ("a.ply", PLY_TRIANGLE.replace("float z", "quad z"), "unknown type 'quad'"),
        ("a.ply", PLY_TRIANGLE.format(corner="0 1 0", face="3 0 1 3"), "vertex 3, .* are 3"),
        ("a.ply", PLY_TRIANGLE.format(corner="0 1 0", face="3 0 1"), "too short"),
        ("a.ply", PLY_TRIANGLE.format(corner="0 1 inf", face="3 0 1 2"), "infinite"),
        ("a.ply", PLY_TRIANGLE.format(corner="0 1 0", face="2 0 1"), "no surface"),
        ("a.ply", PLY_TRIANGLE.format(corner="0 1 0", face=""), "ends within"),
        ("a.glb", b"", "too short for a GLB"),
        ("a.glb", b"x" * 100, "does not start as a GLB"),
        ("a.gltf", "{}", "no surface"),
        ("a.gltf", "[]", "not an object"),
        ("a.gltf", "{", "a.gltf: "),
        ("a.gltf", "[" * 100_000, "a.gltf: "),
        ("a.stl", b"", "a.stl: "),
        ("a.fbx", b"", "unknown kind of mesh file"),
    ],
)
def test_what_is_no_surface_is_refused_with_a_reason(
    tmp_path: Path, name: str, content: str | bytes, message: str
):
    with pytest.raises(MeshFileError, match=message) as caught:
        load_mesh(written(tmp_path / name, content))
    assert name in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(MeshFileError, match=r"nowhere\.obj: no such file"):
        load_mesh(tmp_path / "nowhere.obj")


def test_a_folder_is_named_as_one(tmp_path):
    with pytest.raises(MeshFileError, match="is a folder, not a mesh file"):
        load_mesh(tmp_path)

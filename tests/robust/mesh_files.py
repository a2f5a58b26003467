"""Small mesh files of every kind that is read, with everything in them that the readers know."""

import base64
import json
import struct
from pathlib import Path

import torch

from lightning_rast.scene import (
    Asset,
    Material,
    Texture,
    cube,
    export_mesh,
    load_asset,
    with_vertex_colors,
)

_PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAAFklEQVR4nGP8z8DAwMDAxMDAwMDAAAANHQEDasKb6QAAAABJRU5ErkJggg=="
)
_OBJ = """mtllib seed.mtl
v 0 0 0 1 0 0
v 1 0 0 0 1 0
v 1 1 0 0 0 1
v 0 1 0 1 1 1
v 0.5 0.2 0
v 0.5 0.5 1
vt 0 0
vt 1 0
vt 1 1
usemtl paint
f 1/1 2/2 3/3 4/1 5/2
f 1/1/1 2/2/2 6/3/3
f -5 -4 -1
l 1 2
usemtl other
f 3//1 4//1 \\
 6//1
"""
_MTL = "newmtl paint\nKd 0.5 0.2 0.1\nd 0.5\nmap_Kd -s 1 1 1 seed.png\nnewmtl other\nKd 1 0 0\n"
_PLY = """ply
format ascii 1.0
comment TextureFile seed.png
element vertex 5
property float x
property float y
property float z
property uchar red
property uchar green
property uchar blue
property float s
property float t
element face 3
property list uchar int vertex_indices
property uchar kind
element edge 1
property int vertex1
property int vertex2
end_header
0 0 0 255 0 0 0 0
1 0 0 0 255 0 1 0
1 1 0 0 0 255 1 1
0 1 0.5 9 9 9 0 1
0.5 0.5 1 1 2 3 0 0
4 0 1 2 3 0
3 0 1 4 1
3 2 3 4 2
0 1
"""
_OFF = """COFF
# a tetrahedron
4 4 6
0 0 0 255 0 0 255
1 0 0 0 255 0 255
0 1 0 0 0 255 255
0 0 1 9 9 9 255
3 0 2 1
3 0 1 3 255 0 0
3 1 2 3
3 0 3 2
"""
_STL = """solid seed
facet normal 0 0 1
 outer loop
  vertex 0 0 0
  vertex 1 0 0
  vertex 0 1 0
 endloop
endfacet
facet normal 0 0 1
 outer loop
  vertex 1 0 0
  vertex 1 1 0
  vertex 0 1 1e-1
 endloop
endfacet
endsolid seed
"""


def write_mesh_files(folder: Path) -> dict[str, Path]:
    """Kind -> file, each a mesh that loads."""
    (folder / "seed.png").write_bytes(_PNG)
    (folder / "seed.mtl").write_text(_MTL)
    files = {}
    for kind, name, text in (
        ("obj", "seed.obj", _OBJ),
        ("ply text", "text.ply", _PLY),
        ("off", "seed.off", _OFF),
        ("stl text", "text.stl", _STL),
    ):
        files[kind] = folder / name
        files[kind].write_text(text)
    files["ply binary"] = folder / "binary.ply"
    files["ply binary"].write_bytes(_mixed_ply())
    files["stl binary"] = folder / "binary.stl"
    export_mesh(cube(), files["stl binary"])
    files["glb"] = folder / "seed.glb"
    export_mesh(_textured(), files["glb"])
    files["gltf"] = folder / "seed.gltf"
    files["gltf"].write_text(json.dumps(_gltf(files["glb"])))
    for path in files.values():
        load_asset(path)
    return files


def _textured() -> Asset:
    box = with_vertex_colors(cube(), torch.rand(8, 4))
    return Asset(
        mesh=box.mesh,
        colors=box.colors,
        uvs=torch.rand(12, 3, 2),
        material_idx=torch.tensor([0] * 6 + [1] * 6, dtype=torch.int32),
        materials=(Material(name="a", texture=Texture(_PNG)), Material(color=(1, 0, 0, 0.5))),
    )


def _mixed_ply() -> bytes:
    """Big-endian, with polygons of different sizes and colours of faces."""
    header = (
        "ply\nformat binary_big_endian 1.0\nelement vertex 4\nproperty float x\nproperty float y\n"
        "property float z\nelement face 2\nproperty list uchar uint vertex_index\n"
        "property uchar red\nproperty uchar green\nproperty uchar blue\nend_header\n"
    )
    verts = struct.pack(">12f", 0, 0, 0, 1, 0, 0, 1, 1, 0, 0, 1, 0)
    faces = struct.pack(">B4I3B", 4, 0, 1, 2, 3, 9, 8, 7) + struct.pack(
        ">B3I3B", 3, 0, 2, 1, 1, 2, 3
    )
    return header.encode() + verts + faces


def _gltf(glb: Path) -> dict:
    """The GLB's content as text, with a skin, a node tree, a sparse table and a fan besides."""
    content = glb.read_bytes()
    length = struct.unpack_from("<I", content, 12)[0]
    header = json.loads(content[20 : 20 + length])
    binary = content[28 + length :]
    more = struct.pack("<3H", 1, 2, 3) + b"\0\0" + struct.pack("<9f", *range(9))
    matrices = struct.pack("<16f", *([1, 0, 0, 0, 0] * 3 + [1]))
    start = len(binary)
    header["bufferViews"] += [
        {"buffer": 0, "byteOffset": start, "byteLength": 6},
        {"buffer": 0, "byteOffset": start + 8, "byteLength": 36},
        {"buffer": 0, "byteOffset": start + 44, "byteLength": 64},
    ]
    views = len(header["bufferViews"])
    header["accessors"] += [
        {
            "bufferView": 0,
            "componentType": 5126,
            "count": 8,
            "type": "VEC3",
            "sparse": {
                "count": 3,
                "indices": {"bufferView": views - 3, "componentType": 5123},
                "values": {"bufferView": views - 2},
            },
        },
        {"bufferView": views - 1, "componentType": 5126, "count": 1, "type": "MAT4"},
    ]
    accessors = len(header["accessors"])
    header["meshes"].append(
        {"primitives": [{"attributes": {"POSITION": accessors - 2}, "mode": 6}]}
    )
    header["nodes"] = [
        {"mesh": 0, "children": [1], "translation": [1, 0, 0], "rotation": [0, 0, 0, 1]},
        {"mesh": 1, "children": [2], "matrix": [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]},
        {"mesh": 1, "skin": 0, "scale": [1, -1, 1]},
    ]
    header["skins"] = [{"joints": [1], "inverseBindMatrices": accessors - 1}]
    content = base64.b64encode(binary + more + matrices).decode()
    header["buffers"] = [
        {
            "byteLength": len(binary + more + matrices),
            "uri": f"data:application/octet-stream;base64,{content}",
        }
    ]
    return header

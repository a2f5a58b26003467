"""glTF 2.0 and GLB in: the triangles of a scene, put in place, with their base colours.

Normals, animation, morph targets and all of a material but its base colour are left out. A skinned
mesh stands as its joints' own transforms put it.
"""

from pathlib import Path
from typing import Any

import numpy as np

from lightning_rast.scene.asset import FilePolygons
from lightning_rast.scene.gltf_document import AGAIN, GltfDocument
from lightning_rast.scene.gltf_materials import GltfMaterials
from lightning_rast.scene.gltf_nodes import Placed, placed_meshes, skinned

# Required extensions that leave positions and indices alone, or change them in a way that is known
# here. glTF says to refuse all others.
_KNOWN_EXTENSIONS = (
    "KHR_materials_", "KHR_texture_", "KHR_lights_", "EXT_texture_", "KHR_mesh_quantization",
    "KHR_animation_", "KHR_xmp", "EXT_lights_",
)  # fmt: skip
_TRIANGLES, _STRIP, _FAN = 4, 5, 6
# Nodes may repeat a mesh: a small file could ask for any number of faces.
_MOST_REPEATED = 5_000_000


def read_gltf(path: Path, *, with_appearance: bool = False) -> FilePolygons:
    """The triangles of the file's scene; colours and textures where they are asked for.

    Raises:
        ValueError: the file is damaged, or needs a feature that is not supported.
    """
    document = GltfDocument(path)
    _check_extensions(document)
    materials = GltfMaterials(document) if with_appearance else None
    parts: list[_Part] = []
    num_rows = 0
    for placed in placed_meshes(document):
        mesh = document.entry("meshes", placed.mesh)
        primitives = document.objects(mesh.get("primitives"), "mesh.primitives")
        for number, primitive in enumerate(primitives):
            what = f"mesh {placed.mesh}, primitive {number}"
            part = _part(document, primitive, placed, materials, what)
            if part is None:
                continue
            parts.append(part)
            num_rows += len(part.verts) + len(part.faces)
            if num_rows > max(_MOST_REPEATED, document.num_bytes):
                raise ValueError(
                    f"its nodes repeat meshes more than {_MOST_REPEATED} vertices and faces "
                    "long; join fewer copies, or export them as one mesh"
                )
    if not parts:
        raise ValueError(
            "no surface: the scene holds no triangles, only points, lines or nothing; export a "
            "mesh with faces"
        )
    return _joined(parts, materials)


class _Part:
    """Triangles of one primitive, in the scene's frame."""

    def __init__(self, verts: np.ndarray, faces: np.ndarray) -> None:
        self.verts, self.faces = verts, faces
        self.colors: np.ndarray | None = None  # (V, 4)
        self.uvs: np.ndarray | None = None  # (V, 2)
        self.material = 0


def _check_extensions(document: GltfDocument) -> None:
    required = set(document.required_extensions)
    for mesh in document.entries("meshes"):
        for primitive in document.objects(mesh.get("primitives"), "mesh.primitives"):
            extensions = primitive.get("extensions")
            names = extensions if isinstance(extensions, dict) else ()
            required |= {name for name in names if name.endswith("_mesh_compression")}
    for view in document.entries("bufferViews"):
        if "EXT_meshopt_compression" in str(view.get("extensions", "")):
            required.add("EXT_meshopt_compression")
    foreign = sorted(name for name in required if not name.startswith(_KNOWN_EXTENSIONS))
    if foreign:
        raise ValueError(
            f"needs {', '.join(foreign)}, which is not supported; export the file again without "
            "compression"
        )


def _part(
    document: GltfDocument,
    primitive: dict[str, Any],
    placed: Placed,
    materials: GltfMaterials | None,
    what: str,
) -> _Part | None:
    mode = primitive.get("mode", _TRIANGLES)
    if mode in (0, 1, 2, 3):
        return None
    if mode not in (_TRIANGLES, _STRIP, _FAN):
        raise ValueError(f"{what}: unknown mode {str(mode)[:20]}; {AGAIN}")
    attributes = primitive.get("attributes")
    if not isinstance(attributes, dict) or "POSITION" not in attributes:
        return None
    positions = document.accessor(attributes["POSITION"], ("VEC3",), f"{what}, POSITION")
    verts = positions.astype(np.float64)
    if "indices" in primitive:
        index = document.accessor(primitive["indices"], ("SCALAR",), f"{what}, indices").ravel()
    else:
        index = np.arange(len(verts))
    if index.dtype != np.int64 or not 0 <= index.min() <= index.max() < len(verts):
        bad = index[(index < 0) | (index >= len(verts))]
        raise ValueError(
            f"{what}: a face names vertex {bad[0] if len(bad) else index[0]}, but there are "
            f"{len(verts)}; the file is damaged: {AGAIN}"
        )
    if mode == _TRIANGLES and len(index) % 3:
        raise ValueError(
            f"{what}: {len(index)} corners are no whole number of triangles; the file is cut short "
            f"or damaged: {AGAIN}"
        )
    faces = _triangles(index, mode)
    matrix = placed.matrix
    if placed.skin is not None and "JOINTS_0" in attributes:
        verts = skinned(document, placed, attributes, verts, what)
    else:
        # Without this, a vertex that no face uses and that is not finite would warn.
        with np.errstate(invalid="ignore", over="ignore"):
            verts = verts @ matrix[:3, :3].T + matrix[:3, 3]
        if np.linalg.det(matrix[:3, :3]) < 0:
            faces = faces[:, ::-1]
    part = _Part(verts, faces)
    if materials is not None:
        part.material = materials.index(primitive.get("material"))
        part.colors = materials.vertex_colors(attributes, len(verts), what)
        part.uvs = materials.texture_coordinates(part.material, attributes, len(verts), what)
    return part


def _triangles(index: np.ndarray, mode: int) -> np.ndarray:
    if mode == _TRIANGLES:
        return index.reshape(-1, 3)
    num = max(0, len(index) - 2)
    if mode == _FAN:
        return np.stack((index[1 : 1 + num], index[2 : 2 + num], np.full(num, index[0])), axis=1)
    faces = np.stack((index[:num], index[1 : 1 + num], index[2 : 2 + num]), axis=1)
    # Every second triangle of a strip runs the other way.
    faces[1::2] = faces[1::2][:, [1, 0, 2]]
    return faces


def _joined(parts: list[_Part], materials: GltfMaterials | None) -> FilePolygons:
    offsets = np.cumsum([0] + [len(part.verts) for part in parts])
    faces = np.concatenate(
        [part.faces + offset for part, offset in zip(parts, offsets[:-1], strict=True)]
    )
    verts = np.concatenate([part.verts for part in parts])
    corners = faces.reshape(-1)
    polygons = FilePolygons(
        verts=verts, corners=corners, counts=np.full(len(faces), 3, dtype=np.int64)
    )
    if materials is None:
        return polygons
    if any(part.colors is not None for part in parts):
        colors = [
            np.ones((len(part.verts), 4)) if part.colors is None else part.colors for part in parts
        ]
        polygons.colors = np.concatenate(colors)[corners]
    if any(part.uvs is not None for part in parts):
        uvs = [np.zeros((len(part.verts), 2)) if part.uvs is None else part.uvs for part in parts]
        polygons.uvs = np.concatenate(uvs)[corners]
    polygons.material_idx = np.repeat(
        [part.material for part in parts], [len(part.faces) for part in parts]
    )
    polygons.materials, polygons.notes = materials.materials, materials.notes
    return polygons

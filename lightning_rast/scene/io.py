"""Mesh files in and out.

OBJ and PLY are read here, because polygons with more than three corners need care; glTF, STL and
OFF come through trimesh, after a look at what it would get wrong without a word.
"""

import json
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import torch
import trimesh
from trimesh.exchange.gltf import export_glb

from lightning_rast.scene.mesh import Mesh
from lightning_rast.scene.obj_file import read_obj, write_obj
from lightning_rast.scene.ply_file import read_ply, write_ply
from lightning_rast.scene.polygons import triangulate

_READABLE = (".obj", ".ply", ".glb", ".gltf", ".stl", ".off")
_WRITABLE = (".obj", ".ply", ".glb")

# Required extensions that leave positions and indices alone. glTF says to refuse all others.
_HARMLESS_EXTENSIONS = ("KHR_materials_", "KHR_texture_", "KHR_lights_", "EXT_texture_")
_GLB_MAGIC, _GLB_JSON = 0x46546C67, 0x4E4F534A
_TRIANGLE_FAN = 6


class MeshFileError(ValueError):
    """A mesh file that cannot be read as a surface; the message names the file and the reason."""


def load_mesh(path: str | Path) -> Mesh:
    """The surface in an OBJ, PLY, GLB, glTF, STL or OFF file: float32, on the CPU, in its own unit.

    The nodes of a scene are put in place and joined. Vertices at equal positions (texture seams,
    flat shading) are merged, so that the topology is that of the surface; faces that name a
    vertex twice after that, and vertices that no face uses, are dropped. Polygons are
    triangulated, concave ones too. Materials, normals, animation and skinning are ignored.

    Raises:
        MeshFileError: there is no such file, no surface in it (points or lines only), it is
            damaged, holds positions that are not finite or vertex numbers that do not exist, or
            needs a feature that is not supported, such as Draco compression.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if path.is_dir():
        raise MeshFileError(f"{path}: is a folder, not a mesh file")
    if suffix not in _READABLE:
        raise MeshFileError(f"{path}: unknown kind of mesh file; known are {', '.join(_READABLE)}")
    if not path.is_file():
        raise MeshFileError(f"{path}: no such file")
    try:
        if suffix in (".obj", ".ply"):
            verts, corners, counts = (read_obj if suffix == ".obj" else read_ply)(path)
            _check_finite(verts[corners])
            faces = triangulate(verts, corners, counts)
        else:
            if suffix in (".glb", ".gltf"):
                _check_gltf(_gltf_header(path))
            verts, faces = _flattened(path)
        if len(faces) == 0:
            raise ValueError("no surface: the file holds no faces")
        return _cleaned(verts, faces)
    except (ValueError, OSError, RecursionError) as error:
        raise MeshFileError(f"{path}: {error}") from error


def save_mesh(path: str | Path, mesh: Mesh) -> None:
    """Write OBJ, PLY or GLB, by the path's ending; folders must exist.

    OBJ and PLY keep positions exactly, GLB knows float32 only. The file appears under its name
    when it is complete, never in part.

    Raises:
        MeshFileError: another ending, or positions that are not finite.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in _WRITABLE:
        raise MeshFileError(f"{path}: can only write {', '.join(_WRITABLE)}")
    verts, faces = mesh.verts.detach().cpu().numpy(), mesh.faces.cpu().numpy()
    if verts.dtype not in (np.float32, np.float64):
        verts = mesh.verts.detach().cpu().float().numpy()
    if not np.isfinite(verts).all():
        raise MeshFileError(f"{path}: the mesh has positions that are not finite")
    unfinished = path.with_name(f".{path.name}.part")
    try:
        if suffix == ".obj":
            write_obj(unfinished, verts, faces)
        elif suffix == ".ply":
            write_ply(unfinished, verts, faces)
        else:
            surface = trimesh.Trimesh(verts, faces, process=False, validate=False)
            unfinished.write_bytes(export_glb(surface.scene()))
        os.replace(unfinished, path)  # noqa: PTH105
    finally:
        unfinished.unlink(missing_ok=True)


def _cleaned(verts: np.ndarray, faces: np.ndarray) -> Mesh:
    with np.errstate(over="ignore"):
        verts = verts.astype(np.float32)
    _check_finite(verts[faces])
    welded = Mesh(torch.from_numpy(verts), torch.from_numpy(faces.astype(np.int64))).weld()
    a, b, c = welded.faces.unbind(1)
    faces = welded.faces[(a != b) & (b != c) & (c != a)].numpy()
    if len(faces) == 0:
        raise ValueError("no surface: every face is a single point or line")
    used, index = np.unique(faces, return_inverse=True)
    return Mesh(
        welded.verts[torch.from_numpy(used.astype(np.int64))],
        torch.from_numpy(index.reshape(-1, 3).astype(np.int32)),
    )


def _check_finite(positions: np.ndarray) -> None:
    if not np.isfinite(positions).all():
        raise ValueError("faces use positions that are infinite, not a number, or beyond float32")


def _flattened(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """All triangles of a file that trimesh reads, in the frame of its scene."""
    load = trimesh.load_scene  # outside: a trimesh without it is no fault of the file
    try:
        scene = load(path, process=False, skip_materials=True)
    except ImportError:
        raise
    # Whatever a damaged file sets off in there (assertions, key errors, recursion) has one meaning.
    except Exception as error:
        reason = f"{type(error).__name__} {error}".strip()
        raise ValueError(f"the file is damaged or not supported ({reason})") from error
    all_verts, all_faces, num_verts = [], [], 0
    for node in scene.graph.nodes_geometry:
        transform, name = scene.graph[node]
        surface = scene.geometry[name]
        if not isinstance(surface, trimesh.Trimesh):
            continue
        verts = np.asarray(surface.vertices, dtype=np.float64)
        faces = np.asarray(surface.faces, dtype=np.int64)
        if len(faces) and not 0 <= faces.min() <= faces.max() < len(verts):
            bad = faces[(faces < 0) | (faces >= len(verts))][0]
            raise ValueError(f"{name}: a face names vertex {bad}, but there are {len(verts)}")
        _check_finite(verts[faces])
        _check_finite(transform)
        if np.linalg.det(transform[:3, :3]) < 0:
            faces = faces[:, ::-1]
        all_verts.append(verts @ transform[:3, :3].T + transform[:3, 3])
        all_faces.append(faces + num_verts)
        num_verts += len(verts)
    if not all_verts:
        raise ValueError("no surface: the file holds no triangles, only points, lines or nothing")
    return np.concatenate(all_verts), np.concatenate(all_faces)


def _gltf_header(path: Path) -> dict[str, Any]:
    content = path.read_bytes()
    if path.suffix.lower() == ".glb":
        if len(content) < 20:
            raise ValueError("the file is too short for a GLB")
        magic, _, _, length, kind = struct.unpack_from("<5I", content)
        if magic != _GLB_MAGIC or kind != _GLB_JSON:
            raise ValueError("the file does not start as a GLB (version 2) does")
        content = content[20 : 20 + int(length)]
    header = json.loads(content)
    if not isinstance(header, dict):
        raise ValueError("the glTF header is not an object")
    return header


def _check_gltf(header: dict[str, Any]) -> None:
    """Refuse what trimesh reads wrongly in silence: it fills in zeros, or leaves parts out."""
    primitives = [
        primitive
        for mesh in _objects(header.get("meshes"))
        for primitive in _objects(mesh.get("primitives"))
    ]
    required = {str(name) for name in header.get("extensionsRequired") or ()}
    required |= {
        name
        for primitive in primitives
        for name in primitive.get("extensions") or ()
        if name.endswith("_mesh_compression")
    }
    foreign = sorted(name for name in required if not name.startswith(_HARMLESS_EXTENSIONS))
    if foreign:
        raise ValueError(
            f"needs {', '.join(foreign)}, which is not supported; "
            "export the file again without compression or quantization"
        )
    if any(primitive.get("mode") == _TRIANGLE_FAN for primitive in primitives):
        raise ValueError("holds triangle fans, which are not supported; export triangles")
    accessors = dict(enumerate(_objects(header.get("accessors"))))
    for primitive in primitives:
        attributes = primitive.get("attributes")
        position = attributes.get("POSITION") if isinstance(attributes, dict) else None
        for index in (position, primitive.get("indices")):
            if isinstance(index, int) and "sparse" in accessors.get(index, {}):
                raise ValueError("holds sparse accessors, which are not supported")


def _objects(value: object) -> list[dict[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []

"""Mesh files in and out."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from lightning_rast.near_paths import did_you_mean
from lightning_rast.scene.asset import Asset, FilePolygons
from lightning_rast.scene.gltf_file import read_gltf
from lightning_rast.scene.mesh import Mesh
from lightning_rast.scene.obj_file import read_obj
from lightning_rast.scene.off_file import read_off
from lightning_rast.scene.ply_file import read_ply
from lightning_rast.scene.polygons import triangulate
from lightning_rast.scene.stl_file import read_stl

_READERS: dict[str, Callable[[Path, bool], FilePolygons]] = {
    ".obj": lambda path, all_of_it: read_obj(path, with_appearance=all_of_it),
    ".ply": lambda path, all_of_it: read_ply(path, with_appearance=all_of_it),
    ".glb": lambda path, all_of_it: read_gltf(path, with_appearance=all_of_it),
    ".gltf": lambda path, all_of_it: read_gltf(path, with_appearance=all_of_it),
    ".stl": lambda path, _: read_stl(path),
    ".off": lambda path, all_of_it: read_off(path, with_appearance=all_of_it),
}
_NO_FACES = (
    "no surface: the file holds no faces, only points, lines or nothing; export a mesh with faces"
)


class MeshFileError(ValueError):
    """A mesh file that cannot be read or written; the message names the file, the reason and what
    to do."""


def load_mesh(path: str | Path) -> Mesh:
    """The surface in an OBJ, PLY, GLB, glTF, STL or OFF file: float32, on the CPU, in its own unit.

    The nodes of a scene are put in place and joined. Vertices at equal positions (texture seams,
    flat shading) are merged, so that the topology is that of the surface; faces that name a
    vertex twice after that, and vertices that no face uses, are dropped. Polygons are
    triangulated, concave ones too. `load_asset` reads colours as well; normals, animation and
    morph targets are ignored, skinned meshes stand as their joints do.

    Raises:
        MeshFileError: there is no such file, no surface in it (points or lines only), it is
            damaged, holds positions that are not finite or vertex numbers that do not exist, or
            needs a feature that is not supported, such as Draco compression.
    """
    return _loaded(Path(path), with_appearance=False).mesh


def load_asset(path: str | Path) -> Asset:
    """The same surface with its colours: of vertices or faces, base colours and textures of
    materials. What is missing (an image, a material file) leaves the surface white and a note.

    Raises:
        MeshFileError: as in `load_mesh`.
    """
    return _loaded(Path(path), with_appearance=True)


def replace_file(path: Path, write: Callable[[Path], None]) -> None:
    """Let `write` write a file that appears under its name when it is complete, never in part.

    Raises:
        OSError: it cannot be written; what was there before is there still.
    """
    unfinished = path.with_name(f".{path.name}.part")
    try:
        write(unfinished)
        with unfinished.open("rb") as file:
            # Else a power cut may leave the new name on an empty file.
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _loaded(path: Path, *, with_appearance: bool) -> Asset:
    suffix = path.suffix.lower()
    if path.is_dir():
        raise MeshFileError(f"{path}: is a folder, not a mesh file; name a file in it")
    if suffix not in _READERS:
        raise MeshFileError(
            f"{path}: unknown kind of mesh file; known are {', '.join(_READERS)}: export it as one "
            "of them"
        )
    if not path.is_file():
        raise MeshFileError(
            f"{path}: no such file; look at its name and folder{did_you_mean(path)}"
        )
    try:
        return _asset(_READERS[suffix](path, with_appearance))
    except OSError as error:
        raise MeshFileError(
            f"{path}: cannot be read ({error.strerror or error}); look at its permissions"
        ) from error
    except MemoryError:
        raise MeshFileError(f"{path}: does not fit into memory; simplify the mesh") from None
    except ValueError as error:
        raise MeshFileError(f"{path}: {error}") from error


def _asset(polygons: FilePolygons) -> Asset:
    if len(polygons.counts) == 0:
        raise ValueError(_NO_FACES)
    with np.errstate(over="ignore", invalid="ignore"):
        verts = polygons.verts.astype(np.float32)
    points = verts[polygons.corners]
    if not np.isfinite(points).all():
        raise ValueError(
            "faces use positions that are infinite, not a number, or beyond float32; mend or "
            "remove those vertices in a mesh editor"
        )
    _keep_one_round(polygons)
    points = verts[polygons.corners]
    # Of corners, not vertices: each may have a colour of its own.
    each = np.arange(len(points))
    at = triangulate(polygons.verts[polygons.corners], each, polygons.counts)
    polygon = np.repeat(np.arange(len(polygons.counts)), polygons.counts - 2)
    faces = torch.from_numpy(polygons.corners[at])
    welded = Mesh(torch.from_numpy(verts), faces).weld()
    a, b, c = welded.faces.unbind(1)
    is_kept = ((a != b) & (b != c) & (c != a)).numpy()
    if not is_kept.any():
        raise ValueError(
            "no surface: every face is a single point or line; export a mesh with faces that have "
            "an area"
        )
    used, index = np.unique(welded.faces.numpy()[is_kept], return_inverse=True)
    mesh = Mesh(
        welded.verts[torch.from_numpy(used.astype(np.int64))],
        torch.from_numpy(index.reshape(-1, 3).astype(np.int32)),
    )
    at, polygon = at[is_kept], polygon[is_kept]
    return Asset(
        mesh=mesh,
        colors=_taken(polygons.colors, at),
        uvs=_taken(polygons.uvs, at),
        material_idx=None
        if polygons.material_idx is None
        else torch.from_numpy(polygons.material_idx[polygon].astype(np.int32)),
        materials=tuple(polygons.materials),
        notes=tuple(polygons.notes),
    )


def _keep_one_round(polygons: FilePolygons) -> None:
    """Polygons that go round the same corners several times do so once."""
    starts = np.cumsum(polygons.counts) - polygons.counts
    is_kept = np.ones(len(polygons.corners), dtype=bool)
    counts = polygons.counts.copy()
    for size in np.unique(counts[counts >= 6]):
        members = np.flatnonzero(polygons.counts == size)
        rings = polygons.corners[starts[members, None] + np.arange(size)]
        for period in range(3, size // 2 + 1):
            if size % period:
                continue
            repeats = (rings == np.roll(rings, period, axis=1)).all(axis=1)
            longer = members[repeats & (counts[members] == size)]
            counts[longer] = period
            is_kept[(starts[longer, None] + np.arange(period, size)).ravel()] = False
    if is_kept.all():
        return
    polygons.corners, polygons.counts = polygons.corners[is_kept], counts
    if polygons.colors is not None:
        polygons.colors = polygons.colors[is_kept]
    if polygons.uvs is not None:
        polygons.uvs = polygons.uvs[is_kept]


def _taken(values: np.ndarray | None, at: np.ndarray) -> torch.Tensor | None:
    if values is None:
        return None
    with np.errstate(over="ignore"):
        return torch.from_numpy(values.astype(np.float32)[at])

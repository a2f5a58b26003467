"""Wavefront OBJ: positions, polygons of any size, colours of vertices, texture coordinates."""

import codecs
from array import array
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from lightning_rast.scene.asset import FilePolygons, cleaned_colors
from lightning_rast.scene.obj_materials import read_materials

_REMEDY = "mend the line or export the file again"


class _Lines:
    """What the lines of a file say, in the order in which they say it."""

    def __init__(self) -> None:
        self.positions = array("d")
        self.colors: dict[int, tuple[float, ...]] = {}  # of those vertices that have one
        self.uvs = array("d")
        self.corners = array("q")
        self.corner_uvs = array("q")
        self.counts = array("q")
        self.where = array("q")  # the line of each face
        # Negative numbers count back from what stands above the face.
        self.verts_above, self.uvs_above = array("q"), array("q")
        self.libraries: list[str] = []
        self.materials: dict[str, int] = {}
        self.material = -1
        self.material_idx = array("q")

    @property
    def num_verts(self) -> int:
        return len(self.positions) // 3

    def add_vertex(self, fields: list[str], *, with_color: bool) -> None:
        if len(fields) < 3:
            raise ValueError("a vertex needs three coordinates")
        try:
            if with_color and len(fields) in (6, 7):
                self.colors[self.num_verts] = tuple(map(float, fields[3:6]))
            self.positions.extend([float(fields[0]), float(fields[1]), float(fields[2])])
        except ValueError:
            raise ValueError("a vertex is not made of numbers") from None

    def add_face(self, fields: list[str], number: int, *, with_uvs: bool) -> None:
        if len(fields) < 3:
            return
        try:
            self.corners.extend([int(field.partition("/")[0]) for field in fields])
            if with_uvs:
                names = [field.split("/") for field in fields]
                self.corner_uvs.extend(
                    [int(name[1]) if len(name) > 1 and name[1] else 0 for name in names]
                )
        except (ValueError, OverflowError):
            raise ValueError("a face is not made of vertex numbers") from None
        self.counts.append(len(fields))
        self.where.append(number)
        self.verts_above.append(self.num_verts)
        self.uvs_above.append(len(self.uvs) // 2)
        self.material_idx.append(self.material)


def read_obj(path: Path, *, with_appearance: bool = False) -> FilePolygons:
    """Polygons; vertex colours, texture coordinates and materials where they are asked for.

    Raises:
        ValueError: a line cannot be read, or a face names a vertex that does not exist.
    """
    text = _decoded(path.read_bytes()).replace("\r\n", "\n").replace("\r", "\n")
    lines = text.replace("\\\n", " ").split("\n")
    found = _read_lines(lines, with_appearance=with_appearance)
    verts = np.frombuffer(found.positions).reshape(-1, 3)
    counts = _integers(found.counts)
    corners = _resolved(found, verts, counts)
    polygons = FilePolygons(verts=verts, corners=corners, counts=counts)
    if with_appearance:
        _add_appearance(polygons, found, path)
    return polygons


def _read_lines(lines: Iterable[str], *, with_appearance: bool) -> _Lines:
    found = _Lines()
    for number, line in enumerate(lines, start=1):
        fields = line.partition("#")[0].split()
        if not fields:
            continue
        try:
            match fields[0]:
                case "v":
                    found.add_vertex(fields[1:], with_color=with_appearance)
                case "f":
                    found.add_face(fields[1:], number, with_uvs=with_appearance)
                case "vt" if with_appearance:
                    found.uvs.extend([float(value) for value in (*fields[1:3], "0", "0")[:2]])
                # Names may hold spaces and signs of comments.
                case "usemtl" if with_appearance:
                    name = line.strip()[len("usemtl") :].strip()
                    found.material = found.materials.setdefault(name, len(found.materials))
                case "mtllib" if with_appearance:
                    found.libraries.append(line.strip()[len("mtllib") :].strip())
        except ValueError as error:
            raise ValueError(f"line {number}: {error}: {line[:60]!r}; {_REMEDY}") from None
    return found


def _resolved(found: _Lines, verts: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Vertices counted from 0."""
    corners = _integers(found.corners)
    total = np.repeat(_integers(found.verts_above), counts)
    resolved = np.where(corners > 0, corners - 1, total + corners)
    is_bad = (corners == 0) | (resolved < 0) | (resolved >= len(verts))
    if is_bad.any():
        first = int(is_bad.argmax())
        line = np.repeat(_integers(found.where), counts)[first]
        raise ValueError(
            f"line {line}: a face names vertex {corners[first]}, but there are {len(verts)}; "
            "the file is cut short or damaged: export or copy it again"
        )
    return resolved


def _add_appearance(polygons: FilePolygons, found: _Lines, path: Path) -> None:
    if found.colors:
        colors = np.ones((len(polygons.verts), 3))
        colors[list(found.colors)] = list(found.colors.values())
        polygons.colors = cleaned_colors(colors)[polygons.corners]
    uvs = np.frombuffer(found.uvs).reshape(-1, 2)
    named = _integers(found.corner_uvs)
    total = np.repeat(_integers(found.uvs_above), polygons.counts)
    resolved = np.where(named > 0, named - 1, total + named)
    is_there = (named != 0) & (resolved >= 0) & (resolved < len(uvs))
    if is_there.any():
        polygons.uvs = np.zeros((len(resolved), 2))
        polygons.uvs[is_there] = uvs[resolved[is_there]]
    if not found.materials:
        return
    materials, polygons.notes = read_materials(path, found.libraries, list(found.materials))
    index = _integers(found.material_idx)
    if (index < 0).any():
        index = np.where(index < 0, len(materials), index)
        materials.append(type(materials[0])())
    polygons.materials, polygons.material_idx = materials, index


def _integers(values: array) -> np.ndarray:
    return np.frombuffer(values, dtype=np.int64)


def write_obj(
    path: Path,
    verts: np.ndarray,
    faces: np.ndarray,
    *,
    colors: np.ndarray | None = None,
    uvs: np.ndarray | None = None,
    uv_faces: np.ndarray | None = None,
    groups: list[tuple[str, np.ndarray]] | None = None,
    library: str | None = None,
) -> None:
    """Positions with all their digits, so that reading them back gives the same numbers.

    colors (V, 3) stand behind them. uv_faces (F, 3) are places in uvs (T, 2). groups: names of
    materials in the file `library`, and the faces that have them.
    """
    digits = np.finfo(verts.dtype).precision + 3
    vertex = "v" + f" %.{digits}g" * 3
    with path.open("w", encoding="utf-8", newline="\n") as file:
        if library is not None:
            file.write(f"mtllib {library}\n")
        if colors is None:
            file.write((f"{vertex}\n" * len(verts)) % tuple(verts.reshape(-1).tolist()))
        else:
            rows = np.concatenate((verts.astype(np.float64), colors), axis=1)
            line = vertex + " %.6g" * 3 + "\n"
            file.write((line * len(verts)) % tuple(rows.reshape(-1).tolist()))
        if uvs is not None:
            file.write(("vt %.9g %.9g\n" * len(uvs)) % tuple(uvs.reshape(-1).tolist()))
        for name, members in groups or [("", np.arange(len(faces)))]:
            if name:
                file.write(f"usemtl {name}\n")
            _write_faces(file, faces[members], None if uv_faces is None else uv_faces[members])


def _write_faces(file, faces: np.ndarray, uv_faces: np.ndarray | None) -> None:
    if uv_faces is None:
        file.write(("f %d %d %d\n" * len(faces)) % tuple((faces.reshape(-1) + 1).tolist()))
    else:
        both = np.stack((faces, uv_faces), axis=2) + 1
        file.write(("f %d/%d %d/%d %d/%d\n" * len(faces)) % tuple(both.reshape(-1).tolist()))


def _decoded(content: bytes) -> str:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", errors="replace")
    content = content.removeprefix(codecs.BOM_UTF8)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        # Names and comments in an older encoding; Latin-1 never fails.
        return content.decode("latin-1")

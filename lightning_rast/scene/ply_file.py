"""Stanford PLY, text and binary: positions, polygons of any size, colours, texture coordinates."""

from array import array
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from lightning_rast.scene.asset import FilePolygons, Material, cleaned_colors
from lightning_rast.scene.texture_file import read_texture

_TYPES = {
    "char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4",
    "float": "f4", "double": "f8", "int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2",
    "int32": "i4", "uint32": "u4", "float32": "f4", "float64": "f8",
}  # fmt: skip
_ORDERS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}
_FACE_LISTS = ("vertex_indices", "vertex_index")
_COLORS = (
    ("red", "green", "blue", "alpha"),
    ("diffuse_red", "diffuse_green", "diffuse_blue", "alpha"),
    ("r", "g", "b", "a"),
)
_UVS = (("s", "t"), ("u", "v"), ("texture_u", "texture_v"), ("texcoord_u", "texcoord_v"))
_AGAIN = "export or copy the file again"


@dataclass
class _Property:
    name: str
    kind: np.dtype
    count_kind: np.dtype | None = None  # of a list


@dataclass
class _Element:
    name: str
    count: int
    properties: list[_Property] = field(default_factory=list)


def read_ply(path: Path, *, with_appearance: bool = False) -> FilePolygons:
    """Polygons; colours, texture coordinates and the texture where they are asked for.

    Raises:
        ValueError: the file is cut short or malformed, or a face names a missing vertex.
    """
    content = path.read_bytes()
    order, elements, start = _header(content)
    if order:
        columns = _read_binary(content, start, elements)
    else:
        columns = _read_text(content[start:], elements)
    verts = _scalars(columns, "vertex", ("x", "y", "z"))
    if verts is None:
        raise ValueError(f"there are no vertices with properties x, y and z; {_AGAIN}")
    for name in _FACE_LISTS:
        if ("face", name) in columns:
            corners, counts = columns["face", name]
            break
    else:
        if any(element.name == "tristrips" for element in elements):
            raise ValueError("holds triangle strips, which are not supported; export triangles")
        corners = counts = np.empty(0, dtype=np.int64)
    if not (np.abs(corners) < 2**31).all():
        raise ValueError(f"a face names a vertex by what is no vertex number; {_AGAIN}")
    corners = corners.astype(np.int64)
    if len(corners) and not 0 <= corners.min() <= corners.max() < len(verts):
        bad = corners[(corners < 0) | (corners >= len(verts))][0]
        raise ValueError(
            f"a face names vertex {bad}, but there are {len(verts)}; the file is cut short or "
            f"damaged: {_AGAIN}"
        )
    is_polygon = counts >= 3
    is_kept = np.repeat(is_polygon, counts)
    polygons = FilePolygons(verts=verts, corners=corners[is_kept], counts=counts[is_polygon])
    if with_appearance:
        _add_appearance(polygons, columns, is_polygon, counts)
        _add_texture(polygons, content[:start], path)
    return polygons


def write_ply(
    path: Path,
    verts: np.ndarray,
    faces: np.ndarray,
    *,
    colors: np.ndarray | None = None,
    uvs: np.ndarray | None = None,
    texture: str | None = None,
) -> None:
    """Little-endian binary, positions in their own type.

    colors (V, 4) bytes and uvs (V, 2) belong to vertices; texture: the file of an image.
    """
    kind, code = ("double", "<f8") if verts.dtype == np.float64 else ("float", "<f4")
    fields: list[tuple[str, str]] = [(axis, code) for axis in "xyz"]
    lines = [f"property {kind} {axis}" for axis in "xyz"]
    if uvs is not None:
        fields += [("s", "<f4"), ("t", "<f4")]
        lines += ["property float s", "property float t"]
    if colors is not None:
        fields += [(name, "u1") for name in _COLORS[0]]
        lines += [f"property uchar {name}" for name in _COLORS[0]]
    table = np.empty(len(verts), dtype=fields)
    for values, names in ((verts, "xyz"), (uvs, "st"), (colors, _COLORS[0])):
        if values is not None:
            for axis, name in enumerate(names):
                table[name] = values[:, axis]
    rows = np.empty(len(faces), dtype=[("count", "u1"), ("corners", "<i4", 3)])
    rows["count"], rows["corners"] = 3, faces
    header = [
        "ply",
        "format binary_little_endian 1.0",
        *([] if texture is None else [f"comment TextureFile {texture}"]),
        f"element vertex {len(verts)}",
        *lines,
        f"element face {len(faces)}",
        "property list uchar int vertex_indices",
        "end_header\n",
    ]
    path.write_bytes("\n".join(header).encode() + table.tobytes() + rows.tobytes())


def _scalars(columns: "_Columns", element: str, names: tuple[str, ...]) -> np.ndarray | None:
    """(N, len(names)) of properties that are there, one number a row; else None."""
    found = [columns[element, name] for name in names if (element, name) in columns]
    if len(found) < len(names) or any((counts != 1).any() for _, counts in found):
        return None
    return np.stack([values for values, _ in found], axis=1).astype(np.float64)


def _add_appearance(
    polygons: FilePolygons, columns: "_Columns", is_polygon: np.ndarray, counts: np.ndarray
) -> None:
    for names in _COLORS:
        of_verts = _colors(columns, "vertex", names)
        of_faces = _colors(columns, "face", names)
        if of_verts is not None:
            polygons.colors = of_verts[polygons.corners]
            break
        if of_faces is not None:
            polygons.colors = np.repeat(of_faces[is_polygon], polygons.counts, axis=0)
            break
    for names in _UVS:
        uvs = _scalars(columns, "vertex", names)
        if uvs is not None:
            polygons.uvs = uvs[polygons.corners]
            return
    if ("face", "texcoord") in columns:
        values, num_values = columns["face", "texcoord"]
        if (num_values == 2 * counts).all():
            is_kept = np.repeat(is_polygon, counts)
            polygons.uvs = values.reshape(-1, 2)[is_kept].astype(np.float64)


def _colors(columns: "_Columns", element: str, names: tuple[str, ...]) -> np.ndarray | None:
    for wanted in (names, names[:3]):
        values = _scalars(columns, element, wanted)
        if values is not None:
            is_bytes = columns[element, names[0]][0].dtype == np.uint8
            return cleaned_colors(values / 255 if is_bytes else values)
    return None


def _add_texture(polygons: FilePolygons, header: bytes, path: Path) -> None:
    for line in header.decode("utf-8", errors="replace").splitlines():
        words = line.split(maxsplit=2)
        if len(words) == 3 and words[0] == "comment" and words[1].lower() == "texturefile":
            try:
                texture = read_texture(path.parent / words[2].strip())
            except ValueError as error:
                polygons.notes.append(str(error))
                return
            polygons.materials = [Material(name="texture", texture=texture)]
            polygons.material_idx = np.zeros(len(polygons.counts), dtype=np.int64)
            return


def _header(content: bytes) -> tuple[str, list[_Element], int]:
    """Byte order ('' for text), what follows, and where it starts."""
    end = content.find(b"end_header")
    newline = content.find(b"\n", end)
    if not content.startswith(b"ply") or end < 0:
        raise ValueError(f'a PLY file starts with "ply" and has an "end_header"; {_AGAIN}')
    order, elements = None, []
    for line in content[:end].decode("latin-1").splitlines():
        match line.split():
            case ["format", name, *_] if name in _ORDERS:
                order = _ORDERS[name]
            case ["element", name, _] if name in {element.name for element in elements}:
                raise ValueError(f"the header names element {name[:20]} twice; {_AGAIN}")
            case ["element", name, count] if count.isdecimal() and len(count) < 19:
                elements.append(_Element(name, int(count)))
            case ["property", "list", count_kind, kind, name] if elements:
                kinds = (_dtype(kind, order), _dtype(count_kind, order))
                elements[-1].properties.append(_Property(name, *kinds))
            case ["property", kind, name] if elements:
                elements[-1].properties.append(_Property(name, _dtype(kind, order)))
            case [] | ["ply" | "comment" | "obj_info", *_]:
                pass
            case _:
                raise ValueError(
                    f"the header has a line that makes no sense: {line[:60]!r}; {_AGAIN}"
                )
    if order is None:
        raise ValueError(f"the header names no format; {_AGAIN}")
    return order, elements, newline + 1 if newline >= 0 else len(content)


def _dtype(name: str, order: str | None) -> np.dtype:
    if name not in _TYPES:
        raise ValueError(f"the header names an unknown type {name[:20]!r}; {_AGAIN}")
    return np.dtype((order or "<") + _TYPES[name])


# A column is (values, counts): of a list, all entries one after the other and each row's number.
_Columns = dict[tuple[str, str], tuple[np.ndarray, np.ndarray]]


def _read_binary(content: bytes, start: int, elements: list[_Element]) -> _Columns:
    columns: _Columns = {}
    for element in elements:
        if element.count == 0 or not element.properties:
            continue
        rows, row_size = _uniform_rows(content, start, element)
        if rows is not None:
            start += element.count * row_size
            for number, prop in enumerate(element.properties):
                values = rows[f"values{number}"]
                per_row = 1 if prop.count_kind is None else values.shape[1]
                counts = np.full(element.count, per_row, dtype=np.int64)
                columns[element.name, prop.name] = values.reshape(-1), counts
        else:
            start = _read_mixed_rows(content, start, element, columns)
    return columns


def _uniform_rows(content: bytes, start: int, element: _Element) -> tuple[np.ndarray | None, int]:
    """All rows at once, if every list is as long as in the first row; else None."""
    fields, position = [], start
    for number, prop in enumerate(element.properties):
        shape = ()
        if prop.count_kind is not None:
            shape = (_scalar(content, position, prop.count_kind, element),)
            fields.append((f"count{number}", prop.count_kind))
            position += prop.count_kind.itemsize
        fields.append((f"values{number}", prop.kind, shape))
        position += prop.kind.itemsize * int(np.prod(shape))
    row_size = position - start
    if start + row_size * element.count > len(content):
        if all(prop.count_kind is None for prop in element.properties):
            raise _cut_short(element)
        return None, 0
    rows = np.frombuffer(content, np.dtype(fields), element.count, start)
    for number, prop in enumerate(element.properties):
        if prop.count_kind is not None:
            length = rows[f"values{number}"].shape[1]
            if not (rows[f"count{number}"] == length).all():
                return None, 0
    return rows, row_size


def _read_mixed_rows(content: bytes, start: int, element: _Element, columns: _Columns) -> int:
    values: list[list[np.ndarray]] = [[] for _ in element.properties]
    for _ in range(element.count):
        for number, prop in enumerate(element.properties):
            length = 1
            if prop.count_kind is not None:
                length = _scalar(content, start, prop.count_kind, element)
                start += prop.count_kind.itemsize
            stop = start + length * prop.kind.itemsize
            if stop > len(content):
                raise _cut_short(element)
            values[number].append(np.frombuffer(content, prop.kind, length, start))
            start = stop
    for prop, lists in zip(element.properties, values, strict=True):
        counts = np.array([len(entries) for entries in lists], dtype=np.int64)
        columns[element.name, prop.name] = np.concatenate(lists), counts
    return start


def _scalar(content: bytes, position: int, kind: np.dtype, element: _Element) -> int:
    if position + kind.itemsize > len(content):
        raise _cut_short(element)
    value = int(np.frombuffer(content, kind, 1, position)[0])
    if value < 0:
        raise ValueError(f"element {element.name} holds a list of negative length; {_AGAIN}")
    return value


def _read_text(content: bytes, elements: list[_Element]) -> _Columns:
    columns: _Columns = {}
    lines = [line for line in content.splitlines() if line.strip()]
    position = 0
    for element in elements:
        if element.count > len(lines) - position:
            raise _cut_short(element)
        values = [array("d") for _ in element.properties]
        counts = [array("q") for _ in element.properties]
        for number, line in enumerate(lines[position : position + element.count], start=1):
            try:
                _read_text_row(line.split(), element.properties, values, counts)
            except (ValueError, OverflowError) as error:
                raise ValueError(
                    f"row {number} of element {element.name}: {error}: "
                    f"{line[:60].decode('latin-1')!r}; {_AGAIN}"
                ) from None
        position += element.count
        for prop, column, lengths in zip(element.properties, values, counts, strict=True):
            in_bytes = prop.kind == np.uint8 and prop.count_kind is None
            found = np.frombuffer(column)
            if in_bytes and len(found) and 0 <= found.min() <= found.max() < 256:
                found = found.astype(np.uint8)
            columns[element.name, prop.name] = found, np.frombuffer(lengths, dtype=np.int64)
    return columns


def _read_text_row(
    words: list[bytes], properties: list[_Property], values: list[array], counts: list[array]
) -> None:
    at = 0
    for number, prop in enumerate(properties):
        length = 1
        if prop.count_kind is not None:
            if at >= len(words):
                raise ValueError("it is too short for its properties")
            length = int(words[at])
            at += 1
        if length < 0 or at + length > len(words):
            raise ValueError("it is too short for its properties")
        values[number].extend(map(float, words[at : at + length]))
        counts[number].append(length)
        at += length


def _cut_short(element: _Element) -> ValueError:
    return ValueError(
        f"the file ends within its {element.count} rows of element {element.name}; it is cut "
        f"short: {_AGAIN}"
    )

"""Stanford PLY, text and binary: positions and polygons of any size, nothing else."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

_TYPES = {
    "char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4",
    "float": "f4", "double": "f8", "int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2",
    "int32": "i4", "uint32": "u4", "float32": "f4", "float64": "f8",
}  # fmt: skip
_ORDERS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}
_FACE_LISTS = ("vertex_indices", "vertex_index")


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


def read_ply(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positions (V, 3), the polygons' vertices one after the other, and each polygon's size.

    Raises:
        ValueError: the file is cut short or malformed, or a face names a missing vertex.
    """
    content = path.read_bytes()
    order, elements, start = _header(content)
    if order:
        columns = _read_binary(content, start, elements)
    else:
        columns = _read_text(content[start:], elements)
    try:
        verts = np.stack([columns["vertex", axis][0] for axis in "xyz"], axis=1)
    except KeyError:
        raise ValueError("there are no vertices with properties x, y and z") from None
    for name in _FACE_LISTS:
        if ("face", name) in columns:
            corners, counts = columns["face", name]
            break
    else:
        return verts, np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    corners = corners.astype(np.int64)
    if len(corners) and not 0 <= corners.min() <= corners.max() < len(verts):
        bad = corners[(corners < 0) | (corners >= len(verts))][0]
        raise ValueError(f"a face names vertex {bad}, but there are {len(verts)}")
    is_polygon = counts >= 3
    return verts, corners[np.repeat(is_polygon, counts)], counts[is_polygon]


def write_ply(path: Path, verts: np.ndarray, faces: np.ndarray) -> None:
    """Little-endian binary, positions in their own type."""
    kind = "double" if verts.dtype == np.float64 else "float"
    header = (
        "ply\nformat binary_little_endian 1.0\n"
        f"element vertex {len(verts)}\n"
        + "".join(f"property {kind} {axis}\n" for axis in "xyz")
        + f"element face {len(faces)}\nproperty list uchar int vertex_indices\nend_header\n"
    )
    rows = np.empty(len(faces), dtype=[("count", "u1"), ("corners", "<i4", 3)])
    rows["count"], rows["corners"] = 3, faces
    positions = verts.astype("<f8" if kind == "double" else "<f4")
    path.write_bytes(header.encode("ascii") + positions.tobytes() + rows.tobytes())


def _header(content: bytes) -> tuple[str, list[_Element], int]:
    """Byte order ('' for text), what follows, and where it starts."""
    end = content.find(b"end_header")
    newline = content.find(b"\n", end)
    if not content.startswith(b"ply") or end < 0:
        raise ValueError('a PLY file starts with "ply" and has an "end_header"')
    order, elements = None, []
    for line in content[:end].decode("latin-1").splitlines():
        match line.split():
            case ["format", name, *_] if name in _ORDERS:
                order = _ORDERS[name]
            case ["element", name, count] if count.isdecimal():
                elements.append(_Element(name, int(count)))
            case ["property", "list", count_kind, kind, name] if elements:
                kinds = (_dtype(kind, order), _dtype(count_kind, order))
                elements[-1].properties.append(_Property(name, *kinds))
            case ["property", kind, name] if elements:
                elements[-1].properties.append(_Property(name, _dtype(kind, order)))
            case [] | ["ply" | "comment" | "obj_info", *_]:
                pass
            case _:
                raise ValueError(f"the header has a line that makes no sense: {line[:60]!r}")
    if order is None:
        raise ValueError("the header names no format")
    return order, elements, newline + 1 if newline >= 0 else len(content)


def _dtype(name: str, order: str | None) -> np.dtype:
    if name not in _TYPES:
        raise ValueError(f"the header names an unknown type {name[:20]!r}")
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
        raise ValueError(f"element {element.name} holds a list of negative length")
    return value


def _read_text(content: bytes, elements: list[_Element]) -> _Columns:
    columns: _Columns = {}
    lines = [line for line in content.splitlines() if line.strip()]
    position = 0
    for element in elements:
        rows = [line.split() for line in lines[position : position + element.count]]
        if len(rows) < element.count:
            raise _cut_short(element)
        position += element.count
        values: list[list[bytes]] = [[] for _ in element.properties]
        counts: list[list[int]] = [[] for _ in element.properties]
        for row in rows:
            at = 0
            for number, prop in enumerate(element.properties):
                length = 1
                if prop.count_kind is not None:
                    length = int(row[at]) if at < len(row) else 0
                    at += 1
                if length < 0 or at + length > len(row):
                    raise ValueError(f"a row of element {element.name} is too short")
                values[number].extend(row[at : at + length])
                counts[number].append(length)
                at += length
        for number, prop in enumerate(element.properties):
            column = np.array([float(value) for value in values[number]], dtype=np.float64)
            columns[element.name, prop.name] = column, np.array(counts[number], dtype=np.int64)
    return columns


def _cut_short(element: _Element) -> ValueError:
    return ValueError(f"the file ends within its {element.count} rows of element {element.name}")

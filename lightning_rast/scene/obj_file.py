"""Wavefront OBJ: positions and polygons of any size, nothing else."""

import codecs
from pathlib import Path

import numpy as np


def read_obj(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positions (V, 3), the polygons' vertices one after the other, and each polygon's size.

    Raises:
        ValueError: a line cannot be read, or a face names a vertex that does not exist.
    """
    lines = _decoded(path.read_bytes()).replace("\\\r\n", " ").replace("\\\n", " ").splitlines()
    positions: list[list[str]] = []
    polygons: list[list[str]] = []
    where: list[int] = []
    seen: list[int] = []  # positions above each face: negative indices count back from there
    for number, line in enumerate(lines, start=1):
        fields = line.split()
        if not fields:
            continue
        if fields[0] == "v":
            if len(fields) < 4:
                raise ValueError(f"line {number}: a vertex needs three coordinates: {line[:60]!r}")
            positions.append(fields[1:4])
        elif fields[0] == "f" and len(fields) > 3:
            polygons.append(_without_comment(fields[1:]))
            where.append(number)
            seen.append(len(positions))

    try:
        verts = np.array(positions, dtype=np.float64).reshape(-1, 3)
    except ValueError as error:
        raise ValueError(f"a vertex is not made of numbers ({error})") from None
    counts = np.array([len(polygon) for polygon in polygons], dtype=np.int64)
    try:
        corners = np.array(
            [int(corner.partition("/")[0]) for polygon in polygons for corner in polygon],
            dtype=np.int64,
        )
    except (ValueError, OverflowError) as error:
        raise ValueError(f"a face is not made of vertex numbers ({error})") from None

    total = np.repeat(np.array(seen, dtype=np.int64), counts)
    resolved = np.where(corners > 0, corners - 1, total + corners)
    is_bad = (corners == 0) | (resolved < 0) | (resolved >= len(verts))
    if is_bad.any():
        first = int(is_bad.argmax())
        line = np.repeat(np.array(where, dtype=np.int64), counts)[first]
        raise ValueError(
            f"line {line}: a face names vertex {corners[first]}, but there are {len(verts)}"
        )
    return verts, resolved, counts


def write_obj(path: Path, verts: np.ndarray, faces: np.ndarray) -> None:
    """Positions with all their digits, so that reading them back gives the same numbers."""
    digits = np.finfo(verts.dtype).precision + 3
    vertex = f"v %.{digits}g %.{digits}g %.{digits}g\n"
    with path.open("w", encoding="ascii", newline="\n") as file:
        file.write((vertex * len(verts)) % tuple(verts.reshape(-1).tolist()))
        file.write(("f %d %d %d\n" * len(faces)) % tuple((faces.reshape(-1) + 1).tolist()))


def _decoded(content: bytes) -> str:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", errors="replace")
    # Only names and comments hold other than ASCII, in whatever encoding; Latin-1 never fails.
    return content.removeprefix(codecs.BOM_UTF8).decode("latin-1")


def _without_comment(fields: list[str]) -> list[str]:
    for index, field in enumerate(fields):
        if field.startswith("#"):
            return fields[:index]
    return fields

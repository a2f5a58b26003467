"""OFF: positions, polygons of any size, colours of vertices or faces. Text only."""

import re
from array import array
from pathlib import Path

import numpy as np

from lightning_rast.scene.asset import FilePolygons, cleaned_colors

_AGAIN = "export or copy the file again"
_FORMAT = re.compile(r"(ST)?(C)?(N)?OFF\b(.*)", re.IGNORECASE)


def read_off(path: Path, *, with_appearance: bool = False) -> FilePolygons:
    """Polygons, and colours where they are asked for.

    Raises:
        ValueError: the file is cut short, malformed or binary.
    """
    text = path.read_bytes().decode("latin-1").replace("\r\n", "\n").replace("\r", "\n")
    lines = [line.partition("#")[0].strip() for line in text.split("\n")]
    lines = [line for line in lines if line]
    match = _FORMAT.fullmatch(lines[0]) if lines else None
    if match is None:
        raise ValueError(f'an OFF file starts with "OFF"; {_AGAIN}')
    if match[4].strip().upper().startswith("BINARY"):
        raise ValueError("is a binary OFF, which is not supported; export it as text, or as PLY")
    rest = [match[4].strip()] if match[4].strip() else []
    lines = rest + lines[1:]
    num_verts, num_faces = _counts(lines)
    if num_verts + num_faces > len(lines) - 1:
        raise ValueError(
            f"says that it holds {num_verts} vertices and {num_faces} faces, but there are "
            f"{len(lines) - 1} lines; it is cut short: {_AGAIN}"
        )
    skipped = 3 if match[3] else 0
    verts, colors = _read_verts(lines[1 : 1 + num_verts], skipped, with_colors=bool(match[2]))
    start = 1 + num_verts
    corners, counts, face_colors = _read_faces(lines[start : start + num_faces], num_verts)
    polygons = FilePolygons(verts=verts, corners=corners, counts=counts)
    if with_appearance and colors is not None:
        polygons.colors = colors[corners]
    elif with_appearance and face_colors is not None:
        polygons.colors = np.repeat(face_colors, counts, axis=0)
    return polygons


def _counts(lines: list[str]) -> tuple[int, int]:
    words = lines[0].split() if lines else []
    if len(words) < 2 or not all(word.isdecimal() and len(word) < 19 for word in words[:2]):
        raise ValueError(f'after "OFF" come the numbers of vertices and faces; {_AGAIN}')
    return int(words[0]), int(words[1])


def _read_verts(
    lines: list[str], skipped: int, *, with_colors: bool
) -> tuple[np.ndarray, np.ndarray | None]:
    positions, colors = array("d"), array("d")
    for number, line in enumerate(lines):
        words = line.split()
        try:
            x, y, z = map(float, words[:3])
            if with_colors:
                red, green, blue = map(float, words[3 + skipped : 6 + skipped])
                colors.extend((red, green, blue))
        except ValueError:
            raise ValueError(
                f"vertex {number} is not made of numbers: {line[:60]!r}; {_AGAIN}"
            ) from None
        positions.extend((x, y, z))
    verts = np.frombuffer(positions).reshape(-1, 3)
    if not with_colors or not len(verts):
        return verts, None
    return verts, cleaned_colors(np.frombuffer(colors).reshape(-1, 3))


def _read_faces(
    lines: list[str], num_verts: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    corners, counts = array("q"), array("q")
    colors: list[list[float]] = []
    for number, line in enumerate(lines):
        words = line.split()
        try:
            length = int(words[0])
            face = [int(word) for word in words[1 : 1 + max(0, length)]]
            color = [float(word) for word in words[1 + length : 4 + length]]
        except (ValueError, OverflowError):
            raise ValueError(
                f"face {number} is not made of numbers: {line[:60]!r}; {_AGAIN}"
            ) from None
        if length < 0 or len(face) < length:
            raise ValueError(f"face {number} has fewer corners than it says; {_AGAIN}")
        bad = [vertex for vertex in face if not 0 <= vertex < num_verts]
        if bad:
            raise ValueError(
                f"face {number} names vertex {bad[0]}, but there are {num_verts}; the file is "
                f"damaged: {_AGAIN}"
            )
        if length < 3:
            continue
        corners.extend(face)
        counts.append(length)
        if len(color) == 3:
            colors.append(color)
    found = np.frombuffer(corners, dtype=np.int64), np.frombuffer(counts, dtype=np.int64)
    if not colors or len(colors) < len(counts):
        return *found, None
    return *found, cleaned_colors(np.array(colors))

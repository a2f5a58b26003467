"""STL, binary and text: triangles, nothing else."""

from array import array
from pathlib import Path

import numpy as np

from lightning_rast.scene.asset import FilePolygons

_HEADER, _AGAIN = 84, "export or copy the file again"
_ROW = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("extra", "<u2")])


def read_stl(path: Path) -> FilePolygons:
    """Every triangle has corners of its own.

    Raises:
        ValueError: the file is cut short or malformed.
    """
    content = path.read_bytes()
    count = int.from_bytes(content[80:_HEADER], "little")
    is_whole = len(content) >= _HEADER + _ROW.itemsize * count
    # Binary files may begin with "solid" as well; what they hold tells.
    if content[:512].lstrip()[:5].lower() == b"solid" and (
        b"facet" in content[:4096].lower() or not is_whole
    ):
        verts = _read_text(content)
    elif len(content) < _HEADER:
        raise ValueError(f"too short for an STL, {len(content)} bytes; {_AGAIN}")
    elif not is_whole:
        room = (len(content) - _HEADER) // _ROW.itemsize
        raise ValueError(
            f"says that it holds {count} triangles, but there is room for {room}; it is cut short "
            f"or no STL: {_AGAIN}"
        )
    else:
        verts = np.frombuffer(content, _ROW, count, _HEADER)["corners"].reshape(-1, 3)
    corners = np.arange(len(verts))
    return FilePolygons(
        verts=verts.astype(np.float64),
        corners=corners,
        counts=np.full(len(verts) // 3, 3, dtype=np.int64),
    )


def write_stl(path: Path, verts: np.ndarray, faces: np.ndarray) -> None:
    """Binary, float32."""
    rows = np.zeros(len(faces), dtype=_ROW)
    corners = verts.astype(np.float32)[faces]
    first, second, third = corners.astype(np.float64).transpose(1, 0, 2)
    normal = np.cross(second - first, third - first)
    length = np.linalg.norm(normal, axis=1, keepdims=True)
    rows["corners"], rows["normal"] = corners, normal / np.where(length > 0, length, 1)
    # Not "solid", which some readers take for text.
    header = b"lightning_rast binary STL".ljust(80) + len(faces).to_bytes(4, "little")
    path.write_bytes(header + rows.tobytes())


def _read_text(content: bytes) -> np.ndarray:
    values = array("d")
    in_loop = 0
    for number, line in enumerate(content.splitlines(), start=1):
        words = line.split()
        keyword = words[0].lower() if words else b""
        if keyword == b"vertex":
            try:
                x, y, z = map(float, words[1:4])
            except ValueError:
                raise ValueError(
                    f"line {number}: a vertex needs three numbers: {line[:60]!r}; mend the line "
                    "or export the file again"
                ) from None
            values.extend((x, y, z))
            in_loop += 1
        elif keyword == b"endloop":
            if in_loop != 3:
                raise ValueError(
                    f"line {number}: a facet of {in_loop} corners instead of 3; {_AGAIN}"
                )
            in_loop = 0
    if in_loop:
        raise ValueError(f"ends within a facet, it is cut short: {_AGAIN}")
    return np.frombuffer(values).reshape(-1, 3)

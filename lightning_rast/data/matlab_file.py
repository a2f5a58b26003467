"""Numeric arrays, and cell arrays of them, of a MATLAB file (levels 5 to 7).

Written anew because `scipy.io.loadmat` ends the process on some damaged files. Layout: MATLAB's
"MAT-File Format" (https://www.mathworks.com/help/pdf_doc/matlab/matfile_format.pdf), level 5.
"""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from lightning_rast.data.errors import ViewsError

_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8"}
_NUMBERS[13] = "u8"
_MATRIX, _COMPRESSED = 14, 15
_CELL, _NUMERIC = 1, range(6, 16)
_HEADER_BYTES = 128
_MOST_BYTES = 2**26

Variable = np.ndarray | list[np.ndarray]


def read_matlab(path: Path) -> dict[str, Variable]:
    """Numeric variables as arrays, cell arrays of numeric ones as lists; others are left out.

    Raises:
        ViewsError: the file is none of MATLAB's, of another level, or damaged.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ViewsError(f"cannot read {path}: {error}") from None
    if content[:20].startswith(b"MATLAB 7.3") or content[:4] == b"\x89HDF":
        raise ViewsError(
            f"{path} is a MATLAB 7.3 file (HDF5), which is not read; in MATLAB: save(..., '-v7')"
        )
    order = {b"IM": "<", b"MI": ">"}.get(content[_HEADER_BYTES - 2 : _HEADER_BYTES])
    if order is None:
        raise ViewsError(f"cannot read {path}: it does not begin as MATLAB's files do")
    variables: dict[str, Variable] = {}
    try:
        for kind, data in _elements(content[_HEADER_BYTES:], order):
            if kind == _COMPRESSED:
                ((kind, data),) = _elements(_inflated(data), order)
            if kind == _MATRIX:
                name, value = _matrix(data, order)
                if value is not None:
                    variables[name] = value
    except (ValueError, struct.error, zlib.error) as error:
        raise ViewsError(f"cannot read {path}: it is damaged ({error})") from None
    return variables


def _elements(content: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    """Type and data of each element; all but compressed ones are padded to 8 bytes."""
    place = 0
    while place + 8 <= len(content):
        kind, size = struct.unpack_from(f"{order}II", content, place)
        start = place + 8
        if kind >> 16:  # a small element: type, size and up to 4 bytes of data in 8
            kind, size, start = kind & 0xFFFF, kind >> 16, place + 4
            if size > 4:
                raise ValueError(f"a small element of {size} bytes")
            place += 8
        else:
            place = start + size + (0 if kind == _COMPRESSED else -size % 8)
        if start + size > len(content):
            raise ValueError(f"an element of {size} bytes goes beyond the end")
        yield kind, content[start : start + size]


def _inflated(data: bytes) -> bytes:
    stream = zlib.decompressobj()
    content = stream.decompress(data, _MOST_BYTES)
    if stream.unconsumed_tail:
        raise ValueError(f"more than {_MOST_BYTES >> 20} MB unpacked")
    return content


def _matrix(data: bytes, order: str, *, in_cell: bool = False) -> tuple[str, Variable | None]:
    """Name and value of an array; None if it is neither numbers nor cells of numbers."""
    parts = list(_elements(data, order))
    if len(parts) < 3:
        raise ValueError("an array without flags, size and name")
    (flags,) = struct.unpack_from(f"{order}I", parts[0][1])
    sides = np.frombuffer(parts[1][1], dtype=f"{order}i4")
    name = parts[2][1].decode("latin-1")
    if flags & 0xFF == _CELL:
        if in_cell:
            return name, None
        inner = (part for kind, part in parts[3:] if kind == _MATRIX)
        cells = [_matrix(part, order, in_cell=True)[1] for part in inner]
        arrays = [cell for cell in cells if isinstance(cell, np.ndarray)]
        return name, arrays if len(arrays) == len(cells) else None
    if flags & 0xFF not in _NUMERIC or len(parts) != 4 or parts[3][0] not in _NUMBERS:
        return name, None  # text, structures, complex numbers
    values = np.frombuffer(parts[3][1], dtype=order + _NUMBERS[parts[3][0]])
    if (sides < 0).any() or len(sides) > 8:
        raise ValueError(f"an array of size {sides.tolist()[:8]}")
    return name, values.reshape(sides.tolist(), order="F").astype(np.float64)

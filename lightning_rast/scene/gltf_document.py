"""The parts of a glTF 2.0 file: its header, its buffers, and tables (accessors) in them.

Every number that the header claims is held against the bytes that are there before anything is
allocated.
"""

import base64
import json
import math
import struct
import urllib.parse
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

AGAIN = "export or copy the file again"
_MAGIC, _JSON, _BIN = 0x46546C67, 0x4E4F534A, 0x004E4942
_COMPONENTS = {
    5120: np.dtype("<i1"), 5121: np.dtype("<u1"), 5122: np.dtype("<i2"), 5123: np.dtype("<u2"),
    5125: np.dtype("<u4"), 5126: np.dtype("<f4"),
}  # fmt: skip
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
# Of tables that start as zeros and say only where they differ, nothing bounds the size.
_MOST_ZEROS = 2**20


class GltfDocument:
    """A glTF or GLB file.

    Raises (here and in every method):
        ValueError: the file is damaged, or contradicts itself.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        content = path.read_bytes()
        self._chunk: bytes | None = None
        if path.suffix.lower() == ".glb":
            content, self._chunk = _chunks(content)
        try:
            header = json.loads(content)
        except RecursionError:
            raise ValueError(f"the glTF header is nested too deeply; {AGAIN}") from None
        except ValueError as error:
            raise ValueError(f"the glTF header is no JSON ({error}); {AGAIN}") from None
        if not isinstance(header, dict):
            raise ValueError(f"the glTF header is not an object; {AGAIN}")
        self.header: dict[str, Any] = header
        self.num_bytes = len(content) + len(self._chunk or b"")
        self._buffers: dict[int, bytes] = {}
        self._entries: dict[str, list[dict[str, Any]]] = {}
        version = str(self._table(header.get("asset", {}), "asset").get("version", "2.0"))
        if not version.startswith("2"):
            raise ValueError(
                f"is of glTF version {version[:20]}; open it in Blender or another program that "
                "reads it and export it as glTF 2.0"
            )

    def entries(self, name: str) -> list[dict[str, Any]]:
        """The header's list of this name, empty where there is none."""
        # A file of thousands of parts asks for each of them.
        if name not in self._entries:
            self._entries[name] = self.objects(self.header.get(name, []), name)
        return self._entries[name]

    def entry(self, name: str, index: object) -> dict[str, Any]:
        found = self.entries(name)
        return found[self.index(index, name, len(found))]

    def objects(self, value: object, what: str) -> list[dict[str, Any]]:
        if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
            raise ValueError(f"the header's {what} is not a list of objects; {AGAIN}")
        return value

    def index(self, value: object, what: str, num: int) -> int:
        """A place in a list of `num` entries."""
        if not isinstance(value, int) or isinstance(value, bool):
            raise ValueError(f"the header names {what} {str(value)[:30]!r}, no number; {AGAIN}")
        if not 0 <= value < num:
            raise ValueError(f"the header names {what} {value}, but there are {num}; {AGAIN}")
        return value

    def numbers(self, value: Any, num: int, what: str) -> np.ndarray:
        is_list = isinstance(value, list) and len(value) == num
        if not is_list or not all(_is_number(entry) for entry in value):
            raise ValueError(f"the header's {what} is not made of {num} numbers; {AGAIN}")
        return np.array(value, dtype=np.float64)

    def accessor(self, index: object, kinds: tuple[str, ...], what: str) -> np.ndarray:
        """The table (N, width), float64 where it is float or normalized, else int64."""
        entry = self.entry("accessors", index)
        kind = entry.get("type")
        if not isinstance(kind, str) or kind not in kinds:
            raise ValueError(f"{what}: is {str(kind)[:20]}, not {' or '.join(kinds)}; {AGAIN}")
        dtype = self._component(entry, what)
        count = self._size(entry, "count", what)
        shape = (count, _WIDTHS[kind])
        sparse = entry.get("sparse")
        if "bufferView" in entry:
            values = self._rows(entry, shape, dtype, what)
        elif sparse is not None and count <= _MOST_ZEROS:
            values = np.zeros(shape, dtype)
        else:
            raise ValueError(f"{what}: {count} rows without data; {AGAIN}")
        if sparse is not None:
            values = self._with_sparse(values, self._table(sparse, "sparse accessor"), what)
        if dtype.kind == "f":
            return values.astype(np.float64)
        if entry.get("normalized") is True:
            return np.maximum(values / np.iinfo(dtype).max, -1.0)
        return values.astype(np.int64)

    def view(self, index: object) -> bytes:
        """The bytes of a buffer view."""
        return bytes(self._view(index))

    def _view(self, index: object) -> memoryview:
        entry = self.entry("bufferViews", index)
        buffer = self._buffer(entry.get("buffer"))
        start, size = (
            self._size(entry, "byteOffset", "a buffer view", 0),
            self._size(entry, "byteLength", "a buffer view"),
        )
        if start + size > len(buffer):
            raise ValueError(
                f"a buffer view ends at byte {start + size}, its buffer has {len(buffer)}; the "
                f"file is cut short: {AGAIN}"
            )
        # Not copied: thousands of tables may share one view.
        return memoryview(buffer)[start : start + size]

    def file(self, uri: object, what: str, *, most_bytes: int) -> bytes:
        """What a data URI or the name of a file beside this one stands for."""
        if not isinstance(uri, str):
            raise ValueError(f"{what} names no file; {AGAIN}")
        if uri.startswith("data:"):
            head, _, code = uri.partition(",")
            if not head.endswith(";base64"):
                return urllib.parse.unquote_to_bytes(code)
            try:
                return base64.b64decode(code + "=" * (-len(code) % 4))
            except ValueError as error:
                raise ValueError(f"{what} is no base64 ({error}); {AGAIN}") from None
        name = urllib.parse.unquote(uri)
        path = self.path.parent / name
        try:
            # Devices and pipes, which a damaged name may hit, might never end.
            is_file = path.is_file()
        except (OSError, ValueError):
            is_file = False
        if not is_file:
            raise ValueError(f"{what}, {name[:200]}, is not there; put it beside the file")
        with path.open("rb") as file:
            return file.read(most_bytes)

    def _buffer(self, index: object) -> bytes:
        entry = self.entry("buffers", index)
        assert isinstance(index, int)
        if index not in self._buffers:
            size = self._size(entry, "byteLength", f"buffer {index}")
            if "uri" in entry:
                content = self.file(entry["uri"], f"its buffer {index}", most_bytes=size)
            elif index == 0 and self._chunk is not None:
                content = self._chunk
            else:
                raise ValueError(f"buffer {index} names no file; {AGAIN}")
            if len(content) < size:
                raise ValueError(
                    f"buffer {index} should have {size} bytes, but has {len(content)}; it is cut "
                    f"short: {AGAIN}"
                )
            self._buffers[index] = content
            self.num_bytes += len(content)
        return self._buffers[index]

    def _rows(
        self, entry: dict[str, Any], shape: tuple[int, int], dtype: np.dtype, what: str
    ) -> np.ndarray:
        view = self.entry("bufferViews", entry.get("bufferView"))
        content = self._view(entry.get("bufferView"))
        row = shape[1] * dtype.itemsize
        stride = self._size(view, "byteStride", "a buffer view", 0) or row
        start = self._size(entry, "byteOffset", what, 0)
        end = start + stride * (shape[0] - 1) + row
        if stride < row or end > len(content):
            raise ValueError(
                f"{what}: {shape[0]} rows need {end} bytes, there are {len(content)}; the file "
                f"is cut short or damaged: {AGAIN}"
            )
        return np.ndarray(shape, dtype, content, start, (stride, dtype.itemsize)).copy()

    def _with_sparse(self, values: np.ndarray, sparse: dict[str, Any], what: str) -> np.ndarray:
        count = self._size(sparse, "count", what)
        of_indices = self._table(sparse.get("indices"), "sparse indices")
        of_values = self._table(sparse.get("values"), "sparse values")
        kind = self._component(of_indices, what)
        index = self._rows(of_indices, (count, 1), kind, what).reshape(-1).astype(np.int64)
        if kind.kind == "f" or not (index >= 0).all() or not (index < len(values)).all():
            raise ValueError(f"{what}: replaces rows that it does not have; {AGAIN}")
        values[index] = self._rows(of_values, (count, values.shape[1]), values.dtype, what)
        return values

    def _component(self, entry: dict[str, Any], what: str) -> np.dtype:
        code = entry.get("componentType")
        if not isinstance(code, int) or code not in _COMPONENTS:
            raise ValueError(f"{what}: unknown type of numbers {str(code)[:20]}; {AGAIN}")
        return _COMPONENTS[code]

    def _size(self, entry: dict[str, Any], key: str, what: str, default: int | None = None) -> int:
        value = entry.get(key, default)
        least = 1 if default is None else 0
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value < 2**53:
            raise ValueError(f"{what}: {key} is {str(value)[:30]}, no size; {AGAIN}")
        return value

    def _table(self, value: object, what: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise ValueError(f"the header's {what} is no object; {AGAIN}")
        return value

    @cached_property
    def required_extensions(self) -> set[str]:
        value = self.header.get("extensionsRequired", [])
        if not isinstance(value, list):
            raise ValueError(f"the header's extensionsRequired is no list; {AGAIN}")
        return {str(name) for name in value}


def _chunks(content: bytes) -> tuple[bytes, bytes | None]:
    """The JSON and the binary chunk of a GLB."""
    if len(content) < 20:
        raise ValueError(f"the file is too short for a GLB, {len(content)} bytes; {AGAIN}")
    magic, version, total, length, kind = struct.unpack_from("<5I", content)
    if magic == _MAGIC and version == 1:
        raise ValueError(
            "is a GLB of version 1; open it in Blender or another program that reads it and "
            "export it as version 2"
        )
    if magic != _MAGIC or kind != _JSON:
        raise ValueError(f"the file does not start as a GLB (version 2) does; {AGAIN}")
    if total > len(content) or 20 + length > len(content):
        raise ValueError(
            f"should have {max(total, 20 + length)} bytes, but has {len(content)}; it is cut "
            f"short: {AGAIN}"
        )
    header, position = content[20 : 20 + length], 20 + length
    while position + 8 <= len(content):
        length, kind = struct.unpack_from("<2I", content, position)
        if kind == _BIN:
            return header, content[position + 8 : position + 8 + length]
        position += 8 + length
    return header, None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and _is_finite(value)


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:
        return False

"""`cameras` and `images` of a COLMAP model as they stand in the files, text or binary.

https://colmap.github.io/format.html; the binary layout as `src/colmap/scene/reconstruction_io.cc`
of COLMAP writes it. Numbers are little endian.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lightning_rast.data.errors import ViewsError
from lightning_rast.data.json_file import read_text

# Number of parameters of each camera model, in the order of the binary files' model numbers.
MODELS = {
    "SIMPLE_PINHOLE": 3,
    "PINHOLE": 4,
    "SIMPLE_RADIAL": 4,
    "RADIAL": 5,
    "OPENCV": 8,
    "OPENCV_FISHEYE": 8,
    "FULL_OPENCV": 12,
    "FOV": 5,
    "SIMPLE_RADIAL_FISHEYE": 4,
    "RADIAL_FISHEYE": 5,
    "THIN_PRISM_FISHEYE": 12,
    "RAD_TAN_THIN_PRISM_FISHEYE": 16,
    "SIMPLE_DIVISION": 4,
    "DIVISION": 5,
    "SIMPLE_FISHEYE": 3,
    "FISHEYE": 4,
    "EUCM": 6,
    "EQUIRECTANGULAR": 2,
}
_MOST_BYTES = 2**32
_LONGEST_NAME = 4096


@dataclass(frozen=True)
class ColmapCamera:
    model: str
    width: int
    height: int
    params: tuple[float, ...]


@dataclass(frozen=True)
class ColmapImage:
    """World to view: rotation as a quaternion (w, x, y, z), not normalised, then translation."""

    name: str
    camera_id: int
    quaternion: tuple[float, float, float, float]
    translation: tuple[float, float, float]


def read_cameras_text(path: Path) -> dict[int, ColmapCamera]:
    """Raises ViewsError, which names the line."""
    cameras: dict[int, ColmapCamera] = {}
    for place, line in _lines(path):
        words = line.split()
        if not words:
            continue
        try:
            model, numbers = words[1], tuple(float(word) for word in words[4:])
            camera_id, width, height = int(words[0]), int(words[2]), int(words[3])
        except (IndexError, ValueError):
            raise ViewsError(
                f"{path}, line {place}: must be CAMERA_ID MODEL WIDTH HEIGHT PARAMS..., is"
                f" {line[:80]!r}"
            ) from None
        cameras[camera_id] = _checked(f"{path}, line {place}", model, width, height, numbers)
    return cameras


def read_images_text(path: Path) -> list[ColmapImage]:
    """Two lines an image, of which the second, points, may be empty, or be missing altogether.

    Raises:
        ViewsError: names the line.
    """
    images = []
    is_points = False
    for place, line in _lines(path):
        words = line.split(maxsplit=9)
        if is_points and (not words or len(words) < 10 or _is_number(words[9].split()[0])):
            is_points = False
            continue
        if not words:
            continue
        try:
            numbers = [float(word) for word in words[1:8]]
            images.append(_image(words[9].strip(), int(words[8]), numbers))
        except (IndexError, ValueError):
            raise ViewsError(
                f"{path}, line {place}: must be IMAGE_ID QW QX QY QZ TX TY TZ CAMERA_ID NAME, is"
                f" {line[:80]!r}"
            ) from None
        is_points = True
    return images


def read_cameras_binary(path: Path) -> dict[int, ColmapCamera]:
    """Raises ViewsError for a file that ends too early or names an unknown camera model."""
    content = _Bytes(path)
    names = list(MODELS)
    cameras: dict[int, ColmapCamera] = {}
    for index in range(content.count(at_least=24)):
        camera_id, model, width, height = content.take("<IiQQ")
        if not 0 <= model < len(names):
            raise ViewsError(f"{path}, camera {index}: there is no camera model {model}")
        params = content.take(f"<{MODELS[names[model]]}d")
        label = f"{path}, camera {camera_id}"
        cameras[camera_id] = _checked(label, names[model], width, height, params)
    return cameras


def read_images_binary(path: Path) -> list[ColmapImage]:
    """Raises ViewsError for a file that ends too early."""
    content = _Bytes(path)
    images = []
    for _ in range(content.count(at_least=73)):
        numbers = content.take("<I7dI")
        name = content.text()
        images.append(_image(name, numbers[8], list(numbers[1:8])))
        content.skip(24 * content.count(at_least=24))
    return images


class _Bytes:
    """A binary file, read from its beginning on; what it claims is checked against its size."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._place = 0
        try:
            if path.stat().st_size > _MOST_BYTES:
                raise ViewsError(f"{path} has more than {_MOST_BYTES >> 30} GB")
            self._bytes = path.read_bytes()
        except OSError as error:
            raise ViewsError(f"cannot read {path}: {error}") from None

    def take(self, layout: str) -> tuple:
        start = self._place
        self.skip(struct.calcsize(layout))
        return struct.unpack_from(layout, self._bytes, start)

    def skip(self, num_bytes: int) -> None:
        self._place += num_bytes
        if self._place > len(self._bytes):
            raise ViewsError(
                f"{self._path} ends in the middle of an entry ({len(self._bytes)} bytes); is it"
                " copied whole, and binary?"
            )

    def count(self, *, at_least: int) -> int:
        """A number of entries, each of at least so many bytes."""
        (number,) = self.take("<Q")
        if number * at_least > len(self._bytes) - self._place:
            raise ViewsError(
                f"{self._path} announces {number} entries but has {len(self._bytes)} bytes; is it"
                " copied whole, and binary?"
            )
        return number

    def text(self) -> str:
        end = self._bytes.find(b"\0", self._place, self._place + _LONGEST_NAME)
        if end < 0:
            raise ViewsError(f"{self._path}: an image's name has no end; is the file damaged?")
        name = self._bytes[self._place : end].decode("utf-8", errors="replace")
        self._place = end + 1
        return name


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    for place, line in enumerate(read_text(path).splitlines(), start=1):
        if not line.startswith("#"):
            yield place, line


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _checked(
    label: str, model: str, width: int, height: int, params: tuple[float, ...]
) -> ColmapCamera:
    if model not in MODELS:
        raise ViewsError(f"{label}: there is no camera model {model[:40]!r}")
    if len(params) != MODELS[model]:
        raise ViewsError(
            f"{label}: {model} has {MODELS[model]} parameters, the file has {len(params)}"
        )
    if not (1 <= width <= 2**20 and 1 <= height <= 2**20):
        raise ViewsError(f"{label}: an image of {width} x {height} pixels cannot be")
    return ColmapCamera(model, width, height, tuple(params))


def _image(name: str, camera_id: int, numbers: list[float]) -> ColmapImage:
    w, x, y, z, *translation = numbers
    return ColmapImage(
        name, camera_id, (w, x, y, z), (translation[0], translation[1], translation[2])
    )

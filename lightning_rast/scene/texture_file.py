"""Images that mesh files refer to."""

import io
from pathlib import Path

from PIL import Image

from lightning_rast.scene.asset import Texture

_MOST_BYTES = 2**28
# Of PNG, all that glTF allows: others turn colours or proportions, which viewers ignore there.
_PLAIN_CHUNKS = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}
_SIGNATURES = {b"\x89PNG\r\n\x1a\n": ".png", b"\xff\xd8\xff": ".jpg"}


def read_texture(path: Path) -> Texture:
    """An image beside a mesh file.

    Raises:
        ValueError: there is no such file, or it is no image.
    """
    try:
        # Devices and pipes, which a damaged name may hit, might never end.
        if not path.is_file():
            raise ValueError(f"its texture {path.name} is not there")
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise ValueError(f"its texture {path.name} cannot be read ({error.strerror})") from None
    return texture_of(content, path.name)


def texture_of(content: bytes, name: str) -> Texture:
    """An image file's content; PNG and JPEG stay as they are, others become PNG.

    Raises:
        ValueError: it is no image.
    """
    if len(content) > _MOST_BYTES:
        raise ValueError(f"its texture {name} is larger than {_MOST_BYTES >> 20} MiB")
    for signature, suffix in _SIGNATURES.items():
        if content.startswith(signature):
            return Texture(content, suffix)
    pixels = Texture(content).pixels()
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return Texture(file.getvalue())


def plain_png(content: bytes) -> bytes:
    """A PNG without colour profiles, gamma, pixel proportions, texts and animation."""
    kept, position = [content[:8]], 8
    while position + 12 <= len(content):
        size = 12 + int.from_bytes(content[position : position + 4], "big")
        if content[position + 4 : position + 8] in _PLAIN_CHUNKS:
            kept.append(content[position : position + size])
        position += size
    return b"".join(kept)

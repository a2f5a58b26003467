"""Base colours of a glTF file: vertex colours, factors and textures."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from lightning_rast.scene.asset import Material, Texture, srgb_from_linear
from lightning_rast.scene.gltf_document import GltfDocument
from lightning_rast.scene.texture_file import texture_of

_MOST_BYTES = 2**28


@dataclass(frozen=True)
class _Placement:
    """Which texture coordinates a texture takes, and how it turns them."""

    channel: int = 0
    offset: tuple[float, float] = (0.0, 0.0)
    scale: tuple[float, float] = (1.0, 1.0)
    rotation: float = 0.0


class GltfMaterials:
    """Materials as they are used. What cannot be read becomes a note; the surface stays."""

    def __init__(self, document: GltfDocument) -> None:
        self.document = document
        self.materials: list[Material] = []
        self.notes: list[str] = []
        self._index: dict[object, int] = {}
        self._placements: list[_Placement] = []
        self._textures: dict[int, Texture | None] = {}

    def index(self, number: object) -> int:
        """The place in `materials` of the file's material of this number (None: the default)."""
        key = number if isinstance(number, int) else None
        if key not in self._index:
            self._index[key] = len(self.materials)
            try:
                material, placement = self._read(key)
            except ValueError as error:
                self._note(f"material {number} is left out: {error}")
                material, placement = Material(), _Placement()
            self.materials.append(material)
            self._placements.append(placement)
        return self._index[key]

    def vertex_colors(
        self, attributes: dict[str, Any], num_verts: int, what: str
    ) -> np.ndarray | None:
        """(V, 4) in sRGB; the file's are linear."""
        values = self._attribute(attributes, "COLOR_0", ("VEC3", "VEC4"), num_verts, what)
        if values is None:
            return None
        values = np.nan_to_num(values, nan=1.0)
        alpha = np.clip(values[:, 3:], 0, 1) if values.shape[1] == 4 else np.ones((num_verts, 1))
        return np.concatenate((srgb_from_linear(values[:, :3]), alpha), axis=1)

    def texture_coordinates(
        self, material: int, attributes: dict[str, Any], num_verts: int, what: str
    ) -> np.ndarray | None:
        """(V, 2) with (0, 0) at the lower left; the file's start at the upper left."""
        placed = self._placements[material]
        name = f"TEXCOORD_{placed.channel}"
        uvs = self._attribute(attributes, name, ("VEC2",), num_verts, what)
        if uvs is None:
            return None
        uvs = np.nan_to_num(uvs, nan=0.0, posinf=0.0, neginf=0.0) * placed.scale
        cos, sin = math.cos(placed.rotation), math.sin(placed.rotation)
        uvs = uvs @ np.array([[cos, -sin], [sin, cos]]) + placed.offset
        return np.stack((uvs[:, 0], 1 - uvs[:, 1]), axis=1)

    def _attribute(
        self,
        attributes: dict[str, Any],
        name: str,
        kinds: tuple[str, ...],
        num_verts: int,
        what: str,
    ) -> np.ndarray | None:
        if name not in attributes:
            return None
        try:
            values = self.document.accessor(attributes[name], kinds, f"{what}, {name}")
            if len(values) != num_verts:
                raise ValueError(f"{what}, {name}: has {len(values)} rows for {num_verts} vertices")
        except ValueError as error:
            self._note(f"left out: {error}")
            return None
        return values.astype(np.float64)

    def _read(self, number: int | None) -> tuple[Material, _Placement]:
        if number is None:
            return Material(), _Placement()
        document = self.document
        entry = document.entry("materials", number)
        surface = entry.get("pbrMetallicRoughness", {})
        surface = surface if isinstance(surface, dict) else {}
        factor = document.numbers(surface.get("baseColorFactor", [1, 1, 1, 1]), 4, "colour")
        red, green, blue = srgb_from_linear(factor[:3]).tolist()
        texture, placement = None, _Placement()
        if isinstance(surface.get("baseColorTexture"), dict):
            texture, placement = self._placed(surface["baseColorTexture"])
        mode = entry.get("alphaMode", "OPAQUE")
        cutoff = entry.get("alphaCutoff", 0.5) if mode == "MASK" else 0.5
        return Material(
            name=str(entry.get("name", ""))[:200],
            color=(red, green, blue, min(1.0, max(0.0, float(factor[3])))),
            texture=texture,
            alpha_mode=mode if mode in ("OPAQUE", "MASK", "BLEND") else "OPAQUE",
            alpha_cutoff=max(0.0, float(document.numbers([cutoff], 1, "alpha cut-off")[0])),
            is_double_sided=entry.get("doubleSided") is True,
        ), placement

    def _placed(self, info: dict[str, Any]) -> tuple[Texture | None, _Placement]:
        document = self.document
        extensions = info.get("extensions")
        turn = extensions.get("KHR_texture_transform") if isinstance(extensions, dict) else None
        turn = turn if isinstance(turn, dict) else {}
        channel = turn.get("texCoord", info.get("texCoord", 0))
        offset = document.numbers(turn.get("offset", [0, 0]), 2, "texture offset").tolist()
        scale = document.numbers(turn.get("scale", [1, 1]), 2, "texture scale").tolist()
        rotation = float(document.numbers([turn.get("rotation", 0)], 1, "texture rotation")[0])
        placement = _Placement(
            channel if isinstance(channel, int) else 0, tuple(offset), tuple(scale), rotation
        )
        number = info.get("index")
        texture = document.entry("textures", number)
        assert isinstance(number, int)
        if number not in self._textures:
            self._textures[number] = None
            try:
                self._textures[number] = self._image(texture)
            except ValueError as error:
                self._note(str(error))
        return self._textures[number], placement

    def _image(self, texture: dict[str, Any]) -> Texture:
        source = texture.get("source")
        extensions = texture.get("extensions")
        if source is None and isinstance(extensions, dict):
            webp = extensions.get("EXT_texture_webp")
            source = webp.get("source") if isinstance(webp, dict) else None
        if source is None:
            raise ValueError("a texture is of a kind that is not supported (PNG and JPEG are)")
        image = self.document.entry("images", source)
        if "bufferView" in image:
            content = self.document.view(image["bufferView"])
        else:
            content = self.document.file(
                image.get("uri"), "its texture", most_bytes=_MOST_BYTES + 1
            )
        return texture_of(content, f"image {source}")

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

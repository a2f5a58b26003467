"""GLB (glTF 2.0 binary) out."""

import json
import struct
from typing import Any

import numpy as np

from lightning_rast.scene.asset import Material, Texture, linear_from_srgb
from lightning_rast.scene.texture_file import plain_png

_FLOAT, _UINT, _USHORT = 5126, 5125, 5123
_VERTICES, _INDICES = 34962, 34963


class GlbWriter:
    """Collects primitives; `content` is the file. Positions are in metres, y points up."""

    def __init__(self, generator: str) -> None:
        self._binary = bytearray()
        self._images: dict[int, int] = {}
        self._primitives: list[dict[str, Any]] = []
        self._header: dict[str, Any] = {
            "asset": {"version": "2.0", "generator": generator},
            "scene": 0,
            "scenes": [{"nodes": [0]}],
            "nodes": [{"mesh": 0, "name": "mesh"}],
            "meshes": [{"primitives": self._primitives}],
        }

    def add(
        self,
        verts: np.ndarray,
        faces: np.ndarray,
        material: Material,
        *,
        colors: np.ndarray | None = None,
        uvs: np.ndarray | None = None,
        normals: np.ndarray | None = None,
    ) -> None:
        """verts (V, 3), faces (F, 3); colors (V, 4) in sRGB and alpha, 0..1; uvs (V, 2) with (0, 0)
        at the lower left of the texture; normals (V, 3), of any length. At least one face, and no
        vertex without one."""
        points = np.ascontiguousarray(verts, dtype="<f4")
        attributes = {
            "POSITION": self._accessor(
                points,
                _FLOAT,
                "VEC3",
                min=points.min(axis=0).tolist(),
                max=points.max(axis=0).tolist(),
            )
        }
        if normals is not None:
            length = np.linalg.norm(normals, axis=1, keepdims=True)
            # glTF wants unit length, also where faces of all directions meet and there is none.
            is_none = ~(np.isfinite(length) & (length > 0))
            units = np.where(is_none, (0.0, 0.0, 1.0), normals / np.where(is_none, 1.0, length))
            attributes["NORMAL"] = self._accessor(units.astype("<f4"), _FLOAT, "VEC3")
        if uvs is not None:
            turned = np.stack((uvs[:, 0], 1 - uvs[:, 1]), axis=1).astype("<f4")
            attributes["TEXCOORD_0"] = self._accessor(turned, _FLOAT, "VEC2")
        if colors is not None:
            linear = np.concatenate((linear_from_srgb(colors[:, :3]), colors[:, 3:]), axis=1)
            # 16 bits: of linear colours, 8 would lose the dark ones.
            stored = np.round(linear * 65535).astype("<u2")
            attributes["COLOR_0"] = self._accessor(stored, _USHORT, "VEC4", normalized=True)
        index = faces.reshape(-1)
        # 65535 itself restarts strips, and must not be an index of so small a type.
        small = len(verts) < 65535
        indices = self._accessor(
            index.astype("<u2" if small else "<u4"), _USHORT if small else _UINT, "SCALAR"
        )
        self._primitives.append(
            {
                "attributes": attributes,
                "indices": indices,
                "material": self._material(material),
            }
        )

    @property
    def content(self) -> bytes:
        header = dict(self._header)
        header["buffers"] = [{"byteLength": len(self._binary)}]
        text = json.dumps(header, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 4)
        binary = bytes(self._binary) + b"\0" * (-len(self._binary) % 4)
        total = 12 + 8 + len(text) + 8 + len(binary)
        return b"".join(
            (
                struct.pack("<4sII", b"glTF", 2, total),
                struct.pack("<I4s", len(text), b"JSON"),
                text,
                struct.pack("<I4s", len(binary), b"BIN\0"),
                binary,
            )
        )

    def _listed(self, name: str, entry: dict[str, Any]) -> int:
        entries = self._header.setdefault(name, [])
        entries.append(entry)
        return len(entries) - 1

    def _view(self, content: bytes, target: int | None = None) -> int:
        self._binary += b"\0" * (-len(self._binary) % 4)
        entry: dict[str, Any] = {
            "buffer": 0,
            "byteOffset": len(self._binary),
            "byteLength": len(content),
        }
        if target is not None:
            entry["target"] = target
        self._binary += content
        return self._listed("bufferViews", entry)

    def _accessor(self, values: np.ndarray, component: int, kind: str, **more: Any) -> int:
        view = self._view(values.tobytes(), _INDICES if kind == "SCALAR" else _VERTICES)
        entry = {
            "bufferView": view,
            "componentType": component,
            "count": len(values),
            "type": kind,
            **more,
        }
        return self._listed("accessors", entry)

    def _material(self, material: Material) -> int:
        factor = [*linear_from_srgb(np.array(material.color[:3])).tolist(), material.color[3]]
        # Without a metallic factor a viewer would show polished metal.
        surface: dict[str, Any] = {
            "baseColorFactor": factor,
            "metallicFactor": 0.0,
            "roughnessFactor": 0.8,
        }
        if material.texture is not None:
            surface["baseColorTexture"] = {"index": self._texture(material.texture)}
        entry: dict[str, Any] = {"pbrMetallicRoughness": surface}
        if material.name:
            entry["name"] = material.name
        if material.alpha_mode != "OPAQUE":
            entry["alphaMode"] = material.alpha_mode
        if material.alpha_mode == "MASK" and material.alpha_cutoff != 0.5:
            entry["alphaCutoff"] = material.alpha_cutoff
        if material.is_double_sided:
            entry["doubleSided"] = True
        entries = self._header.setdefault("materials", [])
        if entry in entries:
            return entries.index(entry)
        return self._listed("materials", entry)

    def _texture(self, texture: Texture) -> int:
        key = id(texture)
        if key not in self._images:
            kind = "image/png" if texture.suffix == ".png" else "image/jpeg"
            is_png = texture.suffix == ".png"
            view = self._view(plain_png(texture.content) if is_png else texture.content)
            image = self._listed("images", {"bufferView": view, "mimeType": kind})
            self._images[key] = self._listed("textures", {"source": image})
        return self._images[key]

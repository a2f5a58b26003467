"""What gives a surface its colours beyond values at vertices: textures, and the looks of a file."""

from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from lightning_rast.ops import Fragments, fragment_derivatives, interpolate, sample_texture
from lightning_rast.ops._registry import check_is_tensor
from lightning_rast.ops.texture import check_lookup
from lightning_rast.render.shading import linear_from_srgb
from lightning_rast.scene import Asset, Mesh
from lightning_rast.scene.appearance import parts_of


@runtime_checkable
class Paint(Protocol):
    """Anything that knows the linear colour of each pixel's surface."""

    def at(
        self, mesh: Mesh, verts_clip: Float[Tensor, "N V 4"], fragments: Fragments
    ) -> Float[Tensor, "N H W C"]:
        """Colours of what the fragments show; anything finite on the background."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class TextureMap:
    """A picture around a mesh.

    texture: linear colours (H, W, C), or one for each view (N, H, W, C), with any number of
        channels; `linear_from_srgb` makes them of an image file's.
    uv: where corners of faces (F, 3, 2), or vertices (V, 2), lie in it: (0, 0) is the corner above
        and left of its first texel, (1, 1) the opposite one. Those of OBJ files have v upwards:
        take 1 - v.
    wrap, filter: as `sample_texture` has them. "mipmap" keeps distant or slanted surfaces from
        flickering; of a pixel's footprint it takes the longer side.

    Differentiable in `texture`, `uv` and the mesh's vertices.
    """

    texture: Float[Tensor, "H W C"] | Float[Tensor, "N H W C"]
    uv: Float[Tensor, "F 3 2"] | Float[Tensor, "V 2"]
    wrap: Literal["repeat", "clamp", "mirror"] = "repeat"
    filter: Literal["nearest", "bilinear", "mipmap"] = "mipmap"

    def __post_init__(self) -> None:
        check_lookup("TextureMap", self.wrap, self.filter)
        check_is_tensor("TextureMap", "texture", self.texture)
        check_is_tensor("TextureMap", "uv", self.uv)

    def at(
        self, mesh: Mesh, verts_clip: Float[Tensor, "N V 4"], fragments: Fragments
    ) -> Float[Tensor, "N H W C"]:
        """Colours of what the fragments show.

        Raises:
            ValueError: a shape, dtype or device does not fit.
        """
        if self.uv.dim() == 2:
            _check_belongs("uv", self.uv, mesh.num_verts, "vertices", verts_clip)
        else:
            _check_belongs("uv", self.uv, mesh.num_faces, "faces", verts_clip)
        faces = mesh.faces if self.uv.dim() == 2 else None
        uv = interpolate(self.uv, faces, fragments)
        options = {}
        if self.filter == "mipmap":
            options["uv_dx"], options["uv_dy"] = (
                interpolate(self.uv, faces, fragments._replace(bary=bary))
                for bary in fragment_derivatives(verts_clip, mesh.faces, fragments)
            )
        return sample_texture(self.texture, uv, wrap=self.wrap, filter=self.filter, **options)


@dataclass(frozen=True, kw_only=True, eq=False)
class AssetColors:
    """The looks of a mesh file: colours of corners and materials times textures, all opaque.

    colors: linear, of corners.
    textures: each with the faces that it is on; elsewhere its `uv` do not matter.
    """

    colors: Float[Tensor, "F 3 3"]
    textures: tuple[tuple[Bool[Tensor, " F"], TextureMap], ...] = ()

    @classmethod
    def of(cls, asset: Asset, like: Tensor) -> "AssetColors":
        """In the type of `like`, on its device. Textures repeat beyond their borders.

        Raises:
            ValueError: a texture cannot be decoded.
        """
        num_faces = asset.mesh.num_faces
        colors = torch.ones(num_faces, 3, 3, dtype=torch.float64, device="cpu")
        if asset.colors is not None:
            colors = linear_from_srgb(asset.colors[..., :3].double())
        textures = []
        for material, numbers in parts_of(asset):
            on = torch.zeros(num_faces, dtype=torch.bool, device="cpu")
            on[torch.from_numpy(numbers)] = True
            color = torch.tensor(material.color[:3], dtype=torch.float64, device="cpu")
            tint = linear_from_srgb(color)
            colors = torch.where(on[:, None, None], colors * tint, colors)
            if material.texture is None or asset.uvs is None:
                continue
            # Bytes are looked up in a table: as many powers as there are pixels take seconds.
            levels = torch.arange(256, dtype=torch.float64, device="cpu") / 255
            linear = linear_from_srgb(levels).to(like)
            pixels = torch.tensor(material.texture.pixels()[..., :3], device=like.device)
            uv = asset.uvs.double().nan_to_num(nan=0.0, posinf=0.0, neginf=0.0)
            uv = torch.stack((uv[..., 0], 1 - uv[..., 1]), dim=-1)
            image = TextureMap(texture=linear[pixels.long()], uv=uv.to(like))
            textures.append((on.to(like.device), image))
        return cls(colors=colors.to(like), textures=tuple(textures))

    def at(
        self, mesh: Mesh, verts_clip: Float[Tensor, "N V 4"], fragments: Fragments
    ) -> Float[Tensor, "N H W 3"]:
        """Colours of what the fragments show.

        Raises:
            ValueError: the colours are of another mesh, or of another type than `mesh.verts`.
        """
        _check_belongs("colours", self.colors, mesh.num_faces, "faces", verts_clip)
        for on, _ in self.textures:
            _check_belongs("colours", on, mesh.num_faces, "faces", None)
        color = interpolate(self.colors, None, fragments)
        for on, image in self.textures:
            shown = on[fragments.face_idx.clamp(min=0).long()][..., None]
            color = torch.where(shown, color * image.at(mesh, verts_clip, fragments), color)
        return color


def _check_belongs(
    what: str, values: Tensor, count: int, elements: str, verts_clip: Tensor | None
) -> None:
    """Refuse values that are of another mesh, or (with `verts_clip`) of another type than it."""
    if len(values) != count:
        raise ValueError(
            f"these {what} are of a mesh with {len(values)} {elements}, this one has {count}; "
            "after remesh or weld make them anew"
        )
    if verts_clip is not None and values.dtype != verts_clip.dtype:
        raise ValueError(
            f"these {what} are {values.dtype}, the mesh and its cameras {verts_clip.dtype}; "
            "AssetColors.of(asset, mesh.verts) or Tensor.to() make them of the same type"
        )

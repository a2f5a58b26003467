"""Colours of an asset as the formats of mesh files want them: at vertices, in parts, in bytes."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from lightning_rast.scene.asset import Asset, Material, linear_from_srgb, srgb_from_linear
from lightning_rast.scene.mesh import Mesh


@dataclass(frozen=True, kw_only=True)
class VertexTable:
    """Vertices with one colour and one place in a texture each, and faces (F, 3) between them.

    verts (W,) name the mesh's vertices. Where nothing differs at a vertex they are those, in order.
    """

    verts: np.ndarray
    faces: np.ndarray
    colors: np.ndarray | None
    uvs: np.ndarray | None


def with_vertex_colors(mesh: Mesh, colors: Float[Tensor, "V C"]) -> Asset:
    """The mesh with red, green, blue (and alpha) in sRGB, 0..1, at its vertices."""
    if colors.ndim != 2 or len(colors) != mesh.num_verts or colors.shape[1] not in (3, 4):
        raise ValueError(
            f"colors must be ({mesh.num_verts}, 3) or ({mesh.num_verts}, 4), one row per vertex, "
            f"got {tuple(colors.shape)}"
        )
    colors = colors.detach().float()
    if colors.shape[1] == 3:
        colors = torch.cat((colors, torch.ones_like(colors[:, :1])), dim=1)
    return Asset(mesh=mesh, colors=colors[mesh.faces.long()])


def at_vertices(
    num_verts: int, faces: np.ndarray, colors: np.ndarray | None, uvs: np.ndarray | None
) -> VertexTable:
    """Vertices are repeated where the corners (F, 3, ...) of faces at them differ."""
    values = [part.reshape(len(faces) * 3, -1) for part in (colors, uvs) if part is not None]
    corners = faces.reshape(-1)
    if not values:
        return VertexTable(verts=np.arange(num_verts), faces=faces, colors=None, uvs=None)
    rows = np.concatenate([corners[:, None].astype(np.float64), *values], axis=1)
    # Sorted by vertex first, so the mesh's order stays.
    _, first, index = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    return VertexTable(
        verts=corners[first],
        faces=index.reshape(-1, 3),
        colors=None if colors is None else colors.reshape(-1, colors.shape[2])[first],
        uvs=None if uvs is None else uvs.reshape(-1, 2)[first],
    )


def parts_of(asset: Asset) -> list[tuple[Material, np.ndarray]]:
    """Each material that is used, and its faces."""
    if asset.material_idx is None or not asset.materials:
        return [(Material(), np.arange(asset.mesh.num_faces))]
    index = asset.material_idx.numpy()
    return [(asset.materials[k], np.flatnonzero(index == k)) for k in np.unique(index).tolist()]


def see_through_parts(asset: Asset) -> list[Material]:
    """Materials in use through which something may be seen: what their alpha mode makes of the
    least alpha of their colour, their texture and the corners of their faces.

    Raises:
        ValueError: a texture cannot be decoded.
    """
    found = []
    for material, faces in parts_of(asset):
        if material.alpha_mode == "OPAQUE":
            continue
        alpha = material.color[3]
        if asset.colors is not None:
            alpha *= float(asset.colors[torch.from_numpy(faces), :, 3].min())
        if material.texture is not None and asset.uvs is not None:
            alpha *= int(material.texture.pixels()[..., 3].min()) / 255
        if alpha < (material.alpha_cutoff if material.alpha_mode == "MASK" else 1):
            found.append(material)
    return found


def flat_colors(asset: Asset) -> np.ndarray | None:
    """(F, 3, 4) in sRGB: what is shown at the corners, textures included; None if all is white.

    Raises:
        ValueError: a texture cannot be decoded.
    """
    if not asset.has_appearance:
        return None
    colors = np.ones((asset.mesh.num_faces, 3, 4))
    if asset.colors is not None:
        colors = asset.colors.double().numpy().copy()
    for material, faces in parts_of(asset):
        shown = np.array(material.color)
        colors[faces] = _product(colors[faces], shown)
        if material.texture is not None and asset.uvs is not None:
            pixels = material.texture.pixels()
            colors[faces] = _product(colors[faces], _sampled(pixels, asset.uvs.numpy()[faces]))
    return colors


def _product(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Of light, so not of sRGB values."""
    rgb = srgb_from_linear(linear_from_srgb(first[..., :3]) * linear_from_srgb(second[..., :3]))
    return np.concatenate((rgb, first[..., 3:] * second[..., 3:]), axis=-1)


def _sampled(pixels: np.ndarray, uvs: np.ndarray) -> np.ndarray:
    """(F, 3, 4) of the texture's nearest pixels; it repeats beyond its borders."""
    height, width = pixels.shape[:2]
    uvs = np.nan_to_num(uvs.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    column = np.floor(uvs[..., 0] * width).astype(np.int64) % width
    row = np.floor((1 - uvs[..., 1]) * height).astype(np.int64) % height
    return pixels[row, column] / 255

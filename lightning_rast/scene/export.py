"""Meshes into files for other programs: OBJ with materials, PLY, GLB, STL; turned and scaled."""

import math
import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

import lightning_rast
from lightning_rast.scene.appearance import at_vertices, flat_colors, parts_of
from lightning_rast.scene.asset import Asset, Material
from lightning_rast.scene.glb_writer import GlbWriter
from lightning_rast.scene.io import MeshFileError, replace_file
from lightning_rast.scene.mesh import Mesh
from lightning_rast.scene.obj_file import write_obj
from lightning_rast.scene.obj_materials import write_materials
from lightning_rast.scene.ply_file import write_ply
from lightning_rast.scene.stl_file import write_stl

WRITABLE = (".obj", ".ply", ".glb", ".stl")
AXES = ("x", "y", "z")
# Metres in one of each.
UNITS = {"m": 1.0, "cm": 0.01, "mm": 0.001, "km": 1000.0, "in": 0.0254, "ft": 0.3048}
# Rows are the new axes: turned about x, not mirrored.
_Y_FROM_Z = ((1.0, 0.0, 0.0), (0.0, 0.0, 1.0), (0.0, -1.0, 0.0))


@dataclass(frozen=True, kw_only=True)
class Exported:
    """files: written, the mesh first. notes: what the format could not hold, and which files beside
    the mesh were replaced, for a person."""

    files: tuple[Path, ...]
    notes: tuple[str, ...] = ()


def export_mesh(
    mesh: Mesh | Asset,
    path: str | Path,
    *,
    scale: float = 1.0,
    up: tuple[str, str] = ("y", "y"),
    file_format: str | None = None,
    smooth: bool = False,
    mirror: str | None = None,
) -> Exported:
    """Write a mesh, with its colours where it is an `Asset`, as OBJ (+ MTL and textures), PLY, GLB
    or STL.

    Args:
        path: the file; folders must exist. Its ending says the format.
        scale: positions are multiplied by it. glTF counts in metres; the others have no unit.
        up: the axis ("y" or "z") that points up in `mesh`, and the one that shall do so in the
            file: turned about x, so nothing is mirrored. glTF wants y.
        file_format: "obj", "ply", "glb" or "stl", for a path that ends otherwise.
        smooth: GLB gets the vertices' normals, so that viewers shade it as a curved surface;
            without them they show flat faces, as a box wants. The others hold none.
        mirror: "x", "y" or "z", the axis of `mesh` whose coordinates are negated, for a mesh that
            is the mirror image of its object; faces are turned round, so that they face outward.

    OBJ and PLY keep positions exactly (float64 too), GLB and STL hold float32. GLB keeps vertex
    colours, base colours and textures; so does OBJ, whose colours have no alpha; PLY has colours of
    8 bits and one texture (several, and base colours, become vertex colours); STL has none. Each
    file appears when it is complete, never in part, the mesh last.

    Raises:
        TypeError: the path comes first.
        MeshFileError: another format, a mesh without faces, positions that are not finite (also
            where `scale` takes them beyond float32), or a texture that cannot be decoded.
        ValueError: scale, up or mirror make no sense.
        OSError: a file cannot be written.
    """
    if isinstance(mesh, str | Path):
        raise TypeError(f"the mesh comes first, then the path; got {str(mesh)!r:.80} as the mesh")
    path = Path(path)
    suffix = path.suffix.lower() if file_format is None else f".{file_format.lower()}"
    if suffix not in WRITABLE:
        raise MeshFileError(
            f"{path}: can only write {', '.join(WRITABLE)}; choose one of these endings"
        )
    asset = mesh if isinstance(mesh, Asset) else Asset(mesh=mesh)
    asset = _on_cpu(placed(asset, scale, up, mirror))
    verts = asset.mesh.verts.numpy()
    if asset.mesh.num_faces == 0:
        raise MeshFileError(f"{path}: the mesh has no faces; there is nothing to write")
    with np.errstate(over="ignore"):
        is_finite = np.isfinite(verts) & np.isfinite(verts.astype(np.float32))
    if not is_finite.all():
        raise MeshFileError(
            f"{path}: the mesh has positions that are not finite, or beyond float32; has the fit "
            "diverged, or is the scale too large?"
        )
    writers = {".obj": _export_obj, ".ply": _export_ply, ".stl": _export_stl}
    try:
        if suffix == ".glb":
            return _export_glb(asset, path, smooth)
        return writers[suffix](asset, path)
    except ValueError as error:
        raise MeshFileError(f"{path}: {error}") from error


def save_mesh(mesh: Mesh, path: str | Path) -> None:
    """Write OBJ, PLY, GLB or STL, by the path's ending; see `export_mesh`."""
    export_mesh(mesh, path)


def placed(asset: Asset, scale: float, up: tuple[str, str], mirror: str | None = None) -> Asset:
    """Mirrored, turned and scaled, as `export_mesh` says."""
    if not (math.isfinite(scale) and scale > 0):
        raise ValueError(f"scale must be a positive number, got {scale}")
    if len(up) != 2 or not set(up) <= {"y", "z"}:
        raise ValueError(f'up must be two of "y" and "z", before and after, got {up}')
    if mirror is not None:
        asset = mirrored(asset, mirror)
    verts = asset.mesh.verts.detach()
    if up != ("y", "y") and up[0] != up[1]:
        turn = torch.tensor(_Y_FROM_Z, dtype=verts.dtype, device=verts.device)
        # Exact: each new coordinate is an old one or its negative.
        verts = verts @ (turn.T if up == ("z", "y") else turn)
    if scale != 1.0:
        verts = verts * scale
    return replace(asset, mesh=asset.mesh.with_verts(verts))


def mirrored(asset: Asset, axis: str) -> Asset:
    """The mirror image: coordinates along `axis` negated, faces and what belongs to their corners
    in reverse order, so that what faced outward still does and shows the same colours."""
    if axis not in AXES:
        raise ValueError(f'mirror must be "x", "y" or "z", got {axis!r}')
    verts = asset.mesh.verts.detach().clone()
    verts[:, AXES.index(axis)] *= -1
    return replace(
        asset,
        mesh=Mesh(verts, asset.mesh.faces.flip(1)),
        colors=None if asset.colors is None else asset.colors.flip(1),
        uvs=None if asset.uvs is None else asset.uvs.flip(1),
    )


def _on_cpu(asset: Asset) -> Asset:
    mesh = asset.mesh.to("cpu")
    if mesh.verts.dtype not in (torch.float32, torch.float64):
        mesh = mesh.to(torch.float32)
    tensors = {
        name: None if value is None else value.detach().cpu()
        for name, value in (
            ("colors", asset.colors),
            ("uvs", asset.uvs),
            ("material_idx", asset.material_idx),
        )
    }
    return replace(asset, mesh=mesh, **tensors)


def _export_glb(asset: Asset, path: Path, smooth: bool) -> Exported:
    writer = GlbWriter(f"lightning_rast {lightning_rast.__version__}")
    verts, faces = asset.mesh.verts.numpy(), asset.mesh.faces.numpy()
    normals = asset.mesh.vertex_normals().numpy() if smooth else None
    for material, members in parts_of(asset):
        has_texture = material.texture is not None and asset.uvs is not None
        table = at_vertices(
            len(verts),
            faces[members],
            None if asset.colors is None else asset.colors.numpy()[members],
            asset.uvs.numpy()[members] if has_texture and asset.uvs is not None else None,
        )
        used, index = _used(table.faces, len(table.verts))
        writer.add(
            verts[table.verts[used]],
            index,
            material if has_texture else replace(material, texture=None),
            colors=None if table.colors is None else table.colors[used],
            uvs=None if table.uvs is None else table.uvs[used],
            normals=None if normals is None else normals[table.verts[used]],
        )
    replace_file(path, lambda unfinished: _write_bytes(unfinished, writer.content))
    return Exported(files=(path,))


def _export_stl(asset: Asset, path: Path) -> Exported:
    verts, faces = asset.mesh.verts.numpy(), asset.mesh.faces.numpy()
    replace_file(path, lambda unfinished: write_stl(unfinished, verts, faces))
    notes = ("STL holds no colours; they are left out",) if asset.has_appearance else ()
    return Exported(files=(path,), notes=notes)


def _export_ply(asset: Asset, path: Path) -> Exported:
    verts, faces = asset.mesh.verts.numpy(), asset.mesh.faces.numpy()
    texture_path, uvs, colors, notes = None, None, None, []
    materials = [material for material, _ in parts_of(asset)]
    plain = (1.0, 1.0, 1.0, 1.0)
    texture = materials[0].texture
    if len(materials) == 1 and texture is not None and materials[0].color == plain:
        if asset.uvs is not None:
            uvs = asset.uvs.numpy()
            texture_path = path.with_name(f"{path.stem}_texture{texture.suffix}")
            notes += _replaced(texture_path)
            replace_file(texture_path, lambda file: _write_bytes(file, texture.content))
        colors = None if asset.colors is None else asset.colors.numpy()
    else:
        colors = flat_colors(asset)
        if any(material.texture is not None for material in materials):
            notes.append(
                "PLY holds one texture, without a base colour: what is seen at vertices is written"
            )
    stored = None if colors is None else np.round(np.clip(colors, 0, 1) * 255).astype(np.uint8)
    table = at_vertices(len(verts), faces, stored, uvs)
    name = None if texture_path is None else texture_path.name
    replace_file(
        path,
        lambda unfinished: write_ply(
            unfinished,
            verts[table.verts],
            table.faces,
            colors=table.colors,
            uvs=table.uvs,
            texture=name,
        ),
    )
    files = (path,) if texture_path is None else (path, texture_path)
    return Exported(files=files, notes=tuple(notes))


def _export_obj(asset: Asset, path: Path) -> Exported:
    verts, faces = asset.mesh.verts.numpy(), asset.mesh.faces.numpy()
    colors = None if asset.colors is None else asset.colors.numpy()
    notes = []
    if colors is not None and (colors[..., 3] < 1).any():
        notes.append("OBJ holds no transparency of vertices; it is left out")
    table = at_vertices(len(verts), faces, None if colors is None else colors[..., :3], None)
    parts = parts_of(asset)
    has_materials = any(material != Material() for material, _ in parts)
    others: list[Path] = []
    groups, uvs, uv_faces = None, None, None
    if has_materials:
        names = _names([material for material, _ in parts])
        groups = [(name, members) for name, (_, members) in zip(names, parts, strict=True)]
        materials = dict(zip(names, (part[0] for part in parts), strict=True))
        others = _write_library(path, materials, notes)
        if asset.uvs is not None and any(material.texture for material, _ in parts):
            uvs, uv_faces = np.unique(asset.uvs.numpy().reshape(-1, 2), axis=0, return_inverse=True)
            uv_faces = uv_faces.reshape(-1, 3)
    replace_file(
        path,
        lambda unfinished: write_obj(
            unfinished,
            verts[table.verts],
            table.faces,
            colors=table.colors,
            uvs=uvs,
            uv_faces=uv_faces,
            groups=groups,
            library=others[0].name if others else None,
        ),
    )
    return Exported(files=(path, *others), notes=tuple(notes))


def _write_library(path: Path, materials: dict[str, Material], notes: list[str]) -> list[Path]:
    """The material file and its textures, which each are written once."""
    written: dict[int, Path] = {}
    textures: dict[str, str] = {}
    for name, material in materials.items():
        texture = material.texture
        if texture is None:
            continue
        if id(texture) not in written:
            ending = f"_{len(written) + 1}" if written else ""
            image = path.with_name(f"{_word(path.stem)}_texture{ending}{texture.suffix}")
            notes += _replaced(image)
            replace_file(image, lambda file, it=texture: _write_bytes(file, it.content))
            written[id(texture)] = image
        textures[name] = written[id(texture)].name
    library = path.with_name(f"{_word(path.stem)}.mtl")
    notes += _replaced(library)
    replace_file(library, lambda file: write_materials(file, materials, textures))
    return [library, *written.values()]


def _replaced(path: Path) -> list[str]:
    """The note on a file beside the mesh that nobody named, and another mesh may use."""
    return [f"replaced {path.name}"] if path.exists() else []


def _names(materials: list[Material]) -> list[str]:
    """One word each, all different."""
    names: list[str] = []
    for number, material in enumerate(materials):
        name = _word(material.name) or f"material_{number}"
        names.append(name if name not in names else f"{name}_{number}")
    return names


def _word(text: str) -> str:
    # Readers of OBJ and MTL disagree on spaces in names.
    return re.sub(r"[^\w.-]+", "_", text)


def _used(faces: np.ndarray, num_rows: int) -> tuple[np.ndarray, np.ndarray]:
    used = np.zeros(num_rows, dtype=bool)
    used[faces.reshape(-1)] = True
    place = np.cumsum(used) - 1
    return np.flatnonzero(used), place[faces]


def _write_bytes(path: Path, content: bytes) -> None:
    path.write_bytes(content)

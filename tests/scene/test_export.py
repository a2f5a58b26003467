"""Exported files: units, orientation and colours come back, here and in trimesh."""

import io
import json
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image

from lightning_rast.scene import (
    Asset,
    Material,
    Mesh,
    MeshFileError,
    Texture,
    cube,
    export_mesh,
    icosphere,
    load_asset,
    save_mesh,
    torus,
    with_vertex_colors,
)
from lightning_rast.scene.asset import linear_from_srgb, srgb_from_linear

FORMATS = [".obj", ".ply", ".glb", ".stl"]


SIGNS_X = torch.tensor([-1.0, 1.0, 1.0])


def colors_by_place(asset: Asset) -> dict[tuple[float, ...], list[float]]:
    assert asset.colors is not None
    corners = asset.mesh.verts[asset.mesh.faces.long()].reshape(-1, 3).tolist()
    colors = asset.colors.reshape(-1, 4).tolist()
    return {tuple(place): color for place, color in zip(corners, colors, strict=True)}


def colored_ball() -> Asset:
    """Every vertex in a colour of 8 bits."""
    ball = icosphere(2)
    colors = torch.randint(0, 256, (ball.num_verts, 3)) / 255
    return with_vertex_colors(ball, colors)


def textured_quads() -> Asset:
    """A cube whose sides all show one picture, with seams at its edges."""
    #   3---2   a square of two faces: corners at the corners of the picture
    #   | / |
    #   0---1
    box = cube()
    pixels = np.zeros((2, 2, 3), dtype=np.uint8)
    pixels[0, 0], pixels[0, 1], pixels[1, 0] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    material = Material(name="picture", texture=Texture(file.getvalue()))
    uvs = torch.rand(12, 3, 2)
    return Asset(
        mesh=box,
        uvs=uvs,
        material_idx=torch.zeros(12, dtype=torch.int32),
        materials=(material,),
    )


def two_materials() -> Asset:
    """A cube, half red, half see-through grey."""
    return Asset(
        mesh=cube(),
        material_idx=torch.tensor([0] * 6 + [1] * 6, dtype=torch.int32),
        materials=(
            Material(name="red paint", color=(1.0, 0.0, 0.2, 1.0)),
            Material(name="glass", color=(0.5, 0.5, 0.5, 0.25), alpha_mode="BLEND"),
        ),
    )


def by_corner_positions(asset: Asset, values: torch.Tensor) -> dict:
    """What belongs to each corner of each face, whatever the order of faces."""
    found = {}
    for corners, of_face in zip(asset.mesh.corners, values, strict=True):
        for k in range(3):
            key = tuple(np.roll(np.round(corners.double().numpy(), 5), -k, axis=0).ravel().tolist())
            found[key] = of_face[k].double().numpy()
    return found


def assert_same_at_corners(first, second, atol):
    assert first.keys() == second.keys()
    for key, value in first.items():
        np.testing.assert_allclose(value, second[key], rtol=0, atol=atol)


@pytest.mark.parametrize("suffix", [".obj", ".ply", ".glb"])
def test_vertex_colors_come_back_to_the_bit(tmp_path: Path, suffix: str):
    asset = colored_ball()
    export_mesh(asset, tmp_path / f"ball{suffix}")
    loaded = load_asset(tmp_path / f"ball{suffix}")
    assert torch.equal(loaded.mesh.verts, asset.mesh.verts)
    assert torch.equal(loaded.mesh.faces, asset.mesh.faces)
    assert torch.equal((255 * loaded.colors).round(), (255 * asset.colors).round())


@pytest.mark.parametrize("suffix", [".obj", ".ply", ".glb"])
def test_trimesh_sees_the_same_vertex_colors(tmp_path: Path, suffix: str):
    asset = colored_ball()
    export_mesh(asset, tmp_path / f"ball{suffix}")
    scene = trimesh.load_scene(tmp_path / f"ball{suffix}", process=False)
    seen = next(iter(scene.geometry.values()))
    expected = torch.zeros(asset.mesh.num_verts, 4)
    expected[asset.mesh.faces.long()] = asset.colors
    np.testing.assert_allclose(seen.vertices, asset.mesh.verts.numpy(), atol=1e-6)
    if suffix == ".glb":
        # Beside a material, trimesh hands on what glTF stores: linear colours of 16 bits.
        colors = np.asarray(seen.visual.vertex_attributes["color"], dtype=np.float64) / 65535
        colors[:, :3] = srgb_from_linear(colors[:, :3])
    else:
        colors = np.asarray(seen.visual.vertex_colors, dtype=np.float64) / 255
    np.testing.assert_allclose(colors, expected, atol=0.003)


@pytest.mark.parametrize("suffix", [".obj", ".ply", ".glb"])
def test_a_texture_and_its_coordinates_come_back(tmp_path: Path, suffix: str):
    asset = textured_quads()
    export_mesh(asset, tmp_path / f"box{suffix}")
    loaded = load_asset(tmp_path / f"box{suffix}")
    assert loaded.notes == ()
    assert loaded.mesh.topology.is_closed
    before, after = (by_corner_positions(it, it.uvs) for it in (asset, loaded))
    assert_same_at_corners(before, after, atol=1e-6)
    textures = [it.materials[0].texture.pixels() for it in (asset, loaded)]
    np.testing.assert_array_equal(*textures)


@pytest.mark.parametrize("suffix", [".obj", ".ply", ".glb"])
def test_trimesh_sees_the_texture_where_it_is(tmp_path: Path, suffix: str):
    asset = textured_quads()
    export_mesh(asset, tmp_path / f"box{suffix}")
    seen = trimesh.load_mesh(tmp_path / f"box{suffix}", process=False)
    uvs = torch.from_numpy(np.asarray(seen.visual.uv)[seen.faces])
    found = Asset(mesh=Mesh(torch.from_numpy(seen.vertices), torch.from_numpy(seen.faces)))
    before, after = by_corner_positions(asset, asset.uvs), by_corner_positions(found, uvs)
    assert_same_at_corners(before, after, atol=1e-6)
    material = seen.visual.material
    image = material.baseColorTexture if suffix == ".glb" else material.image
    pixels = np.asarray(image.convert("RGBA"))
    np.testing.assert_array_equal(pixels, asset.materials[0].texture.pixels())


def test_the_cut_off_of_a_mask_comes_back(tmp_path: Path):
    leaf = Material(name="leaf", alpha_mode="MASK", alpha_cutoff=0.25)
    asset = Asset(mesh=cube(), material_idx=torch.zeros(12).int(), materials=(leaf,))
    export_mesh(asset, tmp_path / "box.glb")
    (loaded,) = load_asset(tmp_path / "box.glb").materials
    assert (loaded.alpha_mode, loaded.alpha_cutoff) == ("MASK", 0.25)


@pytest.mark.parametrize("suffix", [".obj", ".glb"])
def test_materials_come_back(tmp_path: Path, suffix: str):
    export_mesh(two_materials(), tmp_path / f"box{suffix}")
    loaded = load_asset(tmp_path / f"box{suffix}")
    names = ["red_paint", "glass"] if suffix == ".obj" else ["red paint", "glass"]
    assert [material.name for material in loaded.materials] == names
    for material, expected in zip(loaded.materials, two_materials().materials, strict=True):
        assert material.color == pytest.approx(expected.color, abs=1e-6)
        assert material.alpha_mode == expected.alpha_mode
        assert material.alpha_cutoff == expected.alpha_cutoff
    red = loaded.mesh.face_normals[loaded.material_idx == 0].sum(dim=0)
    expected_red = cube().face_normals[:6].sum(dim=0)
    torch.testing.assert_close(red, expected_red)


def test_base_colors_become_vertex_colors_in_ply(tmp_path: Path):
    asset = two_materials()
    export_mesh(asset, tmp_path / "box.ply")
    loaded = load_asset(tmp_path / "box.ply")
    colors = torch.tensor([material.color for material in asset.materials])
    expected = colors[asset.material_idx.long()][:, None].expand(-1, 3, -1)
    before, after = by_corner_positions(asset, expected), by_corner_positions(loaded, loaded.colors)
    assert_same_at_corners(before, after, atol=0.5 / 255 + 1e-6)


def test_what_a_format_cannot_hold_is_said(tmp_path: Path):
    exported = export_mesh(two_materials(), tmp_path / "box.stl")
    assert exported.notes == ("STL holds no colours; they are left out",)


@pytest.mark.parametrize(
    ("suffix", "replaced"),
    [(".obj", ["box_texture.png", "box.mtl"]), (".ply", ["box_texture.png"])],
)
def test_neighbours_that_are_replaced_are_said(tmp_path: Path, suffix: str, replaced: list[str]):
    path = tmp_path / f"box{suffix}"
    assert export_mesh(textured_quads(), path).notes == ()
    notes = export_mesh(textured_quads(), path).notes
    assert notes == tuple(f"replaced {name}" for name in replaced)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("write", [export_mesh, save_mesh])
def test_a_path_in_the_place_of_the_mesh_is_said(tmp_path: Path, write):
    with pytest.raises(TypeError, match=r"the mesh comes first, then the path; got 'box\.ply'"):
        write("box.ply", cube())


@pytest.mark.parametrize("suffix", FORMATS)
def test_orientation_comes_back(tmp_path: Path, suffix: str):
    inside_out = Mesh(cube().verts, cube().faces.flip(1))
    for name, mesh, is_inside_out in (("in", inside_out, True), ("out", cube(), False)):
        export_mesh(mesh, tmp_path / f"{name}{suffix}")
        assert load_asset(tmp_path / f"{name}{suffix}").mesh.is_inside_out == is_inside_out
        volume = trimesh.load_mesh(tmp_path / f"{name}{suffix}").volume
        assert volume == pytest.approx(-1 if is_inside_out else 1)


@pytest.mark.parametrize("suffix", FORMATS)
def test_scale_changes_lengths_in_the_file(tmp_path: Path, suffix: str):
    export_mesh(cube(size=2.0), tmp_path / f"box{suffix}", scale=0.001)
    assert load_asset(tmp_path / f"box{suffix}").mesh.bounds[1].tolist() == pytest.approx(
        [1e-3] * 3
    )
    seen = trimesh.load_mesh(tmp_path / f"box{suffix}")
    assert seen.extents.tolist() == pytest.approx([0.002] * 3)


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize(("up", "axis", "sign"), [(("z", "y"), 1, 1), (("y", "z"), 1, -1)])
def test_up_turns_without_mirroring(tmp_path: Path, suffix: str, up, axis: int, sign: int):
    # What pointed along z points along y with z:y, and along -y with y:z.
    mesh = cube()
    tall = mesh.with_verts(mesh.verts * torch.tensor([1.0, 2.0, 1.0]) + torch.tensor([0, 0, 5.0]))
    export_mesh(tall, tmp_path / f"box{suffix}", up=up)
    loaded = load_asset(tmp_path / f"box{suffix}").mesh
    center = loaded.bounds.mean(dim=0)
    assert center.tolist() == pytest.approx([0, 5.0 * sign, 0])
    assert loaded.volume.item() == pytest.approx(2)


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize(("axis", "index"), [("x", 0), ("y", 1), ("z", 2)])
def test_a_mirror_image_is_reflected_closed_and_outward(tmp_path: Path, suffix, axis, index):
    ring = torus(9, 7, center=(1, 2, 3))
    export_mesh(ring, tmp_path / f"ring{suffix}", mirror=axis)
    loaded = load_asset(tmp_path / f"ring{suffix}").mesh
    signs = torch.ones(3)
    signs[index] = -1
    expected = {tuple(place) for place in (ring.verts * signs).tolist()}
    assert {tuple(place) for place in loaded.verts.tolist()} == expected
    assert loaded.topology.is_closed
    assert loaded.volume.item() == pytest.approx(ring.volume.item())


@pytest.mark.parametrize("suffix", [".obj", ".ply", ".glb"])
def test_a_mirror_image_keeps_its_vertices_colours(tmp_path: Path, suffix: str):
    ball = colored_ball()
    export_mesh(ball, tmp_path / f"ball{suffix}", mirror="x")
    loaded = load_asset(tmp_path / f"ball{suffix}")
    loaded = replace(loaded, mesh=loaded.mesh.with_verts(loaded.mesh.verts * SIGNS_X))
    seen, expected = colors_by_place(loaded), colors_by_place(ball)
    assert seen.keys() == expected.keys()
    for place, color in expected.items():
        assert seen[place] == pytest.approx(color, abs=2e-3)


def test_a_mirror_image_keeps_its_texture_coordinates(tmp_path: Path):
    box = textured_quads()
    export_mesh(box, tmp_path / "box.obj", mirror="x")
    loaded = load_asset(tmp_path / "box.obj")
    assert loaded.uvs is not None
    assert box.uvs is not None
    corners = loaded.mesh.verts[loaded.mesh.faces.long()] * SIGNS_X
    torch.testing.assert_close(corners.flip(1), box.mesh.verts[box.mesh.faces.long()])
    torch.testing.assert_close(loaded.uvs.flip(1), box.uvs)


def test_an_unknown_mirror_axis_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match='mirror must be "x", "y" or "z"'):
        export_mesh(cube(), tmp_path / "box.ply", mirror="w")


def test_up_there_and_back_is_exact(tmp_path: Path):
    mesh = torus(9, 7, center=(1, 2, 3))
    export_mesh(mesh, tmp_path / "up.ply", up=("y", "z"))
    export_mesh(load_asset(tmp_path / "up.ply"), tmp_path / "back.ply", up=("z", "y"))
    assert torch.equal(load_asset(tmp_path / "back.ply").mesh.verts, mesh.verts)


def test_a_format_may_be_named(tmp_path: Path):
    export_mesh(cube(), tmp_path / "box.model", file_format="stl")
    assert (tmp_path / "box.model").read_bytes().startswith(b"lightning_rast")


def test_a_failed_export_leaves_the_old_file(tmp_path: Path, monkeypatch):
    path = tmp_path / "box.stl"
    export_mesh(cube(), path)
    before = path.read_bytes()

    def full_disk(path, *_):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("lightning_rast.scene.export.write_stl", full_disk)
    with pytest.raises(OSError, match="No space"):
        export_mesh(icosphere(3), path)
    assert path.read_bytes() == before
    assert [found.name for found in tmp_path.iterdir()] == ["box.stl"]


def test_positions_that_scale_beyond_float32_are_refused(tmp_path: Path):
    with pytest.raises(MeshFileError, match="beyond float32"):
        export_mesh(cube(), tmp_path / "box.glb", scale=1e39)


def test_a_mesh_without_faces_is_refused(tmp_path: Path):
    empty = Mesh(torch.zeros(3, 3), torch.zeros(0, 3, dtype=torch.int32))
    with pytest.raises(MeshFileError, match="no faces"):
        export_mesh(empty, tmp_path / "empty.glb")


@pytest.mark.parametrize("bad", [{"scale": 0.0}, {"scale": float("nan")}, {"up": ("x", "y")}])
def test_senseless_arguments_are_named(tmp_path: Path, bad: dict):
    with pytest.raises(ValueError, match=next(iter(bad))):
        export_mesh(cube(), tmp_path / "box.glb", **bad)


def test_srgb_and_linear_are_inverse():
    values = np.linspace(0, 1, 256)
    np.testing.assert_allclose(srgb_from_linear(linear_from_srgb(values)), values, atol=1e-12)
    assert srgb_from_linear(np.ones(1)) == linear_from_srgb(np.ones(1)) == 1


def test_a_smooth_glb_has_unit_normals_and_a_plain_one_none(tmp_path):
    ball = icosphere(2)
    export_mesh(ball, tmp_path / "smooth.glb", smooth=True)
    export_mesh(ball, tmp_path / "flat.glb")
    np.testing.assert_allclose(normals_of(tmp_path / "smooth.glb"), ball.verts, atol=0.05)
    assert normals_of(tmp_path / "flat.glb") is None


def normals_of(path: Path) -> np.ndarray | None:
    """Of a GLB's only primitive, as the file holds them."""
    content = path.read_bytes()
    (length,) = struct.unpack_from("<I", content, 12)
    document, binary = json.loads(content[20 : 20 + length]), content[20 + length + 8 :]
    accessor = document["meshes"][0]["primitives"][0]["attributes"].get("NORMAL")
    if accessor is None:
        return None
    view = document["bufferViews"][document["accessors"][accessor]["bufferView"]]
    start = view.get("byteOffset", 0)
    return np.frombuffer(binary[start : start + view["byteLength"]], "<f4").reshape(-1, 3)

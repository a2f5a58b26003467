"""Materials through which something would be seen are drawn opaque, and `render` says so."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lightning_rast.render.command import main
from lightning_rast.scene import Asset, Material, Texture, cube, export_mesh
from lightning_rast.scene.appearance import see_through_parts


def picture(alpha: int) -> Texture:
    """White, with one texel of this alpha."""
    pixels = np.full((4, 4, 4), 255, np.uint8)
    pixels[1, 2, 3] = alpha
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="PNG")
    return Texture(file.getvalue())


def box(*materials: Material, corner_alpha: float | None = None) -> Asset:
    """A cube whose faces take the materials in turn."""
    colors = None
    if corner_alpha is not None:
        colors = torch.ones(12, 3, 4)
        colors[0, 0, 3] = corner_alpha
    return Asset(
        mesh=cube(),
        colors=colors,
        uvs=torch.rand(12, 3, 2),
        material_idx=(torch.arange(12) % len(materials)).int(),
        materials=materials,
    )


@pytest.mark.parametrize(
    ("asset", "is_see_through"),
    [
        (box(Material(alpha_mode="BLEND", color=(1, 1, 1, 0.9))), True),
        (box(Material(alpha_mode="BLEND", texture=picture(254))), True),
        (box(Material(alpha_mode="BLEND"), corner_alpha=0.5), True),
        (box(Material(alpha_mode="BLEND", texture=picture(255)), corner_alpha=1.0), False),
        (box(Material(alpha_mode="OPAQUE", color=(1, 1, 1, 0.1), texture=picture(0))), False),
        (box(Material(alpha_mode="MASK", texture=picture(100))), True),
        (box(Material(alpha_mode="MASK", texture=picture(150))), False),
        (box(Material(alpha_mode="MASK", texture=picture(150), alpha_cutoff=0.7)), True),
    ],
)
def test_the_least_alpha_and_its_mode_decide(asset, is_see_through):
    assert see_through_parts(asset) == (list(asset.materials) if is_see_through else [])


def test_materials_that_no_face_has_are_left_out():
    used, unused = Material(name="used"), Material(alpha_mode="BLEND", color=(1, 1, 1, 0))
    asset = box(used, unused)
    on_all = Asset(mesh=asset.mesh, material_idx=torch.zeros(12).int(), materials=(used, unused))
    assert see_through_parts(asset) == [unused]
    assert see_through_parts(on_all) == []


@pytest.fixture
def said(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Lines of `render` about what is drawn opaque."""

    def run(asset: Asset, *arguments: str) -> list[str]:
        path = tmp_path / "box.glb"
        export_mesh(asset, path)
        out = ["--out", str(tmp_path / "out"), "--size", "16", "--views", "2"]
        assert main([str(path), *out, *arguments]) == 0
        return [line for line in capsys.readouterr().out.splitlines() if "opaque" in line]

    return run


def test_render_names_them_once(said):
    leaf = Material(name="leaf", alpha_mode="MASK", texture=picture(0))
    glass = Material(alpha_mode="BLEND", color=(0.5, 0.5, 0.5, 0.2))
    assert said(box(Material(name="bark"), leaf, glass)) == [
        "note: see-through materials are drawn opaque, in masks and depths too: leaf (cut out), "
        "one without a name (blended)"
    ]


def test_render_names_five_of_many(said):
    many = [
        Material(name=f"glass {k}", alpha_mode="BLEND", color=(1, 1, 1, 0.1 * k)) for k in range(7)
    ]
    (line,) = said(box(*many))
    assert line.endswith("glass 4 (blended) and 2 more")


def test_clay_is_not_spoken_of(said):
    glass = Material(name="glass", alpha_mode="BLEND", color=(1, 1, 1, 0.2))
    assert said(box(glass), "--color", "clay") == []
    assert said(box(Material(name="bark"))) == []

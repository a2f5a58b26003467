"""Arrays that the library writes to are on the CPU and of its types, whatever torch's defaults."""

import io
from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from lightning_rast.ops import (
    contour_coverage,
    contour_pieces,
    fill_thin_parts,
    rasterize,
    transform_points,
)
from lightning_rast.ops.surface import level_surface
from lightning_rast.ops.voxelize import winding_numbers
from lightning_rast.render import AssetColors
from lightning_rast.scene import Asset, Material, Texture, cube
from tests.ops.operator_table import MATRICES, MESH, OPERATORS, SIZE, VERTS

COVERAGE = contour_coverage(VERTS, MESH.topology, SIZE)
DIFFERENTIABLE = OPERATORS | {
    "fill_thin_parts": lambda verts: (
        fill_thin_parts(rasterize(verts, MESH.faces, SIZE), COVERAGE, verts, MESH.topology).depth
    ),
    # With a gradient to the matrices as well.
    "transform_points": lambda verts: transform_points(verts[0, :, :3], MATRICES * verts[0, 0, 3]),
}


def value_and_gradient(operator: Callable[[Tensor], Tensor]) -> list[Tensor]:
    verts = VERTS.clone().requires_grad_()
    image = operator(verts)
    (grad,) = torch.autograd.grad(image.square().sum(), verts)
    return [operator(VERTS), image.detach(), grad]


@pytest.mark.parametrize("operator", DIFFERENTIABLE.values(), ids=DIFFERENTIABLE)
def test_another_default_device_changes_nothing(operator: Callable[[Tensor], Tensor]):
    expected = value_and_gradient(operator)
    with torch.device("meta"):
        actual = value_and_gradient(operator)
    assert all(map(torch.equal, actual, expected))


def test_pieces_lie_on_the_cpu():
    expected = contour_pieces(VERTS, MESH.topology, SIZE)
    with torch.device("meta"):
        actual = contour_pieces(VERTS, MESH.topology, SIZE)
    assert all(map(torch.equal, actual, expected))


def test_winding_numbers_lie_on_the_cpu():
    where = {"origin": (-1.5, -1.5, -1.5), "cell": 0.5, "size": (7, 7, 7)}
    expected = winding_numbers(MESH.verts, MESH.faces, **where)
    with torch.device("meta"):
        actual = winding_numbers(MESH.verts, MESH.faces, **where)
    assert torch.equal(actual, expected)


def test_a_surface_is_of_single_precision_whatever_the_default():
    field = torch.from_numpy(1 - np.linalg.norm(np.mgrid[-2:3, -2:3, -2:3], axis=0) / 1.7)
    expected = level_surface(field, origin=(0, 0, 0), cell=1.0)
    torch.set_default_dtype(torch.float64)
    try:
        actual = level_surface(field, origin=(0, 0, 0), cell=1.0)
    finally:
        torch.set_default_dtype(torch.float32)
    assert len(expected[0]) > 0
    assert all(map(torch.equal, actual, expected))


def test_the_looks_of_a_file_lie_where_its_mesh_does():
    mesh, file = cube(), io.BytesIO()
    Image.new("RGB", (2, 2), (10, 200, 30)).save(file, format="PNG")
    material = Material(color=(0.5, 0.2, 1.0, 1.0), texture=Texture(file.getvalue(), ".png"))
    asset = Asset(
        mesh=mesh,
        uvs=torch.rand(mesh.num_faces, 3, 2),
        materials=(material,),
        material_idx=torch.zeros(mesh.num_faces, dtype=torch.int32),
    )
    expected = AssetColors.of(asset, mesh.verts)
    with torch.device("meta"):
        actual = AssetColors.of(asset, mesh.verts)
    assert torch.equal(actual.colors, expected.colors)
    assert torch.equal(actual.textures[0][0], expected.textures[0][0])
    assert torch.equal(actual.textures[0][1].texture, expected.textures[0][1].texture)

"""Primitives have the size, the sides and the closure that they say."""

import math

import pytest
import torch

from lightning_rast.scene import Mesh, cube, cylinder, grid, icosphere, quad, torus

SOLIDS = [
    (icosphere(5, radius=2, center=(1, 2, 3)), 4 / 3 * math.pi * 8),
    (cube(size=3, center=(1, 2, 3)), 27),
    (torus(256, 128, radius=2, tube_radius=0.5, center=(1, 2, 3)), 2 * math.pi**2 * 2 * 0.25),
    (cylinder(256, radius=0.5, height=3, center=(1, 2, 3)), math.pi * 0.25 * 3),
]


@pytest.mark.parametrize(("mesh", "volume"), SOLIDS)
def test_solids_enclose_their_volume_facing_outwards(mesh: Mesh, volume: float):
    assert mesh.topology.is_closed
    assert mesh.topology.is_manifold
    assert mesh.volume.item() == pytest.approx(volume, rel=2e-3)


@pytest.mark.parametrize("mesh", [solid for solid, _ in SOLIDS])
def test_solids_are_centred_where_they_are_told(mesh: Mesh):
    torch.testing.assert_close(mesh.bounds.mean(0), torch.tensor([1.0, 2, 3]), atol=1e-5, rtol=0)


@pytest.mark.parametrize("mesh", [grid(3, 4, width=2, height=5), quad(size=math.sqrt(10))])
def test_sheets_face_forward_and_are_flat(mesh: Mesh):
    assert not mesh.topology.is_closed
    assert mesh.area.item() == pytest.approx(10)
    assert torch.equal(mesh.face_normals, torch.tensor([0.0, 0, 1]).expand(mesh.num_faces, 3))


def test_an_icosphere_has_equal_radii_and_known_counts():
    mesh = icosphere(3)
    assert (mesh.num_verts, mesh.num_faces) == (642, 1280)
    torch.testing.assert_close(mesh.verts.norm(dim=1), torch.ones(642))


def test_primitives_are_float32_with_int32_faces():
    for mesh in (icosphere(1), cube(), torus(), cylinder(), grid(), quad()):
        assert mesh.verts.dtype == torch.float32
        assert mesh.faces.dtype == torch.int32


@pytest.mark.parametrize("make", [lambda: icosphere(-1), lambda: torus(2), lambda: grid(0)])
def test_impossible_counts_are_refused(make):
    with pytest.raises(ValueError, match="must"):
        make()

"""What `mesh_report` says of meshes whose state is known."""

import json
import math

import pytest
import torch

from lightning_rast.scene import Mesh, cube, grid, icosphere, mesh_report, torus


def joined(*meshes: Mesh) -> Mesh:
    start, verts, faces = 0, [], []
    for mesh in meshes:
        verts.append(mesh.verts)
        faces.append(mesh.faces + start)
        start += mesh.num_verts
    return Mesh(torch.cat(verts), torch.cat(faces))


def turned(mesh: Mesh) -> Mesh:
    return Mesh(mesh.verts, mesh.faces.flip(1))


def test_a_sphere_is_sound():
    report = mesh_report(icosphere(3, radius=2.0))
    assert report.is_sound
    assert (report.genus, report.num_components, report.num_boundary_loops) == (0, 1, 0)
    assert report.volume == pytest.approx(4 / 3 * math.pi * 8, rel=0.02)
    assert report.area == pytest.approx(16 * math.pi, rel=0.02)


def test_genus_is_told_of_each_component_and_in_all():
    report = mesh_report(joined(icosphere(1, center=(5.0, 0, 0)), torus(16, 8), torus(8, 8)))
    assert [part.genus for part in report.components] == [1, 1, 0]
    assert report.genus == 2


def test_a_sound_component_beside_an_open_one_keeps_its_genus():
    report = mesh_report(joined(torus(16, 8), grid(2, 2, center=(9.0, 0, 0))))
    assert [part.genus for part in report.components] == [1, None]
    assert report.genus is None


def test_a_mesh_wound_inwards_is_inside_out():
    report = mesh_report(turned(cube(size=2.0)))
    assert report.is_inside_out
    assert not report.is_sound
    assert report.volume == pytest.approx(-8)


def test_whether_an_open_mesh_is_inside_out_is_not_known():
    assert mesh_report(grid(3, 3)).is_inside_out is None


def test_borders_are_counted_as_loops():
    pipe = torus(8, 8)
    # A ring without four of its eight segments of tube ends in two circles.
    report = mesh_report(Mesh(pipe.verts, pipe.faces[:64]))
    assert not report.is_watertight
    assert report.num_boundary_loops == 2


def test_cubes_that_share_an_edge_are_not_edge_manifold():
    # Seen from above: a cube, and one at its corner.
    report = mesh_report(joined(cube(), cube(center=(1.0, 1.0, 0.0))).weld())
    assert report.is_watertight
    assert not report.is_edge_manifold


def test_cubes_that_share_a_corner_are_not_vert_manifold():
    report = mesh_report(joined(cube(), cube(center=(1.0, 1.0, 1.0))).weld())
    assert report.is_edge_manifold
    assert not report.is_vert_manifold
    assert report.num_components == 1


def test_a_face_turned_round_is_inconsistently_wound():
    ball = icosphere(1)
    faces = ball.faces.clone()
    faces[7] = faces[7].flip(0)
    report = mesh_report(Mesh(ball.verts, faces))
    assert not report.is_oriented
    assert report.volume is None


def test_needles_are_degenerate_however_large_the_mesh():
    for scale in (1e-6, 1e6):
        verts = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0.5, 1e-8, 0], [0, 1, 0]]) * scale
        mesh = Mesh(verts, torch.tensor([[0, 1, 2], [0, 1, 3], [0, 3, 3]]))
        assert mesh_report(mesh).num_degenerate_faces == 2


def test_edges_are_measured():
    lengths = mesh_report(cube(size=2.0)).edge_lengths
    assert lengths.shortest == pytest.approx(2)
    assert lengths.longest == pytest.approx(math.sqrt(8))
    assert lengths.mean == pytest.approx((12 * 2 + 6 * math.sqrt(8)) / 18)
    assert lengths.median == pytest.approx(2)


def test_a_sheet_folded_onto_itself_has_a_folded_edge():
    verts = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0.5, 1, 0.1], [0.5, 1, -0.1]])
    report = mesh_report(Mesh(verts, torch.tensor([[0, 1, 2], [1, 0, 3]])))
    assert report.num_folded_edges == 1


def test_solids_that_overlap_cross():
    report = mesh_report(joined(cube(), cube(center=(0.5, 0.4, 0.3))))
    assert report.is_closed_solid
    assert not report.is_sound
    assert report.num_self_intersections > 0
    assert "cross" in str(report)


def test_a_sphere_does_not_cross_itself():
    assert mesh_report(icosphere(2)).num_self_intersections == 0


def test_it_is_json():
    report = mesh_report(icosphere(1))
    assert json.loads(json.dumps(report.as_json(), allow_nan=False))["genus"] == 0


def test_faults_are_put_into_words():
    pipe = torus(8, 8)
    assert "open at 2 border(s)" in str(mesh_report(Mesh(pipe.verts, pipe.faces[:64])))


@pytest.mark.parametrize("verts", [torch.full((12, 3), torch.nan), torch.full((12, 3), torch.inf)])
def test_positions_that_are_not_finite_are_refused(verts):
    with pytest.raises(ValueError, match="not finite"):
        mesh_report(icosphere(0).with_verts(verts))


def test_a_mesh_without_faces_is_refused():
    with pytest.raises(ValueError, match="no faces"):
        mesh_report(Mesh(torch.zeros(3, 3), torch.zeros(0, 3, dtype=torch.int32)))

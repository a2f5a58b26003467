"""Distances between surfaces that are known."""

import math

import numpy as np
import pytest
import torch

from lightning_rast.evaluation import (
    chamfer_l1,
    compare_surfaces,
    distances_to_surface,
    surface_samples,
)
from lightning_rast.scene import Mesh, cube, icosphere, quad


def test_spheres_one_inside_the_other_are_their_gap_apart():
    outer, inner = icosphere(4, radius=1.0), icosphere(4, radius=0.8)
    assert chamfer_l1(inner, outer) == pytest.approx(0.2, rel=0.005)


def test_it_is_in_half_extents_of_the_reference():
    small = chamfer_l1(icosphere(3, radius=0.8), icosphere(3, radius=1.0))
    large = chamfer_l1(icosphere(3, radius=80.0), icosphere(3, radius=100.0))
    assert small == pytest.approx(large, rel=1e-4)


def test_a_surface_has_no_distance_to_itself_however_it_is_cut_into_faces():
    scores = compare_surfaces(cube().subdivide().subdivide(), cube())
    assert scores.chamfer_l1 < 1e-5
    assert (scores.f_score_fine, scores.f_score) == (1, 1)
    assert scores.normal_consistency > 0.999


def test_f_scores_count_what_is_nearer_than_their_threshold():
    # Sheets that share half of their length; the diagonal is sqrt(2).
    sheet = quad(size=1.0)
    for gap, expected in ((0.0060, (0, 1)), (0.0080, (0, 1)), (0.0150, (0, 0))):
        shifted = sheet.with_verts(sheet.verts + torch.tensor([0.0, 0.0, gap]))
        scores = compare_surfaces(shifted, sheet)
        fine = 0.005 * math.sqrt(2)
        assert (scores.f_score_fine, scores.f_score) == ((1, 1) if gap < fine else expected)


def test_the_f_score_is_the_harmonic_mean_of_precision_and_recall():
    # Half of a large sheet: precise everywhere, but it recalls one half.
    whole, half = quad(size=2.0), quad(size=2.0)
    half = half.with_verts(half.verts * torch.tensor([0.5, 1.0, 1.0]) - torch.tensor([0.5, 0, 0]))
    reach = 0.01 * math.sqrt(8) / 2  # of the sheet's width beyond the half
    expected = 2 * (0.5 + reach) / (1.5 + reach)
    assert compare_surfaces(half, whole).f_score == pytest.approx(expected, abs=0.002)


def test_normals_of_a_cube_against_a_turned_sheet():
    sheet = quad(size=1.0)
    angle = math.radians(30)
    turn = torch.tensor(
        [[1, 0, 0], [0, math.cos(angle), -math.sin(angle)], [0, math.sin(angle), math.cos(angle)]]
    )
    scores = compare_surfaces(sheet.with_verts(sheet.verts @ turn.T), sheet)
    assert scores.normal_consistency == pytest.approx(math.cos(angle), abs=1e-5)


def test_distances_are_to_faces_not_to_their_corners():
    points = np.array([[0.1, 0.2, 0.7], [2.5, 0.0, 0.0], [2.0, 2.0, 2.0]])
    found, _ = distances_to_surface(points, cube(size=1.0))
    np.testing.assert_allclose(found, [0.2, 2.0, 1.5 * math.sqrt(3)], rtol=1e-6)


def test_it_is_the_same_every_time():
    mesh, reference = icosphere(2), icosphere(3)
    assert compare_surfaces(mesh, reference) == compare_surfaces(mesh, reference)


def test_samples_fall_evenly_by_area():
    # A large triangle and a small one, a third of its area.
    verts = torch.tensor([[0.0, 0, 0], [3, 0, 0], [0, 1, 0], [0, 0, 5], [1, 0, 5], [0, 1, 5]])
    mesh = Mesh(verts, torch.tensor([[0, 1, 2], [3, 4, 5]]))
    points, face = surface_samples(mesh, 40_000, seed=0)
    assert (face == 0).mean() == pytest.approx(0.75, abs=0.001)
    np.testing.assert_allclose(points[face == 0].mean(axis=0), [1, 1 / 3, 0], atol=0.02)


@pytest.mark.parametrize("verts", [torch.zeros(4, 3), torch.full((4, 3), torch.nan)])
def test_a_mesh_without_a_surface_has_no_distance(verts):
    mesh = quad().with_verts(verts)
    assert math.isnan(chamfer_l1(mesh, icosphere(1)))

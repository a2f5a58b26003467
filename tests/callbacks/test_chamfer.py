"""Chamfer distance against shapes whose distance is known."""

import math

import numpy as np
import pytest
import torch

from lightning_rast.callbacks.chamfer import chamfer_floor, chamfer_l1, surface_samples
from lightning_rast.scene import Mesh, icosphere, quad


def test_spheres_one_inside_the_other_are_their_gap_apart():
    outer, inner = icosphere(4, radius=1.0), icosphere(4, radius=0.8)
    # Every point is 0.2 from the other sphere; sampling adds a little across.
    assert chamfer_l1(inner, outer) == pytest.approx(0.2, rel=0.01)


def test_it_is_in_half_extents_of_the_reference():
    small = chamfer_l1(icosphere(3, radius=0.8), icosphere(3, radius=1.0))
    large = chamfer_l1(icosphere(3, radius=80.0), icosphere(3, radius=100.0))
    assert small == pytest.approx(large, rel=1e-4)


def test_the_floor_is_the_spacing_of_the_samples():
    # Nearest neighbours of a random point among n per unit of area are 1 / (2 sqrt(n)) away.
    mesh = icosphere(4)
    expected = 0.5 / math.sqrt(20_000 / (4 * math.pi))
    assert chamfer_floor(mesh) == pytest.approx(expected, rel=0.03)


def test_it_is_the_same_every_time():
    mesh, reference = icosphere(2), icosphere(3)
    assert chamfer_l1(mesh, reference) == chamfer_l1(mesh, reference)


def test_samples_fall_evenly_by_area():
    # A large triangle and a small one, a third of its area.
    verts = torch.tensor([[0.0, 0, 0], [3, 0, 0], [0, 1, 0], [0, 0, 5], [1, 0, 5], [0, 1, 5]])
    mesh = Mesh(verts, torch.tensor([[0, 1, 2], [3, 4, 5]]))
    points = surface_samples(mesh, 40_000, seed=0)
    on_large = points[points[:, 2] == 0]
    assert len(on_large) / len(points) == pytest.approx(0.75, abs=0.01)
    np.testing.assert_allclose(on_large.mean(axis=0), [1, 1 / 3, 0], atol=0.02)


@pytest.mark.parametrize("verts", [torch.zeros(4, 3), torch.full((4, 3), torch.nan)])
def test_a_mesh_without_a_surface_has_no_distance(verts):
    mesh = quad().with_verts(verts)
    assert math.isnan(chamfer_l1(mesh, icosphere(1)))

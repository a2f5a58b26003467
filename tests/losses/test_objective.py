"""The objective: which terms there are, and what their sum does to a mesh."""

from types import SimpleNamespace

import pytest
import torch

from lightning_rast.losses import Objective
from lightning_rast.scene import icosphere

NAMES = ("silhouette_l2", "silhouette_l1", "laplacian", "normal_consistency", "edge_length")


def terms_of(weights, bending_length=0.1, side=8):
    mesh = icosphere(2)
    coverage, target = torch.rand(2, side, side), torch.rand(2, side, side)
    targets = SimpleNamespace(coverage=target, known=None)
    weights = SimpleNamespace(**(dict.fromkeys(NAMES, 0.0) | weights))
    objective = Objective(weights, mesh.topology, scale=1.0)
    return objective(coverage, targets, mesh, bending_length=bending_length)


def test_terms_of_weight_zero_are_absent():
    assert set(terms_of({"silhouette_l2": 1.0})) == {"silhouette_l2", "total"}


def test_the_total_is_the_sum_of_all_terms():
    terms = terms_of(dict.fromkeys(NAMES, 0.5))
    assert set(terms) == {*NAMES, "total"}
    torch.testing.assert_close(terms["total"], sum(terms[name] for name in NAMES))


@pytest.mark.parametrize("name", NAMES)
def test_each_weight_scales_its_own_term(name):
    torch.manual_seed(1)
    one = terms_of({name: 1.0})[name]
    torch.manual_seed(1)
    torch.testing.assert_close(terms_of({name: 3.0})[name], 3 * one)


def test_bending_grows_with_the_fourth_power_of_its_length():
    short = terms_of({"laplacian": 1.0}, bending_length=0.1)["laplacian"]
    long = terms_of({"laplacian": 1.0}, bending_length=0.2)["laplacian"]
    torch.testing.assert_close(long, 16 * short)


def test_no_bending_length_means_no_bending():
    assert set(terms_of({"laplacian": 1.0}, bending_length=0.0)) == {"total"}

"""Views that disagree with the others: they are found, named, and lose their say."""

import numpy as np
import torch
from torch import Tensor

from lightning_rast.evaluation.volumes import volume_iou
from lightning_rast.ops import contour_coverage
from lightning_rast.ops.mask_distance import mask_distance
from lightning_rast.optim import outline_newton
from lightning_rast.optim.outline_newton import outline_rows, outline_step
from lightning_rast.scene import Camera, Mesh
from lightning_rast.scene.primitives import icosphere
from tests.optim.outline_scenes import SIZE, cameras, disc_distances, mean_edge


def test_an_even_disagreement_takes_no_weight_away():
    mesh, views = icosphere(3, radius=0.6), cameras()
    rows = outline_rows(mesh.verts, mesh.topology, views, disc_distances(views, 14.0))
    assert bool((outline_newton.view_weights(rows) == 1).all())


def test_a_view_of_another_object_is_named_and_loses_its_weight():
    mesh, views = icosphere(3, radius=0.8), cameras(8)
    radius = 48 / 2 / np.tan(np.radians(22.5)) * 0.8 / (2.7**2 - 0.64) ** 0.5
    distances = disc_distances(views, radius)
    distances[5] = disc_distances(views, 8.0)[5]
    rows = outline_rows(mesh.verts, mesh.topology, views, distances)
    assert outline_newton.disagreeing_views(rows) == [5]
    assert float(outline_newton.view_weights(rows)[5]) < 0.02


def fitted(start: Mesh, views: Camera, distances: Tensor, *, robust: bool) -> Mesh:
    mesh, weights = start, None
    for bending in (0.1, 0.1, 0.06, 0.06, 0.04, 0.04, 0.025, 0.025):
        if robust:
            rows = outline_rows(mesh.verts, mesh.topology, views, distances)
            weights = outline_newton.view_weights(rows)
        rows = outline_rows(mesh.verts, mesh.topology, views, distances, weights=weights)
        step = outline_step(mesh.verts, mesh.topology, rows, bending=bending, edge=mean_edge(mesh))
        mesh = mesh.with_verts(mesh.verts + step.delta)
    return mesh


def test_a_half_blank_mask_costs_little_where_views_are_weighted():
    truth, views = icosphere(3, radius=0.8), cameras(16)
    coverage = contour_coverage(views.world_to_clip(truth.verts), truth.topology, SIZE)
    coverage[5, :, SIZE[1] // 2 :] = 0
    distances = mask_distance(coverage)
    start = icosphere(3, radius=0.7)
    even, robust = (
        volume_iou(fitted(start, views, distances, robust=robust), truth, num_columns=64)
        for robust in (False, True)
    )
    assert even < 0.97
    assert robust > 0.985


def test_a_view_without_rows_keeps_its_weight():
    mesh, views = icosphere(3, radius=0.8), cameras()
    distances = disc_distances(views, 15.0)
    distances[2] = torch.nan
    rows = outline_rows(mesh.verts, mesh.topology, views, distances)
    assert float(outline_newton.view_weights(rows)[2]) == 1.0

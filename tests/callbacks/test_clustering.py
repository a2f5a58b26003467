"""Coarse copies of meshes."""

import numpy as np
import pytest
import torch

from lightning_rast.callbacks.clustering import clustered
from lightning_rast.scene import Mesh, icosphere, torus


@pytest.mark.parametrize("max_verts", [50, 500, 5000])
@pytest.mark.parametrize("shape", ["sphere", "torus", "flat"])
def test_it_has_about_as_many_vertices_as_allowed(shape, max_verts):
    mesh = torus() if shape == "torus" else icosphere(6)
    while mesh.num_verts < 10_000:
        mesh = mesh.subdivide()
    if shape == "flat":
        mesh = mesh.with_verts(mesh.verts * torch.tensor([1.0, 1.0, 0.0]))
    coarse = clustered(mesh, max_verts=max_verts)
    assert 0.4 * max_verts < coarse.num_verts <= max_verts


def test_the_shape_stays():
    coarse = clustered(icosphere(6), max_verts=5000)
    np.testing.assert_allclose(coarse.verts.norm(dim=1).numpy(), 1, atol=1e-3)
    assert float(coarse.area) == pytest.approx(4 * np.pi, rel=0.01)
    assert float(coarse.volume) == pytest.approx(4 / 3 * np.pi, rel=0.01)


def test_a_small_mesh_stays_as_it_is():
    mesh = icosphere(2)
    same = clustered(mesh, max_verts=mesh.num_verts)
    assert torch.equal(same.verts, mesh.verts)
    assert torch.equal(same.faces, mesh.faces)


def test_unused_vertices_do_not_count():
    mesh = icosphere(1)
    padded = Mesh(torch.cat((torch.full((1000, 3), 9.0), mesh.verts)), mesh.faces + 1000)
    coarse = clustered(padded, max_verts=100)
    assert coarse.num_verts == mesh.num_verts
    assert coarse.num_faces == mesh.num_faces


def test_no_face_is_degenerate_or_doubled():
    faces = clustered(icosphere(5), max_verts=300).faces.numpy()
    assert (np.sort(faces, axis=1)[:, :-1] != np.sort(faces, axis=1)[:, 1:]).all()
    assert len(np.unique(np.sort(faces, axis=1), axis=0)) == len(faces)

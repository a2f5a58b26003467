"""What is fitted has the same bits on every run, with several threads and every term on."""

from collections.abc import Iterator

import pytest
import torch

from lightning_rast.config import LossConfig
from lightning_rast.config_file import load_config
from lightning_rast.data import orbit_cameras, synthetic_views, view_directions
from lightning_rast.evaluate.retraining import trained
from lightning_rast.losses import Objective, Regularizers
from lightning_rast.optim import AdamUniform, Smoother
from lightning_rast.optim.bending import mean_edge
from lightning_rast.render import render_silhouettes
from lightning_rast.scene import Mesh, icosphere, torus


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def bumpy_sphere(level):
    mesh = icosphere(level)
    return mesh.with_verts(mesh.verts + 0.05 * torch.randn_like(mesh.verts))


@pytest.mark.parametrize("term", ["laplacian", "normal_consistency", "edge_length"])
def test_gradients_of_the_regularizers_are_the_same_every_time(term, device):
    mesh = bumpy_sphere(5).to(device)
    regularizers = Regularizers(mesh.topology, scale=1.0)
    gradients = set()
    for _ in range(20):
        verts = mesh.verts.clone().requires_grad_()
        getattr(regularizers, term)(verts).backward()
        gradients.add(verts.grad.cpu().numpy().tobytes())
    assert len(gradients) == 1


def test_a_fit_with_every_term_on_is_the_same_every_time(device):
    target = torus().to(device)
    cameras = orbit_cameras(target, view_directions("fibonacci", 3), image_size=48).to(device)
    views = synthetic_views(target, cameras)
    weights = LossConfig(silhouette_l1=0.1, laplacian=1.0, normal_consistency=0.1, edge_length=0.1)

    def fitted() -> bytes:
        start = icosphere(5, radius=0.5).to(device)
        verts = torch.nn.Parameter(start.verts.clone())
        objective = Objective(weights, start.topology, scale=0.5)
        smoother = Smoother(start.topology, 4.0)
        optimizer = AdamUniform([verts], lr=1e-2, smoother=smoother)
        for _ in range(4):
            mesh = Mesh(verts, start.faces, topology=start.topology)
            terms = objective(render_silhouettes(mesh, cameras), views, mesh, bending_length=0.1)
            assert len(terms) == 6
            optimizer.zero_grad()
            terms["total"].backward()
            optimizer.step()
        return verts.detach().cpu().numpy().tobytes()

    assert len({fitted() for _ in range(4)}) == 1


@pytest.fixture
def thread_counts():
    """Sets each of some numbers of threads in turn."""

    def each(*counts):
        for count in counts:
            torch.set_num_threads(count)
            yield count

    before = torch.get_num_threads()
    yield each
    torch.set_num_threads(before)


def test_the_mean_edge_of_a_large_mesh_does_not_depend_on_the_number_of_threads(thread_counts):
    mesh = icosphere(6)
    verts = mesh.verts * (1 + 0.1 * torch.rand(mesh.num_verts, 1))
    assert len({mean_edge(verts, mesh.topology) for _ in thread_counts(1, 2, 3, 7)}) == 1


@pytest.mark.slow
def test_a_whole_ladder_does_not_depend_on_the_number_of_threads(thread_counts):
    """Every kind of stage, and a mesh of another topology made anew on the way, which has so many
    edges that torch shares sums over them among its threads."""
    ring = torus(32, 16)
    cameras = orbit_cameras(ring, view_directions("fibonacci", 6), image_size=96)
    views = synthetic_views(ring, cameras)
    settings = ["name=bits", "device=cpu", "start.kind=sphere", "ladder.bending=[0.05,0.012]"]
    settings += ["ladder.polish_steps=6", "cameras.enabled=true", "topology.resolution=96"]
    settings += ["remesh.edge=0.012", "remesh.edge_px=1"]
    found = []
    for count in thread_counts(1, 2):
        config = load_config(None, [*settings, f"threads={count}"], complete=False)
        mesh, report = trained(config, views)
        found.append((mesh.verts.numpy().tobytes(), mesh.faces.numpy().tobytes()))
        assert {stage["round"] for stage in report["stages"]} == {0, 1}
        assert mesh.topology.num_edges > 40_000
    assert found[0] == found[1]

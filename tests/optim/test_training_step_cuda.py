"""A step of fitting silhouettes on a GPU: without stalls, in a CUDA graph, the same every time."""

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor

from lightning_rast.losses.image import silhouette_l2
from lightning_rast.ops import contour_coverage
from lightning_rast.optim import AdamUniform, Smoother
from lightning_rast.scene import Camera, Topology
from tests.ops.contour_meshes import icosphere

pytestmark = [pytest.mark.cuda, pytest.mark.usefixtures("enough_room")]


@pytest.fixture
def host_that_waits_raises() -> Iterator[Callable[[], None]]:
    yield lambda: torch.cuda.set_sync_debug_mode("error")
    torch.cuda.set_sync_debug_mode("default")


class Fit:
    """A sphere on its way to a larger one."""

    def __init__(self) -> None:
        mesh = icosphere(2)
        topology = Topology.from_faces(mesh.faces, len(mesh.verts)).to("cuda")
        eyes = torch.tensor([[0.0, 0.3, 2.7], [2.7, 0.2, 0.1]])
        camera = Camera.look_at(eyes, fov_deg=45.0, image_size=(32, 36)).to("cuda")
        self.verts = mesh.verts.float().cuda().requires_grad_()
        optimizer = AdamUniform([self.verts], lr=0.01, smoother=Smoother(topology, 4.0))

        def draw(verts: Tensor) -> Tensor:
            return contour_coverage(camera.world_to_clip(verts), topology, camera.image_size)

        targets = draw(1.1 * self.verts.detach())

        def step() -> Tensor:
            self.verts.grad = None
            loss = silhouette_l2(draw(self.verts), targets)
            loss.backward()
            optimizer.step()
            return loss.detach()

        self.step = step


def test_the_loss_falls():
    fit = Fit()
    losses = [float(fit.step()) for _ in range(8)]
    assert losses[-1] < 0.5 * losses[0]


def test_the_host_never_waits(host_that_waits_raises):
    fit = Fit()
    fit.step()  # makes what is kept
    host_that_waits_raises()
    fit.step()


def test_every_run_has_the_same_bits():
    fits = [Fit(), Fit()]
    for fit in fits:
        for _ in range(10):
            fit.step()
    assert torch.equal(fits[0].verts, fits[1].verts)


def test_a_captured_step_lowers_the_loss_whenever_it_is_repeated():
    fit = Fit()
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        fit.step()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        loss = fit.step()
    losses = []
    for _ in range(8):
        graph.replay()
        losses.append(float(loss))
    assert losses[-1] < 0.5 * losses[0]

"""`Renderer` on a GPU: nothing waits for the device, so that a graph can capture it."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import torch

from lightning_rast.ops import contour_cuda
from lightning_rast.ops._library import has_cuda
from lightning_rast.render import Lights, Renderer, TextureMap
from lightning_rast.scene import Camera, Mesh, icosphere

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
    pytest.mark.skipif(not has_cuda(), reason="built without CUDA"),
]


@pytest.fixture(autouse=True)
def enough_room() -> Iterator[None]:
    contour_cuda.reserve_contour_pieces(10_000)
    yield
    assert not contour_cuda.contour_overflowed()
    contour_cuda.reserve_contour_pieces(0)


@pytest.fixture
def host_that_waits_raises() -> Iterator[Callable[[], None]]:
    yield lambda: torch.cuda.set_sync_debug_mode("error")
    torch.cuda.set_sync_debug_mode("default")


def scene() -> tuple[Mesh, Camera]:
    mesh = icosphere(2).to("cuda")
    assert mesh.topology.is_closed  # known before, since building it waits
    eyes = torch.tensor([[0.0, 0.3, 2.7], [2.7, 0.2, 0.1]])
    return mesh, Camera.look_at(eyes, fov_deg=45.0, image_size=(16, 20)).to("cuda")


@pytest.mark.parametrize("supersampling", [1, 2])
def test_no_host_waits_for_the_images_or_their_gradients(host_that_waits_raises, supersampling):
    mesh, camera = scene()
    renderer = Renderer(lights=Lights(), background=0.5, supersampling=supersampling)
    renderer(mesh, camera)  # looks at the mesh once, and loads the kernels
    verts = mesh.verts.clone().requires_grad_()
    pose = camera.world_to_view.clone().requires_grad_()
    moved = replace(camera, world_to_view=pose)
    host_that_waits_raises()
    rendering = renderer(mesh.with_verts(verts), moved)
    (rendering.color.sum() + rendering.normals.sum() + rendering.depth.sum()).backward()
    torch.cuda.set_sync_debug_mode("default")
    assert verts.grad.isfinite().all()
    assert pose.grad.isfinite().all()


@pytest.mark.parametrize("supersampling", [1, 2])
def test_no_host_waits_for_textured_images(host_that_waits_raises, supersampling):
    mesh, camera = scene()
    texture = TextureMap(texture=torch.rand(8, 8, 3).cuda(), uv=mesh.verts[:, :2].contiguous())
    renderer = Renderer(outputs=("color",), supersampling=supersampling)
    renderer(mesh, camera, texture)
    verts = mesh.verts.clone().requires_grad_()
    host_that_waits_raises()
    renderer(mesh.with_verts(verts), camera, texture).color.sum().backward()
    torch.cuda.set_sync_debug_mode("default")
    assert verts.grad.isfinite().all()


@pytest.mark.parametrize("supersampling", [1, 2])
def test_images_and_gradients_are_near_those_of_the_cpu(supersampling):
    found = []
    for device in ("cpu", "cuda"):
        mesh, camera = (thing.to(device) for thing in scene())
        verts = mesh.verts.clone().requires_grad_()
        rendering = Renderer(supersampling=supersampling)(mesh.with_verts(verts), camera)
        (rendering.color.sum() + rendering.normals.square().sum()).backward()
        found.append(
            [rendering.color.detach().cpu(), rendering.depth.detach().cpu(), verts.grad.cpu()]
        )
    for on_cpu, on_gpu in zip(*found, strict=True):
        torch.testing.assert_close(on_gpu, on_cpu, rtol=1e-3, atol=1e-4)

"""Face, barycentrics and depth of every pixel by all rasterizers that are installed.

Each draws all views of one mesh from its world vertices, and is used as its documentation shows.
"""

from collections.abc import Callable

import torch
from peers import installed
from scenes import DISTANCE, FOV_DEG, Scene
from torch import Tensor

from lightning_rast.ops import rasterize
from lightning_rast.scene import Camera

# Draws, and returns whatever the rasterizer calls its fragments.
Peer = Callable[[Tensor], object]


def visibility_peers(scene: Scene, camera: Camera, *, only: str | None = None) -> dict[str, Peer]:
    """All that can be imported and work on the camera's device (or `only` that one); ours first."""
    makers = {
        "lightning_rast": (ours, True),
        "nvdiffrast": (nvdiffrast, camera.K.is_cuda and installed("nvdiffrast.torch")),
        "DRTK": (drtk, installed("drtk.edge_grad_ext")),
        "PyTorch3D": (pytorch3d, installed("pytorch3d._C")),
    }
    return {
        name: make(scene, camera)
        for name, (make, found) in makers.items()
        if found and only in (None, name)
    }


def ours(scene: Scene, camera: Camera) -> Peer:
    faces = scene.mesh.faces.to(camera.K.device)
    return lambda verts: rasterize(camera.world_to_clip(verts), faces, camera.image_size)


def nvdiffrast(scene: Scene, camera: Camera) -> Peer:
    import nvdiffrast.torch as dr  # pyright: ignore[reportMissingImports]

    context = dr.RasterizeCudaContext(device=camera.K.device)
    faces = scene.mesh.faces.int().to(camera.K.device)

    def draw(verts: Tensor) -> object:
        verts_clip = camera.world_to_clip(verts).float().contiguous()
        return dr.rasterize(context, verts_clip, faces, camera.image_size, grad_db=False)

    return draw


def drtk(scene: Scene, camera: Camera) -> Peer:
    import drtk  # pyright: ignore[reportMissingImports]

    height, width = camera.image_size
    faces = scene.mesh.faces.int().to(camera.K.device)

    def draw(verts: Tensor) -> object:
        depth = camera.world_to_view_points(verts)[..., 2:]
        verts_pixel = torch.cat([camera.project(verts) - 0.5, depth], dim=2).float()
        index = drtk.rasterize(verts_pixel, faces, height, width)
        return index, drtk.render(verts_pixel, faces, index)

    return draw


def pytorch3d(scene: Scene, camera: Camera) -> Peer:
    from pytorch3d.renderer import (  # pyright: ignore[reportMissingImports]
        FoVPerspectiveCameras,
        MeshRasterizer,
        RasterizationSettings,
    )
    from pytorch3d.structures import Meshes  # pyright: ignore[reportMissingImports]

    device = camera.K.device
    flip = torch.diag(torch.tensor([-1.0, -1.0, 1.0], device=device))
    view = camera.world_to_view.float()
    rasterizer = MeshRasterizer(
        cameras=FoVPerspectiveCameras(
            R=(flip @ view[:, :3, :3]).transpose(1, 2),
            T=view[:, :3, 3] @ flip,
            fov=FOV_DEG,
            znear=DISTANCE / 100,
            device=device,
        ),
        raster_settings=RasterizationSettings(image_size=camera.image_size, faces_per_pixel=1),
    )
    faces = scene.mesh.faces.long().to(device)

    def draw(verts: Tensor) -> object:
        return rasterizer(Meshes([verts], [faces]).extend(len(view)))

    return draw

"""The same silhouettes by other differentiable rasterizers, as far as they are installed.

A peer draws all views of one mesh, compares them with a target and returns the pictures and the
gradient of the squared error with respect to world vertices. Each is used as its documentation
shows; conversions between conventions are inside what is timed, setup per mesh is not.
"""

import math
from collections.abc import Callable
from importlib.util import find_spec

import numpy as np
import torch
from scenes import Scene
from torch import Tensor

from lightning_rast.ops import contour_coverage
from lightning_rast.scene import Camera

# Draws, and returns pictures (N, H, W) and the gradient (V, 3).
Peer = Callable[[Tensor], tuple[Tensor, Tensor]]


PEER_NAMES = ("DEODR", "nvdiffrast", "DRTK", "PyTorch3D")


def peers(
    scene: Scene, camera: Camera, target: Tensor, *, only: str | None = None
) -> dict[str, Peer]:
    """All that can be imported and work where `camera` and `target` are (or `only` that one);
    ours is the first."""
    names = [only] if only else ["lightning_rast", *installed_peers(on_gpu=target.is_cuda)]
    makers = {
        "lightning_rast": ours,
        "DEODR": deodr,
        "nvdiffrast": nvdiffrast,
        "DRTK": drtk,
        "PyTorch3D": pytorch3d,
    }
    return {name: makers[name](scene, camera, target) for name in names}


def installed_peers(*, on_gpu: bool = False) -> list[str]:
    """Those of `PEER_NAMES` that can be imported and work there."""
    found = {
        "DEODR": not on_gpu and installed("deodr.differentiable_renderer"),
        "nvdiffrast": on_gpu and installed("nvdiffrast.torch"),
        # An unrelated package of this name exists.
        "DRTK": installed("drtk.edge_grad_ext"),
        "PyTorch3D": installed("pytorch3d._C"),
    }
    return [name for name in PEER_NAMES if found[name]]


def installed(module: str) -> bool:
    """Whether `module` can be imported; does not import it."""
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def squared_error_grad(pictures: Tensor, target: Tensor, verts: Tensor) -> Tensor:
    """Gradient (V, 3) of the sum of squared differences, which itself nobody has to compute."""
    return torch.autograd.grad(pictures, verts, (pictures.detach() - target).mul_(2))[0]


def ours(scene: Scene, camera: Camera, target: Tensor) -> Peer:
    topology = scene.topology.to(target.device)

    def draw(verts: Tensor) -> tuple[Tensor, Tensor]:
        verts = verts.detach().requires_grad_()
        pictures = contour_coverage(camera.world_to_clip(verts), topology, camera.image_size)
        return pictures.detach(), squared_error_grad(pictures, target, verts)

    return draw


def deodr(scene: Scene, camera: Camera, target: Tensor) -> Peer:
    """Outlines drawn over by ramps one pixel wide; float64, one view after another."""
    from deodr.differentiable_renderer import Scene2D
    from deodr.triangulated_mesh import TriMeshAdjacencies

    height, width = camera.image_size
    faces = scene.mesh.faces.numpy().astype(np.uint32)
    num_faces, num_verts = len(faces), len(scene.mesh.verts)
    clockwise = False  # counter-clockwise before y is turned down
    outlines = TriMeshAdjacencies(faces, clockwise=clockwise, nb_vertices=num_verts)
    wanted = target.double().numpy()[..., None]

    def draw_view(xy: np.ndarray, depth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        picture = Scene2D(
            faces=faces,
            faces_uv=faces,
            ij=xy,
            depths=depth,
            textured=np.zeros(num_faces, dtype=bool),
            uv=np.zeros((num_verts, 2)),
            shade=np.zeros(num_verts),
            colors=np.ones((num_verts, 1)),
            shaded=np.zeros(num_faces, dtype=bool),
            edgeflags=np.asarray(outlines.edge_on_silhouette(xy)),
            height=height,
            width=width,
            nb_colors=1,
            texture=np.zeros((0, 0)),
            background_color=np.zeros(1),
            clockwise=clockwise,
            backface_culling=True,
            integer_pixel_centers=False,
        )
        image, _ = picture.render(sigma=1)
        picture.render_backward(2 * (image - wanted))
        return image[..., 0], np.asarray(picture.ij_b)

    def draw(verts: Tensor) -> tuple[Tensor, Tensor]:
        verts = verts.detach().requires_grad_()
        screen = camera.project(verts.double())
        depth = camera.world_to_view_points(verts.detach().double())[..., 2]
        drawn = [
            draw_view(np.ascontiguousarray(xy), np.ascontiguousarray(z))
            for xy, z in zip(screen.detach().numpy(), depth.numpy(), strict=True)
        ]
        images, grads = (torch.from_numpy(np.stack(part)) for part in zip(*drawn, strict=True))
        (grad,) = torch.autograd.grad(screen, verts, grads)
        return images, grad

    return draw


def nvdiffrast(scene: Scene, camera: Camera, target: Tensor) -> Peer:
    """Hard masks, antialiased at outlines; images of at most 2048 pixels a side, multiples of 8."""
    import nvdiffrast.torch as dr  # pyright: ignore[reportMissingImports]

    context = dr.RasterizeCudaContext(device=target.device)
    faces = scene.mesh.faces.int().to(target.device)
    # Its first row is at the bottom.
    flip = torch.tensor([1.0, -1.0, 1.0, 1.0], device=target.device)

    def draw(verts: Tensor) -> tuple[Tensor, Tensor]:
        verts = verts.detach().requires_grad_()
        verts_clip = (camera.world_to_clip(verts) * flip).float().contiguous()
        fragments, _ = dr.rasterize(context, verts_clip, faces, camera.image_size, grad_db=False)
        mask = (fragments[..., 3:] > 0).float()
        pictures = dr.antialias(mask, fragments, verts_clip, faces)[..., 0]
        return pictures.detach(), squared_error_grad(pictures, target, verts)

    return draw


def drtk(scene: Scene, camera: Camera, target: Tensor) -> Peer:
    """Hard masks with gradients estimated from differences across outlines."""
    import drtk  # pyright: ignore[reportMissingImports]

    height, width = camera.image_size
    faces = scene.mesh.faces.int().to(target.device)

    def draw(verts: Tensor) -> tuple[Tensor, Tensor]:
        verts = verts.detach().requires_grad_()
        # A pixel's centre is an integer there.
        xy = camera.project(verts) - 0.5
        depth = camera.world_to_view_points(verts)[..., 2:]
        verts_pixel = torch.cat([xy, depth], dim=2).float()
        index = drtk.rasterize(verts_pixel, faces, height, width)
        _, bary = drtk.render(verts_pixel, faces, index)
        mask = (index != -1).float()[:, None]
        pictures = drtk.edge_grad_estimator(verts_pixel, faces, bary, mask, index)[:, 0]
        return pictures.detach(), squared_error_grad(pictures, target, verts)

    return draw


def pytorch3d(scene: Scene, camera: Camera, target: Tensor) -> Peer:
    """Soft silhouettes with the settings of its tutorial: sigma 1e-4, 50 faces a pixel."""
    from pytorch3d.renderer import (  # pyright: ignore[reportMissingImports]
        BlendParams,
        FoVPerspectiveCameras,
        MeshRasterizer,
        MeshRenderer,
        RasterizationSettings,
        SoftSilhouetteShader,
    )
    from pytorch3d.structures import Meshes  # pyright: ignore[reportMissingImports]

    # Its cameras look along z with x to the left and y up, and multiply row vectors.
    flip = torch.diag(torch.tensor([-1.0, -1.0, 1.0], device=target.device))
    view = camera.world_to_view.float()
    sigma = 1e-4
    height, _ = camera.image_size  # square, and looking along its axis
    renderer = MeshRenderer(
        rasterizer=MeshRasterizer(
            cameras=FoVPerspectiveCameras(
                R=(flip @ view[:, :3, :3]).transpose(1, 2),
                T=view[:, :3, 3] @ flip,
                fov=math.degrees(2 * math.atan(height / 2 / float(camera.K[0, 1, 1]))),
                znear=max(camera.near, 1e-2 * float(camera.center_world.norm(dim=1).min())),
                device=target.device,
            ),
            raster_settings=RasterizationSettings(
                image_size=camera.image_size,
                blur_radius=math.log(1 / 1e-4 - 1) * sigma,
                faces_per_pixel=50,
            ),
        ),
        shader=SoftSilhouetteShader(blend_params=BlendParams(sigma=sigma)),
    )
    faces = scene.mesh.faces.long().to(target.device)

    def draw(verts: Tensor) -> tuple[Tensor, Tensor]:
        verts = verts.detach().requires_grad_()
        pictures = renderer(Meshes([verts], [faces]).extend(len(view)))[..., 3]
        return pictures.detach(), squared_error_grad(pictures, target, verts)

    return draw

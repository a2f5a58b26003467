"""What `gpu.py` measures: one call of each operator, and a step of fitting silhouettes."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from scenes import Scene
from torch import Tensor

from lightning_rast.losses.image import silhouette_l2
from lightning_rast.ops import (
    antialias,
    contour_coverage,
    interpolate,
    rasterize,
    soft_colors,
    soft_coverage,
    transform_points,
)
from lightning_rast.ops.advice import mark_antialiased
from lightning_rast.optim import AdamUniform, Smoother
from lightning_rast.scene import Camera, Topology


@dataclass
class Case:
    """An operator with its operands."""

    forward: Callable[[], tuple[Tensor, ...]]
    leaves: tuple[Tensor, ...]  # operands that get gradients
    others: tuple[Tensor, ...]

    def __post_init__(self) -> None:
        self._grads = tuple(torch.rand_like(x) for x in self._differentiable(self.forward()))

    def both(self) -> tuple[Tensor, ...]:
        """Forward and backward."""
        results = self._differentiable(self.forward())
        return torch.autograd.grad(results, self.leaves, self._grads)

    def bytes_moved(self) -> int:
        """Each operand read twice, each result written, and the gradients of both."""
        results = sum(x.nbytes for x in self.forward())
        leaves = sum(x.nbytes for x in self.leaves)
        others = sum(x.nbytes for x in self.others)
        return 2 * (leaves + others) + results + leaves + sum(x.nbytes for x in self._grads)

    @staticmethod
    def _differentiable(results: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return tuple(x for x in results if x.requires_grad)


def has_cuda_kernel(name: str) -> bool:
    """Whether torch's dispatcher knows a CUDA kernel of the operator."""
    has_kernel = torch._C._dispatch_has_kernel_for_dispatch_key
    return hasattr(torch.ops.lightning_rast, name) and has_kernel(f"lightning_rast::{name}", "CUDA")


def _clip(scene: Scene, camera: Camera) -> Tensor:
    verts = scene.mesh.verts.float().to(camera.K.device)
    return camera.world_to_clip(verts).detach().requires_grad_()


def _topology_tensors(topology: Topology) -> tuple[Tensor, ...]:
    edges = (topology.edge_verts, topology.edge_faces)
    return (topology.faces, *edges, topology.irregular_offsets, topology.irregular_codes)


def _transform_points(scene: Scene, camera: Camera) -> Case:
    points = scene.mesh.verts.float().to(camera.K.device).requires_grad_()
    matrices = camera.world_to_view.double().detach().clone().requires_grad_()
    return Case(lambda: (transform_points(points, matrices),), (points, matrices), ())


def _contour_coverage(scene: Scene, camera: Camera) -> Case:
    verts_clip, topology = _clip(scene, camera), scene.topology.to(camera.K.device)
    return Case(
        lambda: (contour_coverage(verts_clip, topology, camera.image_size),),
        (verts_clip,),
        _topology_tensors(topology),
    )


def _rasterize(scene: Scene, camera: Camera) -> Case:
    verts_clip, faces = _clip(scene, camera), scene.mesh.faces.to(camera.K.device)

    def forward() -> tuple[Tensor, ...]:
        fragments = rasterize(verts_clip, faces, camera.image_size)
        mark_antialiased(fragments)  # nothing is fitted here
        return fragments

    return Case(forward, (verts_clip,), (faces,))


def _interpolate(scene: Scene, camera: Camera) -> Case:
    faces = scene.mesh.faces.to(camera.K.device)
    fragments = rasterize(_clip(scene, camera).detach(), faces, camera.image_size)
    fragments = fragments._replace(bary=fragments.bary.requires_grad_())
    colours = torch.rand(len(scene.mesh.verts), 3, device=camera.K.device).requires_grad_()
    return Case(
        lambda: (interpolate(colours, faces, fragments),),
        (colours, fragments.bary),
        (faces, fragments.face_idx),
    )


def _antialias(scene: Scene, camera: Camera) -> Case:
    verts_clip, topology = _clip(scene, camera), scene.topology.to(camera.K.device)
    fragments = rasterize(verts_clip.detach(), topology.faces, camera.image_size)
    colours = torch.rand(len(scene.mesh.verts), 3, device=camera.K.device)
    image = interpolate(colours, topology.faces, fragments).requires_grad_()
    return Case(
        lambda: (antialias(image, fragments, verts_clip, topology),),
        (image, verts_clip),
        (fragments.face_idx, *_topology_tensors(topology), topology.face_neighbors),
    )


def _soft_coverage(scene: Scene, camera: Camera) -> Case:
    verts_clip, faces = _clip(scene, camera), scene.mesh.faces.to(camera.K.device)
    return Case(
        lambda: (soft_coverage(verts_clip, faces, camera.image_size, sigma=0.5),),
        (verts_clip,),
        (faces,),
    )


def _soft_colors(scene: Scene, camera: Camera) -> Case:
    verts_clip, faces = _clip(scene, camera), scene.mesh.faces.to(camera.K.device)
    # Of corners: gathering those of vertices would be timed as well.
    colours = torch.rand(len(faces), 3, 3, device=camera.K.device).requires_grad_()
    return Case(
        lambda: tuple(
            soft_colors(verts_clip, faces, colours, camera.image_size, sigma=0.5, gamma=0.05)
        ),
        (verts_clip, colours),
        (faces,),
    )


OPERATORS: dict[str, Callable[[Scene, Camera], Case]] = {
    "transform_points": _transform_points,
    "contour_coverage": _contour_coverage,
    "rasterize": _rasterize,
    "interpolate": _interpolate,
    "antialias": _antialias,
    "soft_coverage": _soft_coverage,
    "soft_colors": _soft_colors,
}


def training_step(
    scene: Scene, camera: Camera, target: Tensor, *, lr: float = 1e-6
) -> Callable[[], Tensor]:
    """Mesh and cameras to silhouettes, their loss, its gradient, and the optimizer's step."""
    verts = scene.mesh.verts.float().to(target.device).requires_grad_()
    topology = scene.topology.to(target.device)
    optimizer = AdamUniform([verts], lr=lr, smoother=Smoother(topology, 4.0))
    targets = target.expand(len(camera), *target.shape)

    def step() -> Tensor:
        verts.grad = None
        coverage = contour_coverage(camera.world_to_clip(verts), topology, camera.image_size)
        loss = silhouette_l2(coverage, targets)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step

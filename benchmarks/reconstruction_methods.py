"""The ways from views to a mesh that the reconstruction benchmark compares."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from peers import PEER_NAMES, installed_peers, peers
from scenes import Scene
from torch import Tensor

from lightning_rast.config_file import load_config
from lightning_rast.data import Views, fitted_sphere
from lightning_rast.evaluate.retraining import trained
from lightning_rast.evaluation import better_hull
from lightning_rast.scene import Mesh, icosphere

PRESETS = ("sphere", "fast", "best")
_PEER_STEPS = 1000
_PEER_VIEWS = 2  # a step


@dataclass(frozen=True)
class Outcome:
    """seconds: from the views in memory to the mesh; report: what the method says of itself."""

    mesh: Mesh
    seconds: float
    report: dict[str, Any] = field(default_factory=dict)


Method = Callable[[Views, Views], Outcome]


def methods(settings: Sequence[str], *, threads: int) -> dict[str, Method]:
    """All that can run here. settings: `key=value` on top of the presets."""
    presets: dict[str, Method] = {
        name: preset_method([f"preset={name}", f"threads={threads}", *settings]) for name in PRESETS
    }
    others: dict[str, Method] = {name: peer_method(name) for name in installed_peers()}
    return {"hull": _hull} | presets | others


def known_methods() -> list[str]:
    return ["hull", *PRESETS, *PEER_NAMES]


def preset_method(settings: Sequence[str]) -> Method:
    """Training with a preset and other `key=value` settings."""

    def run(train: Views, held_out: Views) -> Outcome:
        # Views are handed over, so that the config need not say where they come from.
        config = load_config(None, ["name=benchmark", *settings], complete=False)
        began = time.perf_counter()
        mesh, report = trained(config, train)
        return Outcome(mesh, time.perf_counter() - began, report)

    return run


def _hull(train: Views, held_out: Views) -> Outcome:
    """The better of k = 1 and 2 on the held-out views, 256 cells: timed with both."""
    began = time.perf_counter()
    mesh, k = better_hull(train, held_out)
    return Outcome(mesh, time.perf_counter() - began, {"k": k})


def peer_method(name: str, *, num_steps: int = _PEER_STEPS) -> Method:
    """The loop of PyTorch3D's tutorial "fit mesh with texture and camera", silhouettes alone.

    An icosphere of 2,562 vertices, 1,000 steps of SGD (learning rate 1, momentum 0.9) on two views
    each, mean squared error of silhouettes + 1 x mean squared edge length + 0.01 x normal
    consistency + 1 x uniform Laplacian, in a frame where the object has radius 1. Only the
    rasterizer is the peer's own.
    """

    def run(train: Views, held_out: Views) -> Outcome:
        began = time.perf_counter()
        center, radius = fitted_sphere(train)
        start = icosphere(4)
        regularizer = _Regularizer(start)
        center = center.float()
        scene = Scene(name, start)
        draws = [
            peers(scene, train.cameras[[view]], train.coverage[view], only=name)[name]
            for view in range(len(train))
        ]
        height, width = train.image_size
        verts, velocity = start.verts.clone(), torch.zeros_like(start.verts)
        generator = torch.Generator().manual_seed(0)
        for _ in range(num_steps):
            chosen = torch.randperm(len(train), generator=generator)[:_PEER_VIEWS].tolist()
            grad = regularizer.gradient(verts)
            for view in chosen:
                _, grad_world = draws[view](verts * radius + center)
                grad += grad_world.float() * (radius / (len(chosen) * height * width))
            velocity = 0.9 * velocity + grad
            verts = verts - velocity
        mesh = start.with_verts(verts * radius + center)
        return Outcome(mesh, time.perf_counter() - began, {"steps": num_steps})

    return run


class _Regularizer:
    def __init__(self, mesh: Mesh) -> None:
        topology = mesh.topology
        self._topology = topology
        self._ends = topology.edge_verts.long()
        self._degree = topology.vert_degree.float()[:, None]
        self._pairs = topology.face_adjacency.long()

    def gradient(self, verts: Tensor) -> Tensor:
        verts = verts.detach().requires_grad_()
        a, b = verts[self._ends].unbind(dim=1)
        edge = (a - b).square().sum(dim=1).mean()
        around = torch.zeros_like(verts).index_add(0, self._ends[:, 0], b)
        around = around.index_add(0, self._ends[:, 1], a)
        laplacian = (around / self._degree - verts).norm(dim=1).mean()
        normals = Mesh(verts, self._topology.faces, topology=self._topology).face_normals
        first, second = normals[self._pairs].unbind(dim=1)
        consistency = (1 - (first * second).sum(dim=1)).mean()
        (grad,) = torch.autograd.grad(edge + laplacian + 0.01 * consistency, verts)
        return grad

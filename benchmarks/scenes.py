"""Meshes and cameras that the benchmarks share."""

import math
import os
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import normalize

from lightning_rast.scene import Camera, Mesh, Topology, icosphere, load_mesh, torus

FOV_DEG = 45.0
DISTANCE = 2.7


class Scene(NamedTuple):
    """A mesh of radius about 1 and the name that tables show."""

    name: str
    mesh: Mesh

    @property
    def topology(self) -> Topology:
        return self.mesh.topology


def smooth_sphere(level: int) -> Scene:
    """Icosphere of 20 * 4^level faces, deformed smoothly, with jitter of 1 % of an edge."""
    sphere = icosphere(level)
    edge = 1.2 / 2**level
    jitter = 0.01 * edge * torch.randn(sphere.verts.shape, generator=_generator())
    verts = sphere.verts * (1 + 0.12 * _waves(sphere.verts, frequency=3))[:, None] + jitter
    return Scene("smooth sphere", Mesh(verts / verts.norm(dim=1).max(), sphere.faces))


def smooth_torus(num_faces: int) -> Scene:
    """A ring of `num_faces` faces, deformed smoothly."""
    num_minor = round(math.sqrt(num_faces / 4))
    ring = torus(2 * num_minor, num_minor, radius=0.7, tube_radius=0.3)
    verts = ring.verts * (1 + 0.08 * _waves(ring.verts, frequency=3))[:, None]
    return Scene("smooth torus", Mesh(verts / verts.norm(dim=1).max(), ring.faces))


def folded_scan(num_faces: int = 86_000) -> Scene:
    """A ring covered with folds of all sizes: as many contour edges as a scan of a rough figure."""
    num_minor = round(math.sqrt(num_faces / 4))
    ring = torus(2 * num_minor, num_minor, radius=0.65, tube_radius=0.3)
    normals = ring.vertex_normals()
    verts = ring.verts
    for frequency, height in ((6, 0.10), (14, 0.045), (35, 0.022), (90, 0.010)):
        verts = verts + height * _waves(ring.verts, frequency)[:, None] * normals
    return Scene("folded scan", Mesh(verts / verts.norm(dim=1).max(), ring.faces))


def file_scene(path: Path) -> Scene:
    """A mesh file, welded and scaled to radius 1."""
    mesh = load_mesh(path).weld()
    verts = mesh.verts - mesh.bounds.mean(dim=0)
    return Scene(path.stem, Mesh(verts / verts.norm(dim=1).max(), mesh.faces))


def test_data() -> Path | None:
    """The folder of real scans, where `LRAST_TEST_DATA` names one."""
    folder = os.environ.get("LRAST_TEST_DATA")
    return Path(folder) if folder else None


def cameras(num_views: int, size: int) -> Camera:
    """Cameras on a Fibonacci sphere around the origin, square images."""
    step = torch.arange(num_views, dtype=torch.float64) + 0.5
    height = 1 - 2 * step / num_views
    angle = math.pi * (3 - math.sqrt(5)) * step
    ring = (1 - height**2).sqrt()
    eyes = DISTANCE * torch.stack([ring * angle.cos(), height, ring * angle.sin()], dim=1)
    return Camera.look_at(eyes, fov_deg=FOV_DEG, image_size=(size, size))


def disc(size: int) -> Tensor:
    """The target of the loss: a disc of 0.7 of the image, `(size, size)`."""
    centre = torch.arange(size) + 0.5 - size / 2
    return (centre[:, None] ** 2 + centre**2 < (0.35 * size) ** 2).float()


def count_contour_edges(verts_clip: Tensor, topology: Topology) -> int:
    """Edges per view of which only one face looks at the camera, boundary edges included."""
    xy = verts_clip[..., :2].double() / verts_clip[..., 3:].double()
    a, b, c = xy[:, topology.faces.long()].unbind(dim=2)
    u, v = b - a, c - a
    sign = (u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0]).sign()
    first, second = topology.edge_faces.long().unbind(dim=1)
    regular = (sign[:, first] != sign[:, second]).sum()
    irregular = len(verts_clip) * (topology.num_edges - topology.num_regular)
    return round((int(regular) + irregular) / len(verts_clip))


def _waves(verts: Tensor, frequency: float) -> Tensor:
    """Random waves of one length over space, between about -1 and 1."""
    generator = _generator()
    direction = normalize(torch.randn(12, 3, generator=generator), dim=1)
    phase = 2 * math.pi * torch.rand(12, generator=generator)
    return torch.cos(frequency * verts @ direction.T + phase).sum(dim=1) / 4


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)

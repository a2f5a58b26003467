"""The differentiable operators as functions of vertices in clip space, one small call each."""

from collections.abc import Callable

import torch
from torch import Tensor

from lightning_rast.ops import (
    antialias,
    contour_coverage,
    fragment_derivatives,
    interpolate,
    rasterize,
    soft_colors,
    soft_coverage,
    transform_points,
)
from tests.ops.contour_meshes import icosphere
from tests.ops.contour_views import seen_from

MESH = icosphere(1)
VERTS = seen_from(MESH.verts)
SIZE = (12, 14)
FRAGMENTS = rasterize(VERTS, MESH.faces, SIZE)
IMAGE = torch.rand(1, *SIZE, 2, dtype=torch.float64)
COLORS = torch.ones(len(MESH.verts), 1, dtype=torch.float64)
MATRICES = torch.eye(4, dtype=torch.float64)[None]

OPERATORS: dict[str, Callable[[Tensor], Tensor]] = {
    "contour_coverage": lambda verts: contour_coverage(verts, MESH.topology, SIZE),
    "soft_coverage": lambda verts: soft_coverage(verts, MESH.faces, SIZE, sigma=0.7),
    "soft_colors": lambda verts: (
        soft_colors(verts, MESH.faces, COLORS, SIZE, sigma=0.7, gamma=0.1).image
    ),
    "rasterize": lambda verts: rasterize(verts, MESH.faces, SIZE).depth,
    "interpolate": lambda verts: interpolate(verts, MESH.faces, FRAGMENTS),
    "fragment_derivatives": lambda verts: fragment_derivatives(verts, MESH.faces, FRAGMENTS)[0],
    "antialias": lambda verts: antialias(IMAGE, FRAGMENTS, verts, MESH.topology),
    "transform_points": lambda verts: transform_points(verts[..., :3], MATRICES),
}

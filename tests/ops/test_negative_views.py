"""Views that torch reads with the other sign, such as imaginary parts of conjugates, keep it."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from lightning_rast.ops import (
    antialias,
    contour_coverage,
    interpolate,
    rasterize,
    soft_coverage,
    transform_points,
    visible_faces,
)
from tests.ops.operator_table import FRAGMENTS, IMAGE, MATRICES, MESH, SIZE, VERTS

RANGES = torch.tensor([[0, MESH.faces.shape[0] // 2]])


def as_negative_view(tensor: Tensor) -> Tensor:
    view = torch._neg_view(-tensor)  # pyright: ignore[reportPrivateImportUsage]
    assert view.is_neg()
    assert torch.equal(view, tensor)
    return view


OPERATORS: dict[str, Callable[[Tensor], Tensor]] = {
    "contour_coverage": lambda verts: contour_coverage(verts, MESH.topology, SIZE),
    "soft_coverage": lambda verts: soft_coverage(verts, MESH.faces, SIZE, sigma=0.7),
    "rasterize": lambda verts: rasterize(verts, MESH.faces, SIZE).bary,
    "visible_faces": lambda verts: visible_faces(verts, MESH.faces, SIZE).face_idx,
    "interpolate": lambda verts: interpolate(verts, MESH.faces, FRAGMENTS),
    "antialias": lambda verts: antialias(IMAGE, FRAGMENTS, verts, MESH.topology),
    "transform_points": lambda verts: transform_points(verts[..., :3], MATRICES),
}
named = pytest.mark.parametrize("operator", OPERATORS.values(), ids=OPERATORS)


@named
def test_vertices_keep_their_sign(operator: Callable[[Tensor], Tensor]):
    assert torch.equal(operator(as_negative_view(VERTS)), operator(VERTS))


@pytest.mark.parametrize("name", sorted(set(OPERATORS) - {"visible_faces"}))
def test_gradients_keep_their_sign(name: str):
    verts = VERTS.clone().requires_grad_()
    image = OPERATORS[name](verts)
    weights = torch.rand(image.shape, dtype=image.dtype)
    (expected,) = torch.autograd.grad(image, verts, weights, retain_graph=True)
    (grad,) = torch.autograd.grad(image, verts, as_negative_view(weights))
    assert torch.equal(grad, expected)


@pytest.mark.parametrize(
    "operator",
    [
        lambda ranges: rasterize(VERTS, MESH.faces, SIZE, face_ranges=ranges).face_idx,
        lambda ranges: visible_faces(VERTS, MESH.faces, SIZE, face_ranges=ranges).face_idx,
        lambda ranges: antialias(IMAGE, FRAGMENTS, VERTS, MESH.topology, face_ranges=ranges),
    ],
    ids=["rasterize", "visible_faces", "antialias"],
)
def test_ranges_of_faces_keep_their_sign(operator: Callable[[Tensor], Tensor]):
    assert torch.equal(operator(as_negative_view(RANGES)), operator(RANGES))

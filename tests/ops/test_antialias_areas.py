"""`antialias` against exact areas of flat things, values and gradients."""

import math

import pytest
import torch
from torch import Tensor

from lightning_rast.ops import antialias, interpolate, rasterize
from lightning_rast.scene import Topology
from tests.ops.contour_views import on_screen
from tests.reference.antialias import crossing_image, layered_image

QUAD = torch.tensor([[0, 1, 2], [0, 2, 3]], dtype=torch.int32)
TWO_QUADS = torch.cat([QUAD, QUAD + 4])


def drawn(verts_clip: Tensor, faces: Tensor, attrs: Tensor, image_size: tuple[int, int]) -> Tensor:
    fragments = rasterize(verts_clip, faces, image_size)
    image = interpolate(attrs.to(verts_clip.dtype), faces, fragments)
    topology = Topology.from_faces(faces, verts_clip.shape[1])
    return antialias(image, fragments, verts_clip, topology)


# Borders keep two pixels apart: no pixel holds more than two colours.
NEAR = [[5.3, 4.2], [10.6, 5.1], [9.7, 10.4], [4.4, 9.3]]
FAR = [[1.6, 1.7], [13.5, 2.4], [14.2, 13.6], [1.3, 14.3]]


def two_layers() -> tuple[Tensor, Tensor]:
    """Clip coordinates `(8, 4)`, and a colour of each of the two quadrilaterals."""
    xy = torch.tensor([NEAR, FAR], dtype=torch.float64)
    w = torch.tensor([1.0, 2.0], dtype=torch.float64)[:, None].expand(2, 4)
    colours = torch.tensor([[0.9, 0.2], [0.1, 0.8]], dtype=torch.float64)
    return on_screen(xy, (16, 16), w).reshape(8, 4), colours


def exact_layers(verts: Tensor, colours: Tensor) -> Tensor:
    layers = [(verts[:4], QUAD, colours[0]), (verts[4:], QUAD, colours[1])]
    return layered_image(layers, torch.tensor([0.3, 0.0]).double(), (16, 16))


def blended_layers(verts: Tensor, colours: Tensor) -> Tensor:
    fragments = rasterize(verts[None], TWO_QUADS, (16, 16))
    hard = interpolate(colours.repeat_interleave(4, dim=0), TWO_QUADS, fragments)
    background = torch.tensor([0.3, 0.0], dtype=torch.float64)
    image = torch.where(fragments.face_idx[..., None] >= 0, hard, background)
    return antialias(image, fragments, verts[None], Topology.from_faces(TWO_QUADS, 8))[0]


def test_two_layers_have_the_areas_of_their_polygons():
    verts, colours = two_layers()
    torch.testing.assert_close(
        blended_layers(verts, colours), exact_layers(verts, colours), rtol=0, atol=1e-7
    )


def test_gradients_of_two_layers_are_those_of_their_polygons():
    verts, colours = (tensor.requires_grad_() for tensor in two_layers())
    weights = torch.randn(16, 16, 2, generator=torch.Generator().manual_seed(1)).double()
    ours, exact = (
        torch.autograd.grad((draw(verts, colours) * weights).sum(), (verts, colours))
        for draw in (blended_layers, exact_layers)
    )
    torch.testing.assert_close(ours, exact, rtol=0, atol=1e-6)


def flat_quad(tilt: Tensor) -> Tensor:
    """Clip coordinates `(4, 4)` of corners in a plane: their w is `tilt . (1, x, y)`."""
    xy = torch.tensor([[-0.8, -0.7], [0.75, -0.8], [0.7, 0.85], [-0.75, 0.8]]).double()
    w = tilt[0] + xy @ tilt[1:]
    return torch.cat([xy, torch.zeros(4, 1), w[:, None]], dim=1)


def tilts_that_cross(turn: float) -> list[Tensor]:
    """Two planes that meet along a line near the middle, turned by an angle."""
    direction = torch.tensor([math.cos(turn), math.sin(turn)], dtype=torch.float64)
    return [
        torch.cat([torch.tensor([start]).double(), slope * direction])
        for start, slope in ((1.5, 0.35), (1.513, -0.4))
    ]


@pytest.mark.parametrize("turn", [0.1, 0.5, 0.9, 1.4, 2.2])
def test_planes_that_cross_have_the_areas_of_their_parts(turn: float):
    first, second = map(flat_quad, tilts_that_cross(turn))
    colours = torch.tensor([[0.9, 0.2], [0.1, 0.8]], dtype=torch.float64)
    size = (12, 12)
    per_vertex = colours.repeat_interleave(4, dim=0)
    image = drawn(torch.cat([first, second])[None], TWO_QUADS, per_vertex, size)
    expected = crossing_image(
        (first, second), (colours[0], colours[1]), torch.zeros(2).double(), size
    )
    error = (image[0] - expected).abs().amax(dim=2)
    # All but the two pixels where the line meets the outline, and their like.
    assert (error > 1e-6).sum() <= 6
    assert error.max() < 0.3


@pytest.mark.parametrize("turn", [0.5, 0.9, 2.2])
def test_gradients_of_planes_that_cross_are_those_of_their_parts(turn: float):
    tilts = [tilt.requires_grad_() for tilt in tilts_that_cross(turn)]
    first, second = map(flat_quad, tilts)
    colours = torch.tensor([[1.0], [0.0]], dtype=torch.float64)
    size = (12, 12)
    expected = crossing_image(
        (first, second), (colours[0], colours[1]), torch.zeros(1).double(), size
    )
    per_vertex = colours.repeat_interleave(4, dim=0)
    image = drawn(torch.cat([first, second])[None], TWO_QUADS, per_vertex, size)
    inner = torch.zeros(*size, 1, dtype=torch.float64)
    inner[4:8, 4:8] = 0.5 + torch.rand(4, 4, 1, generator=torch.Generator().manual_seed(0))
    for tilt in tilts:
        (exact,) = torch.autograd.grad((expected * inner).sum(), tilt, retain_graph=True)
        (ours,) = torch.autograd.grad((image[0] * inner).sum(), tilt, retain_graph=True)
        assert exact.abs().max() > 0.1
        torch.testing.assert_close(ours, exact, rtol=0, atol=1e-9)

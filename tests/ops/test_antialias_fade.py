"""Colours near borders change without jumps, so that their gradients miss nothing."""

import itertools

import pytest
import torch
from torch import Tensor

from lightning_rast.ops import antialias, rasterize
from lightning_rast.scene import Topology
from tests.ops.contour_views import on_screen

SIZE = (16, 16)
QUAD = torch.tensor([[0, 1, 2], [0, 2, 3]], dtype=torch.int32)
TWO_QUADS = torch.cat([QUAD, QUAD + 4])


def side_at(x: float, slant: float) -> Tensor:
    """Corners `(4, 2)` in pixels of what lies to the right of a line through (x, 8)."""
    corners = [[x - 8 * slant, 0], [15, 0], [15, 16], [x + 8 * slant, 16]]
    return torch.tensor(corners, dtype=torch.float64)


def picture(x: float, slant: float, over: bool) -> Tensor:
    """What lies right of the line shows the square root of the distance to it, as normals of a ball
    turn, and its column; above nothing, or a plane with a column of its own."""
    plane = torch.tensor([[0, 0], [16, 0], [16, 16], [0, 16]]).double()
    corners = torch.cat([side_at(x, slant), plane]) if over else side_at(x, slant)
    w = torch.tensor([1.0] * 4 + [2.0] * 4).double()[: len(corners)]
    faces = TWO_QUADS if over else QUAD
    verts_clip = on_screen(corners, SIZE, w).reshape(1, -1, 4)
    fragments = rasterize(verts_clip, faces, SIZE)
    rows, columns = torch.meshgrid(torch.arange(16.0), torch.arange(16.0), indexing="ij")
    distance = (columns + 0.5 - x - (rows + 0.5 - 8) * slant).double()
    shown = torch.stack([distance.clamp(min=0).sqrt(), columns.double() / 2], dim=2)[None]
    face_idx = fragments.face_idx[..., None]
    image = torch.where(face_idx >= 2, 3.0, shown) * (face_idx >= 0)
    topology = Topology.from_faces(faces, len(corners))
    smooth = antialias(image, fragments, verts_clip, topology, premultiplied=not over)
    return smooth[0, 2:14]  # the line leaves the picture's first and last pixels by their side


@pytest.mark.parametrize("over", [False, True], ids=["outline", "fold"])
@pytest.mark.parametrize("slant", [0.0, 0.05, 0.5, 0.9])
def test_a_line_that_passes_pixel_centres_changes_the_picture_without_jumps(
    slant: float, over: bool
):
    step = 0.004
    pictures = [picture(4.0 + step * i + 0.0007, slant, over) for i in range(300)]
    changes = torch.stack([(b - a).abs() for a, b in itertools.pairwise(pictures)])
    # The square root itself changes by this much where a line leaves a pixel's centre.
    assert changes.max() <= step**0.5 + 1e-9
    assert changes.sum() > 1


def test_colours_at_an_outline_come_from_hardly_farther_inside():
    # Colours from the pixel's centre wherever it is visible, which jump, have an error of 1/16.
    errors = []
    for i in range(200):
        x = 4 + (i + 0.5) / 200
        truth = (4.5**2 - (x - 0.5) ** 2) / 4  # of half the column, between x and 5
        errors.append(abs(float(picture(x, 0.0, over=False)[6, 4, 1]) - truth))
    assert sum(errors) / 200 < 0.075


def test_a_colour_fades_out_before_its_pixel_is_hidden():
    columns = torch.arange(16.0).double().expand(1, 16, 16)[..., None]
    shares = []
    for x in (4.05, 4.25, 4.45):
        image = columns.clone().requires_grad_()
        verts_clip = on_screen(side_at(x, 0.0), SIZE, torch.ones(4).double()).reshape(1, 4, 4)
        fragments = rasterize(verts_clip, QUAD, SIZE)
        smooth = antialias(
            image, fragments, verts_clip, Topology.from_faces(QUAD, 4), premultiplied=True
        )
        (grad,) = torch.autograd.grad(smooth[0, 8, 4, 0], image)
        shares.append(grad[0, 8, 4:6, 0])
    areas = torch.tensor([0.95, 0.75, 0.55], dtype=torch.float64)
    inner = 4 * areas * (1 - areas) ** 2
    torch.testing.assert_close(torch.stack(shares), torch.stack([areas - inner, inner], dim=1))

"""Colours near borders change without jumps, so that their gradients miss nothing."""

import itertools

import pytest
import torch
from torch import Tensor

from lightning_rast.ops import antialias, interpolate, rasterize
from lightning_rast.scene import Topology
from tests.ops.antialias_channels import Parts, knot, painted
from tests.ops.antialias_scenes import crossing
from tests.ops.contour_views import on_screen, seen_from
from tests.reference.directional import smooth_directions, smooth_weights

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


def seen_normals(parts: Parts, verts: Tensor) -> Tensor:
    """Normals that stay with the vertices, as weighted sums over the picture: `(3,)`."""
    size = (32, 32)
    verts_clip = seen_from(verts)
    fragments = rasterize(verts_clip, parts.faces, size)
    image = interpolate(painted(parts, parts.verts)[:, -3:], parts.faces, fragments)
    topology = Topology.from_faces(parts.faces, len(verts))
    smooth = antialias(image, fragments, verts_clip, topology, premultiplied=True)[0]
    return (smooth * smooth_weights(size)[..., None]).sum(dim=(0, 1))


def test_gradients_along_a_motion_add_up_to_the_change_of_the_picture():
    # By two pixels, so that outlines and folds pass many pixels' centres.
    parts, steps = knot(3), 60
    field = smooth_directions(parts.verts, 2)[1]
    step = field * (4 / 32 / steps / field.abs().max())

    def change_by_gradient(verts: Tensor) -> Tensor:
        verts = verts.clone().requires_grad_()
        grads = (
            torch.autograd.grad(channel, verts, retain_graph=True)[0]
            for channel in seen_normals(parts, verts)
        )
        return torch.stack([(grad * step).sum() for grad in grads])

    change = seen_normals(parts, parts.verts + steps * step) - seen_normals(parts, parts.verts)
    told = sum(change_by_gradient(parts.verts + (i + 0.5) * step) for i in range(steps))
    assert (told - change).norm() < 0.2 * change.norm()


def test_where_all_shown_colours_are_equal_the_gradient_is_the_same_if_the_image_needs_one():
    scene = crossing(3)
    verts_clip = seen_from(scene.verts).requires_grad_()
    fragments = rasterize(verts_clip.detach(), scene.faces, (32, 32))
    topology = Topology.from_faces(scene.faces, len(scene.verts))
    mask = (fragments.face_idx >= 0).double()[..., None]
    grads = []
    for image_grad in (False, True):
        image = mask.clone().requires_grad_(image_grad)
        smooth = antialias(image, fragments, verts_clip, topology, premultiplied=True)
        grads.append(torch.autograd.grad(smooth.square().sum(), verts_clip)[0])
    torch.testing.assert_close(grads[1], grads[0], rtol=0, atol=1e-12)

"""`fragment_derivatives` against weights differentiated by autograd at each pixel."""

import pytest
import torch
from torch import Tensor

from lightning_rast.ops import fragment_derivatives, interpolate, rasterize
from lightning_rast.ops.rasterize import Fragments
from tests.ops.contour_meshes import bumpy_sphere
from tests.ops.contour_views import look_at, orthographic, projected, seen_from
from tests.reference import fragment_derivatives as reference

MESH = bumpy_sphere(2)
SIZE = (23, 31)


def views() -> dict[str, Tensor]:
    """Clip space from outside, from within the mesh with faces cut at the near plane, and flat."""
    return {
        "outside": torch.cat([seen_from(MESH.verts), seen_from(MESH.verts, eye=(-1.5, 0.2, 1.9))]),
        "inside": seen_from(MESH.verts, eye=(0.1, 0.2, 0.9), near=1.3),
        "orthographic": projected(MESH.verts, orthographic(1.2) @ look_at((1.0, 2.0, 3.0))),
    }


@pytest.mark.parametrize("num_layers", [None, 3])
@pytest.mark.parametrize("view", views())
def test_values_match_the_reference(view: str, num_layers: int | None):
    verts_clip = views()[view]
    fragments = rasterize(verts_clip, MESH.faces, SIZE, num_layers=num_layers)
    assert (fragments.face_idx >= 0).any()
    actual = fragment_derivatives(verts_clip, MESH.faces, fragments)
    expected = reference.fragment_derivatives(verts_clip, MESH.faces, fragments.face_idx)
    for ours, theirs in zip(actual, expected, strict=True):
        torch.testing.assert_close(ours, theirs.detach(), rtol=1e-8, atol=1e-10)


def test_some_face_of_the_view_from_inside_is_cut_at_the_near_plane():
    verts_clip = views()["inside"]
    seen = rasterize(verts_clip, MESH.faces, SIZE).face_idx.unique()
    corners = verts_clip[0, MESH.faces[seen[seen >= 0].long()].long()]
    assert (corners[..., 2] < -corners[..., 3]).any(dim=1).any()


@pytest.mark.parametrize("view", views())
def test_gradients_match_the_reference(view: str):
    verts_clip = views()[view].requires_grad_()
    fragments = rasterize(verts_clip, MESH.faces, SIZE)
    weights = torch.randn(2, *fragments.bary.shape, dtype=torch.float64)
    # Faces seen nearly edge-on would drown all others.
    weights /= (
        1
        + torch.stack(reference.fragment_derivatives(verts_clip, MESH.faces, fragments.face_idx))
        .square()
        .detach()
    )
    actual = torch.stack(fragment_derivatives(verts_clip, MESH.faces, fragments))
    expected = torch.stack(
        reference.fragment_derivatives(verts_clip, MESH.faces, fragments.face_idx)
    )
    (ours,) = torch.autograd.grad((actual * weights).sum(), verts_clip)
    (theirs,) = torch.autograd.grad((expected * weights).sum(), verts_clip)
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-8 * theirs.abs().max().item())


def test_with_them_interpolate_gives_the_derivatives_of_attributes():
    # Texture coordinates of a plane seen at an angle, against differences between its pixels.
    verts = torch.tensor([[-3.0, 0, -3], [3, 0, -3], [3, 0, 3], [-3, 0, 3]])
    faces = torch.tensor([[0, 2, 1], [0, 3, 2]], dtype=torch.int32)
    verts_clip = seen_from(verts, eye=(0.0, 1.0, 4.0))
    uv = verts[:, [0, 2]].double()
    fragments = rasterize(verts_clip, faces, (400, 400))
    image = interpolate(uv, faces, fragments)
    uv_dx, uv_dy = (
        interpolate(uv, faces, fragments._replace(bary=bary))
        for bary in fragment_derivatives(verts_clip, faces, fragments)
    )
    inside = (fragments.face_idx >= 0)[:, 1:-1, 1:-1]
    for axis in (1, 2):
        inside = inside & (fragments.face_idx >= 0).roll(1, axis)[:, 1:-1, 1:-1]
        inside = inside & (fragments.face_idx >= 0).roll(-1, axis)[:, 1:-1, 1:-1]
    by_column = ((image[:, 1:-1, 2:] - image[:, 1:-1, :-2]) / 2)[inside]
    by_row = ((image[:, 2:, 1:-1] - image[:, :-2, 1:-1]) / 2)[inside]
    torch.testing.assert_close(uv_dx[:, 1:-1, 1:-1][inside], by_column, rtol=0, atol=1e-3)
    torch.testing.assert_close(uv_dy[:, 1:-1, 1:-1][inside], by_row, rtol=0, atol=1e-3)
    assert by_row.abs().max() > 0.05


def test_weights_keep_their_sum():
    verts_clip = views()["outside"]
    fragments = rasterize(verts_clip, MESH.faces, SIZE)
    for derivative in fragment_derivatives(verts_clip, MESH.faces, fragments):
        total, size = derivative.sum(dim=-1), derivative.abs().sum(dim=-1)
        assert (total.abs() <= 1e-12 * (1 + size)).all()


def test_packed_meshes_share_their_vertices():
    verts_clip = views()["outside"][0]
    ranges = torch.tensor([[0, 100], [50, len(MESH.faces)], [7, 7]])
    fragments = rasterize(verts_clip, MESH.faces, SIZE, face_ranges=ranges)
    actual = fragment_derivatives(verts_clip, MESH.faces, fragments)
    expected = fragment_derivatives(verts_clip.expand(3, -1, -1), MESH.faces, fragments)
    for ours, theirs in zip(actual, expected, strict=True):
        assert torch.equal(ours, theirs)
    assert not actual[0][2].any()


@pytest.mark.parametrize("scale", [1e-200, 1e-30, 1e30, 1e200])
def test_the_scale_of_clip_space_does_not_matter(scale: float):
    verts_clip = views()["outside"]
    fragments = rasterize(verts_clip, MESH.faces, SIZE)
    actual = fragment_derivatives(verts_clip * scale, MESH.faces, fragments)
    expected = fragment_derivatives(verts_clip, MESH.faces, fragments)
    torch.testing.assert_close(actual, expected, rtol=1e-9, atol=1e-12)


def test_a_face_seen_edge_on_changes_nothing():
    verts_clip = torch.tensor([[[-1.0, 0, 0, 1], [0, 0, 0, 1], [1, 0, 0, 1]]], requires_grad=True)
    fragments = Fragments(
        torch.zeros(1, 3, 3, dtype=torch.int32),
        torch.full((1, 3, 3, 3), 1 / 3),
        torch.ones(1, 3, 3),
    )
    faces = torch.tensor([[0, 1, 2]], dtype=torch.int32)
    bary_dx, bary_dy = fragment_derivatives(verts_clip, faces, fragments)
    (grad,) = torch.autograd.grad((bary_dx + bary_dy).sum(), verts_clip)
    assert not torch.stack((bary_dx, bary_dy)).any()
    assert grad.isfinite().all()


def test_an_empty_mesh_and_one_pixel():
    verts_clip, faces = torch.zeros(2, 0, 4), torch.zeros(0, 3, dtype=torch.int32)
    fragments = rasterize(verts_clip, faces, (1, 1))
    for derivative in fragment_derivatives(verts_clip, faces, fragments):
        assert derivative.shape == (2, 1, 1, 3)
        assert not derivative.any()


@pytest.mark.parametrize("num_threads", [2, 5])
def test_thread_counts_agree_bit_for_bit(num_threads: int):
    def outputs() -> list[Tensor]:
        verts_clip = views()["outside"].float().requires_grad_()
        fragments = rasterize(verts_clip, MESH.faces, (120, 130))
        bary_dx, bary_dy = fragment_derivatives(verts_clip, MESH.faces, fragments)
        loss = (bary_dx.sin() + bary_dy.cos()).sum()
        return [bary_dx, bary_dy, torch.autograd.grad(loss, verts_clip)[0]]

    expected = outputs()
    torch.set_num_threads(num_threads)
    for actual, wanted in zip(outputs(), expected, strict=True):
        assert torch.equal(actual, wanted)


def test_compiles_into_one_graph():
    verts_clip = views()["outside"].requires_grad_()

    def loss(verts_clip: Tensor) -> Tensor:
        fragments = rasterize(verts_clip, MESH.faces, SIZE)
        bary_dx, bary_dy = fragment_derivatives(verts_clip, MESH.faces, fragments)
        return (bary_dx.sin() + bary_dy.cos()).sum()

    value = torch.compile(loss, fullgraph=True, backend="aot_eager")(verts_clip)
    torch.testing.assert_close(value, loss(verts_clip))
    (actual,) = torch.autograd.grad(value, verts_clip)
    (expected,) = torch.autograd.grad(loss(verts_clip), verts_clip)
    torch.testing.assert_close(actual, expected)


FRAGMENTS = Fragments(
    torch.zeros(2, 3, 4, dtype=torch.int32), torch.zeros(2, 3, 4, 3), torch.zeros(2, 3, 4)
)
FACES = torch.tensor([[0, 1, 2]], dtype=torch.int32)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("verts_clip", "faces", "fragments", "message"),
    [
        (torch.zeros(5, 3), FACES, FRAGMENTS, r"verts_clip must be \(N, V, 4\).*\(5, 3\)"),
        (torch.zeros(3, 5, 4), FACES, FRAGMENTS, "verts_clip holds 3 views, fragments 2"),
        (torch.zeros(5, 4), FACES.long(), FRAGMENTS, r"faces must be int32 \(F, 3\).*int64"),
        (torch.zeros(5, 4), FACES - 1, FRAGMENTS, "names vertices -1 to 1, verts_clip has 5"),
        (torch.zeros(2, 4), FACES, FRAGMENTS, "names vertices 0 to 2, verts_clip has 2"),
        (torch.zeros(5, 4), FACES.to("meta"), FRAGMENTS, "faces is on meta, verts_clip on cpu"),
        (
            torch.zeros(5, 4),
            FACES,
            FRAGMENTS._replace(bary=torch.zeros(2, 3, 4, 2)),
            r"\(2, 3, 4\) and \(2, 3, 4, 2\)",
        ),
        (
            torch.zeros(5, 4),
            FACES,
            FRAGMENTS._replace(face_idx=torch.ones(2, 3, 4, dtype=torch.int32)),
            r"face_idx\[0, 0, 0\] = 1",
        ),
    ],
)
def test_arguments_that_cannot_be_right(
    verts_clip: Tensor, faces: Tensor, fragments: Fragments, message: str
):
    with pytest.raises(ValueError, match=message):
        fragment_derivatives(verts_clip, faces, fragments)

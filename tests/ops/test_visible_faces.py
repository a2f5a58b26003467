"""`visible_faces`: the faces of `rasterize`, and nothing else."""

import pytest
import torch

from lightning_rast.ops import antialias, rasterize, visible_faces
from lightning_rast.scene import Topology
from tests.ops.contour_meshes import bumpy_sphere, icosphere, noisy_sphere
from tests.ops.contour_soups import near_clipped_soup, tied_near_soup, tied_soup
from tests.ops.contour_views import seen_from

SIZE = (61, 147)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("cull", ["none", "back", "front"])
def test_sees_the_faces_of_rasterize(dtype: torch.dtype, cull):
    mesh = noisy_sphere()
    verts_clip = seen_from(mesh.verts, eye=(0.4, 0.5, 1.4), near=0.3).to(dtype)
    seen = visible_faces(verts_clip, mesh.faces, SIZE, cull=cull)
    assert torch.equal(seen.face_idx, rasterize(verts_clip, mesh.faces, SIZE, cull=cull).face_idx)


@pytest.mark.parametrize("make", [tied_soup, near_clipped_soup, tied_near_soup])
def test_breaks_ties_and_cuts_at_the_near_plane_as_rasterize_does(make):
    for seed in range(12):
        verts_clip, faces, size = make(seed)
        assert torch.equal(
            visible_faces(verts_clip, faces, size).face_idx,
            rasterize(verts_clip, faces, size).face_idx,
        )


def test_draws_ranges_of_faces_as_rasterize_does():
    mesh = bumpy_sphere(2)
    verts_clip, ranges = seen_from(mesh.verts)[0], torch.tensor([[0, 100], [50, 320], [7, 7]])
    seen = visible_faces(verts_clip, mesh.faces, SIZE, face_ranges=ranges)
    expected = rasterize(verts_clip, mesh.faces, SIZE, face_ranges=ranges)
    assert torch.equal(seen.face_idx, expected.face_idx)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("size", [(1, 1), (5, 3), (70, 130)])
def test_coverage_is_one_where_a_face_is_seen(dtype: torch.dtype, size: tuple[int, int]):
    mesh = icosphere(1)
    seen = visible_faces(seen_from(mesh.verts).to(dtype), mesh.faces, size)
    assert torch.equal(seen.coverage, (seen.face_idx >= 0).to(dtype))


def test_an_empty_mesh_is_not_seen():
    seen = visible_faces(torch.zeros(2, 0, 4), torch.zeros(0, 3, dtype=torch.int32), (4, 5))
    assert (seen.face_idx == -1).all()


def test_the_same_bits_for_any_number_of_threads():
    mesh = icosphere(4)
    verts_clip = seen_from(mesh.verts)
    expected = visible_faces(verts_clip, mesh.faces, SIZE)
    threads = torch.get_num_threads()
    try:
        for count in (1, 3):
            torch.set_num_threads(count)
            seen = visible_faces(verts_clip, mesh.faces, SIZE)
            assert torch.equal(seen.face_idx, expected.face_idx)
    finally:
        torch.set_num_threads(threads)


def test_serves_antialias():
    mesh = bumpy_sphere(2)
    verts_clip = seen_from(mesh.verts).requires_grad_()
    topology = Topology.from_faces(mesh.faces, len(mesh.verts))
    seen = visible_faces(verts_clip, mesh.faces, SIZE)
    fragments = rasterize(verts_clip.detach(), mesh.faces, SIZE)
    image = seen.coverage[..., None]
    grads = [
        torch.autograd.grad(
            antialias(image, faces, verts_clip, topology).square().sum(), verts_clip
        )
        for faces in (seen, fragments)
    ]
    assert torch.equal(grads[0][0], grads[1][0])


def test_has_no_gradient():
    mesh = icosphere(1)
    seen = visible_faces(seen_from(mesh.verts).requires_grad_(), mesh.faces, SIZE)
    assert not seen.coverage.requires_grad


@pytest.mark.parametrize("packed", [False, True])
def test_registration(packed: bool):
    mesh = bumpy_sphere(2)
    verts_clip = seen_from(mesh.verts)
    ranges = torch.tensor([[0, 100], [50, 320]]) if packed else None
    torch.library.opcheck(
        torch.ops.lightning_rast.visible_faces.default,
        (verts_clip[0] if packed else verts_clip, mesh.faces, ranges, *SIZE, "none"),
    )


def test_compiles_into_one_graph():
    mesh = icosphere(2)
    verts_clip = seen_from(mesh.verts)
    compiled = torch.compile(
        lambda verts: visible_faces(verts * 1.01, mesh.faces, SIZE).coverage,
        fullgraph=True,
        backend="aot_eager",
    )
    expected = visible_faces(verts_clip * 1.01, mesh.faces, SIZE).coverage
    assert torch.equal(compiled(verts_clip), expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_size": (0, 4)}, "visible_faces: image_size"),
        ({"verts_clip": torch.full((1, 3, 4), torch.nan)}, "visible_faces: verts_clip.0, 0."),
        ({"faces": torch.tensor([[0, 1, 9]], dtype=torch.int32)}, "visible_faces: faces.0. ="),
    ],
)
def test_says_which_argument_is_wrong(change: dict, message: str):
    arguments = {
        "verts_clip": torch.eye(4)[None, :3] + torch.tensor([0, 0, 0, 1.0]),
        "faces": torch.tensor([[0, 1, 2]], dtype=torch.int32),
        "image_size": (4, 4),
    }
    with pytest.raises(ValueError, match=message):
        visible_faces(**{**arguments, **change})

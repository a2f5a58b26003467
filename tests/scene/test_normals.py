"""Normals of faces and vertices: right directions, and gradients that are numbers."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck

from lightning_rast.scene import Mesh, cube, grid, icosphere, torus

WEIGHTINGS = ("area", "angle", "sphere")
every_weighting = pytest.mark.parametrize("weighting", WEIGHTINGS)


def bumpy(mesh: Mesh, amount: float = 0.05) -> Mesh:
    return mesh.with_verts(mesh.verts + amount * torch.randn_like(mesh.verts)).to(torch.float64)


def derived(weighting: str) -> Callable[[Mesh], Tensor]:
    return lambda mesh: mesh.vertex_normals(weighting)


def uneven_sphere() -> Mesh:
    """Vertices on a sphere, crowded towards one pole."""
    mesh = icosphere(2).to(torch.float64)
    moved = mesh.verts + torch.tensor([0.0, 0.6, 0.0])
    return mesh.with_verts(moved / moved.norm(dim=1, keepdim=True))


def loop_reference(mesh: Mesh, weighting: str) -> Tensor:
    """One face and corner after the other, with arc cosines."""
    verts = mesh.verts.tolist()
    totals = [[0.0, 0.0, 0.0] for _ in verts]
    for face in mesh.faces.tolist():
        for corner in range(3):
            here, one, two = (verts[face[(corner + step) % 3]] for step in range(3))
            u = [a - b for a, b in zip(one, here, strict=True)]
            v = [a - b for a, b in zip(two, here, strict=True)]
            cross = [u[i - 2] * v[i - 1] - u[i - 1] * v[i - 2] for i in range(3)]
            size, u_size, v_size = (math.hypot(*w) for w in (cross, u, v))
            cosine = sum(a * b for a, b in zip(u, v, strict=True)) / (u_size * v_size)
            weight = {
                "area": size,
                "angle": math.acos(cosine),
                "sphere": size / (u_size * v_size) ** 2,
            }[weighting]
            for axis in range(3):
                totals[face[corner]][axis] += weight * cross[axis] / size
    return torch.tensor(
        [[x / math.hypot(*total) for x in total] for total in totals], dtype=torch.float64
    )


@every_weighting
def test_vertex_normals_are_those_of_a_plain_loop(weighting):
    mesh = bumpy(torus(9, 7))
    torch.testing.assert_close(mesh.vertex_normals(weighting), loop_reference(mesh, weighting))


@every_weighting
def test_vertex_normals_of_a_sphere_point_outwards(weighting):
    mesh = icosphere(4)
    assert (mesh.vertex_normals(weighting) * mesh.verts).sum(1).min() > 0.9999


def test_by_angle_the_diagonals_of_a_cube_do_not_matter():
    # At each corner of a cube either one or two triangles of a side meet; the angle there is the
    # same, the area is not.
    mesh = cube(size=2).to(torch.float64)
    diagonal = mesh.verts / 3**0.5
    torch.testing.assert_close(mesh.vertex_normals("angle"), diagonal)
    assert (mesh.vertex_normals("area") - diagonal).abs().max() > 0.1


def test_max_weights_are_exact_on_a_sphere_however_uneven():
    mesh = uneven_sphere()
    torch.testing.assert_close(mesh.vertex_normals("sphere"), mesh.verts)
    assert (mesh.vertex_normals("area") - mesh.verts).abs().max() > 0.02
    assert (mesh.vertex_normals("angle") - mesh.verts).abs().max() > 0.02


@every_weighting
def test_scale_and_place_do_not_matter(weighting):
    mesh = bumpy(icosphere(1)).to(torch.float32)
    expected = mesh.vertex_normals(weighting)
    for scale in (2.0**-40, 2.0**40):
        scaled = mesh.with_verts(mesh.verts * scale).vertex_normals(weighting)
        torch.testing.assert_close(scaled, expected)


@every_weighting
def test_vertex_normals_have_the_right_gradient(weighting):
    mesh = bumpy(icosphere(0))
    verts = mesh.verts.clone().requires_grad_()
    assert gradcheck(lambda v: mesh.with_verts(v).vertex_normals(weighting), verts)


def test_face_normals_have_the_right_gradient():
    mesh = bumpy(icosphere(0))
    verts = mesh.verts.clone().requires_grad_()
    assert gradcheck(lambda v: mesh.with_verts(v).face_normals, verts)


@pytest.mark.parametrize(
    "corners",
    [
        [[0, 0, 0], [0, 0, 0], [0, 0, 0]],  # a point
        [[0, 0, 0], [1, 0, 0], [2, 0, 0]],  # a line
        [[0, 0, 0], [1, 0, 0], [1, 0, 0]],  # a line, two corners at one place
        [[0, 0, 0], [1, 0, 0], [1, 1e-30, 0]],  # as good as that
        [[0, 0, 0], [1e-25, 0, 0], [0, 1e-25, 0]],  # too small to have an area
    ],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_face_without_area_disturbs_nobody(corners, dtype):
    good = [[0, 0, 0], [0, 1, 0], [0, 0, 1]]
    bad = Mesh(torch.tensor(corners + good).to(dtype), torch.tensor([[0, 1, 2], [3, 4, 5]]))
    for derive in (lambda mesh: mesh.face_normals, *map(derived, WEIGHTINGS)):
        verts = bad.verts.clone().requires_grad_()
        normals = derive(bad.with_verts(verts))
        assert torch.isfinite(normals).all()
        assert torch.equal(normals[-1], torch.tensor([1, 0, 0], dtype=dtype))
        (normals * torch.randn_like(normals)).sum().backward()
        assert torch.isfinite(verts.grad).all()


def test_a_face_without_area_adds_nothing_to_its_neighbours():
    mesh = grid(1, 1).to(torch.float64)
    sliver = Mesh(mesh.verts, torch.cat((mesh.faces, torch.tensor([[0, 1, 1]], dtype=torch.int32))))
    for weighting in WEIGHTINGS:
        assert torch.equal(sliver.vertex_normals(weighting), mesh.vertex_normals(weighting))


def test_a_vertex_without_faces_has_no_normal():
    mesh = Mesh(torch.rand(4, 3), torch.tensor([[0, 1, 2]]))
    assert (mesh.vertex_normals()[3] == 0).all()


def test_what_is_not_a_number_reaches_no_other_face():
    verts = torch.cat((torch.full((3, 3), torch.nan), grid(1, 1).verts))
    mesh = Mesh(verts, torch.cat((torch.tensor([[0, 1, 2]]), grid(1, 1).faces + 3)))
    normals = mesh.vertex_normals()
    assert normals[:3].isnan().all()
    assert torch.equal(normals[3:], grid(1, 1).vertex_normals())


def test_an_unknown_weighting_is_refused(unchecked):
    with pytest.raises(ValueError, match='"area", "angle" or "sphere", got \'uniform\''):
        cube().vertex_normals("uniform")


def test_edges_stay_sharp_and_curves_become_smooth():
    for mesh, is_creased in ((cube(), True), (icosphere(3), False)):
        flat = mesh.face_normals[:, None].expand(-1, 3, 3)
        smooth = mesh.vertex_normals()[mesh.faces.long()]
        normals = mesh.corner_normals(crease_deg=40)
        torch.testing.assert_close(normals, flat if is_creased else smooth)


def test_a_crease_that_ends_splits_no_normal_at_its_end():
    # Two quads in a plane, joined along 1-4; the right one is folded up along 1-5 only.
    #   3---4---5
    #   | / | / |
    #   0---1---2
    verts = torch.tensor([[0.0, 0, 0], [1, 0, 0], [2, 0, 1], [0, 1, 0], [1, 1, 0], [2, 1, 0]])
    mesh = Mesh(verts, torch.tensor([[0, 1, 4], [0, 4, 3], [1, 2, 5], [1, 5, 4]]))
    normals = mesh.corner_normals(crease_deg=20)
    folded, flat = mesh.face_normals[2], mesh.face_normals[0]
    assert torch.equal(normals[2], folded.expand(3, 3))
    torch.testing.assert_close(normals[[0, 1, 3]], flat.expand(3, 3, 3))


def test_creased_normals_have_the_right_gradient():
    mesh = bumpy(cube())
    verts = mesh.verts.clone().requires_grad_()
    assert gradcheck(lambda v: mesh.with_verts(v).corner_normals(crease_deg=30), verts)


@every_weighting
def test_normals_and_their_gradients_are_the_same_every_time(weighting, device):
    mesh = icosphere(5)
    mesh = mesh.with_verts(mesh.verts + 0.05 * torch.randn_like(mesh.verts)).to(device)
    weights = torch.randn_like(mesh.verts)
    before, found = torch.get_num_threads(), set()
    try:
        for num_threads in (1, 2, 2, 3, 3, 3):
            torch.set_num_threads(num_threads)
            verts = mesh.verts.clone().requires_grad_()
            normals = mesh.with_verts(verts).vertex_normals(weighting)
            (normals * weights).sum().backward()
            found.add(
                (normals.detach().cpu().numpy().tobytes(), verts.grad.cpu().numpy().tobytes())
            )
    finally:
        torch.set_num_threads(before)
    assert len(found) == 1

"""extract_surface: what holds for any field, and where the surface lies."""

import math

import pytest
import torch
from torch import Tensor

from lightning_rast.optim import extract_surface
from lightning_rast.scene import Mesh


def random_field(seed: int) -> Tensor:
    """Noise, noise of two values and noise of a few, so that ties and every case occur."""
    generator = torch.Generator().manual_seed(seed)
    size = torch.randint(1, 9, (3,), generator=generator).tolist()
    field = torch.randn(*size, generator=generator)
    return (field, field.sign(), (2 * field).round())[seed % 3]


def surface(field: Tensor, **options: float) -> Mesh:
    return extract_surface(field, origin=(0.0, 0.0, 0.0), cell=1.0, **options)


def ball(size: int, radius: float) -> Tensor:
    axis = torch.linspace(-1, 1, size)
    x, y, z = torch.meshgrid(axis, axis, axis, indexing="ij")
    return radius - (x * x + y * y + z * z).sqrt()


@pytest.mark.parametrize("first", range(0, 400, 50))
def test_the_surface_of_any_field_is_a_closed_oriented_manifold(first):
    for seed in range(first, first + 50):
        mesh = surface(random_field(seed))
        if mesh.num_faces == 0:
            continue
        report = mesh.topology.report()
        assert len(mesh.topology.edge_faces) == report.num_edges, seed
        assert report.num_pinched_verts == 0, seed
        assert report.num_degenerate_faces == report.num_unused_verts == 0, seed
        assert report.euler % 2 == 0, seed


def test_no_triangle_of_any_field_is_without_area():
    smallest = [
        float(mesh.face_area_vectors.norm(dim=1).min())
        for mesh in map(surface, map(random_field, range(100)))
        if mesh.num_faces
    ]
    assert min(smallest) > 1e-4


def test_every_grid_point_lies_on_its_side_of_the_surface():
    field = random_field(8)
    mesh = surface(field)
    corners = mesh.corners.double()
    points = torch.cartesian_prod(*(torch.arange(n, dtype=torch.float64) for n in field.shape))
    a, b, c = (corner[None] - points[:, None] for corner in corners.unbind(1))
    la, lb, lc = (v.norm(dim=-1) for v in (a, b, c))
    # Solid angles (van Oosterom and Strackee 1983) sum to 4 pi times the winding number.
    solid = 2 * torch.atan2(
        (a * torch.linalg.cross(b, c)).sum(-1),
        la * lb * lc + (a * b).sum(-1) * lc + (b * c).sum(-1) * la + (c * a).sum(-1) * lb,
    )
    winding = (solid.sum(dim=1) / (4 * math.pi)).round()
    assert torch.equal(winding, (field > 0).double().reshape(-1))


def test_a_ball_has_its_volume_and_no_handle():
    mesh = extract_surface(ball(64, 0.8), origin=(-1, -1, -1), cell=2 / 63)
    assert float(mesh.volume) == pytest.approx(4 / 3 * math.pi * 0.8**3, rel=2e-3)
    assert mesh.topology.genus == 0


def test_vertices_lie_where_the_field_interpolates_to_the_level():
    mesh = extract_surface(ball(64, 0.8), origin=(-1, -1, -1), cell=2 / 63, level=0.1)
    assert float((mesh.verts.norm(dim=1) - 0.7).abs().max()) < 6e-4


def test_two_inside_corners_of_a_face_are_joined_where_their_saddle_is_inside():
    # + -   joined if the product of the + exceeds that of the -
    # - +
    def field(inside: float) -> Tensor:
        return torch.tensor([[[inside], [-1.0]], [[-1.0], [inside]]])

    assert surface(field(2.0)).topology.num_components == 1
    assert surface(field(0.5)).topology.num_components == 2


def test_a_field_that_is_inside_everywhere_closes_around_the_grid():
    mesh = surface(torch.ones(4, 3, 5))
    low, high = mesh.bounds
    assert torch.allclose(low, torch.full((3,), -1 / 64))
    assert torch.allclose(high, torch.tensor([3.0, 2.0, 4.0]) + 1 / 64)
    assert float(mesh.volume) > 0


def test_nothing_inside_gives_a_mesh_without_faces():
    assert surface(torch.zeros(3, 3, 3)).num_faces == 0


def test_infinite_values_are_sides_like_others():
    field = torch.full((3, 3, 3), -math.inf)
    field[1, 1, 1] = math.inf
    mesh = surface(field)
    assert torch.isfinite(mesh.verts).all()
    assert torch.allclose(mesh.bounds, torch.tensor([[0.5] * 3, [1.5] * 3]))


def test_any_number_of_threads_gives_the_same_bits():
    field = torch.randn(40, 33, 21)
    threads = torch.get_num_threads()
    meshes = []
    for number in (1, 2, 3):
        torch.set_num_threads(number)
        meshes.append(surface(field))
    torch.set_num_threads(threads)
    for mesh in meshes[1:]:
        assert torch.equal(mesh.verts, meshes[0].verts)
        assert torch.equal(mesh.faces, meshes[0].faces)


def test_nan_is_refused():
    with pytest.raises(ValueError, match="NaN"):
        surface(torch.full((2, 2, 2), math.nan))


def test_a_flat_field_is_refused(unchecked):
    with pytest.raises(ValueError, match=r"\(X, Y, Z\), got torch.float32 \(2, 2\)"):
        surface(torch.zeros(2, 2))

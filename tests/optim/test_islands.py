import pytest
import torch

from lightning_rast.optim import drop_islands
from lightning_rast.scene import Mesh, grid, icosphere


def balls(*radii: float) -> Mesh:
    """Apart from each other, far from the origin, with a vertex that no face uses in front."""
    shapes = [icosphere(2, radius=r, center=(1000 + 5 * i, 0, 0)) for i, r in enumerate(radii)]
    count = shapes[0].num_verts
    return Mesh(
        torch.cat([torch.zeros(1, 3), *(shape.verts for shape in shapes)]),
        torch.cat([shape.faces + count * i + 1 for i, shape in enumerate(shapes)]),
    )


def test_a_small_ball_is_dropped_by_its_volume():
    kept, _ = drop_islands(balls(1.0, 0.2, 0.4), 0.01)
    assert kept.topology.num_components == 2
    assert float(kept.bounds[1, 0]) > 1005


def test_attributes_follow_their_vertices():
    mesh = balls(0.1, 1.0)
    rest, kept = drop_islands(mesh, 0.5)
    torch.testing.assert_close(mesh.verts[kept], rest.verts)
    torch.testing.assert_close(rest.corners, mesh.corners[320:])


def test_no_fraction_drops_only_unused_vertices():
    rest, kept = drop_islands(balls(1.0, 0.01), 0.0)
    assert rest.num_faces == 640
    assert len(kept) == 324


def test_the_largest_always_stays():
    assert drop_islands(balls(1.0, 0.9), 1.0)[0].topology.num_components == 1


def test_open_sheets_count_by_their_area():
    large, small = grid(4, 4), grid(1, 1, width=0.1, height=0.1)
    both = Mesh(torch.cat((small.verts, large.verts)), torch.cat((small.faces, large.faces + 4)))
    assert drop_islands(both, 0.1)[0].num_faces == large.num_faces


def test_a_mesh_without_faces_is_returned():
    rest, kept = drop_islands(Mesh(torch.zeros(3, 3), torch.zeros(0, 3, dtype=torch.int32)), 0.1)
    assert rest.num_verts == rest.num_faces == len(kept) == 0


def test_a_fraction_beyond_one_is_refused():
    with pytest.raises(ValueError, match="between 0 and 1"):
        drop_islands(icosphere(1), 1.5)

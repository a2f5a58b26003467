"""When and why a fitted mesh is made anew."""

import torch

from lightning_rast.config import TopologyConfig
from lightning_rast.data import orbit_cameras, synthetic_views, view_directions
from lightning_rast.data.views import Views
from lightning_rast.ladder_stages import remade_mesh, verdict_on
from lightning_rast.optim import part_genus
from lightning_rast.scene import Mesh, icosphere, self_intersections, torus

COARSE = TopologyConfig(resolution=64)


def views_of(mesh: Mesh) -> Views:
    cameras = orbit_cameras(mesh, view_directions("fibonacci", 6), image_size=64)
    return synthetic_views(mesh, cameras)


def folded_ball() -> Mesh:
    """A patch of its skin is pushed aside so far that it passes through the skin beside it."""
    ball = icosphere(4)
    x, y, z = ball.verts.unbind(1)
    near = torch.where(z > 0, (-(x**2 + y**2) / 0.02).exp(), 0.0)
    return ball.with_verts(torch.stack((x + 0.5 * near, y, z - 0.05 * near), dim=1))


def test_a_mesh_that_crosses_itself_is_made_anew_without_crossings():
    mesh, views = folded_ball(), views_of(icosphere(4))
    number = len(self_intersections(mesh))
    assert number > 0
    remade = remade_mesh(mesh, views, COARSE, num_disagreeing=0)
    assert remade is not None
    assert remade.reason == f"{number} pairs of faces crossed"
    assert remade.is_mended
    assert len(self_intersections(remade.mesh)) == 0
    assert part_genus(remade.mesh) == (0,)


def test_a_phantom_handle_is_the_reason_why_a_mesh_is_made_anew():
    flat = icosphere(4).with_verts(icosphere(4).verts * torch.tensor([1.0, 0.3, 1.0]))
    views = views_of(torus(48, 24))
    remade = remade_mesh(flat, views, COARSE, num_disagreeing=0)
    assert remade is not None
    assert remade.reason == "1 part(s) with 0 handle(s) became 1 part(s) with 1 handle(s)"
    assert not remade.is_mended


def test_a_sound_mesh_is_left_as_it_is():
    assert remade_mesh(torus(48, 24), views_of(torus(48, 24)), COARSE, num_disagreeing=0) is None


def test_a_thousandth_of_iou_may_be_lost_for_another_topology_but_not_for_crossings():
    ring = torus(48, 24)
    views, worse = views_of(ring), ring.with_verts(0.9993 * ring.verts)
    seed = icosphere(1)
    far = seed.with_verts(0.01 * seed.verts + ring.verts[ring.faces[0].long()].mean(0) * 0.9)
    two_parts = Mesh(
        torch.cat([ring.verts, far.verts]), torch.cat([ring.faces, far.faces + ring.num_verts])
    )
    for before, may_stay in ((ring, False), (two_parts, True)):
        verdict = verdict_on(before, worse, views, TopologyConfig())
        assert 5e-4 < verdict.iou[0] - verdict.iou[1] < 2e-3
        assert verdict.accepted == may_stay

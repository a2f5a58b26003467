"""Moves that stop before a surface passes through itself."""

import torch

from lightning_rast.optim import without_new_crossings
from lightning_rast.scene import Mesh, icosphere, self_intersections


def two_balls(gap: float) -> Mesh:
    ball = icosphere(2)
    apart = torch.tensor([2.0 + gap, 0.0, 0.0])
    return Mesh(
        torch.cat((ball.verts, ball.verts + apart)),
        torch.cat((ball.faces, ball.faces + ball.num_verts)),
    )


def test_balls_pushed_into_each_other_stop_before_they_cross():
    before, after = two_balls(0.4), two_balls(-0.4)
    assert len(self_intersections(after)) > 0
    verts, pairs = without_new_crossings(before.verts, after.verts, before.topology)
    assert len(pairs) == len(self_intersections(before.with_verts(verts))) == 0
    far = before.verts[:, 0] > 3.2  # the second ball's other side
    torch.testing.assert_close(verts[far], after.verts[far])


def test_a_move_that_crosses_nothing_is_made_exactly():
    before = two_balls(0.4)
    after = before.verts * 0.9
    assert torch.equal(without_new_crossings(before.verts, after, before.topology)[0], after)


def test_what_crosses_already_may_move_on():
    before, after = two_balls(-0.4), two_balls(0.4)
    verts, pairs = without_new_crossings(before.verts, after.verts, before.topology)
    assert torch.equal(verts, after.verts)
    assert len(pairs) == 0

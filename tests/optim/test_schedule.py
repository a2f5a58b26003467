"""The schedule is a function of the step alone."""

import itertools
from collections import Counter

import pytest

from lightning_rast.optim.schedule import Schedule, Stage, views_of_step

SCHEDULE = Schedule(
    steps=100,
    pyramid=(4, 2, 1),
    pyramid_at=(0.0, 0.3, 0.6),
    subdivide_at=(0.5,),
    lr=(1e-2, 1e-3),
    smoothing=(16.0, 4.0),
)


@pytest.mark.parametrize(
    ("step", "stage"),
    [
        (0, Stage(0, 0, 16.0)),
        (29, Stage(0, 0, 16.0)),
        (30, Stage(1, 0, 8.0)),
        (50, Stage(1, 1, 8.0)),
        (60, Stage(2, 1, 4.0)),
        (99, Stage(2, 1, 4.0)),
    ],
)
def test_stages_begin_at_their_fraction_of_the_steps(step, stage):
    found = SCHEDULE.stage_at(step)
    assert (found.level, found.num_subdivisions) == (stage.level, stage.num_subdivisions)
    assert found.smoothing == pytest.approx(stage.smoothing)


def test_the_learning_rate_falls_geometrically():
    rates = [SCHEDULE.lr_at(step) for step in range(100)]
    assert rates[0] == pytest.approx(1e-2)
    assert rates[99] == pytest.approx(1e-3)
    ratios = [b / a for a, b in itertools.pairwise(rates)]
    assert max(ratios) == pytest.approx(min(ratios))


def test_smoothing_may_end_at_nothing():
    schedule = Schedule(
        steps=10, pyramid=(4, 2, 1), pyramid_at=(0.0, 0.3, 0.6), smoothing=(10.0, 0.0)
    )
    assert [schedule.stage_at(step).smoothing for step in (0, 3, 6)] == [10.0, 5.0, 0.0]


def test_all_views_come_in_their_order():
    assert views_of_step(5, 0, seed=1, step=3) == [0, 1, 2, 3, 4]
    assert views_of_step(5, 9, seed=1, step=3) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("views_per_step", [1, 2, 3, 4])
def test_some_views_are_distinct_and_used_evenly(views_per_step):
    steps = [views_of_step(5, views_per_step, seed=7, step=step) for step in range(200)]
    assert all(len(set(views)) == views_per_step for views in steps)
    used = Counter(view for views in steps for view in views)
    assert min(used.values()) > 0.85 * 200 * views_per_step / 5


def test_the_order_depends_on_seed_and_step_alone():
    def order(seed):
        return [views_of_step(9, 2, seed=seed, step=step) for step in range(20)]

    assert order(1) == order(1)
    assert order(1) != order(2)


def test_the_bending_length_falls_geometrically_and_may_be_nothing():
    schedule = Schedule(steps=3, bending=(0.16, 0.01))
    assert [schedule.bending_at(step) for step in range(3)] == pytest.approx([0.16, 0.04, 0.01])
    assert Schedule(steps=3, bending=(0.0, 0.0)).bending_at(1) == 0

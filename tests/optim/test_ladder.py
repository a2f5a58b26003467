"""The plan of a ladder, and walking through it."""

import math

import pytest

from lightning_rast.optim.ladder import Ladder, Position, Stage, make_ladder


def kinds(ladder: Ladder) -> list[str]:
    return [stage.kind for stage in ladder.stages]


def test_every_rung_has_its_steps_and_its_polish():
    ladder = make_ladder(
        [0.05, 0.02], warmup_steps=4, newton_steps=2, polish_steps=9, again_from=0.0
    )
    rung = ["newton", "polish"]
    assert kinds(ladder) == ["newton", "remesh", *rung, *rung]
    assert [stage.steps for stage in ladder.stages] == [4, 0, 2, 9, 2, 9]
    assert [stage.bending for stage in ladder.stages] == [0.05, 0, 0.05, 0.05, 0.02, 0.02]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"polish_steps": 0}, ["newton", "remesh", "newton"]),
        ({"newton_steps": 0}, ["newton", "remesh", "polish"]),
        ({"warmup_steps": 0}, ["remesh", "newton", "polish"]),
        ({"remeshes": False}, ["newton", "newton", "polish"]),
    ],
)
def test_a_stage_can_be_left_out(settings, expected):
    assert kinds(make_ladder([0.05], **settings, again_from=0.0)) == expected


@pytest.mark.parametrize(("again_from", "expected"), [(1.0, [0.05, 0.02]), (0.03, [0.02])])
def test_a_mesh_made_anew_is_remeshed_and_fitted_from_some_rung_on(again_from, expected):
    ladder = make_ladder([0.05, 0.02], polish_steps=0, again_from=again_from)
    assert ladder.stages[ladder.again_at - 1].kind == "topology"
    first, *rungs, last = ladder.stages[ladder.again_at :]
    assert (first.kind, last.kind) == ("remesh", "topology")
    assert [rung.bending for rung in rungs] == expected


def test_a_mesh_made_anew_has_the_last_rung_at_least():
    ladder = make_ladder([0.05, 0.02], polish_steps=0, again_from=1e-3)
    assert [stage.bending for stage in ladder.stages[ladder.again_at :]] == [0, 0.02, 0]


def test_rungs_of_a_mesh_made_anew_are_counted_down_from_a_length():
    ladder = make_ladder([0.05, 0.02, 0.01], polish_steps=5, again_from=0.03)
    assert [ladder.rungs_again(length) for length in (math.inf, 0.02, 0.01)] == [2, 2, 1]


@pytest.fixture
def three_rungs():
    """4 + 3 (2 + 10) steps, and 2 (2 + 10) of a mesh made anew."""
    return make_ladder([0.05, 0.02, 0.01], polish_steps=10, again_from=0.03)


def test_steps_left_are_those_of_a_run_whose_mesh_is_not_made_anew(three_rungs):
    assert three_rungs.steps_left(Position()) == 4 + 3 * 12


def test_steps_left_grow_fewer_with_each_step(three_rungs):
    assert three_rungs.steps_left(Position(stage=0, step=3)) == 1 + 3 * 12


def test_steps_left_are_of_polishes_as_long_as_the_last_one(three_rungs):
    assert three_rungs.steps_left(Position(), polish_steps=6) == 4 + 3 * 8


def test_a_polish_that_is_longer_than_the_last_one_leaves_no_step_less_than_none(three_rungs):
    polish = Position(stage=kinds(three_rungs).index("polish"), step=9)
    assert three_rungs.steps_left(polish, polish_steps=6) == 2 * 8


def test_where_masks_contradict_each_other_no_polish_is_left(three_rungs):
    assert three_rungs.steps_left(Position(noise=2.0)) == 4 + 3 * 2


def test_of_a_mesh_made_anew_the_rungs_are_left_that_it_needs(three_rungs):
    start = Position(stage=three_rungs.again_at, round=1)
    assert three_rungs.steps_left(start) == 2 * 12
    start.longest = 0.01
    assert three_rungs.steps_left(start) == 12


def test_nothing_is_left_at_the_end(three_rungs):
    end = len(three_rungs.stages)
    assert three_rungs.steps_left(Position(stage=end)) == 0
    assert three_rungs.steps_left(Position(stage=end, round=1)) == 0


def test_rungs_of_a_sphere_come_before_the_warm_up_and_only_once():
    ladder = make_ladder([0.2, 0.05], first_fine=1)
    assert [stage.bending for stage in ladder.stages][:4] == [0.2, 0.2, 0.05, 0]
    assert all(stage.bending < 0.2 for stage in ladder.stages[2:])


def test_cameras_are_corrected_after_the_last_coarse_rung():
    ladder = make_ladder([0.05, 0.02, 0.01], polish_steps=0, cameras_at=0.018, again_from=0.0)
    assert kinds(ladder) == ["newton", "remesh", *["newton"] * 2, "cameras", "newton"]
    assert ladder.stages[4].bending == 0.02


def test_learning_rates_fall_within_a_rung_and_from_rung_to_rung():
    ladder = make_ladder(
        [0.05, 0.02], lr=2e-3, lr_per_rung=0.8, lr_within=0.6, polish_steps=5, again_from=0.0
    )
    first, second = (stage for stage in ladder.stages if stage.kind == "polish")
    assert (first.lr_at(0), first.lr_at(4)) == pytest.approx((2e-3, 1.2e-3))
    assert second.lr_at(0) == pytest.approx(1.6e-3)


def test_no_run_takes_more_steps_than_the_most():
    ladder = make_ladder([0.05, 0.02], warmup_steps=4, newton_steps=2, polish_steps=9)
    assert ladder.most_steps == 4 + 2 * (2 * 11)


def test_progress_rises_from_0_to_1():
    ladder = make_ladder([0.05, 0.02])
    position, found = Position(), []
    for index, stage in enumerate(ladder.stages):
        position.go(index)
        for step in range(stage.steps + 1):
            position.step = step
            found.append(ladder.progress_at(position))
    assert found == sorted(found)
    assert (found[0], found[-1]) == (0, 1)


def test_a_ladder_that_ends_before_its_mesh_is_made_anew_is_done():
    ladder = make_ladder([0.05, 0.02])
    assert ladder.progress_at(Position(stage=ladder.again_at)) == pytest.approx(0.5, abs=0.1)
    assert ladder.progress_at(Position(stage=len(ladder.stages))) == 1


def test_steps_without_gain_are_counted_from_the_last_gain():
    position = Position()
    stale = []
    for energy in (10.0, 9.0, 8.999, 8.998, 5.0, 6.0):
        position.count(energy, min_gain=1e-3)
        stale.append(position.stale)
    assert stale == [0, 0, 1, 2, 0, 1]


def test_another_stage_forgets_the_energies_of_the_one_before():
    position = Position()
    position.count(1.0, min_gain=0.1)
    position.go(3)
    assert (position.stage, position.step, position.stale) == (3, 0, 0)
    assert math.isinf(position.lowest)


def test_a_polish_of_one_step_has_its_first_rate():
    stage = Stage(kind="polish", name="", steps=1, lr=(1e-3, 1e-4))
    assert stage.lr_at(0) == pytest.approx(1e-3)


def judged(residuals, **settings):
    """What is called noise, when rungs begin with these residuals and the last one is judged."""
    position = Position()
    settings = {"noise_px": 0.3, "least_fall": 0.15} | settings
    for residual in residuals[:-1]:
        position.begin_rung(residual, is_judged=False, **settings)
    position.begin_rung(residuals[-1], is_judged=True, **settings)
    return position.noise


@pytest.mark.parametrize(
    ("residuals", "expected"),
    [
        ([0.7, 0.72, 0.65], 0.65),  # it stays
        ([1.0, 1.8, 1.0], 0.0),  # it falls
        ([0.25, 0.25, 0.25], 0.0),  # too small to matter
    ],
)
def test_a_residual_that_does_not_fall_is_noise(residuals, expected):
    assert judged(residuals) == expected


def test_without_a_least_fall_nothing_is_noise():
    assert judged([1.0, 1.0], least_fall=0.0) == 0


def test_the_ladder_is_judged_where_bending_has_halved():
    assert make_ladder([0.05, 0.035, 0.025, 0.018]).judged_at == 0.025


def test_a_ladder_of_one_length_is_never_judged():
    assert make_ladder([0.05]).judged_at == 0

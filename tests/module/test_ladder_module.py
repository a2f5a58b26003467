"""A ladder from its hull to the end, without a process of its own."""

import math
from dataclasses import replace

import pytest

from lightning_rast import ladder_module
from lightning_rast.callbacks import Divergence
from lightning_rast.config import Config
from lightning_rast.data.datamodule import ViewsDataModule
from lightning_rast.data.views import Views, ViewsError
from lightning_rast.evaluation import view_ious
from lightning_rast.ladder_stages import Remade
from lightning_rast.optim.ladder import Position
from lightning_rast.optim.schedule import Schedule
from lightning_rast.optim.topology import Verdict
from lightning_rast.runs import Run, RunError
from lightning_rast.scene import icosphere, save_mesh
from lightning_rast.training import make_module, make_trainer, make_views

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.fixture
def config(tmp_path) -> Config:
    config = Config(name="test", device="cpu")
    config.data.mesh = str(tmp_path / "object.ply")
    config.data.num_views, config.data.num_held_out, config.data.image_size = 8, 4, 64
    config.start.resolution, config.remesh.edge = 32, 0.06
    config.ladder.bending, config.ladder.polish_steps = [0.05, 0.02], 10
    return config


@pytest.fixture
def views(config) -> tuple[Views, Views]:
    mesh = icosphere(3)
    bumpy = mesh.with_verts(mesh.verts * (1 + 0.3 * (3 * mesh.verts[:, :1]).sin()))
    train, held_out = make_views(config.data, bumpy, seed=0)
    assert held_out is not None
    return train, held_out


def fitted(config, train, folder, *callbacks, position=None):
    save_mesh(icosphere(1), config.data.mesh)
    module = make_module(config, train)
    module.position = position or module.position
    datamodule = ViewsDataModule(
        train,
        None,
        schedule=Schedule(steps=1),
        views_per_step=config.schedule.views_per_step,
    )
    run = Run(folder / "test" / "version_0")
    make_trainer(config, run, [*callbacks]).fit(module, datamodule=datamodule)
    return module


@pytest.mark.parametrize("kind", ["hull", "sphere"])
def test_views_that_were_never_seen_are_met(config, views, tmp_path, kind):
    config.start.kind = kind
    module = fitted(config, views[0], tmp_path)
    # .987 and .985 were measured.
    assert float(view_ious(module, views[1]).mean()) > 0.975
    assert module.is_finished


@pytest.mark.parametrize("left_out", ["polish", "newton", "remesh", "topology"])
def test_a_stage_that_is_switched_off_does_not_happen(config, views, tmp_path, left_out):
    config.newton.warmup_steps = config.newton.steps = 0 if left_out == "newton" else 1
    config.ladder.polish_steps = 0 if left_out == "polish" else 2
    config.remesh.enabled, config.topology.enabled = left_out != "remesh", left_out != "topology"
    module = fitted(config, views[0], tmp_path)
    kinds = {"start", "newton", "remesh", "polish", "topology"}
    assert {entry["kind"] for entry in module.stage_log} == kinds - {left_out}


def test_a_view_that_disagrees_is_named_and_not_followed(config, views, tmp_path):
    train, held_out = views
    half_blank = train.coverage.clone()
    half_blank[5, :, :32] = 0
    module = fitted(config, replace(train, coverage=half_blank), tmp_path)
    assert module.report()["disagreeing_views"] == [train.names[5]]
    assert float(view_ious(module, held_out).mean()) > 0.95


def test_nothing_crosses_in_the_end(config, views, tmp_path):
    report = fitted(config, views[0], tmp_path).report()
    assert (report["self_intersections"], report["flipped_faces"]) == (0, 0)


@pytest.mark.parametrize(("is_mended", "rungs"), [(True, [2]), (False, [1, 2])])
def test_a_mesh_that_was_only_mended_goes_down_fewer_rungs_than_one_of_other_topology(
    config, views, tmp_path, monkeypatch, is_mended, rungs
):
    config.ladder.polish_steps, config.topology.mended_from = 0, 0.03
    remade = Remade(icosphere(3), "wished by a test", is_mended=is_mended)
    monkeypatch.setattr(ladder_module, "remade_mesh", lambda *_, **__: remade)
    module = fitted(config, views[0], tmp_path)
    assert isinstance(module, ladder_module.LadderModule)
    again = [stage for stage in module.stage_log if stage["round"] and stage["steps"]]
    expected = [f"rung {rung} of 2 ({config.ladder.bending[rung - 1]})" for rung in rungs]
    assert [stage["name"].partition(",")[0] for stage in again] == expected
    assert f"; {len(rungs)} rungs follow" in module.report()["topology"]


@pytest.mark.parametrize(("accepted", "settled"), [(True, "kept"), (False, "dropped: worse")])
def test_the_verdict_on_a_mesh_made_anew_says_which_mesh_and_how_it_fits(
    config, views, tmp_path, monkeypatch, accepted, settled
):
    config.ladder.polish_steps = 0
    remade = Remade(icosphere(3), "wished by a test", is_mended=False)
    verdict = Verdict(accepted, "worse", (0.95, 0.96), (0.0, 0.0))
    monkeypatch.setattr(ladder_module, "remade_mesh", lambda *_, **__: remade)
    monkeypatch.setattr(ladder_module, "verdict_on", lambda *_, **__: verdict)
    module = fitted(config, views[0], tmp_path)
    assert isinstance(module, ladder_module.LadderModule)
    steps = sum(stage["steps"] for stage in module.stage_log if not stage["round"])
    assert 0 < steps < module.global_step
    told = "training IoU 0.9500 -> 0.9600, the new mesh is " + settled
    assert module.messages[-1] == f"mesh made anew at step {steps}: {told}"
    assert module.messages[0].startswith(f"mesh made anew at step {steps}: wished by a test")


def test_masks_that_leave_nothing_are_refused_with_a_way_out(config, views):
    train, _ = views
    with pytest.raises(ViewsError, match="start.kind=sphere needs no hull"):
        make_module(config, train[[0]])


def test_edges_of_no_sensible_length_are_refused_by_their_keys(config, views, tmp_path):
    config.remesh.edge, config.remesh.edge_px = 0.0, 1e-4
    with pytest.raises(RunError, match="20000000 are allowed.*remesh.edge_px"):
        fitted(config, views[0], tmp_path)


def test_steps_that_see_other_views_each_do_not_end_a_polish(config, views, tmp_path):
    config.schedule.views_per_step, config.ladder.patience = 2, 1
    config.ladder.min_gain, config.topology.enabled = 0.9, False
    module = fitted(config, views[0], tmp_path)
    polishes = [entry["steps"] for entry in module.stage_log if entry["kind"] == "polish"]
    assert polishes == [10, 10]


@pytest.mark.parametrize("step", [6, 10])
def test_a_mesh_lost_where_crossings_are_looked_for_is_divergence(
    config, views, tmp_path, monkeypatch, step
):
    # That is in the second round, every five steps of a polish and at its end.
    calls = []

    def losing(before, after, topology):
        calls.append(after)
        return after * (math.nan if len(calls) == step else 1), 0

    monkeypatch.setattr("lightning_rast.ladder_module.limited_move", losing)
    config.remesh.enabled = config.topology.enabled = False
    position = Position(round=1)
    with pytest.raises(RunError, match=r"diverged at step .*lower ladder\.lr"):
        fitted(config, views[0], tmp_path, Divergence([0]), position=position)

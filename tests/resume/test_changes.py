"""Resuming a run that has nothing left to do, or with other settings, or from a foreign file."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from lightning_rast.cli import main
from lightning_rast.runs import CONFIG_NAME, checkpoint_path, checkpoints
from lightning_rast.scene import load_mesh
from tests.resume.problem import write_problem

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
STEPS = 20
SHORT = [f"schedule.steps={STEPS}", "log.checkpoint_every_n_steps=10"]
MESHES = ["mesh.obj", "mesh.glb", "mesh.ply"]


def train(*arguments: str) -> int:
    return main(["--config", "bumpy.yaml", *arguments])


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    write_problem(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert train(*SHORT) == 0
    return folder


@pytest.fixture
def run(trained, tmp_path, monkeypatch) -> Path:
    """The folder of a finished run, in the current folder."""
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "logs" / "bumpy" / "version_0"


@pytest.fixture
def halfway(run) -> Path:
    """The same, as if killed after step 10."""
    checkpoint_path(run, STEPS).unlink()
    for name in (*MESHES, "metrics.json"):
        (run / name).unlink()
    return run


def content(run: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in run.rglob("*") if path.is_file()}


def saved(run: Path, step: int) -> dict:
    return torch.load(checkpoint_path(run, step), weights_only=True)


def test_what_a_killed_run_still_owed_is_written(run, capsys):
    before = {name: (run / name).read_bytes() for name in (*MESHES, "metrics.json")}
    for name in before:
        (run / name).unlink()
    assert train("--resume", "last", "log.turntable=true") == 0
    assert (run / "turntable.gif").is_file()
    for name in MESHES:
        assert (run / name).read_bytes() == before[name]
    assert torch.equal(load_mesh(run / "mesh.ply").verts, saved(run, STEPS)["state_dict"]["verts"])
    metrics = json.loads((run / "metrics.json").read_text())
    expected = json.loads(before["metrics.json"])
    for key in ("iou_mean", "iou_min", "chamfer", "steps", "finished", "iou_of_view"):
        assert metrics[key] == expected[key]
    assert metrics["seconds"]["total"] > expected["seconds"]["total"]
    assert f"from step {STEPS}" in capsys.readouterr().out


def test_metrics_of_a_part_of_the_run_do_not_count_as_finished(run):
    path = run / "metrics.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "finished": False}))
    assert train("--resume", "last") == 0
    assert json.loads(path.read_text())["finished"] is True


def test_a_finished_run_is_left_alone(run, capsys):
    before = content(run)
    assert train("--resume", "last") == 0
    assert content(run) == before
    assert f"already finished after {STEPS} steps" in capsys.readouterr().out


def test_new_betas_are_used(halfway):
    assert train("--resume", "last", "optimizer.betas=[0.5,0.6]") == 0
    state = saved(halfway, STEPS)
    assert tuple(state["optimizer_states"][0]["param_groups"][0]["betas"]) == (0.5, 0.6)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("schedule.steps=5", "schedule.steps is 5, but the run has done 10 already"),
        ("schedule.steps=10", "schedule.steps is 10, but the run has done 10 already"),
        ("start.subdivisions=3", "start.subdivisions cannot change any more"),
        ("data.kind=masks", "data.kind cannot change any more"),
    ],
)
def test_a_change_that_comes_too_late_is_refused_and_nothing_written(
    halfway, capsys, override, message
):
    before = content(halfway)
    assert train("--resume", "last", override, "data.folder=.") == 2
    assert message in capsys.readouterr().err
    assert content(halfway) == before


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("schedule.steps=25", "schedule.steps also moves what lies before step 10"),
        ("schedule.subdivide_at=[0.9]", "schedule.subdivide_at also moves what lies before"),
        ("seed=6", "seed: the steps before this one were made with other views"),
        ("data.num_views=5", "data.num_views: the steps before this one were made with other"),
    ],
)
def test_a_change_that_reaches_back_is_made_with_a_warning(halfway, capsys, override, message):
    assert train("--resume", "last", override) == 0
    assert f"warning: {message}" in capsys.readouterr().err
    key, value = override.split("=")
    assert f"{key.split('.')[-1]}: {value}"[:12] in (halfway / CONFIG_NAME).read_text()


def test_a_change_ahead_of_the_run_gets_no_warning(halfway, capsys):
    assert train("--resume", "last", "loss.laplacian=2") == 0
    captured = capsys.readouterr()
    assert "from here on the run has a new loss.laplacian" in captured.out
    assert "warning" not in captured.err


@pytest.mark.parametrize(
    "foreign", [{"weights": torch.zeros(3)}, torch.zeros(3), {"state_dict": {}, "global_step": 30}]
)
def test_a_foreign_checkpoint_is_named(run, capsys, foreign):
    path = checkpoint_path(run, 30)
    torch.save(foreign, path)
    before = content(run)
    assert train("--resume", "last", "schedule.steps=40") == 2
    assert f"{path.relative_to(Path.cwd())} is no checkpoint" in capsys.readouterr().err
    assert content(run) == before


@pytest.mark.parametrize("ladder", [{}, {"format": 0}])
def test_a_checkpoint_of_another_version_is_refused_before_anything_is_said(run, capsys, ladder):
    path = checkpoint_path(run, STEPS)
    torch.save({**saved(run, STEPS), "ladder": ladder}, path)
    before = content(run)
    assert train("--resume", "last") == 2
    printed = capsys.readouterr()
    assert "was written by another version of lightning_rast; start a new run" in printed.err
    assert "resuming" not in printed.out
    assert content(run) == before


def test_a_renamed_checkpoint_is_named(run, capsys):
    checkpoint_path(run, STEPS).rename(checkpoint_path(run, 30))
    assert train("--resume", "last", "schedule.steps=40") == 2
    assert f"step_00000030.ckpt holds step {STEPS}" in capsys.readouterr().err


@pytest.mark.parametrize("lr", ["1e6", "1e38"])
def test_a_training_that_diverges_stops_with_advice(halfway, capsys, lr):
    before = content(halfway / "checkpoints")
    assert train("--resume", "last", f"optimizer.lr={lr}", f"optimizer.lr_end={lr}") == 2
    error = capsys.readouterr().err
    assert "error: diverged at step 1" in error
    assert "lower optimizer.lr (it is 1e+" in error
    assert content(halfway / "checkpoints") == before
    assert [path.name for path in checkpoints(halfway)] == ["step_00000010.ckpt"]
    assert train("--resume", "last", "optimizer.lr=0.03", "optimizer.lr_end=0.003") == 0


def test_a_run_folder_holds_no_empty_files(run):
    names = {path.name for path in run.iterdir() if not path.name.startswith("events.")}
    reports = {"metrics.json", "report.html", "report.json"}
    assert names == {*MESHES, *reports, CONFIG_NAME, "checkpoints", ".lock"}

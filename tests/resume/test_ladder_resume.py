"""A ladder that is killed in any of its stages ends with the bits of one that was not."""

import random
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from lightning_rast.cli import main
from lightning_rast.runs import checkpoint_path, checkpoint_step, checkpoints
from lightning_rast.scene import load_mesh
from tests.patience import PATIENCE
from tests.resume.ladder_problem import write_ladder_problem
from tests.resume.test_resume import Training

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


class LadderTraining(Training):
    """Of the ring, killed without notice."""

    name = "ring"

    def stop_after_new_checkpoints(self, count: int) -> None:
        run = self.folder / "logs" / "ring" / "version_0"
        goal = len_of(run) + count
        deadline = time.monotonic() + PATIENCE
        while self.process.poll() is None and len_of(run) < goal:
            assert time.monotonic() < deadline
            time.sleep(0.002)
        time.sleep(random.random() * 0.05)
        self.process.kill()
        self.finish()


def len_of(run: Path) -> int:
    """Steps that the newest checkpoint holds."""
    return max((checkpoint_step(path) for path in checkpoints(run)), default=0)


def train(*arguments: str) -> int:
    return main(["--config", "ring.yaml", *arguments])


def state(path: Path) -> dict:
    return torch.load(path, weights_only=True)


def final_bits(run: Path) -> tuple[int, bytes, bytes]:
    last = state(checkpoints(run)[-1])
    verts, faces = last["state_dict"]["verts"], last["state_dict"]["faces"]
    return last["global_step"], verts.numpy().tobytes(), faces.numpy().tobytes()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> Path:
    """The run folder of a training that kept all of its checkpoints."""
    folder = tmp_path_factory.mktemp("undisturbed")
    write_ladder_problem(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert train("log.num_checkpoints=1000") == 0
    return folder / "logs" / "ring" / "version_0"


def stages(run: Path) -> Iterator[tuple[int, dict]]:
    for path in checkpoints(run):
        content = state(path)
        yield content["global_step"], content["ladder"]


def test_the_problem_has_every_kind_of_stage_and_two_rounds(undisturbed):
    *_, (_, last) = stages(undisturbed)
    log = last["stage_log"]
    kinds = {"start", "newton", "remesh", "polish", "cameras", "topology"}
    assert {entry["kind"] for entry in log} == kinds
    assert {entry["round"] for entry in log} == {0, 1}


def test_the_problem_goes_on_with_corrected_cameras(undisturbed):
    *_, (_, last) = stages(undisturbed)
    assert last["world_to_view"].shape == (6, 4, 4)


def test_the_ring_has_its_hole(undisturbed):
    assert load_mesh(undisturbed / "mesh.ply").topology.genus == 1


# At .2 and .45 right after a polish, whose gradient must not be followed again.
@pytest.mark.parametrize("fraction", [0.05, 0.2, 0.3, 0.45, 0.5, 0.75, 0.95])
def test_a_run_goes_on_from_anywhere_with_the_same_bits(
    undisturbed, tmp_path, monkeypatch, fraction
):
    write_ladder_problem(tmp_path)
    monkeypatch.chdir(tmp_path)
    found = checkpoints(undisturbed)
    chosen = found[int(fraction * (len(found) - 1))]
    run = tmp_path / "logs" / "ring" / "version_0"
    (run / "checkpoints").mkdir(parents=True)
    shutil.copy(chosen, run / "checkpoints")
    shutil.copy(undisturbed / "config.yaml", run)
    assert train("--resume", "last") == 0
    assert final_bits(run) == final_bits(undisturbed)


def test_a_finished_ladder_is_left_alone(undisturbed, capsys, monkeypatch):
    monkeypatch.chdir(undisturbed.parents[2])
    before = final_bits(undisturbed)
    assert train("--resume", "last") == 0
    assert "already finished" in capsys.readouterr().out
    assert final_bits(undisturbed) == before


def test_what_a_ladder_killed_at_its_end_still_owed_is_written(undisturbed, tmp_path, monkeypatch):
    shutil.copytree(undisturbed.parents[2], tmp_path, dirs_exist_ok=True)
    run = tmp_path / "logs" / "ring" / "version_0"
    before = (run / "mesh.ply").read_bytes()
    (run / "mesh.ply").unlink()
    monkeypatch.chdir(tmp_path)
    assert train("--resume", "last") == 0
    assert (run / "mesh.ply").read_bytes() == before


@pytest.mark.parametrize("override", ["preset=fast", "newton.steps=3", "schedule.kind=pyramid"])
def test_what_the_place_in_the_ladder_is_counted_by_cannot_change(
    undisturbed, tmp_path, monkeypatch, capsys, override
):
    shutil.copytree(undisturbed.parents[2], tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    run = tmp_path / "logs" / "ring" / "version_0"
    for path in checkpoints(run)[5:]:
        path.unlink()
    assert train("--resume", "last", override) == 2
    assert f"{override.split('=')[0]} cannot change any more" in capsys.readouterr().err
    assert checkpoint_path(run, 5).is_file()


@pytest.mark.slow
def test_a_ladder_killed_at_random_moments_ends_with_the_same_bits(undisturbed, tmp_path):
    write_ladder_problem(tmp_path)
    run = tmp_path / "logs" / "ring" / "version_0"
    LadderTraining(tmp_path).stop_after_new_checkpoints(1)
    for _ in range(8):
        LadderTraining(tmp_path, "--resume", "last").stop_after_new_checkpoints(
            random.randint(1, 8)
        )
    assert LadderTraining(tmp_path, "--resume", "last").process.wait(timeout=PATIENCE) == 0
    assert final_bits(run) == final_bits(undisturbed)

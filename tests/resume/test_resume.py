"""Kills real training processes and resumes them: the mesh must be the same to the last bit."""

import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from lightning_rast.runs import checkpoint_step, checkpoints
from tests.patience import PATIENCE
from tests.resume.problem import CHECKPOINT_EVERY, STEPS, write_problem

REPOSITORY = Path(__file__).parents[2]
# Nothing here waits as long unless it hangs, however busy the machine is.


class Training:
    """A training process in a folder."""

    name = "bumpy"

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.folder = folder
        command = [sys.executable, str(REPOSITORY / "train.py"), "--config", f"{self.name}.yaml"]
        self.process = subprocess.Popen(
            [*command, *arguments],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def finish(self) -> str:
        """Wait for the end; what it printed."""
        output, _ = self.process.communicate(timeout=PATIENCE)
        return output

    def stop(self, number: int, *, after: float = 0.0) -> str:
        """Send a signal some seconds after this process has written two checkpoints or more."""
        goal = max(0, newest_step(self.folder)) + CHECKPOINT_EVERY + 1
        deadline = time.monotonic() + PATIENCE
        while newest_step(self.folder) < goal:
            assert self.process.poll() is None, self.finish()
            assert time.monotonic() < deadline
            time.sleep(0.002)
        time.sleep(after)
        self.process.send_signal(number)
        return self.finish()


def run_folder(folder: Path) -> Path:
    return folder / "logs" / "bumpy" / "version_0"


def newest_step(folder: Path) -> int:
    return max(map(checkpoint_step, checkpoints(run_folder(folder))), default=-1)


def final_mesh(folder: Path) -> dict[str, torch.Tensor]:
    path = checkpoints(run_folder(folder))[-1]
    assert checkpoint_step(path) == STEPS
    return torch.load(path, weights_only=True)["state_dict"]


def assert_same_bits(folder: Path, other: Path) -> None:
    mesh, expected = final_mesh(folder), final_mesh(other)
    assert mesh["verts"].numpy().tobytes() == expected["verts"].numpy().tobytes()
    assert torch.equal(mesh["faces"], expected["faces"])


@dataclass
class Story:
    """What happened to a run that was stopped in four ways, and where."""

    folder: Path
    undisturbed: Path
    truncated: Path
    outputs: dict[str, str]
    exit_codes: dict[str, int]
    steps: dict[str, int]


@pytest.fixture(scope="module")
def story(tmp_path_factory) -> Story:
    undisturbed, folder = tmp_path_factory.mktemp("undisturbed"), tmp_path_factory.mktemp("story")
    write_problem(undisturbed)
    write_problem(folder)
    reference = Training(undisturbed)
    outputs, exit_codes, steps = {}, {}, {}

    def act(name: str, training: Training, number: int = 0) -> None:
        if number:
            outputs[name] = training.stop(number, after=random.random() * 0.1)
        else:
            outputs[name] = training.finish()
        exit_codes[name] = training.process.returncode
        steps[name] = newest_step(folder)

    act("SIGKILL", Training(folder), signal.SIGKILL)
    assert reference.process.wait(timeout=PATIENCE) == 0, reference.finish()
    truncated = checkpoints(run_folder(folder))[-1]
    truncated.write_bytes(truncated.read_bytes()[:-100])
    act("SIGTERM", Training(folder, "--resume", "last"), signal.SIGTERM)
    act("SIGINT", Training(folder, "--resume", "last"), signal.SIGINT)
    act("end", Training(folder, "--resume", "last"))
    return Story(folder, undisturbed, truncated, outputs, exit_codes, steps)


def test_a_run_stopped_in_every_way_ends_with_the_same_bits(story):
    assert_same_bits(story.folder, story.undisturbed)


def test_a_truncated_checkpoint_is_named_and_the_one_before_is_used(story):
    lines = story.outputs["SIGTERM"].splitlines()
    assert any(story.truncated.name in line and "is damaged" in line for line in lines)
    assert not any(f"step {checkpoint_step(story.truncated)}" in line for line in lines)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_stop_saves_the_step_it_reached(story, name):
    assert story.exit_codes[name] == 128 + signal.Signals[name]
    assert f"stopped at step {story.steps[name]}, saved" in story.outputs[name]


def test_a_resumed_run_continues_in_its_folder(story):
    assert [path.name for path in (story.folder / "logs" / "bumpy").iterdir()] == ["version_0"]
    assert f"from step {story.steps['SIGINT']}" in story.outputs["end"]
    assert story.exit_codes["end"] == 0


def test_only_the_newest_checkpoints_are_kept(story):
    assert len(checkpoints(run_folder(story.folder))) == 3
    assert not list(run_folder(story.folder).rglob("*.tmp"))


@pytest.mark.slow
def test_a_run_killed_at_ten_random_moments_ends_with_the_same_bits(story, tmp_path):
    write_problem(tmp_path)
    start = time.monotonic()
    Training(tmp_path).stop(signal.SIGKILL)
    startup = time.monotonic() - start
    for _ in range(10):
        training = Training(tmp_path, "--resume", "last")
        time.sleep(random.uniform(0.2, 1.3) * startup)
        training.process.kill()
        training.finish()
    assert Training(tmp_path, "--resume", "last").process.wait(timeout=PATIENCE) == 0
    assert_same_bits(tmp_path, story.undisturbed)

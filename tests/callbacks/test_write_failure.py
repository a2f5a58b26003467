"""A disk that takes no more: what only shows the run may be missing, checkpoints may not."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from lightning_rast.callbacks import CheckpointSaver
from lightning_rast.callbacks.write_failure import WriteWarning
from lightning_rast.cli import main
from lightning_rast.runs import Run, RunError, checkpoints
from lightning_rast.training import make_callbacks, make_trainer
from tests.callbacks.problem import STEPS, TARGET, Fit
from tests.resume.problem import write_problem

REPOSITORY = Path(__file__).parents[2]
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def full(*_, **__):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def train(fit: Fit) -> None:
    """As the command does, with everything written in every second step."""
    log = fit.config.log
    log.every_n_steps = log.evaluate_every_n_steps = 2
    log.image_every_n_steps = log.mesh_every_n_steps = 2
    run = Run(fit.folder)
    watching = make_callbacks(fit.config, run, reference=TARGET, started=0.0)
    saver = CheckpointSaver(fit.folder, every_n_steps=5, keep=3)
    trainer = make_trainer(fit.config, run, [*watching, saver])
    trainer.fit(fit.module, datamodule=fit.datamodule)


@pytest.fixture
def fit(tmp_path) -> Fit:
    folder = tmp_path / "test" / "version_0"
    folder.mkdir(parents=True)
    return Fit(folder)


@pytest.mark.parametrize(
    "target",
    [
        "tensorboard.summary.writer.record_writer.RecordWriter.write",
        "torch.utils.tensorboard.writer.EventFileWriter",
        "lightning_rast.callbacks.export.export_mesh",
        "lightning_rast.callbacks.turntable.save_gif",
        "lightning_rast.callbacks.metrics.write_atomically",
        "rich.console.Console.print",
    ],
)
def test_training_goes_on_without_what_cannot_be_written(fit, monkeypatch, capsys, target):
    monkeypatch.setattr(target, full)
    with pytest.warns(WriteWarning, match="No space left on device: .*training goes on"):
        train(fit)
    state = torch.load(checkpoints(fit.folder)[-1], weights_only=True)
    assert state["global_step"] == STEPS
    assert torch.equal(state["state_dict"]["verts"], fit.module.verts)
    assert "Traceback" not in capsys.readouterr().err


def test_a_checkpoint_that_cannot_be_written_ends_the_training(fit, monkeypatch):
    def full_after_step_5(path, content):
        if checkpoints(fit.folder):
            full()
        path.parent.mkdir()
        path.write_bytes(content)

    monkeypatch.setattr("lightning_rast.callbacks.checkpoint.write_atomically", full_after_step_5)
    with pytest.raises(RunError, match="cannot save step 10: .*No space.*--resume .*version_0"):
        train(fit)
    (kept,) = checkpoints(fit.folder)
    assert torch.load(kept, weights_only=True)["global_step"] == 5


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    write_problem(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def limited(folder: Path, kibibytes: int, *overrides: str) -> subprocess.CompletedProcess[str]:
    """Train in a process whose files may not become larger than this."""
    code = (
        "import resource, sys\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({1024 * kibibytes}, {1024 * kibibytes}))\n"
        "from lightning_rast.cli import main\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", code, "--config", "bumpy.yaml", "schedule.steps=30"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    return subprocess.run(
        [*command, *overrides], cwd=folder, env=environment, capture_output=True, text=True
    )


def test_events_that_outgrow_a_limit_end_no_run(folder):
    result = limited(folder, 100, "log.image_every_n_steps=1", "log.mesh_every_n_steps=1")
    assert result.returncode == 0, result.stderr
    assert "training goes on" in result.stderr
    assert "Traceback" not in result.stderr
    run = folder / "logs" / "bumpy" / "version_0"
    assert checkpoints(run)[-1].name == "step_00000030.ckpt"
    assert (run / "metrics.json").is_file()


def test_a_checkpoint_that_outgrows_a_limit_is_an_error_that_says_how_to_go_on(folder):
    result = limited(folder, 12)
    assert result.returncode == 2, result.stderr
    (error,) = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert "cannot save step 30" in error
    run = folder / "logs" / "bumpy" / "version_0"
    assert f"--resume {run.relative_to(folder)}" in error
    assert [path.name for path in checkpoints(run)] == ["step_00000015.ckpt"]
    assert main(["--resume", str(run)]) == 0

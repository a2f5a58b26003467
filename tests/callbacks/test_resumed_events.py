"""A run that was killed and resumed reads like one that was not."""

import json
import time

import pytest
import pytorch_lightning as pl
from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator

from lightning_rast.callbacks import CheckpointSaver
from lightning_rast.runs import Run, checkpoint_path
from lightning_rast.training import make_callbacks, make_trainer
from tests.callbacks.problem import STEPS, TARGET, Fit

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
CHECKPOINT_AT, KILLED_AT = 8, 13


class Kill(pl.Callback):
    def on_train_batch_end(self, trainer, *_):
        if trainer.global_step == KILLED_AT:
            raise RuntimeError("killed")


def session(folder, *others, checkpoint=None):
    fit, run = Fit(folder), Run(folder, checkpoint)
    log = fit.config.log
    log.every_n_steps = log.image_every_n_steps = log.mesh_every_n_steps = 1
    log.evaluate_every_n_steps = 1
    watching = make_callbacks(fit.config, run, reference=TARGET, started=time.perf_counter())
    saver = CheckpointSaver(folder, every_n_steps=CHECKPOINT_AT, keep=3)
    trainer = make_trainer(fit.config, run, [*watching, *others, saver])
    trainer.fit(fit.module, datamodule=fit.datamodule, ckpt_path=checkpoint, weights_only=True)
    return fit


@pytest.fixture(scope="module")
def fit(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "test" / "version_0"
    folder.mkdir(parents=True)
    with pytest.raises(RuntimeError, match="killed"):
        session(folder, Kill())
    time.sleep(1.1)  # event files are sorted by the second they were made in
    return session(folder, checkpoint=checkpoint_path(folder, CHECKPOINT_AT))


@pytest.mark.parametrize(
    "tag", ["train/loss", "heldout/iou_mean", "train/view_000", "mesh/result_VERTEX"]
)
def test_every_step_is_there_once(fit, tag):
    # As TensorBoard's own pages read it; the accumulator for scripts forgets no images.
    events = EventAccumulator(str(fit.folder), size_guidance={"tensors": 0}).Reload()
    steps = [event.step for event in events.Tensors(tag)]
    start = [] if tag == "train/loss" else [0]
    assert [step for step in steps if step != CHECKPOINT_AT] == [
        step for step in [*start, *range(1, STEPS + 1)] if step != CHECKPOINT_AT
    ]
    # The state that training continues from is evaluated once more.
    assert steps.count(CHECKPOINT_AT) == (2 if tag == "heldout/iou_mean" else 1)


def test_seconds_are_summed_over_the_sessions(fit):
    seconds = json.loads((fit.folder / "metrics.json").read_text())["seconds"]
    events = fit.events()
    began = events.Scalars("train/loss")[0].wall_time
    until_checkpoint = events.Scalars("train/loss")[CHECKPOINT_AT - 1].wall_time - began
    after = events.Scalars("train/loss")[CHECKPOINT_AT:]
    assert seconds["training"] > until_checkpoint + after[-1].wall_time - after[0].wall_time

"""A mesh that is lost, and one that only seems to be."""

import math

import pytest
import pytorch_lightning as pl
import torch

from lightning_rast.callbacks import CheckpointSaver, Divergence
from lightning_rast.runs import RunError, checkpoints
from tests.callbacks.problem import STEPS, Fit

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


class Lose(pl.Callback):
    """Sets one coordinate after step 7."""

    def __init__(self, value: float) -> None:
        self.value = value

    def on_train_batch_end(self, trainer, pl_module, *_) -> None:
        if trainer.global_step == 7:
            with torch.no_grad():
                pl_module.verts[5, 1] = self.value


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -1e4, 1e30])
def test_a_lost_vertex_ends_the_training(tmp_path, value):
    with pytest.raises(
        RunError, match=r"diverged at step 7: .*lower optimizer\.lr \(it is 0\.03\)"
    ):
        Fit(tmp_path).run(Lose(value), Divergence([0]))


def test_a_lost_mesh_is_not_saved(tmp_path):
    saver = CheckpointSaver(tmp_path, every_n_steps=7, keep=3)
    with pytest.raises(RunError, match="diverged at step 7"):
        Fit(tmp_path).run(Lose(math.nan), saver)
    assert checkpoints(tmp_path) == []


def test_a_mesh_far_from_the_origin_is_not_lost(tmp_path):
    fit = Fit(tmp_path)
    with torch.no_grad():
        fit.module.verts += torch.tensor([0.0, 1e5, -1e4])
    assert fit.run(Divergence([0])).global_step == STEPS

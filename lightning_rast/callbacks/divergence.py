"""Stops a training whose mesh is lost, before anything is made of it."""

from collections.abc import Sequence
from typing import Any

import pytorch_lightning as pl
import torch

from lightning_rast.callbacks.evaluation import parts
from lightning_rast.callbacks.moments import is_due
from lightning_rast.runs import RunError

# In times the object's size; no fit of an object comes near it.
_LARGEST_SPREAD = 1e3


class Divergence(pl.Callback):
    """Raises `RunError` when vertices are not finite or absurdly far from each other.

    Looks after every step; on a GPU, where a look waits for the device, only when another
    callback looks too.

    Args:
        intervals: `every_n_steps` of the others.
    """

    def __init__(self, intervals: Sequence[int]) -> None:
        self.intervals = intervals

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: object,
        batch_idx: int,
    ) -> None:
        if pl_module.device.type != "cuda" or any(is_due(trainer, n) for n in self.intervals):
            refuse_divergence(trainer, pl_module)


def refuse_divergence(trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
    """Raises RunError: the mesh is lost; the message says what to do."""
    module, _ = parts(trainer, pl_module)
    if len(module.verts) == 0:
        return
    verts = module.verts.detach()
    low, high = (verts - verts[0]).aminmax()  # thirty times as fast as along one axis
    spread = float(torch.maximum(high, -low)) / (2 * module.scale)
    if spread <= _LARGEST_SPREAD:  # false for NaN
        return
    key, lr = module.step_size
    raise RunError(
        f"diverged at step {trainer.global_step}: the mesh has grown to {spread:.3g} times the"
        f" object's size; lower {key} (it is {lr:g}). Checkpoints"
        f" from before are kept: --resume {trainer.default_root_dir} {key}=..."
    )

"""Writes the numbers of a run as TensorBoard scalars."""

import time
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from lightning_rast.callbacks.evaluation import parts
from lightning_rast.callbacks.event_file import add_scalars
from lightning_rast.callbacks.moments import is_due


class Scalars(pl.Callback):
    """Loss terms, gradient norm, learning rate, step time and mesh size, every n steps.

    train/*: the terms that the step returned; train/loss is their weighted sum.
    optimizer/grad_norm: of the loss with respect to all vertices, before any smoothing; 0 for a
        Gauss-Newton step.
    ladder/*: where the step is in its ladder.
    time/step_ms: forward, backward and update, mean over the n steps. time/wall_ms: the same with
    data, callbacks and everything else between two steps. On a GPU only the latter is a
    measurement, since work is only queued within a step.

    Lightning's own `self.log` costs more per step than a small step itself does.
    """

    def __init__(self, *, every_n_steps: int) -> None:
        self.every_n_steps = every_n_steps
        self._grad_norms: list[Tensor] = []
        self._num_steps = 0
        self._seconds_in_steps = 0.0
        self._step_began = self._interval_began = 0.0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._restart_clock()

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: object, batch_idx: int
    ) -> None:
        self._step_began = time.perf_counter()

    def on_before_optimizer_step(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        optimizer: torch.optim.Optimizer,
    ) -> None:
        grads = [param.grad for param in pl_module.parameters() if param.grad is not None]
        self._grad_norms = [grad.norm() for grad in grads]

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: object,
        batch_idx: int,
    ) -> None:
        self._num_steps += 1
        self._seconds_in_steps += time.perf_counter() - self._step_began
        if not is_due(trainer, self.every_n_steps):
            return
        module, _ = parts(trainer, pl_module)
        values = {
            f"train/{name}": float(value.detach())
            for name, value in outputs.items()
            if name != "total"
        }
        norms = self._grad_norms
        values["optimizer/grad_norm"] = float(torch.stack(norms).norm()) if norms else 0.0
        values["optimizer/lr"] = trainer.optimizers[0].param_groups[0]["lr"]
        values["mesh/vertices"] = len(module.verts)
        values["mesh/faces"] = len(module.faces)
        values["time/step_ms"] = 1e3 * self._seconds_in_steps / self._num_steps
        elapsed = time.perf_counter() - self._interval_began
        values["time/wall_ms"] = 1e3 * elapsed / self._num_steps
        values |= module.scalars()
        add_scalars(trainer, values)
        self._restart_clock()

    def _restart_clock(self) -> None:
        self._num_steps, self._seconds_in_steps = 0, 0.0
        self._interval_began = time.perf_counter()

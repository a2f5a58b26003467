"""Writes what a run still owes that was killed between its last step and its end."""

from typing import Any

import pytorch_lightning as pl


class Completion(pl.Callback):
    """Gives all others the start and the end of training when no step is left to do.

    The last checkpoint is written before metrics, turntable and exports are; Lightning skips the
    training, with all its hooks, of a run that is restored there.
    """

    def __init__(self) -> None:
        self._has_trained = False

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._has_trained = True

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self._has_trained:
            return
        pl_module.to(trainer.strategy.root_device)  # Lightning has taken it down already
        callbacks: list[Any] = trainer.callbacks  # pyright: ignore[reportAttributeAccessIssue]
        others = [callback for callback in callbacks if callback is not self]
        for callback in others:
            callback.on_train_start(trainer, pl_module)
        for callback in others:
            callback.on_train_end(trainer, pl_module)

"""Saves checkpoints, and saves before stopping when asked to stop."""

import io
import os
import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins import TorchCheckpointIO

from lightning_rast.callbacks.divergence import refuse_divergence
from lightning_rast.callbacks.moments import is_due
from lightning_rast.runs import (
    CHECKPOINT_FOLDER,
    RunError,
    checkpoint_path,
    checkpoints,
    write_atomically,
)


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint whole or not at all, on the disk before an older one is removed."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        buffer = io.BytesIO()
        torch.save(checkpoint, buffer)
        write_atomically(Path(path), buffer.getvalue())


class CheckpointSaver(pl.Callback):
    """Saves every n steps and at the last one, and keeps the newest few.

    Ctrl-C and SIGTERM let the step in progress finish, save, and end the training; `stopped_by`
    then holds the signal's number. A second one stops at once, without saving. A checkpoint that
    cannot be written ends the training with a `RunError`; the ones before stay.
    """

    def __init__(self, folder: Path, *, every_n_steps: int, keep: int) -> None:
        self.folder = folder
        self.every_n_steps = every_n_steps
        self.keep = keep
        self.stopped_by = 0
        self._old_handlers: dict[int, Any] = {}

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        for unfinished in (self.folder / CHECKPOINT_FOLDER).glob("*.tmp"):
            unfinished.unlink()
        if threading.current_thread() is not threading.main_thread():
            return  # Python allows handlers in the main thread only
        for number in (signal.SIGINT, signal.SIGTERM):
            self._old_handlers[number] = signal.signal(number, self._on_signal)

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: object,
        batch: object,
        batch_idx: int,
    ) -> None:
        if is_due(trainer, self.every_n_steps) or self.stopped_by:
            refuse_divergence(trainer, pl_module)
            self._save(trainer)
        if self.stopped_by:
            trainer.should_stop = True

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._restore_handlers()

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        # Nothing is saved here: the state between two steps, or one that led to an error, is
        # no good place to continue from, and the last checkpoint is.
        self._restore_handlers()

    def _save(self, trainer: pl.Trainer) -> None:
        try:
            trainer.save_checkpoint(checkpoint_path(self.folder, trainer.global_step))
            for old in checkpoints(self.folder)[: -self.keep]:
                old.unlink(missing_ok=True)
        except OSError as error:
            # Without checkpoints the hours to come would be at risk: better to stop here.
            raise RunError(
                f"cannot save step {trainer.global_step}: {error}; the checkpoints before it are"
                f" intact; make room, then continue with --resume {self.folder}"
            ) from error

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.stopped_by:
            self._restore_handlers()
            os.kill(os.getpid(), number)
        self.stopped_by = number

    def _restore_handlers(self) -> None:
        while self._old_handlers:
            number, handler = self._old_handlers.popitem()
            signal.signal(number, handler)

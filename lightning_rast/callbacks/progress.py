"""Shows how far training is and how well it fits."""

import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from lightning_rast.callbacks.moments import is_finished
from lightning_rast.callbacks.write_failure import outlives_write_failure

# Drawing takes a few milliseconds.
_SECONDS_BETWEEN_DRAWINGS = 0.25
# Time left is told from the last few seconds: steps become slower at finer pyramid levels.
_MARKS, _SECONDS_BETWEEN_MARKS = 12, 0.25
_NUM_PLAIN_LINES = 10
_LEAST_WIDTH = 100  # of a terminal, for all that there is to tell beside the bar


class ProgressDisplay(pl.Callback):
    """A bar with step, loss, IoU and time left on a terminal; elsewhere a line every tenth.

    IoU is the held-out views' mean, as last measured; the training views' if there are no
    others.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.console = Console(highlight=False, soft_wrap=True)
        self._bar: Progress | None = None
        self._task = TaskID(0)
        self._marks: deque[tuple[float, int]] = deque(maxlen=_MARKS)  # time, step
        self._began = self._drawn = 0.0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._began = time.perf_counter()
        self._marks = deque([(self._began, trainer.global_step)], maxlen=_MARKS)
        if self.console.is_terminal:
            self._bar = Progress(
                BarColumn(bar_width=None),
                TextColumn("{task.description}", justify="right"),
                console=self.console,
                auto_refresh=False,
                expand=True,
            )
            self._task = self._bar.add_task(
                self._status(trainer, {}), total=trainer.max_steps, completed=trainer.global_step
            )
            self._bar.start()

    @outlives_write_failure
    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: object,
        batch_idx: int,
    ) -> None:
        step, total = trainer.global_step, trainer.max_steps
        now = time.perf_counter()
        if now - self._marks[-1][0] > _SECONDS_BETWEEN_MARKS:
            self._marks.append((now, step))
        if self._bar is not None:
            if now - self._drawn > _SECONDS_BETWEEN_DRAWINGS or step == total:
                status = self._status(trainer, outputs)
                self._bar.update(self._task, completed=step, description=status, refresh=True)
                self._drawn = now
        elif (step * _NUM_PLAIN_LINES) // total > ((step - 1) * _NUM_PLAIN_LINES) // total:
            self.console.print(f"{100 * step // total:3d} %  {self._status(trainer, outputs)}")

    @outlives_write_failure
    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._close()
        if is_finished(trainer):
            spent = duration(time.perf_counter() - self._began)
            self.console.print(f"trained and written in {spent}: {self.folder}")
            iou = " ".join(self._iou(trainer))
            if iou:
                self.console.print(f"{iou}; all scores are in metrics.json beside turntable.gif")

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        self._close()

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _iou(self, trainer: pl.Trainer) -> list[str]:
        """The newest IoU in words, if there is one."""
        for name, words in (("heldout", "held-out IoU"), ("train", "IoU")):
            iou = trainer.callback_metrics.get(f"{name}/iou_mean")
            if iou is not None:
                return [f"{words} {float(iou):.4f}"]
        return []

    def _status(self, trainer: pl.Trainer, outputs: Mapping[str, Any]) -> str:
        step, total = trainer.global_step, trainer.max_steps
        is_narrow = self._bar is not None and self.console.width < _LEAST_WIDTH
        parts = [f"step {step:{len(str(total))}d}/{total}"]
        if "loss" in outputs and not is_narrow:
            parts.append(f"loss {float(outputs['loss'].detach()):.2e}")
        parts.extend(self._iou(trainer))
        began, first_step = self._marks[0]
        if step > first_step:
            per_step = (time.perf_counter() - began) / (step - first_step)
            if not is_narrow:
                parts.append(f"{1e3 * per_step:.3g} ms/step")
            parts.append(f"{duration(per_step * (total - step))} left")
        return "  ".join(parts)


def duration(seconds: float) -> str:
    """As 0:07, 12:30 or 1:02:03."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"

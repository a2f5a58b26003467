"""Shows how far training is and how well it fits."""

import itertools
import math
import shlex
import statistics
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from lightning_rast.callbacks.evaluation import EVALUATED_AT, parts
from lightning_rast.callbacks.moments import is_finished
from lightning_rast.callbacks.write_failure import outlives_write_failure
from lightning_rast.data.suspicions import ADVICE
from lightning_rast.module import ReconstructionModule
from lightning_rast.runs import CONFIG_NAME

# Drawing takes a few milliseconds.
_SECONDS_BETWEEN_DRAWINGS = 0.25
# Time left is told from the last few seconds: steps become slower at finer pyramid levels. The
# first seconds hold what happens only once, and say nothing of the others.
_MARKS, _SECONDS_BETWEEN_MARKS = 12, 0.25
_SECONDS_UNTOLD = 3.0
_NUM_PLAIN_LINES, _SECONDS_BETWEEN_LINES = 10, 60.0
_BAR_PARTS = 1000
_LEAST_BAR = 12  # columns, beside what there is to tell


class ProgressDisplay(pl.Callback):
    """A bar with step, loss, IoU and, after some seconds, time left on a terminal; elsewhere a
    line every tenth, and every minute where a tenth takes longer.

    Time left is that of the steps that are likely to follow. A mesh that is made anew has as many
    again, which nobody knows before.

    IoU is the held-out views' mean, as last measured (of which step, if not of this one), in the
    size that is trained on (which may be less than that of the files); the training views' if there
    are no others.
    """

    def __init__(self, folder: Path, *, warnings: Sequence[str] = ()) -> None:
        """warnings: kept up to date by whoever notes them."""
        self.folder = folder
        self.warnings = warnings
        self.console = Console(highlight=False, soft_wrap=True)
        self._bar: Progress | None = None
        self._task = TaskID(0)
        self._marks: deque[tuple[float, int]] = deque(maxlen=_MARKS)  # time and step
        self._began = self._drawn = 0.0
        self._tenths = 0
        self._num_told = 0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._began = time.perf_counter()
        module, _ = parts(trainer, pl_module)
        self._tenths = int(_NUM_PLAIN_LINES * module.progress)
        self._num_told = len(module.messages)
        self._marks = deque([(self._began, trainer.global_step)], maxlen=_MARKS)
        self._drawn = self._began
        if self._is_watched:
            self._bar = Progress(
                BarColumn(bar_width=None),
                TextColumn("{task.description}", justify="right"),
                console=self.console,
                auto_refresh=False,
                expand=True,
            )
            self._task = self._bar.add_task(
                self._status(trainer, {}),
                total=_BAR_PARTS,
                completed=int(_BAR_PARTS * module.progress),
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
        module, _ = parts(trainer, pl_module)
        step, progress = trainer.global_step, module.progress
        now = time.perf_counter()
        if now - self._marks[-1][0] > _SECONDS_BETWEEN_MARKS:
            self._marks.append((now, step))
        for message in module.messages[self._num_told :]:
            self.console.print(message)
        self._num_told = len(module.messages)
        if self._bar is not None:
            if now - self._drawn > _SECONDS_BETWEEN_DRAWINGS or module.is_finished:
                status = self._status(trainer, outputs)
                self._bar.update(
                    self._task,
                    completed=int(_BAR_PARTS * progress),
                    description=status,
                    refresh=True,
                )
                self._drawn = now
            return
        tenths = int(_NUM_PLAIN_LINES * progress + 1e-9)
        if tenths != self._tenths or now - self._drawn > _SECONDS_BETWEEN_LINES:
            self._tenths, self._drawn = tenths, now
            self.console.print(f"{int(100 * progress):3d} %  {self._status(trainer, outputs)}")

    @outlives_write_failure
    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._close()
        if is_finished(trainer):
            spent = duration(time.perf_counter() - self._began)
            self.console.print(f"trained and written in {spent}: {self.folder}")
            iou = " ".join(self._iou(trainer))
            if iou:
                # Written just before, if it is wanted.
                page = self.folder / "report.html"
                shown = page if page.exists() else "metrics.json beside it"
                self.console.print(f"{iou}; scores, pictures: {shown}")
            module, _ = parts(trainer, pl_module)
            for line in self._doubts(module):
                self.console.print(line, markup=False)

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        self._close()

    def _doubts(self, module: ReconstructionModule) -> Iterator[str]:
        """What was found on the way that a good IoU does not show, and what to do about it."""
        if crossing := module.num_self_intersections:
            run = shlex.quote(str(self.folder))
            yield f"{crossing} pairs of faces cross; more of it: lightning-rast evaluate {run}"
        if any(ADVICE in text for text in self.warnings):
            config = shlex.quote(str(self.folder / CONFIG_NAME))
            yield f"cameras or masks looked wrong at the start: lightning-rast doctor {config}"

    @property
    def _is_watched(self) -> bool:
        # FORCE_COLOR and CI services make rich take a log file for a terminal; a bar in it is
        # thousands of control characters. A dumb terminal cannot go back to a line.
        return self.console.file.isatty() and not self.console.is_dumb_terminal

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _iou(self, trainer: pl.Trainer, *, with_size: bool = True) -> list[str]:
        """The newest IoU in words, if there is one."""
        _, datamodule = parts(trainer, trainer.lightning_module)
        size = f" at {max(datamodule.train_views.image_size)} px" if with_size else ""
        for name, words in (("heldout", "held-out IoU"), ("train", "IoU")):
            iou = trainer.callback_metrics.get(f"{name}/iou_mean")
            if iou is not None:
                step = int(trainer.callback_metrics.get(EVALUATED_AT, trainer.global_step))
                when = "" if step == trainer.global_step else f" (step {step})"
                return [f"{words} {float(iou):.4f}{size}{when}"]
        return []

    def _status(self, trainer: pl.Trainer, outputs: Mapping[str, Any]) -> str:
        """All that there is to tell, or as much of it as has room beside the bar."""
        room = math.inf if self._bar is None else self.console.width - _LEAST_BAR
        texts = ("  ".join(self._told(trainer, outputs, left_out)) for left_out in range(4))
        shorter = ""
        for shorter in texts:
            if len(shorter) <= room:
                break
        return shorter

    def _told(self, trainer: pl.Trainer, outputs: Mapping[str, Any], left_out: int) -> list[str]:
        """left_out: 1 the loss, 2 the time of a step as well, 3 what size the IoU is at as well."""
        module, _ = parts(trainer, trainer.lightning_module)
        step = trainer.global_step
        found = [module.place]
        if "loss" in outputs and left_out < 1:
            found.append(f"loss {float(outputs['loss'].detach()):.2e}")
        found.extend(self._iou(trainer, with_size=left_out < 3))
        now = time.perf_counter()
        began, first_step = self._marks[0]
        if step > first_step and left_out < 2:
            found.append(f"{1e3 * (now - began) / (step - first_step):.3g} ms/step")
        if now - self._began > _SECONDS_UNTOLD and len(self._marks) > 1:
            found.append(f"{duration(seconds_left(self._marks, module.steps_left))} left")
        return found


def seconds_left(marks: Sequence[tuple[float, int]], steps_left: int) -> float:
    """At the median pace between two or more marks, (time, step) in order of both: a pause for a
    remeshing or a picture does not count for the steps that follow."""
    pairs = itertools.pairwise(marks)
    paces = [(to[0] - since[0]) / max(1, to[1] - since[1]) for since, to in pairs]
    return statistics.median(paces) * steps_left


def duration(seconds: float) -> str:
    """As 0:07, 12:30 or 1:02:03."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"

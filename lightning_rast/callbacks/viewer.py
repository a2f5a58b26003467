"""A live view in the browser: the mesh as it grows, among the cameras; pause and continue."""

import threading
import time
import warnings
from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl

from lightning_rast.callbacks.evaluation import parts
from lightning_rast.callbacks.moments import is_due, is_finished
from lightning_rast.callbacks.viewer_scene import ViewerScene
from lightning_rast.config import ViewerConfig

_LEAST_SECONDS = 0.1  # between two pictures; more of them would only hold the training up
_POLL_SECONDS = 0.1


class Viewer(pl.Callback):
    """Shows a page at http://127.0.0.1:<port> while training, of nothing that leaves the machine.

    Only looks: the result has the same bits with and without it. When the view breaks, a warning
    says so and training goes on.

    Args:
        settings: the section `viewer` of the config.
        is_stopping: whether the run has been asked to end, for which a pause makes way.

    Raises:
        ModuleNotFoundError: viser is not installed.
    """

    def __init__(
        self, settings: ViewerConfig, *, is_stopping: Callable[[], bool] = lambda: False
    ) -> None:
        self.settings = settings
        self.is_stopping = is_stopping
        self._runs, self._closed = threading.Event(), threading.Event()
        self._runs.set()
        self._shown_at = 0.0
        self.scene: ViewerScene | None = ViewerScene(
            port=settings.port,
            on_pause=self.pause,
            on_resume=self.resume,
            on_close=self._closed.set,
        )

    def pause(self) -> None:
        """Hold training before its next step; may be called from any thread."""
        self._runs.clear()

    def resume(self) -> None:
        self._runs.set()

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.scene is not None:
            print(f"live view: {self.scene.address}", flush=True)
        self._attempt(lambda scene: self._set_up(scene, trainer, pl_module))
        if self.settings.start_paused:
            self.pause()
        self._wait_while_paused(trainer, pl_module)

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: object,
        batch_idx: int,
    ) -> None:
        is_held = not self._runs.is_set()
        now = time.perf_counter()
        is_time = is_due(trainer, self.settings.every_n_steps)
        if is_held or is_finished(trainer) or (is_time and now - self._shown_at > _LEAST_SECONDS):
            self._attempt(lambda scene: self._show(scene, trainer, pl_module, outputs))
            self._shown_at = time.perf_counter()
        if not is_finished(trainer):
            self._wait_while_paused(trainer, pl_module)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.settings.keep_open and self.scene is not None and not self.is_stopping():
            address = self.scene.address
            said = f"**done**  \n{_status(trainer, pl_module, {})}"
            self._attempt(lambda scene: scene.say(said, paused=False, may_close=True))
            print(f"live view: {address} stays open until Close there, or Ctrl-C here", flush=True)
            self._wait(self._closed)
        self._stop()

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        self._stop()

    def _set_up(
        self, scene: ViewerScene, trainer: pl.Trainer, pl_module: pl.LightningModule
    ) -> None:
        module, datamodule = parts(trainer, pl_module)
        center = module.mesh().bounds.detach().double().cpu().mean(dim=0)
        scene.look_at(datamodule.train_views, center=center)
        scene.add_cameras(datamodule.train_views, center=center, is_held_out=False)
        if datamodule.held_out_views is not None:
            scene.add_cameras(datamodule.held_out_views, center=center, is_held_out=True)
        self._show(scene, trainer, pl_module, {})

    def _show(
        self,
        scene: ViewerScene,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
    ) -> None:
        module, _ = parts(trainer, pl_module)
        scene.show(module.mesh(), _status(trainer, pl_module, outputs), module.progress)

    def _wait_while_paused(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self._runs.is_set() or self.scene is None:
            return
        said = _status(trainer, pl_module, {})
        self._attempt(lambda scene: scene.say(f"**paused**  \n{said}", paused=True))
        self._wait(self._runs)
        self._attempt(lambda scene: scene.say(said, paused=False))

    def _wait(self, event: threading.Event) -> None:
        # In short turns: Python handles Ctrl-C between them.
        while self.scene is not None and not self.is_stopping():
            if event.wait(_POLL_SECONDS):
                return

    def _attempt(self, draw: Callable[[ViewerScene], None]) -> None:
        if self.scene is None:
            return
        try:
            draw(self.scene)
        except Exception as error:
            self._stop()
            warnings.warn(  # noqa: B028
                f"the live view has ended ({type(error).__name__}: {error}); training goes on"
            )

    def _stop(self) -> None:
        scene, self.scene = self.scene, None
        if scene is not None:
            scene.stop()


def _status(trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any) -> str:
    """In Markdown."""
    module, datamodule = parts(trainer, pl_module)
    size = max(datamodule.train_views.image_size)
    lines = [module.place, f"{len(module.verts):,} vertices, {len(module.faces):,} faces"]
    if outputs and "loss" in outputs:
        lines.append(f"loss {float(outputs['loss'].detach()):.2e}")
    for name, words in (("heldout", "held-out IoU"), ("train", "training IoU")):
        if (iou := trainer.callback_metrics.get(f"{name}/iou_mean")) is not None:
            lines.append(f"{words} {float(iou):.4f} at {size} px")
    return "  \n".join(lines)

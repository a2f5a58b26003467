"""A small fit that callbacks can watch, and its event file read back."""

from pathlib import Path

import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import TensorBoardLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from lightning_rast.config import Config
from lightning_rast.data import orbit_cameras, synthetic_views, view_directions
from lightning_rast.data.datamodule import ViewsDataModule
from lightning_rast.pyramid_module import PyramidModule
from lightning_rast.scene import Mesh, icosphere

STEPS = 20
TARGET = icosphere(2, radius=0.7, center=(0.1, 0.0, 0.0))


class Fit:
    """A module, its data, and the folder that callbacks write to."""

    def __init__(self, folder: Path, *, start: Mesh | None = None, held_out: bool = True) -> None:
        self.folder = folder
        self.config = config = Config(name="test", device="cpu")
        config.data.mesh = "target.obj"
        config.schedule.kind = "pyramid"
        config.schedule.steps, config.schedule.views_per_step = STEPS, 3
        config.schedule.pyramid, config.schedule.pyramid_at = [2, 1], [0.0, 0.5]
        config.schedule.subdivide_at = [0.5] if start is None else []
        config.optimizer.smoothing_start = config.optimizer.smoothing_end = 1.0
        self.module = PyramidModule(config, start or icosphere(1, radius=0.5), scale=0.5)
        self.datamodule = ViewsDataModule(
            rendered(5, "view"),
            rendered(3, "held_out") if held_out else None,
            schedule=self.module.schedule,
            views_per_step=3,
        )

    def run(self, *callbacks: pl.Callback, stop_at: int = 0, logger: bool = True) -> pl.Trainer:
        stop = [StopAt(stop_at)] if stop_at else []
        trainer = pl.Trainer(
            accelerator="cpu",
            max_steps=STEPS,
            max_epochs=-1,
            logger=TensorBoardLogger(self.folder, name="", version="", default_hp_metric=False)
            if logger
            else False,
            callbacks=[*callbacks, *stop],
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            default_root_dir=self.folder,
        )
        trainer.fit(self.module, datamodule=self.datamodule)
        return trainer

    def events(self) -> EventAccumulator:
        events = EventAccumulator(str(self.folder), size_guidance={"tensors": 0, "scalars": 0})
        return events.Reload()


class StopAt(pl.Callback):
    """Ends training early, as a signal does."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_end(self, trainer, *_) -> None:
        trainer.should_stop = trainer.global_step >= self.step


def rendered(num_views: int, prefix: str):
    directions = view_directions("fibonacci", num_views, between=prefix == "held_out")
    cameras = orbit_cameras(TARGET, directions, image_size=24)
    with torch.no_grad():
        return synthetic_views(TARGET, cameras, prefix=prefix)


def steps_of(events: EventAccumulator, tag: str) -> list[int]:
    kind = events.Scalars if tag in events.Tags()["scalars"] else events.Tensors
    return [event.step for event in kind(tag)]

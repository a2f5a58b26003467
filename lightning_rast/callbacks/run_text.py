"""Writes what a run is into its TensorBoard events."""

from dataclasses import fields, is_dataclass

import pytorch_lightning as pl
from torch.utils.tensorboard.summary import hparams

from lightning_rast.callbacks.event_file import add_summary, event_writer
from lightning_rast.callbacks.moments import is_finished
from lightning_rast.callbacks.write_failure import outlives_write_failure
from lightning_rast.config import Config
from lightning_rast.config_file import config_yaml

# Settings that change no result, and so no comparison of runs.
_NO_HYPERPARAMETERS = ("name", "log", "threads", "viewer")
# Scalars that the HPARAMS tab shows beside the settings; it takes their last values.
_METRICS = ("heldout/iou_mean", "heldout/iou_min", "train/iou_mean", "train/loss")
_FINAL_METRICS = ("result/iou_mean", "result/iou_min", "result/chamfer", "result/training_seconds")


class RunText(pl.Callback):
    """The config as text, and as hyperparameters beside the metrics that runs are compared by."""

    def __init__(self, config: Config) -> None:
        self.config = config

    @outlives_write_failure
    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        writer = event_writer(trainer)
        if writer is None:
            return
        step = trainer.global_step
        writer.add_text("config", f"```yaml\n{config_yaml(self.config)}```", step)
        experiment, session_start, _ = self._summaries()
        add_summary(writer, experiment, step=step)
        add_summary(writer, session_start, step=step)

    @outlives_write_failure
    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        writer = event_writer(trainer)
        if writer is not None and is_finished(trainer):
            add_summary(writer, self._summaries()[2], step=trainer.global_step)

    def _summaries(self):
        metrics = dict.fromkeys((*_METRICS, *_FINAL_METRICS), 0.0)
        return hparams(hyperparameters(self.config), metrics)


def hyperparameters(config: Config) -> dict[str, bool | int | float | str]:
    """All settings with an influence on the result, flat: `{"data.image_size": 256, ...}`."""
    found: dict[str, bool | int | float | str] = {}

    def collect(part: object, prefix: str) -> None:
        assert is_dataclass(part)
        for field in fields(part):
            value = getattr(part, field.name)
            if is_dataclass(value):
                collect(value, f"{prefix}{field.name}.")
            else:
                is_plain = isinstance(value, bool | int | float | str)
                found[prefix + field.name] = value if is_plain else str(value)

    collect(config, "")
    return {
        key: value
        for key, value in found.items()
        if not key.startswith(tuple(f"{name}." for name in _NO_HYPERPARAMETERS))
        and key not in _NO_HYPERPARAMETERS
    }

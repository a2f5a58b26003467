"""Writes what a run is into its TensorBoard events."""

from pathlib import Path

import pytorch_lightning as pl
from torch.utils.tensorboard.summary import hparams

from lightning_rast.callbacks.evaluation import parts
from lightning_rast.callbacks.event_file import add_summary, event_writer
from lightning_rast.callbacks.moments import is_finished
from lightning_rast.callbacks.write_failure import outlives_write_failure
from lightning_rast.config import Config
from lightning_rast.config_file import changed_keys, config_yaml, flat_values, load_config
from lightning_rast.data.views import Views

# Settings that every run is compared by, and those that change no result.
_ALWAYS = ("preset", "seed", "device")
_NEVER = ("name", "log.", "viewer.", "threads", "data.kind", "data.mesh", "data.folder")
# Scalars that the HParams tab shows beside the settings, all of the finished result; what is
# measured on the way has other sums and image sizes from run to run.
_METRICS = (
    "result/iou_mean",
    "result/iou_min",
    "result/train_iou_mean",
    "result/chamfer",
    "result/faces",
    "result/training_seconds",
)


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
        _, datamodule = parts(trainer, pl_module)
        experiment, session_start, _ = self._summaries(datamodule.train_views)
        add_summary(writer, experiment, step=step)
        add_summary(writer, session_start, step=step)

    @outlives_write_failure
    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        writer = event_writer(trainer)
        if writer is not None and is_finished(trainer):
            _, datamodule = parts(trainer, pl_module)
            session_end = self._summaries(datamodule.train_views)[2]
            add_summary(writer, session_end, step=trainer.global_step)

    def _summaries(self, views: Views):
        return hparams(hyperparameters(self.config, views), dict.fromkeys(_METRICS, 0.0))


def hyperparameters(config: Config, views: Views) -> dict[str, bool | int | float | str]:
    """What runs are told apart by: the data, the preset, and every setting that is not the
    preset's. All hundred of them would hide the few that differ."""
    source = config.data.mesh if config.data.kind == "synthetic" else config.data.folder
    found: dict[str, bool | int | float | str] = {
        "data": Path(source).stem,
        "data.training_views": len(views),
        "data.largest_side": max(views.image_size),
    }
    preset = load_config(None, [f"preset={config.preset}"], complete=False)
    values = flat_values(config)
    for key in (*_ALWAYS, *changed_keys(preset, config)):
        if not key.startswith(_NEVER):
            is_plain = isinstance(values[key], bool | int | float | str)
            found[key] = values[key] if is_plain else str(values[key])
    return found

"""Measures how well the silhouettes fit, on training and held-out views."""

import pytorch_lightning as pl
import torch
from torch import Tensor

from lightning_rast.callbacks.event_file import add_scalars
from lightning_rast.callbacks.moments import is_due
from lightning_rast.data.datamodule import ViewsDataModule
from lightning_rast.evaluation import view_ious
from lightning_rast.module import ReconstructionModule

EVALUATED_AT = "evaluated_at"


class Evaluation(pl.Callback):
    """Mean and least IoU (`box_iou`) over the training and the held-out views.

    At the full size that is trained on, whatever the pyramid's level; image files may be larger.

    Written as scalars, and kept in `trainer.callback_metrics` for others to show, with the step
    that they are of as `EVALUATED_AT`.
    """

    def __init__(self, *, every_n_steps: int) -> None:
        self.every_n_steps = every_n_steps

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._evaluate(trainer, pl_module)

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: object,
        batch: object,
        batch_idx: int,
    ) -> None:
        if is_due(trainer, self.every_n_steps):
            self._evaluate(trainer, pl_module)

    def _evaluate(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        module, datamodule = parts(trainer, pl_module)
        found: dict[str, Tensor] = {}
        for name, views in (
            ("train", datamodule.train_views),
            ("heldout", datamodule.held_out_views),
        ):
            if views is not None:
                iou = view_ious(module, views).cpu()
                found[f"{name}/iou_mean"], found[f"{name}/iou_min"] = iou.mean(), iou.min()
        at = {EVALUATED_AT: torch.tensor(trainer.global_step)}
        trainer.callback_metrics.update(found | at)
        add_scalars(trainer, {tag: float(value) for tag, value in found.items()})


def parts(
    trainer: pl.Trainer, pl_module: pl.LightningModule
) -> tuple[ReconstructionModule, ViewsDataModule]:
    """The trainer's module and data, as what they are here."""
    datamodule = trainer.datamodule  # pyright: ignore[reportAttributeAccessIssue]
    assert isinstance(pl_module, ReconstructionModule)
    assert isinstance(datamodule, ViewsDataModule)
    return pl_module, datamodule

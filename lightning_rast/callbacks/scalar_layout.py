"""Which curves stand together in TensorBoard's Custom Scalars tab."""

import re
from typing import Literal

import pytorch_lightning as pl
from torch.utils.tensorboard.summary import custom_scalars

from lightning_rast.callbacks.event_file import add_summary, event_writer
from lightning_rast.callbacks.write_failure import outlives_write_failure

Charts = dict[str, list[str]]  # title -> tags of the curves in it

_FIT: Charts = {
    "IoU of held-out views: mean, worst": ["heldout/iou_mean", "heldout/iou_min"],
    "IoU of training views: mean, worst": ["train/iou_mean", "train/iou_min"],
}
_STEPS: Charts = {
    "size of the mesh": ["mesh/vertices", "mesh/faces"],
    "milliseconds per step: the step, with all around it": ["time/step_ms", "time/wall_ms"],
}
_LADDER: dict[str, Charts] = {
    "Fit": {
        **_FIT,
        "Gauss-Newton steps: outline residual": ["train/outline"],
        "polish steps: silhouette and bending": ["train/silhouette", "train/bending"],
    },
    "Way down the ladder": {
        "bending length": ["ladder/bending"],
        "stage": ["ladder/stage"],
        "flaws of the mesh": ["mesh/self_intersections", "mesh/flipped_faces"],
        **_STEPS,
    },
}
_PYRAMID: dict[str, Charts] = {
    "Fit": {
        **_FIT,
        "loss": ["train/loss"],
        "terms of the loss": ["train/silhouette_l2", "train/silhouette_l1", "train/laplacian"],
    },
    "Steps": {
        "learning rate": ["optimizer/lr"],
        "gradient norm": ["optimizer/grad_norm"],
        **_STEPS,
    },
}
LAYOUTS = {"ladder": _LADDER, "pyramid": _PYRAMID}


class ScalarLayout(pl.Callback):
    """Curves to read together in one chart: mean and worst view, the terms of a kind of step."""

    def __init__(self, kind: Literal["ladder", "pyramid"]) -> None:
        self.kind = kind

    @outlives_write_failure
    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        writer = event_writer(trainer)
        if writer is None:
            return
        layout = {
            category: {
                # A chart's tags are patterns, which match longer tags as well.
                title: ["Multiline", [f"^{re.escape(tag)}$" for tag in tags]]
                for title, tags in charts.items()
            }
            for category, charts in LAYOUTS[self.kind].items()
        }
        add_summary(writer, custom_scalars(layout), step=trainer.global_step)

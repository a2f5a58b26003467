"""Measures how well the silhouettes fit, on training and held-out views."""

import pytorch_lightning as pl
import torch
from jaxtyping import Float
from torch import Tensor

from lightning_rast.callbacks.event_file import add_scalars
from lightning_rast.callbacks.moments import is_due
from lightning_rast.data.datamodule import ViewsDataModule
from lightning_rast.data.masks import native_view
from lightning_rast.data.views import Views, ViewsError
from lightning_rast.losses import box_iou
from lightning_rast.module import ReconstructionModule
from lightning_rast.ops import contour_overflowed

# Views are rendered in groups of about this many pixels, to bound the memory.
_PIXELS_AT_ONCE = 2**23
_MOST_REPEATS = 2


class Evaluation(pl.Callback):
    """Mean and least IoU (`box_iou`) over the training and the held-out views, not downscaled.

    Written as scalars, and kept in `trainer.callback_metrics` for others to show.
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
        trainer.callback_metrics.update(found)
        add_scalars(trainer, {tag: float(value) for tag, value in found.items()})


def view_ious(module: ReconstructionModule, views: Views) -> Float[Tensor, "N"]:
    """IoU of the current silhouettes with each view, float64, on the views' device."""
    found = _view_ious(module, views)
    for _ in range(_MOST_REPEATS):
        if not _lacked_room(found.device):
            break
        found = _view_ious(module, views)
    return found


def _lacked_room(device: torch.device) -> bool:
    # Edges are missing from such pictures; the next ones have room for them.
    return device.type == "cuda" and contour_overflowed()


def _view_ious(module: ReconstructionModule, views: Views) -> Tensor:
    height, width = views.image_size
    at_once = max(1, _PIXELS_AT_ONCE // (height * width))
    found = []
    with torch.no_grad():
        for start in range(0, len(views), at_once):
            group = views[range(start, min(start + at_once, len(views)))]
            found.append(box_iou(module(group.cameras), group.coverage, group.known))
    return torch.cat(found)


def native_ious(module: ReconstructionModule, views: Views) -> tuple[list[float], str]:
    """IoU of each view in the resolution of its image file, and that resolution in words.

    Views that come from no file, and views whose files have gone meanwhile, are taken as they
    are.
    """
    device = module.verts.device
    height, width = views.image_size
    if views.files is not None:
        try:
            found, sizes = [], set()
            for index in range(len(views)):
                view = native_view(views, index).to(device)
                found += view_ious(module, view).tolist()
                sizes.add(f"{view.image_size[1]} x {view.image_size[0]}")
            return found, sizes.pop() if len(sizes) == 1 else "as in the files"
        except ViewsError:
            pass
    return view_ious(module, views).tolist(), f"{width} x {height}"


def parts(
    trainer: pl.Trainer, pl_module: pl.LightningModule
) -> tuple[ReconstructionModule, ViewsDataModule]:
    """The trainer's module and data, as what they are here."""
    datamodule = trainer.datamodule  # pyright: ignore[reportAttributeAccessIssue]
    assert isinstance(pl_module, ReconstructionModule)
    assert isinstance(datamodule, ViewsDataModule)
    return pl_module, datamodule

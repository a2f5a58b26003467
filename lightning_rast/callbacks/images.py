"""Pictures of how the silhouettes fit."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytorch_lightning as pl
import torch
from jaxtyping import Bool, Float, UInt8
from PIL import Image, ImageDraw, ImageFont

from lightning_rast.callbacks.evaluation import parts
from lightning_rast.callbacks.event_file import add_pictures, event_writer
from lightning_rast.callbacks.moments import is_due
from lightning_rast.callbacks.write_failure import outlives_write_failure
from lightning_rast.data.datamodule import ViewsDataModule
from lightning_rast.data.views import Views
from lightning_rast.losses import box_iou

DESCRIPTION = (
    "Left the **target**, in the middle the **prediction** with its IoU (white = covered, black = "
    "not, grey = unknown), right their **signed difference**: red where the mesh covers too much, "
    "blue where it covers too little, pale grey the target for orientation. Shown is the object "
    "with some room around it; the whole image where the prediction reaches beyond."
)
_TOO_MUCH, _TOO_LITTLE = np.array([0.79, 0.0, 0.13]), np.array([0.02, 0.35, 0.75])
_UNKNOWN = 0.5
_LEAST_SIDE, _LARGEST_SIDE = 240, 512  # of a panel, pixels
_ROOM = 0.15  # around the object, of its longest side
_GAP, _HEADING = 8, 32
_FONT_SIZE = 26  # TensorBoard shows the strip at about half its size


class Images(pl.Callback):
    """Target, prediction and signed difference of some views: at the start, every n steps, and
    at the end.

    The views are spread over the training views (the larger half) and the held-out ones.
    """

    def __init__(self, *, every_n_steps: int, num_views: int) -> None:
        self.every_n_steps = every_n_steps
        self.num_views = num_views
        self._logged: list[_Logged] = []

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        _, datamodule = parts(trainer, pl_module)
        self._logged = list(_chosen(datamodule, self.num_views))
        if trainer.global_step == 0:
            self._write(trainer, pl_module)

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: object,
        batch: object,
        batch_idx: int,
    ) -> None:
        if is_due(trainer, self.every_n_steps):
            self._write(trainer, pl_module)

    @outlives_write_failure
    def _write(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        writer = event_writer(trainer)
        if writer is None:
            return
        module, _ = parts(trainer, pl_module)
        for logged in self._logged:
            views = logged.views
            with torch.no_grad():
                silhouettes = module(views.cameras)
                ious = box_iou(silhouettes, views.coverage, views.known).tolist()
            for index, name in enumerate(views.names):
                picture = comparison(
                    views.coverage[index].cpu().numpy(),
                    silhouettes[index].cpu().numpy(),
                    iou=ious[index],
                    known=None if views.known is None else views.known[index].cpu().numpy(),
                )
                tag, step = f"{logged.group}/{name}", trainer.global_step
                add_pictures(writer, tag, [picture], step=step, description=DESCRIPTION)


@dataclass(frozen=True)
class _Logged:
    group: str  # of the tags
    views: Views


def _chosen(datamodule: ViewsDataModule, num_views: int) -> Iterator[_Logged]:
    held_out = datamodule.held_out_views
    num_held_out = 0 if held_out is None else min(num_views // 2, len(held_out))
    num_train = min(num_views - num_held_out, len(datamodule.train_views))
    for group, views, count in (
        ("train", datamodule.train_views, num_train),
        ("heldout", held_out, num_held_out),
    ):
        if views is not None and count:
            chosen = views[[index * len(views) // count for index in range(count)]]
            factor = -(-max(chosen.image_size) // _LARGEST_SIDE)
            # On the CPU: the running sums behind it have no deterministic CUDA version.
            smaller = chosen.to("cpu").downscaled(factor)
            yield _Logged(group, smaller.to(views.coverage.device))


def comparison(
    target: Float[np.ndarray, "H W"],
    prediction: Float[np.ndarray, "H W"],
    *,
    known: Bool[np.ndarray, "H W"] | None = None,
    iou: float | None = None,
) -> Image.Image:
    """The strip that `DESCRIPTION` describes; small images are enlarged by whole factors."""
    if known is None:
        known = np.ones(target.shape, dtype=bool)
    shown = _shown(target, prediction)
    target, prediction, known = target[shown], prediction[shown], known[shown]
    panels = [
        _grey(np.where(known, target, _UNKNOWN)),
        _grey(np.where(known, prediction, _UNKNOWN)),
        signed_difference(target, prediction, known=known),
    ]
    factor = max(1, round(_LEAST_SIDE / max(target.shape)))
    height, width = target.shape[0] * factor, target.shape[1] * factor
    strip = Image.new("RGB", (3 * width + 2 * _GAP, height + _HEADING), "white")
    for index, panel in enumerate(panels):
        enlarged = Image.fromarray(panel).resize((width, height), Image.Resampling.NEAREST)
        strip.paste(enlarged, (index * (width + _GAP), _HEADING))
    _write_headings(strip, width, iou)
    return strip


def _shown(target: np.ndarray, prediction: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns of the target with room around it, or all if the prediction needs more."""
    everything = (slice(None), slice(None))
    rows, columns = (np.flatnonzero((target > 0).any(axis=axis)) for axis in (1, 0))
    if len(rows) == 0:
        return everything
    room = int(np.ceil(_ROOM * (1 + max(np.ptp(rows), np.ptp(columns)))))
    shown = (
        slice(max(rows[0] - room, 0), rows[-1] + room + 1),
        slice(max(columns[0] - room, 0), columns[-1] + room + 1),
    )
    is_beyond = prediction > 0.5
    is_beyond[shown] = False
    return everything if is_beyond.any() else shown


def signed_difference(
    target: Float[np.ndarray, "H W"],
    prediction: Float[np.ndarray, "H W"],
    *,
    known: Bool[np.ndarray, "H W"],
) -> UInt8[np.ndarray, "H W 3"]:
    """White to red where `prediction` is larger, white to blue where it is smaller."""
    difference = np.clip(prediction - target, -1, 1)[..., None]
    pale = 1 - 0.12 * np.clip(target, 0, 1)[..., None]
    strong = np.where(difference > 0, _TOO_MUCH, _TOO_LITTLE)
    color = pale + np.abs(difference) * (strong - pale)
    return _to_bytes(np.where(known[..., None], color, _UNKNOWN))


def _write_headings(strip: Image.Image, width: int, iou: float | None) -> None:
    draw = ImageDraw.Draw(strip)
    font = ImageFont.load_default(max(8, min(_FONT_SIZE, width // 9)))
    prediction = "prediction" if iou is None else f"IoU {iou:.4f}"
    for index, text in enumerate(("target", prediction)):
        draw.text((index * (width + _GAP), 0), text, fill="black", font=font)
    x = 2 * (width + _GAP)
    for text, color in (("too much", _TOO_MUCH), ("too little", _TOO_LITTLE)):
        red, green, blue = _to_bytes(color).tolist()
        draw.text((x, 0), text, fill=(red, green, blue), font=font)
        x += int(draw.textlength(text + "  ", font=font))


def _grey(image: Float[np.ndarray, "H W"]) -> UInt8[np.ndarray, "H W 3"]:
    return np.repeat(_to_bytes(image)[..., None], 3, axis=2)


def _to_bytes(values: np.ndarray) -> np.ndarray:
    return (255 * np.clip(values, 0, 1) + 0.5).astype(np.uint8)

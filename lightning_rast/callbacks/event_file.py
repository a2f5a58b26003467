"""The TensorBoard events of a run, and pictures in them that explain themselves."""

import io
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import pytorch_lightning as pl
from PIL import Image
from pytorch_lightning.loggers import TensorBoardLogger
from tensorboard.compat.proto.summary_pb2 import (
    Summary,  # pyright: ignore[reportAttributeAccessIssue] (made at import time)
)
from tensorboard.plugins.image.metadata import create_summary_metadata
from tensorboard.util.tensor_util import make_tensor_proto
from torch.utils.tensorboard.writer import SummaryWriter

from lightning_rast.callbacks.write_failure import outlives_write_failure, warn_of_write_failure


class EventLogger(TensorBoardLogger):
    """Lightning's, but a full disk does not end the training, and `hparams.yaml`, which would
    be empty, is not written."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        _silence_event_threads()

    @outlives_write_failure
    def save(self) -> None:
        self.experiment.flush()

    @outlives_write_failure
    def finalize(self, status: str) -> None:
        if self._experiment is not None:
            self.experiment.close()


def opened_logger(**settings: Any) -> EventLogger | None:
    """The logger with its file opened, None where that is impossible."""
    logger = EventLogger(**settings)
    try:
        _ = logger.experiment
    except OSError as error:
        warn_of_write_failure(error)
        return None
    return logger


def event_writer(trainer: pl.Trainer) -> SummaryWriter | None:
    """The writer of the trainer's TensorBoard logger, None without one."""
    for logger in trainer.loggers:
        if isinstance(logger, TensorBoardLogger):
            return logger.experiment
    return None


@outlives_write_failure
def add_scalars(trainer: pl.Trainer, values: Mapping[str, float]) -> None:
    """Tag -> value, as of the trainer's step."""
    if (writer := event_writer(trainer)) is not None:
        for tag, value in values.items():
            writer.add_scalar(tag, value, trainer.global_step)


def add_pictures(
    writer: SummaryWriter, tag: str, pictures: Sequence[Image.Image], *, step: int, description: str
) -> None:
    """Pictures of one size, side by side under one tag, as PNG; `description` is Markdown."""
    encoded = [_png(picture) for picture in pictures]
    add_encoded(writer, tag, encoded, pictures[0].size, step=step, description=description)


def add_encoded(
    writer: SummaryWriter,
    tag: str,
    encoded: Sequence[bytes],
    size: tuple[int, int],
    *,
    step: int,
    description: str,
) -> None:
    """Image files as they are, in any format that browsers show; `size` is (width, height)."""
    # SummaryWriter.add_image takes no description and makes a still of every animation.
    header = [str(side).encode() for side in size]
    value = Summary.Value(
        tag=tag,
        metadata=create_summary_metadata(display_name="", description=description),
        tensor=make_tensor_proto([*header, *encoded]),
    )
    add_summary(writer, Summary(value=[value]), step=step)


def add_summary(writer: SummaryWriter, summary: Summary, *, step: int) -> None:
    """A summary that SummaryWriter has no method for."""
    if writer.file_writer is not None:  # None once the writer is closed
        writer.file_writer.add_summary(summary, step)


def _png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", compress_level=4)
    return buffer.getvalue()


def _silence_event_threads() -> None:
    """TensorBoard's thread hands its OSError to whoever writes next, where it becomes a warning;
    Python would show a traceback as well."""
    previous = threading.excepthook

    def hook(args: threading.ExceptHookArgs) -> None:
        is_ours = type(args.thread).__module__.startswith("tensorboard.")
        if not (is_ours and issubclass(args.exc_type, OSError)):
            previous(args)

    if previous.__module__ != __name__:
        threading.excepthook = hook

"""The TensorBoard events of a run, and pictures in them that explain themselves."""

import io
from collections.abc import Sequence

import pytorch_lightning as pl
from PIL import Image
from pytorch_lightning.loggers import TensorBoardLogger
from tensorboard.compat.proto.summary_pb2 import (
    Summary,  # pyright: ignore[reportAttributeAccessIssue] (made at import time)
)
from tensorboard.plugins.image.metadata import create_summary_metadata
from tensorboard.util.tensor_util import make_tensor_proto
from torch.utils.tensorboard.writer import SummaryWriter


def event_writer(trainer: pl.Trainer) -> SummaryWriter | None:
    """The writer of the trainer's TensorBoard logger, None without one."""
    for logger in trainer.loggers:
        if isinstance(logger, TensorBoardLogger):
            return logger.experiment
    return None


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

"""An animation of the result."""

from pathlib import Path

import pytorch_lightning as pl

from lightning_rast.callbacks.evaluation import parts
from lightning_rast.callbacks.event_file import add_encoded, event_writer
from lightning_rast.callbacks.moments import is_finished
from lightning_rast.callbacks.write_failure import outlives_write_failure
from lightning_rast.render import save_gif, shaded_preview, turntable_cameras
from lightning_rast.scene.upwards import upwards

_IMAGE_SIZE = (320, 320)
_NUM_FRAMES = 30
_FRAMES_PER_SECOND = 12.0


class Turntable(pl.Callback):
    """`turntable.gif` and the same animation among TensorBoard's images, when training is done.

    What is up in most of the training images is up in it.
    """

    FILE = "turntable.gif"

    def __init__(self, folder: Path) -> None:
        self.path = folder / self.FILE

    @outlives_write_failure
    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        # That of a run which goes on now turns a mesh that will be replaced.
        self.path.unlink(missing_ok=True)

    @outlives_write_failure
    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not is_finished(trainer):
            return
        module, datamodule = parts(trainer, pl_module)
        mesh = module.mesh().to("cpu")
        up = upwards(datamodule.train_views.cameras.to_opengl())
        cameras = turntable_cameras(mesh, _NUM_FRAMES, image_size=_IMAGE_SIZE, up=up)
        frames = shaded_preview(mesh, cameras)
        save_gif(self.path, frames, frames_per_second=_FRAMES_PER_SECOND)
        if (writer := event_writer(trainer)) is not None:
            add_encoded(
                writer,
                "mesh/turntable",
                [self.path.read_bytes()],
                (_IMAGE_SIZE[1], _IMAGE_SIZE[0]),
                step=trainer.global_step,
                description="The final mesh, turning (an animated GIF).",
            )

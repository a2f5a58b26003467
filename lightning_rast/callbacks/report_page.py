"""Writes a page that shows everything about the run: `report.html`."""

import warnings
from pathlib import Path

import pytorch_lightning as pl

from lightning_rast.callbacks.clustering import clustered
from lightning_rast.callbacks.evaluation import parts
from lightning_rast.callbacks.event_file import event_writer
from lightning_rast.callbacks.write_failure import WriteWarning, outlives_write_failure
from lightning_rast.config import Config
from lightning_rast.page import gathered, read_curves, read_metrics, written_page
from lightning_rast.runs import write_atomically


class ReportPage(pl.Callback):
    """One file for any browser, offline, written at the end of training, also when it comes early.

    It shows what the others have written by then (metrics, events, turntable), so it comes after
    them. Nothing that goes wrong here ends a run: a warning says what did.
    """

    FILE = "report.html"

    def __init__(self, folder: Path, config: Config) -> None:
        self.folder = folder
        self.config = config

    @outlives_write_failure
    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        # That of a run which goes on now shows a mesh that will be replaced.
        (self.folder / self.FILE).unlink(missing_ok=True)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        try:
            self._write(trainer, pl_module)
        except Exception as error:
            # Without a stack level: warnings that seem to come from Lightning are silenced.
            warnings.warn(  # noqa: B028
                f"{self.folder / self.FILE} could not be written ({type(error).__name__}: {error});"
                f" lightning-rast report {self.folder} tries again",
                WriteWarning,
            )

    def _write(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        module, datamodule = parts(trainer, pl_module)
        if (writer := event_writer(trainer)) is not None:
            writer.flush()
        facts = gathered(
            self.folder,
            self.config,
            module.mesh(),
            datamodule.train_views,
            datamodule.held_out_views,
            metrics=read_metrics(self.folder),
            curves=read_curves(self.folder),
        )
        page = written_page(facts, simplify=clustered)
        write_atomically(self.folder / self.FILE, page.encode())

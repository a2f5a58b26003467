"""Writes the mesh to files."""

import warnings
from pathlib import Path

import pytorch_lightning as pl

from lightning_rast.callbacks.evaluation import parts
from lightning_rast.callbacks.moments import is_due
from lightning_rast.callbacks.write_failure import WriteWarning, outlives_write_failure
from lightning_rast.scene import export_mesh, mesh_report
from lightning_rast.scene.report_text import REPORT_NAME, write_report


class MeshExport(pl.Callback):
    """`mesh.obj`, `.glb` and `.ply`, every n steps and at the end, also when it comes early, and
    at the end `report.json`: whether the mesh is watertight, manifold and so on.

    Each file is replaced as a whole: another program may open it at any time.
    """

    FILES = ("mesh.obj", "mesh.glb", "mesh.ply")

    def __init__(self, folder: Path, *, every_n_steps: int) -> None:
        self.folder = folder
        self.every_n_steps = every_n_steps
        self._exported_step = -1

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: object,
        batch: object,
        batch_idx: int,
    ) -> None:
        if is_due(trainer, self.every_n_steps):
            self._export(trainer, pl_module)

    @outlives_write_failure
    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        # That of a run which goes on now speaks of a mesh that will be replaced.
        (self.folder / REPORT_NAME).unlink(missing_ok=True)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self._exported_step != trainer.global_step:
            self._export(trainer, pl_module)
        self._report(trainer, pl_module)

    @outlives_write_failure
    def _export(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        module, _ = parts(trainer, pl_module)
        for name in self.FILES:
            export_mesh(module.mesh(), self.folder / name, smooth=True)
        self._exported_step = trainer.global_step

    @outlives_write_failure
    def _report(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        module, _ = parts(trainer, pl_module)
        mesh = module.mesh()
        path = self.folder / REPORT_NAME
        try:
            report = mesh_report(mesh)
        except ValueError as error:
            # Without a stack level: warnings that seem to come from Lightning are silenced.
            warnings.warn(f"no {path}: {error}", WriteWarning)  # noqa: B028
            return
        write_report(path, report, file="mesh.ply")

"""Fitting along a schedule: a pure function of the step, with gradient steps only."""

from typing import Any

import torch
from torch import Tensor

from lightning_rast.config import Config
from lightning_rast.data.views import Views
from lightning_rast.losses.objective import Objective
from lightning_rast.module import ReconstructionModule
from lightning_rast.optim.adam_uniform import AdamUniform
from lightning_rast.optim.schedule import Schedule, Stage
from lightning_rast.optim.smoothing import Smoother
from lightning_rast.scene import Mesh, Topology


class PyramidModule(ReconstructionModule):
    """Coarse to fine in the images, in the mesh by subdivision, and in the bending length.

    scale: about half of the object's extent as the views show it.
    """

    def __init__(self, config: Config, mesh: Mesh, *, scale: float) -> None:
        super().__init__(config, mesh, scale=scale)
        self.schedule = make_schedule(config)
        self.num_subdivisions = 0
        self._stage: Stage | None = None

    @property
    def is_finished(self) -> bool:
        return self.global_step >= self.schedule.steps

    @property
    def progress(self) -> float:
        return min(1.0, self.global_step / self.schedule.steps)

    @property
    def steps_left(self) -> int:
        return max(0, self.schedule.steps - self.global_step)

    @property
    def place(self) -> str:
        total = str(self.schedule.steps)
        return f"step {self.global_step:{len(total)}d}/{total}"

    @property
    def step_size(self) -> tuple[str, float]:
        return "optimizer.lr", self.config.optimizer.lr

    def scalars(self) -> dict[str, float]:
        return {}

    def report(self) -> dict[str, Any]:
        return {}

    def training_step(self, batch: Views, batch_idx: int) -> dict[str, Tensor]:
        mesh = self.mesh()
        terms = self.objective(
            self.coverage(mesh, batch.cameras),
            batch,
            mesh,
            bending_length=self.schedule.bending_at(self.global_step),
        )
        return {"loss": terms["total"], **terms}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        optimizer = self.config.optimizer
        return AdamUniform(
            [self.verts],
            lr=optimizer.lr * self.scale,
            betas=optimizer.betas,
            smoother=Smoother(self._topology, optimizer.smoothing_start),
        )

    def on_train_batch_start(self, batch: Views, batch_idx: int) -> None:
        optimizer = self.trainer.optimizers[0]
        assert isinstance(optimizer, AdamUniform)
        stage = self.schedule.stage_at(self.global_step)
        if stage != self._stage:
            while self.num_subdivisions < stage.num_subdivisions:
                self._subdivide(optimizer)
            optimizer.smoother = Smoother(self._topology, stage.smoothing)
            self._stage = stage
        # From the config in every step: a checkpoint brings those that it was saved with.
        optimizer.param_groups[0]["lr"] = self.schedule.lr_at(self.global_step) * self.scale
        optimizer.param_groups[0]["betas"] = tuple(self.config.optimizer.betas)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)
        checkpoint["num_subdivisions"] = self.num_subdivisions

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.num_subdivisions = checkpoint["num_subdivisions"]
        super().on_load_checkpoint(checkpoint)

    def _set_topology(self, topology: Topology) -> None:
        super()._set_topology(topology)
        self.objective = Objective(self.config.loss, topology, scale=self.scale)

    def _subdivide(self, optimizer: torch.optim.Optimizer) -> None:
        """Split every face into four; per-vertex optimizer state is interpolated as positions."""
        old = self.mesh()
        self._install(old.with_verts(old.verts.detach()).subdivide())
        optimizer.param_groups[0]["params"] = [self.verts]
        optimizer.state[self.verts] = {
            key: old.with_verts(value).subdivide().verts if _is_per_vertex(value, old) else value
            for key, value in optimizer.state.pop(old.verts, {}).items()
        }
        self.num_subdivisions += 1


def _is_per_vertex(value: object, mesh: Mesh) -> bool:
    return isinstance(value, Tensor) and value.shape == mesh.verts.shape


def make_schedule(config: Config) -> Schedule:
    """The schedule of a config."""
    return Schedule(
        steps=config.schedule.steps,
        pyramid=config.schedule.pyramid,
        pyramid_at=config.schedule.pyramid_at,
        subdivide_at=config.schedule.subdivide_at,
        lr=(config.optimizer.lr, config.optimizer.lr_end),
        bending=(config.schedule.bending_start, config.schedule.bending_end),
        smoothing=(config.optimizer.smoothing_start, config.optimizer.smoothing_end),
    )

"""The LightningModule: what is optimised, by what, along which schedule."""

from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from lightning_rast.config import Config
from lightning_rast.data.views import Views
from lightning_rast.losses.objective import Objective
from lightning_rast.optim.adam_uniform import AdamUniform
from lightning_rast.optim.schedule import Schedule, Stage
from lightning_rast.optim.smoothing import Smoother
from lightning_rast.render import coverage_model, render_silhouettes
from lightning_rast.scene import Camera, Mesh, Topology


class ReconstructionModule(pl.LightningModule):
    """Moves the vertices of a mesh until its silhouettes match the views.

    verts: the parameter, world frame. faces: a buffer; both are replaced, with the optimizer's
    state, when the schedule subdivides the mesh, and by a checkpoint's when one is loaded.
    scale: about half of the object's extent as the views show it, the unit of lengths in the
    config, so that the same settings fit an object of any size from any start.

    `training_step` returns every loss term by name; callbacks get them as `outputs`.
    """

    verts: nn.Parameter
    faces: Tensor

    def __init__(self, config: Config, mesh: Mesh, *, scale: float) -> None:
        super().__init__()
        self.config = config
        self.schedule = make_schedule(config)
        self.coverage = coverage_model(config.render.coverage, sigma=config.render.sigma)
        self.scale = scale
        self.num_subdivisions = 0
        self._stage: Stage | None = None
        self._install(mesh)

    def mesh(self) -> Mesh:
        """The current mesh, attached to the graph; its topology is shared between steps."""
        return Mesh(self.verts, self.faces, topology=self._topology)

    def forward(self, cameras: Camera) -> Tensor:
        """Silhouettes (N, H, W) of the current mesh, exact whatever training looks at."""
        return render_silhouettes(self.mesh(), cameras)

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
        checkpoint["scale"] = self.scale
        checkpoint["num_subdivisions"] = self.num_subdivisions

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        # The mesh may have grown since the start: take its shape here, before the optimizer
        # is made, and let load_state_dict fill in the same values once more.
        self.scale = checkpoint["scale"]
        self.num_subdivisions = checkpoint["num_subdivisions"]
        state = checkpoint["state_dict"]
        device = self.verts.device
        self._install(Mesh(state["verts"].to(device), state["faces"].to(device)))

    def _install(self, mesh: Mesh) -> None:
        self.verts = nn.Parameter(mesh.verts.detach().clone())
        self.register_buffer("faces", mesh.faces)
        self._set_topology(mesh.topology)

    def _set_topology(self, topology: Topology) -> None:
        self._topology = topology
        self.objective = Objective(self.config.loss, topology, scale=self.scale)

    def _apply(
        self, fn: Callable[[Tensor], Tensor], recurse: bool = True
    ) -> "ReconstructionModule":
        # The topology follows the parameters from device to device; it is no module itself.
        super()._apply(fn, recurse)
        if self._topology.faces.device != self.verts.device:
            self._set_topology(self._topology.to(self.verts.device))
        return self

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

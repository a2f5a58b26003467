"""The LightningModule that is common to all ways of fitting: the mesh, its files, its pictures."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl
from torch import Tensor, nn

from lightning_rast.config import Config
from lightning_rast.data.views import Views
from lightning_rast.losses import box_iou
from lightning_rast.render import coverage_model, render_silhouettes
from lightning_rast.scene import Camera, Mesh, Topology


class ReconstructionModule(pl.LightningModule, ABC):
    """Moves the vertices of a mesh until its silhouettes match the views.

    verts: the parameter, world frame. faces: a buffer; both are replaced when the mesh changes, and
    by a checkpoint's when one is loaded.
    scale: the unit of lengths in the config, in world units, so that the same settings fit an
    object of any size from any start.

    `training_step` returns every loss term by name; callbacks get them as `outputs`.
    """

    verts: nn.Parameter
    faces: Tensor

    def __init__(self, config: Config, mesh: Mesh, *, scale: float) -> None:
        super().__init__()
        self.config = config
        self.coverage = coverage_model(config.render.coverage, sigma=config.render.sigma)
        self.scale = scale
        self.messages: list[str] = []  # what happened on the way that a user should know
        self._install(mesh)

    @property
    @abstractmethod
    def is_finished(self) -> bool:
        """No step is left to do."""

    @property
    @abstractmethod
    def progress(self) -> float:
        """What part of the fit is done, 0..1, as far as that is known."""

    @property
    @abstractmethod
    def steps_left(self) -> int:
        """How many steps are likely to follow; more if something comes up on the way."""

    @property
    @abstractmethod
    def place(self) -> str:
        """Where the fit is, in a few words."""

    @property
    @abstractmethod
    def step_size(self) -> tuple[str, float]:
        """The setting that says how far a step goes, by its key, and its value."""

    @abstractmethod
    def scalars(self) -> dict[str, float]:
        """What can be drawn over the steps, beside the loss, by tag."""

    @abstractmethod
    def report(self) -> dict[str, Any]:
        """What there is to tell of the way to the result, for `metrics.json`."""

    @abstractmethod
    def training_step(self, *args: Any, **kwargs: Any) -> Any:
        """One step on the views of a batch."""

    @property
    def num_self_intersections(self) -> int | None:
        """Pairs of faces that cross, where they were counted anyway."""
        return None

    def mesh(self) -> Mesh:
        """The current mesh, attached to the graph; its topology is shared between steps."""
        return Mesh(self.verts, self.faces, topology=self._topology)

    def forward(self, cameras: Camera) -> Tensor:
        """Silhouettes (N, H, W) of the current mesh, exact whatever training looks at."""
        return render_silhouettes(self.mesh(), cameras)

    def on_fit_start(self) -> None:
        if self.is_finished:  # restored from its last checkpoint
            self.trainer.should_stop = True

    def test_step(self, batch: Views, batch_idx: int) -> None:
        """Logs `test/iou_mean` and `test/iou_min`: `box_iou` over all test views."""
        iou = box_iou(self(batch.cameras), batch.coverage, batch.known)
        self.log("test/iou_mean", iou.mean(), batch_size=len(batch))
        self.log("test/iou_min", iou.min(), batch_size=len(batch), reduce_fx="min")

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["scale"] = self.scale

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        # The mesh may have changed since the start: take its shape here, before the optimizer
        # is made, and let load_state_dict fill in the same values once more.
        self.scale = checkpoint["scale"]
        state = checkpoint["state_dict"]
        device = self.verts.device
        self._install(Mesh(state["verts"].to(device), state["faces"].to(device)))

    def _install(self, mesh: Mesh) -> None:
        self.verts = nn.Parameter(mesh.verts.detach().clone())
        self.register_buffer("faces", mesh.faces)
        self._set_topology(mesh.topology)

    def _set_topology(self, topology: Topology) -> None:
        self._topology = topology

    def _apply(
        self, fn: Callable[[Tensor], Tensor], recurse: bool = True
    ) -> "ReconstructionModule":
        # The topology follows the parameters from device to device; it is no module itself.
        super()._apply(fn, recurse)
        if self._topology.faces.device != self.verts.device:
            self._set_topology(self._topology.to(self.verts.device))
        return self

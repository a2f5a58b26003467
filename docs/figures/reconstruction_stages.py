"""Fits whose every stage is kept, and the panels of the pictures made of them."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass

import pytorch_lightning as pl
from make_gallery import BLUE_CLAY, CLAY, cameras_around, filled_each
from matplotlib.axes import Axes

from lightning_rast.config_file import config_yaml, load_config
from lightning_rast.data import Views, orbit_cameras, synthetic_views, view_directions
from lightning_rast.ladder_module import LadderModule
from lightning_rast.losses import box_iou
from lightning_rast.render import render_silhouettes, shaded_preview
from lightning_rast.render.pictures import Color
from lightning_rast.runs import new_run
from lightning_rast.scene import Camera, Mesh
from lightning_rast.training import make_trainer, problem_of

__all__ = ["BLUE_CLAY", "CLAY"]

PANEL = 420  # px


@dataclass(frozen=True)
class Stage:
    """The mesh at a stage's end; of the last stage before a remeshing, the even one."""

    kind: str
    bending: float
    mesh: Mesh


@dataclass(frozen=True)
class Fit:
    """views: those it was fitted to, with the cameras that it corrected."""

    start: Mesh
    stages: list[Stage]
    module: LadderModule
    views: Views

    @property
    def mesh(self) -> Mesh:
        return self.stages[-1].mesh


class _Keeper(pl.Callback):
    """Keeps the mesh at the end of every stage that has steps."""

    def __init__(self) -> None:
        self.stages: list[Stage] = []

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: object,
        batch: object,
        batch_idx: int,
    ) -> None:
        assert isinstance(pl_module, LadderModule)
        ended = [entry for entry in pl_module.stage_log if entry["steps"]]
        if len(ended) > len(self.stages):
            stage = next(s for s in pl_module.ladder.stages if s.name == ended[-1]["name"])
            mesh = pl_module.mesh()
            kept = mesh.with_verts(mesh.verts.detach().clone())
            self.stages.append(Stage(stage.kind, stage.bending, kept))


def fitted(views: Views, settings: Sequence[str]) -> Fit:
    """Fits the views on the CPU with these settings, one of which is name=..."""
    config = load_config(None, ["device=cpu", *settings], complete=False)
    problem = problem_of(config, views)
    module = problem.module
    assert isinstance(module, LadderModule)
    start = module.mesh().with_verts(module.verts.detach().clone())
    keeper = _Keeper()
    with tempfile.TemporaryDirectory() as folder:
        run = new_run(folder, config.name, config_yaml(config))
        make_trainer(config, run, [keeper]).fit(module, datamodule=problem.datamodule)
    return Fit(start, keeper.stages, module, problem.datamodule.train_views)


def views_of(mesh: Mesh, number: int, *, size: int = 160, between: bool = False) -> Views:
    directions = view_directions("fibonacci", number, between=between)
    return synthetic_views(mesh, orbit_cameras(mesh, directions, image_size=size))


def iou(mesh: Mesh, views: Views) -> float:
    """Mean over the views."""
    return float(box_iou(render_silhouettes(mesh, views.cameras), views.coverage).mean())


def camera_at(mesh: Mesh, azimuth: float, elevation: float) -> Camera:
    """From which the mesh fills a panel; degrees."""
    return filled_each(cameras_around([mesh], [(azimuth, elevation)], PANEL), [mesh])


def render(axes: Axes, mesh: Mesh, camera: Camera, title: str, *, color: Color = BLUE_CLAY) -> None:
    axes.imshow(shaded_preview(mesh, camera, color=color)[0], interpolation="lanczos")
    clean(axes, title)


def clean(axes: Axes, title: str) -> None:
    axes.set_title(title, fontsize=9)
    axes.set_axis_off()

"""Trainings that leave nothing behind but their mesh."""

import tempfile
from typing import Any

from lightning_rast.config import Config
from lightning_rast.config_file import config_yaml
from lightning_rast.data.views import Views
from lightning_rast.runs import new_run
from lightning_rast.scene import Mesh
from lightning_rast.training import Problem, make_trainer, problem_of


def trained(config: Config, views: Views) -> tuple[Mesh, dict[str, Any]]:
    """The mesh that a config's training makes of these views, on the CPU, and what the module
    reports of it."""
    problem = problem_of(config, views)
    return retrained(problem), problem.module.report()


def retrained(problem: Problem) -> Mesh:
    """The mesh after training, on the CPU, without checkpoints, pictures or a word."""
    config = problem.module.config
    with tempfile.TemporaryDirectory() as folder:
        run = new_run(folder, config.name, config_yaml(config))
        trainer = make_trainer(config, run, [])
        trainer.fit(problem.module, datamodule=problem.datamodule)
    mesh = problem.module.mesh()
    return mesh.with_verts(mesh.verts.detach()).to("cpu")

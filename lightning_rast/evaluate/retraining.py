"""Trainings that leave nothing behind but their mesh."""

import tempfile

from lightning_rast.config_file import config_yaml
from lightning_rast.runs import new_run
from lightning_rast.scene import Mesh
from lightning_rast.training import Problem, make_trainer


def retrained(problem: Problem) -> Mesh:
    """The mesh after training, without checkpoints, pictures or anything on the console."""
    config = problem.module.config
    with tempfile.TemporaryDirectory() as folder:
        run = new_run(folder, config.name, config_yaml(config))
        trainer = make_trainer(config, run, [], most_steps=problem.module.most_steps)
        trainer.fit(problem.module, datamodule=problem.datamodule)
    mesh = problem.module.mesh()
    return mesh.with_verts(mesh.verts.detach().cpu()) if mesh.verts.device.type != "cpu" else mesh

"""The mesh files of a run."""

import json

import pytest
import pytorch_lightning as pl
import torch

from lightning_rast.callbacks import MeshExport
from lightning_rast.callbacks.write_failure import WriteWarning
from lightning_rast.scene import load_mesh
from tests.callbacks.problem import STEPS, Fit

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


class Snapshots(pl.Callback):
    """The exported vertex count after each step, 0 while there is no file."""

    def __init__(self, folder):
        self.path = folder / "mesh.ply"
        self.counts = []

    def on_train_batch_end(self, *_):
        self.counts.append(load_mesh(self.path).num_verts if self.path.exists() else 0)


@pytest.mark.parametrize("name", MeshExport.FILES)
def test_each_file_holds_the_final_mesh(tmp_path, name):
    fit = Fit(tmp_path)
    fit.run(MeshExport(tmp_path, every_n_steps=0))
    mesh = load_mesh(tmp_path / name)
    assert torch.equal(mesh.faces, fit.module.faces)
    torch.testing.assert_close(mesh.verts, fit.module.verts.detach(), rtol=0, atol=1e-7)


def test_the_newest_state_is_there_during_training(tmp_path):
    fit, seen = Fit(tmp_path), Snapshots(tmp_path)
    fit.run(MeshExport(tmp_path, every_n_steps=4), seen)
    # The mesh is subdivided before step 11; steps 12 and 16 export it.
    assert seen.counts == [0] * 3 + [42] * 8 + [162] * 9
    assert len(seen.counts) == STEPS


def test_a_run_stopped_early_exports_what_it_has(tmp_path):
    fit = Fit(tmp_path)
    fit.run(MeshExport(tmp_path, every_n_steps=0), stop_at=3)
    mesh = load_mesh(tmp_path / "mesh.ply")
    assert torch.equal(mesh.verts, fit.module.verts.detach())


def test_nothing_unfinished_is_left(tmp_path):
    Fit(tmp_path).run(MeshExport(tmp_path, every_n_steps=2), logger=False)
    expected = {*MeshExport.FILES, "report.json"}
    assert {path.name for path in tmp_path.iterdir()} == expected


def test_the_report_speaks_of_the_final_mesh(tmp_path):
    fit = Fit(tmp_path)
    fit.run(MeshExport(tmp_path, every_n_steps=4))
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["num_verts"] == len(fit.module.verts)
    assert report["is_watertight"]
    assert report["volume"] == pytest.approx(
        float(load_mesh(tmp_path / "mesh.ply").volume), rel=1e-5
    )


def test_a_report_that_cannot_be_removed_is_a_warning(tmp_path):
    fit = Fit(tmp_path)
    (tmp_path / "report.json").mkdir()
    with pytest.warns(WriteWarning, match="training goes on"):
        fit.run(MeshExport(tmp_path, every_n_steps=0))
    assert fit.module.is_finished


def test_a_mesh_that_cannot_be_reported_on_is_a_warning(tmp_path, monkeypatch):
    def refuse(mesh):
        raise ValueError("mesh_report: the mesh has no faces")

    monkeypatch.setattr("lightning_rast.callbacks.export.mesh_report", refuse)
    fit = Fit(tmp_path)
    with pytest.warns(WriteWarning, match=r"report\.json.*mesh_report: the mesh has no faces"):
        fit.run(MeshExport(tmp_path, every_n_steps=0))
    assert fit.module.is_finished

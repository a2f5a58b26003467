"""The LightningModule, without a process of its own."""

from typing import get_args

import pytest
import pytorch_lightning as pl
import torch

from lightning_rast.config import Config
from lightning_rast.data import orbit_cameras, synthetic_views, view_directions
from lightning_rast.data.datamodule import ViewsDataModule
from lightning_rast.losses import box_iou
from lightning_rast.ops import LightningRastWarning, advice
from lightning_rast.pyramid_module import PyramidModule
from lightning_rast.render.silhouette import CoverageKind
from lightning_rast.scene import Mesh, icosphere, save_mesh
from lightning_rast.training import build

COVERAGE_MODELS = get_args(CoverageKind)


def make_problem(steps=8, coverage="contour", **schedule):
    config = Config(name="test", device="cpu")
    config.render.coverage = coverage
    config.schedule.steps, config.schedule.views_per_step = steps, 3
    config.schedule.pyramid, config.schedule.pyramid_at = [2, 1], [0.0, 0.5]
    config.optimizer.smoothing_start = config.optimizer.smoothing_end = 1.0
    config.optimizer.lr = 0.05
    for key, value in schedule.items():
        setattr(config.schedule, key, value)
    target = icosphere(2, radius=0.7, center=(0.1, 0.0, 0.0))
    cameras = orbit_cameras(target, view_directions("fibonacci", 4), image_size=24)
    module = PyramidModule(config, icosphere(1, radius=0.5), scale=1.0)
    datamodule = ViewsDataModule(
        synthetic_views(target, cameras), None, schedule=module.schedule, views_per_step=3
    )
    return module, datamodule


def make_trainer(steps, folder):
    return pl.Trainer(
        accelerator="cpu",
        max_steps=steps,
        max_epochs=-1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
    )


def iou(module, datamodule):
    views = datamodule.train_views
    return float(box_iou(module(views.cameras).detach(), views.coverage).mean())


def test_a_step_names_its_terms():
    module, datamodule = make_problem()
    datamodule.setup("fit")
    terms = module.training_step(datamodule.batch_of_step(0), 0)
    assert {"loss", "silhouette_l2"} <= set(terms)
    terms["loss"].backward()
    assert module.verts.grad is not None
    assert module.verts.grad.abs().sum() > 0


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("coverage", COVERAGE_MODELS)
def test_training_improves_the_fit(tmp_path, coverage):
    module, datamodule = make_problem(steps=60, coverage=coverage)
    before = iou(module, datamodule)
    make_trainer(60, tmp_path).fit(module, datamodule=datamodule)
    assert iou(module, datamodule) > before + 0.2


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("coverage", COVERAGE_MODELS)
def test_a_resumed_run_ends_with_the_same_bits(tmp_path, coverage):
    def trained(steps, checkpoint=None):
        module, datamodule = make_problem(steps=12, coverage=coverage, subdivide_at=[0.25])
        trainer = make_trainer(steps, tmp_path)
        trainer.fit(module, datamodule=datamodule, ckpt_path=checkpoint)
        return module, trainer

    whole, _ = trained(12)
    trained(7)[1].save_checkpoint(tmp_path / "seven.ckpt")
    resumed, _ = trained(12, tmp_path / "seven.ckpt")
    assert torch.equal(resumed.faces, whole.faces)
    assert resumed.verts.detach().numpy().tobytes() == whole.verts.detach().numpy().tobytes()


def test_the_fit_is_measured_by_exact_coverage_whatever_is_trained_on():
    module, datamodule = make_problem(coverage="soft")
    exact, _ = make_problem()
    cameras = datamodule.train_views.cameras
    assert torch.equal(module(cameras), exact(cameras))
    assert not torch.equal(module.coverage(module.mesh(), cameras), exact(cameras))


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_subdivided_mesh_goes_on_with_interpolated_state(tmp_path):
    module, datamodule = make_problem(steps=8, subdivide_at=[0.5])
    trainer = make_trainer(4, tmp_path)
    trainer.fit(module, datamodule=datamodule)
    old, optimizer = module.mesh(), trainer.optimizers[0]
    state = dict(optimizer.state[module.verts])
    module._subdivide(optimizer)
    assert module.mesh().num_faces == 4 * old.num_faces
    torch.testing.assert_close(module.mesh().area, old.area)
    assert list(optimizer.state) == [module.verts]
    for key, value in optimizer.state[module.verts].items():
        if isinstance(value, torch.Tensor) and value.ndim == 2:
            assert value.shape == module.verts.shape
            torch.testing.assert_close(value[: old.num_verts], state[key])
        else:
            assert value == state[key]


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_checkpoint_brings_its_own_mesh(tmp_path):
    module, datamodule = make_problem(steps=8, subdivide_at=[0.5])
    trainer = make_trainer(8, tmp_path)
    trainer.fit(module, datamodule=datamodule)
    trainer.save_checkpoint(tmp_path / "test.ckpt")
    other, _ = make_problem()
    checkpoint = torch.load(tmp_path / "test.ckpt", weights_only=True)
    other.on_load_checkpoint(checkpoint)
    other.load_state_dict(checkpoint["state_dict"])
    assert torch.equal(other.verts, module.verts)
    assert torch.equal(other.faces, module.faces)
    assert other.num_subdivisions == 1
    assert iou(other, datamodule) == iou(module, datamodule)


def test_steps_are_in_units_of_the_scale():
    module, _ = make_problem()
    large = PyramidModule(module.config, icosphere(1, radius=25.0), scale=50.0)
    lr = [m.configure_optimizers().param_groups[0]["lr"] for m in (module, large)]
    assert lr[1] == pytest.approx(50 * lr[0], rel=1e-5)


def test_the_scale_is_the_objects_whatever_the_start(tmp_path):
    config = Config(name="test", device="cpu")
    config.schedule.kind, config.start.kind = "pyramid", "sphere"
    config.data.mesh = str(tmp_path / "object.ply")
    config.data.num_views, config.data.num_held_out, config.data.image_size = 6, 0, 32
    save_mesh(icosphere(2, radius=0.7), config.data.mesh)
    from_sphere = build(config).module.scale
    config.start.kind, config.start.mesh = "mesh", str(tmp_path / "tiny.ply")
    save_mesh(icosphere(1, radius=0.01), config.start.mesh)
    assert build(config).module.scale == from_sphere == pytest.approx(0.7, rel=0.05)


@pytest.fixture
def nothing_said_yet(monkeypatch):
    monkeypatch.setattr(advice, "_given", set())


def test_a_start_that_is_inside_out_is_warned_of(tmp_path, nothing_said_yet):
    config = Config(name="test", device="cpu")
    config.schedule.kind = "pyramid"
    config.data.mesh = str(tmp_path / "object.ply")
    config.data.num_views, config.data.num_held_out, config.data.image_size = 4, 0, 16
    sphere = icosphere(2, radius=0.7)
    save_mesh(sphere, config.data.mesh)
    config.start.kind, config.start.mesh = "mesh", str(tmp_path / "start.ply")
    save_mesh(Mesh(sphere.verts, sphere.faces.flip(1)), config.start.mesh)
    with pytest.warns(LightningRastWarning, match=r"inside out.*faces\.flip\(1\)"):
        build(config)


def test_seams_of_a_mesh_that_is_fitted_are_warned_of_once(nothing_said_yet):
    module, datamodule = make_problem()
    sphere = icosphere(1, radius=0.5)
    split = Mesh(sphere.corners.reshape(-1, 3), torch.arange(240).reshape(-1, 3))
    module = PyramidModule(module.config, split, scale=1.0)
    datamodule.setup("fit")

    def take_steps() -> None:
        for step in range(2):
            module.training_step(datamodule.batch_of_step(step), 0)

    with pytest.warns(LightningRastWarning, match=r"Mesh\.weld") as found:
        take_steps()
    assert len(found) == 1

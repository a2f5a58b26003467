"""A real reconstruction through the command line, small enough for every run of the tests."""

import json
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from lightning_rast.cli import main
from lightning_rast.config_file import load_config
from lightning_rast.losses import box_iou
from lightning_rast.render import render_silhouettes
from lightning_rast.runs import checkpoint_path
from lightning_rast.scene import load_mesh
from lightning_rast.training import make_views

REPOSITORY = Path(__file__).parents[1]
STEPS = 60
SETTINGS = [
    "preset=sphere",
    "device=cpu",
    "data.num_views=8",
    "data.num_held_out=4",
    "data.image_size=64",
    "start.subdivisions=3",
    f"schedule.steps={STEPS}",
    "schedule.pyramid=[2,1]",
    "schedule.pyramid_at=[0,0.5]",
    "schedule.subdivide_at=[]",
    # Larger steps than usual, since there are few of them.
    "optimizer.lr=0.1",
    "optimizer.lr_end=0.02",
    "optimizer.smoothing_start=8",
    "optimizer.smoothing_end=2",
    "log.every_n_steps=5",
    "log.mesh_every_n_steps=0",
]

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("logs")
    config = REPOSITORY / "configs" / "avocado.yaml"
    assert main(["--config", str(config), f"log.root={root}", *SETTINGS]) == 0
    return root / "avocado" / "version_0"


@pytest.fixture(scope="module")
def metrics(folder):
    return json.loads((folder / "metrics.json").read_text())


@pytest.fixture(scope="module")
def scalars(folder):
    events = EventAccumulator(str(folder)).Reload()
    return {
        tag: {event.step: event.value for event in events.Scalars(tag)}
        for tag in events.Tags()["scalars"]
    }


@pytest.fixture(scope="module")
def mesh(folder):
    return load_mesh(folder / "mesh.ply")


def test_views_that_training_never_saw_are_met(metrics):
    # 0.983 and 0.967 were measured.
    assert metrics["iou_mean"] > 0.965
    assert metrics["iou_min"] > 0.94


def test_the_start_was_far_off(metrics, scalars):
    assert scalars["heldout/iou_mean"][0] < 0.6
    assert scalars["heldout/iou_mean"][STEPS] == pytest.approx(metrics["iou_mean"], abs=1e-6)


def test_the_surface_comes_near_the_true_one(metrics):
    # 0.019 was measured, in half-extents, of which 0.009 are the sampling.
    assert metrics["chamfer"] < 0.025


def test_the_loss_falls_on_each_pyramid_level(scalars):
    loss = scalars["train/loss"]
    assert list(loss) == list(range(5, STEPS + 1, 5))
    coarse, fine = list(loss.values())[: len(loss) // 2], list(loss.values())[len(loss) // 2 :]
    for level in (coarse, fine):
        assert all(after < before for before, after in pairwise(level))
    assert loss[STEPS] < 0.05 * loss[5]


def test_the_surface_is_closed_and_faces_outwards(mesh):
    assert torch.isfinite(mesh.verts).all()
    assert mesh.topology.genus == 0
    assert mesh.topology.num_components == 1
    assert mesh.volume > 0


def test_the_volume_is_that_of_the_avocado(mesh):
    truth = load_mesh(REPOSITORY / "data" / "models" / "avocado.glb").volume
    assert float(mesh.volume / truth) == pytest.approx(1, abs=0.05)


def test_the_files_hold_the_result(folder, mesh, metrics):
    config = load_config(folder / "config.yaml")
    _, held_out = make_views(config.data, load_mesh(config.data.mesh), seed=config.seed)
    iou = box_iou(render_silhouettes(mesh, held_out.cameras), held_out.coverage)
    assert float(iou.mean()) == pytest.approx(metrics["iou_mean"], abs=1e-3)
    for name in ("mesh.obj", "mesh.glb"):
        other = load_mesh(folder / name)
        assert other.num_faces == mesh.num_faces
        torch.testing.assert_close(other.bounds, mesh.bounds, rtol=0, atol=1e-5)
    assert checkpoint_path(folder, STEPS).is_file()
    assert (folder / "turntable.gif").stat().st_size > 10_000
    assert metrics["finished"]

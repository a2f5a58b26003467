"""metrics.json: what is in it, and that it is JSON whatever was measured."""

import json
import math
import time

import numpy as np
import pytest
import torch
from PIL import Image
from pytorch_lightning.callbacks import LambdaCallback

from lightning_rast.callbacks import Metrics
from lightning_rast.callbacks.metrics import finite_or_null
from lightning_rast.data import load_mask_views, orbit_cameras, synthetic_views, view_directions
from lightning_rast.evaluation import native_ious, silhouettes, view_ious
from lightning_rast.runs import write_atomically
from lightning_rast.scene import icosphere
from tests.callbacks.problem import STEPS, TARGET, Fit

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def strict_json(path):
    def refuse(name):
        raise AssertionError(f"{name} is not JSON")

    return json.loads(path.read_text(), parse_constant=refuse)


@pytest.fixture(scope="module")
def fit(tmp_path_factory):
    fit = Fit(tmp_path_factory.mktemp("run"))
    fit.run(Metrics(fit.folder, started=time.perf_counter() - 7, reference=TARGET))
    return fit


def test_it_holds_the_fit_the_time_and_what_made_it(fit):
    metrics = strict_json(fit.folder / "metrics.json")
    assert 0.3 < metrics["iou_min"] <= metrics["iou_mean"] <= 1
    assert 0.3 < metrics["train_iou_min"] <= metrics["train_iou_mean"] <= 1
    assert metrics["chamfer"] > 0
    assert metrics["iou_protocol"] == "within the target's box + 8 %, both images binarised at 1/2"
    assert metrics["steps"] == STEPS
    assert metrics["finished"] is True
    assert metrics["vertices"] == len(fit.module.verts)
    assert metrics["faces"] == len(fit.module.faces)
    assert metrics["device"].startswith("cpu")
    assert metrics["threads"] == torch.get_num_threads()
    assert {"lightning_rast", "torch", "python", "isa"} <= set(metrics["versions"])
    held_out = metrics["iou_of_view"]["held_out"]
    assert list(held_out) == ["held_out_000", "held_out_001", "held_out_002"]
    assert metrics["iou_min"] == min(held_out.values())


def test_setup_training_and_total_add_up(fit):
    seconds = strict_json(fit.folder / "metrics.json")["seconds"]
    assert seconds["setup"] > 7
    assert 0 < seconds["training"] < 60
    assert seconds["setup"] + seconds["training"] <= seconds["total"] + 0.002


def test_its_numbers_are_scalars_too(fit):
    events, metrics = fit.events(), strict_json(fit.folder / "metrics.json")
    for name in ("iou_mean", "iou_min", "chamfer"):
        (event,) = events.Scalars(f"result/{name}")
        assert event.value == pytest.approx(metrics[name])


def test_a_run_stopped_early_says_so(tmp_path):
    fit = Fit(tmp_path)
    fit.run(Metrics(tmp_path, started=time.perf_counter()), stop_at=4)
    metrics = strict_json(tmp_path / "metrics.json")
    assert metrics["finished"] is False
    assert metrics["steps"] == 4
    assert "chamfer" not in metrics


def test_without_held_out_views_their_iou_is_null(tmp_path):
    fit = Fit(tmp_path, held_out=False)
    fit.run(Metrics(tmp_path, started=time.perf_counter()))
    metrics = strict_json(tmp_path / "metrics.json")
    assert metrics["iou_mean"] is None
    assert metrics["iou_min"] is None
    assert metrics["train_iou_mean"] > 0.3


def test_numbers_that_json_does_not_know_become_null():
    found = finite_or_null({"a": [math.nan, 1.5], "b": {"c": -math.inf, "d": "nan"}, "e": 3})
    assert found == {"a": [None, 1.5], "b": {"c": None, "d": "nan"}, "e": 3}


def test_time_of_earlier_sessions_is_added(tmp_path):
    metrics = Metrics(tmp_path, started=time.perf_counter())
    metrics.load_state_dict({"seconds": {"setup": 10.0, "training": 20.0, "total": 40.0}})
    seconds = metrics.state_dict()["seconds"]
    assert 10 <= seconds["setup"] < 11
    assert seconds["training"] == 20
    assert 40 <= seconds["total"] < 41


@pytest.fixture
def mask_folder(tmp_path):
    """Two views of 96 x 64 and 64 x 96 pixels."""
    entries = []
    for index, (height, width) in enumerate(((64, 96), (96, 64))):
        directions = view_directions("ring", 5)[index : index + 1]
        cameras = orbit_cameras(TARGET, directions, image_size=64)
        K = cameras.K[0].clone()
        K[0, 2], K[1, 2] = width / 2, height / 2
        cameras = type(cameras)(cameras.world_to_view, K[None], (height, width))
        coverage = synthetic_views(TARGET, cameras).coverage[0]
        name = f"{index}.png"
        Image.fromarray(np.uint8(255 * coverage.numpy() + 0.5)).save(tmp_path / name)
        pose = cameras.world_to_view[0]
        camera = {"K": K.tolist(), "R": pose[:3, :3].tolist(), "t": pose[:3, 3].tolist()}
        entries.append({"mask": name, **camera})
    cameras_json = {"pixel_centers": "half", "views": entries}
    write_atomically(tmp_path / "cameras.json", json.dumps(cameras_json).encode())
    return tmp_path


def test_held_out_masks_are_compared_in_their_own_resolution(tmp_path, mask_folder):
    views = load_mask_views(mask_folder, max_image_size=24)
    assert views.image_size == (24, 24)
    fit = Fit(tmp_path, start=TARGET)
    found, resolution = native_ious(fit.module, views)
    assert resolution == "as in the files"
    assert min(found) > 0.995
    native, resolution = native_ious(fit.module, views[[1]])
    assert resolution == "64 x 96"
    assert native == found[1:]


def test_masks_that_have_gone_are_compared_as_loaded(tmp_path, mask_folder):
    views = load_mask_views(mask_folder, max_image_size=24)
    (mask_folder / "1.png").unlink()
    found, resolution = native_ious(Fit(tmp_path, start=TARGET).module, views)
    assert resolution == "24 x 24"
    assert len(found) == 2
    assert min(found) > 0.9


@pytest.mark.parametrize(("place", "is_lost"), [(0.0, False), (50.0, True)])
def test_a_mesh_that_fits_nothing_is_told_of(tmp_path, capsys, place, is_lost):
    fit = Fit(tmp_path, start=icosphere(1, radius=0.5, center=(place, 0.0, 0.0)))
    fit.run(Metrics(tmp_path, started=time.perf_counter()))
    assert ("warning: the mesh does not fit its views" in capsys.readouterr().err) == is_lost


def test_pictures_that_lacked_room_are_measured_again(tmp_path, monkeypatch):
    fit, pictures = Fit(tmp_path), []
    expected = view_ious(fit.module, fit.datamodule.train_views)
    forward = fit.module.forward

    def first_is_empty(cameras):
        pictures.append(forward(cameras))
        return pictures[-1] * (len(pictures) > 1)

    monkeypatch.setattr(fit.module, "forward", first_is_empty)
    monkeypatch.setattr(silhouettes, "_lacked_room", lambda device: len(pictures) == 1)
    assert torch.equal(view_ious(fit.module, fit.datamodule.train_views), expected)
    assert len(pictures) == 2


def test_those_of_an_earlier_session_are_gone_once_the_run_goes_on(tmp_path):
    (tmp_path / "metrics.json").write_text('{"steps": 65}')
    seen = []
    look = LambdaCallback(
        on_train_batch_end=lambda *_: seen.append((tmp_path / "metrics.json").exists())
    )
    Fit(tmp_path).run(Metrics(tmp_path, started=time.perf_counter()), look)
    assert not any(seen)

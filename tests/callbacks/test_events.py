"""What TensorBoard finds in a run's events."""

import io
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from tensorboard.plugins.custom_scalar.layout_pb2 import Layout
from tensorboard.plugins.hparams import metadata as hparams_metadata
from tensorboard.util.tensor_util import make_ndarray

from lightning_rast.callbacks import (
    Evaluation,
    Images,
    MeshLog,
    RunText,
    ScalarLayout,
    Scalars,
    Turntable,
    turntable,
)
from lightning_rast.callbacks.mesh_log import MAX_VERTS
from lightning_rast.callbacks.run_text import hyperparameters
from lightning_rast.config import Config
from lightning_rast.config_file import load_config
from lightning_rast.render import turntable_cameras
from lightning_rast.scene import icosphere
from tests.callbacks.problem import STEPS, Fit, steps_of

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.fixture(scope="module")
def fit(tmp_path_factory):
    fit = Fit(tmp_path_factory.mktemp("run"))
    fit.run(
        Scalars(every_n_steps=8),
        Evaluation(every_n_steps=5),
        RunText(fit.config),
        ScalarLayout("pyramid"),
        Images(every_n_steps=12, num_views=4),
        MeshLog(every_n_steps=0),
        Turntable(fit.folder),
    )
    return fit


@pytest.fixture(scope="module")
def events(fit):
    return fit.events()


@pytest.mark.parametrize(
    "tag",
    [
        "train/loss",
        "train/silhouette_l2",
        "optimizer/grad_norm",
        "optimizer/lr",
        "mesh/vertices",
        "mesh/faces",
        "time/step_ms",
        "time/wall_ms",
    ],
)
def test_scalars_are_written_every_n_steps_and_at_the_last_one(events, tag):
    assert steps_of(events, tag) == [8, 16, STEPS]
    assert all(np.isfinite(event.value) and event.value > 0 for event in events.Scalars(tag))


def test_the_vertex_count_follows_the_subdivision(events, fit):
    counts = [event.value for event in events.Scalars("mesh/vertices")]
    assert counts == [42, 162, len(fit.module.verts)]


def test_iou_is_written_from_the_start_on_and_rises(events):
    for name in ("train", "heldout"):
        for kind in ("mean", "min"):
            tag = f"{name}/iou_{kind}"
            assert steps_of(events, tag) == [0, 5, 10, 15, 20]
            first, *_, last = (event.value for event in events.Scalars(tag))
            assert first < last <= 1
        mean, least = (events.Scalars(f"{name}/iou_{kind}")[-1] for kind in ("mean", "min"))
        assert least.value <= mean.value


def pictures(events, tag):
    for event in events.Tensors(tag):
        width, height, *encoded = event.tensor_proto.string_val
        for content in encoded:
            picture = Image.open(io.BytesIO(content))
            assert picture.size == (int(width), int(height))
            yield picture


def test_images_show_train_and_held_out_views_large_enough_to_read(events):
    tags = [tag for tag in events.Tags()["tensors"] if "/view_" in tag or "/held_out_" in tag]
    names = ["view_000", "view_002", "held_out_000", "held_out_001"]
    assert [tag.split("/")[1] for tag in tags] == names
    for tag in tags:
        assert steps_of(events, tag) == [0, 12, STEPS]
        for picture in pictures(events, tag):
            assert picture.format == "PNG"
            assert min(picture.width / 3, picture.height) > 200


def test_an_image_tag_explains_its_colours(events):
    description = events.SummaryMetadata("train/view_000").summary_description
    assert "red" in description
    assert "blue" in description


def test_the_turntable_is_an_animation(events):
    (picture,) = pictures(events, "mesh/turntable")
    assert picture.format == "GIF"
    assert picture.n_frames > 10


def test_the_config_is_there_as_text(events):
    (event,) = events.Tensors("config/text_summary")
    (text,) = make_ndarray(event.tensor_proto)
    assert "views_per_step: 3" in text.decode()


def test_hyperparameters_come_with_the_metrics_to_compare(events):
    def content(tag):
        return events.SummaryMetadata(tag).plugin_data.content

    session = hparams_metadata.parse_session_start_info_plugin_data(
        content(hparams_metadata.SESSION_START_INFO_TAG)
    )
    assert session.hparams["schedule.steps"].number_value == STEPS
    assert session.hparams["schedule.pyramid"].string_value == "[2, 1]"
    assert "log.every_n_steps" not in session.hparams
    experiment = hparams_metadata.parse_experiment_plugin_data(
        content(hparams_metadata.EXPERIMENT_TAG)
    )
    metrics = {info.name.tag for info in experiment.metric_infos}
    assert {"result/iou_mean", "result/chamfer"} <= metrics


def test_hyperparameters_are_what_tells_runs_apart(fit):
    found = hyperparameters(Config(name="test", seed=3), fit.datamodule.train_views)
    assert set(found) == {
        *("data", "data.training_views", "data.largest_side"),
        *("preset", "seed", "device"),
    }
    assert (found["seed"], found["data.training_views"]) == (3, 5)


def test_a_presets_own_settings_are_no_hyperparameters(fit):
    config = load_config(None, ["preset=fast", "newton.clip_px=3"], complete=False)
    found = hyperparameters(config, fit.datamodule.train_views)
    assert found["newton.clip_px"] == 3
    assert "ladder.polish_steps" not in found


def test_each_chart_of_the_layout_has_tags_that_are_written(events):
    (event,) = events.Tensors("custom_scalars__config__")
    layout = Layout.FromString(event.tensor_proto.string_val[0])
    written = {*events.Tags()["scalars"], "train/silhouette_l1", "train/laplacian"}
    charts = [chart for category in layout.category for chart in category.chart]
    assert len(charts) >= 6
    for chart in charts:
        for pattern in chart.multiline.tag:
            assert any(re.match(pattern, tag) for tag in written), pattern


def test_a_pattern_of_the_layout_matches_one_tag_alone(events):
    (event,) = events.Tensors("custom_scalars__config__")
    layout = Layout.FromString(event.tensor_proto.string_val[0])
    patterns = [
        pattern
        for category in layout.category
        for chart in category.chart
        for pattern in chart.multiline.tag
    ]
    tags = events.Tags()["scalars"]
    assert all(sum(bool(re.match(pattern, tag)) for tag in tags) <= 1 for pattern in patterns)


def test_a_mesh_takes_half_of_the_bytes_of_add_mesh(tmp_path):
    sizes = {}
    for name, start in (("small", icosphere(1)), ("large", icosphere(5))):
        Fit(tmp_path / name, start=start).run(MeshLog(every_n_steps=0), stop_at=1)
        (file,) = (tmp_path / name).glob("events.*")
        sizes[start.num_verts] = file.stat().st_size
    (few, small), (many, large) = sorted(sizes.items())
    # Three floats a vertex; two faces a vertex of three 16 bit numbers.
    assert (large - small) / (many - few) == pytest.approx(12 + 12, rel=0.01)


def mesh_arrays(events, index):
    return [
        make_ndarray(events.Tensors(f"mesh/result_{part}")[index].tensor_proto)[0]
        for part in ("VERTEX", "FACE")
    ]


def test_the_mesh_is_written_at_the_start_and_the_end(events, fit):
    assert steps_of(events, "mesh/result_VERTEX") == [0, STEPS]
    verts, faces = mesh_arrays(events, -1)
    np.testing.assert_array_equal(verts, fit.module.verts.detach().numpy())
    np.testing.assert_array_equal(faces, fit.module.faces.numpy())
    assert len(mesh_arrays(events, 0)[0]) == 42


def test_a_mesh_beyond_the_viewers_limit_is_written_coarser_and_says_so(tmp_path):
    start = icosphere(7, radius=0.5)
    assert start.num_verts > MAX_VERTS
    fit = Fit(tmp_path, start=start)
    fit.run(MeshLog(every_n_steps=0), stop_at=1)
    events = fit.events()
    verts, faces = mesh_arrays(events, 0)
    assert MAX_VERTS / 2 < len(verts) <= MAX_VERTS
    assert faces.max() < len(verts)
    np.testing.assert_allclose(np.linalg.norm(verts, axis=1), 0.5, rtol=0.01)
    description = events.SummaryMetadata("mesh/result_VERTEX").summary_description
    assert "coarser" in description
    assert f"{start.num_verts:,}" in description
    assert "mesh/result/text_summary" in events.Tags()["tensors"]


def with_world_on_its_side(fit):
    """What was y, and up in the images, is x."""
    views = fit.datamodule.train_views
    turn = torch.eye(4, dtype=torch.float64)
    turn[:2, :2] = torch.tensor([[0.0, -1.0], [1.0, 0.0]])
    cameras = replace(views.cameras, world_to_view=views.cameras.world_to_view @ turn)
    fit.datamodule.train_views = replace(views, cameras=cameras)
    return fit


def test_what_is_up_in_the_images_is_up_in_the_logged_mesh(tmp_path):
    start = icosphere(1, radius=0.5, center=(0.3, 0.0, 0.1))
    fit = with_world_on_its_side(Fit(tmp_path, start=start))
    fit.run(MeshLog(every_n_steps=0), stop_at=1)
    verts, faces = mesh_arrays(fit.events(), 0)
    x, y, z = start.verts.numpy().T
    np.testing.assert_allclose(verts, np.stack((-y, x, z), axis=1), atol=1e-7)
    np.testing.assert_array_equal(faces, start.faces.numpy())


def test_what_is_up_in_the_images_is_up_in_the_turntable(tmp_path, monkeypatch):
    fit = with_world_on_its_side(Fit(tmp_path))
    asked = []

    def noted(*args, up, **kwargs):
        asked.append(up)
        return turntable_cameras(*args, up=up, **kwargs)

    monkeypatch.setattr(turntable, "turntable_cameras", noted)
    fit.run(Turntable(tmp_path), logger=False)
    assert asked == [[1.0, 0.0, 0.0]]


def test_a_run_stopped_early_has_no_turntable(tmp_path):
    fit = Fit(tmp_path)
    fit.run(Turntable(tmp_path), stop_at=3)
    assert not (tmp_path / "turntable.gif").exists()


def test_a_run_that_goes_on_has_no_turntable_of_its_past(tmp_path):
    (tmp_path / "turntable.gif").write_bytes(b"of another mesh")
    Fit(tmp_path).run(Turntable(tmp_path), stop_at=3)
    assert not (tmp_path / "turntable.gif").exists()

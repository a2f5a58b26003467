"""What TensorBoard finds in a run's events."""

import io

import numpy as np
import pytest
from PIL import Image
from tensorboard.plugins.hparams import metadata as hparams_metadata
from tensorboard.util.tensor_util import make_ndarray

from lightning_rast.callbacks import Evaluation, Images, MeshLog, RunText, Scalars, Turntable
from lightning_rast.callbacks.mesh_log import MAX_VERTS
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
    assert {"heldout/iou_mean", "result/chamfer"} <= metrics


def mesh_arrays(events, index):
    return [
        make_ndarray(events.Tensors(f"mesh/result_{part}")[index].tensor_proto)[0]
        for part in ("VERTEX", "FACE", "COLOR")
    ]


def test_the_mesh_is_written_at_the_start_and_the_end(events, fit):
    assert steps_of(events, "mesh/result_VERTEX") == [0, STEPS]
    verts, faces, colors = mesh_arrays(events, -1)
    np.testing.assert_array_equal(verts, fit.module.verts.detach().numpy())
    np.testing.assert_array_equal(faces, fit.module.faces.numpy())
    assert colors.shape == verts.shape
    assert len(mesh_arrays(events, 0)[0]) == 42


def test_a_mesh_beyond_the_viewers_limit_is_written_coarser_and_says_so(tmp_path):
    start = icosphere(7, radius=0.5)
    assert start.num_verts > MAX_VERTS
    fit = Fit(tmp_path, start=start)
    fit.run(MeshLog(every_n_steps=0), stop_at=1)
    events = fit.events()
    verts, faces, _ = mesh_arrays(events, 0)
    assert MAX_VERTS / 2 < len(verts) <= MAX_VERTS
    assert faces.max() < len(verts)
    np.testing.assert_allclose(np.linalg.norm(verts, axis=1), 0.5, rtol=0.01)
    description = events.SummaryMetadata("mesh/result_VERTEX").summary_description
    assert "coarser" in description
    assert f"{start.num_verts:,}" in description
    assert "mesh/result/text_summary" in events.Tags()["tensors"]


def test_a_run_stopped_early_has_no_turntable(tmp_path):
    fit = Fit(tmp_path)
    fit.run(Turntable(tmp_path), stop_at=3)
    assert not (tmp_path / "turntable.gif").exists()

"""The live view: a real server, without a browser."""

import socket
import threading
import time
import urllib.request
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from lightning_rast.callbacks import Viewer, viewer_scene
from lightning_rast.cli import main
from lightning_rast.config import ViewerConfig
from lightning_rast.data.sources import MaskReading, ViewSource
from tests.callbacks.problem import STEPS, TARGET, Fit
from tests.patience import PATIENCE

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pytorch_lightning")
needs_viser = pytest.mark.skipif(
    not viewer_scene.has_viser(), reason="viser is not installed (the extra `viewer`)"
)


def settings(**values):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return ViewerConfig(enabled=True, port=free.getsockname()[1], **values)


@pytest.fixture
def viewer():
    viewer = Viewer(settings())
    yield viewer
    viewer._stop()


def bits(fit):
    return fit.module.verts.detach().numpy().tobytes(), fit.module.faces.numpy().tobytes()


@needs_viser
def test_the_mesh_has_the_same_bits_with_the_view(tmp_path, viewer):
    unwatched, watched = Fit(tmp_path / "a"), Fit(tmp_path / "b")
    unwatched.run(logger=False)
    watched.run(viewer, logger=False)
    assert bits(watched) == bits(unwatched)


@needs_viser
def test_the_page_is_served_to_this_machine_only(viewer):
    assert viewer.scene.server.get_host() == "127.0.0.1"
    with urllib.request.urlopen(viewer.scene.address) as answer:
        assert b"<html" in answer.read().lower()


@needs_viser
def test_a_port_in_use_makes_way_for_the_next_one(viewer):
    other = Viewer(viewer.settings)
    assert other.scene.address != viewer.scene.address
    other._stop()


@needs_viser
def test_what_is_shown_is_the_mesh_with_a_frustum_for_each_view(tmp_path, viewer, monkeypatch):
    scene = viewer.scene
    monkeypatch.setattr(viewer, "_stop", lambda: None)  # keeps what was shown
    fit = Fit(tmp_path)
    fit.run(viewer, logger=False)
    handle = scene.server.scene.get_handle_by_name("/mesh")
    np.testing.assert_array_equal(handle.vertices, fit.module.verts.detach().numpy())
    frustum = scene.server.scene.get_handle_by_name("/cameras/held_out/2")
    center = fit.datamodule.held_out_views.cameras.center_world[2]
    np.testing.assert_allclose(frustum.position, center.numpy(), atol=1e-6)
    assert scene.server.scene.get_handle_by_name("/cameras/train/4") is not None
    assert scene.server.scene.get_handle_by_name("/cameras/train/5") is None
    scene.stop()


@needs_viser
def test_a_frustum_looks_where_its_camera_does(tmp_path, viewer):
    from viser.transforms import SO3

    fit = Fit(tmp_path)
    views = fit.datamodule.train_views
    viewer.scene.add_cameras(views, center=torch.zeros(3).double(), is_held_out=False)
    frustum = viewer.scene.server.scene.get_handle_by_name("/cameras/train/1")
    forward = SO3(np.asarray(frustum.wxyz)).as_matrix()[:, 2]
    np.testing.assert_allclose(forward, views.cameras.look_direction[1].numpy(), atol=1e-6)


def test_at_first_one_looks_past_the_cameras():
    offsets = np.array([[1.0, 0.3, 0.0], [-1.0, 0.3, 0.0], [0.0, 0.3, 1.0]])
    direction = viewer_scene.free_direction(offsets, np.array([0.0, 1.0, 0.0]))
    assert direction[2] < -0.8
    assert direction[1] == pytest.approx(np.sin(np.radians(25)))


@needs_viser
def test_a_pause_holds_training_until_it_is_continued(tmp_path):
    viewer = Viewer(settings(start_paused=True))
    fit = Fit(tmp_path)
    training = threading.Thread(target=fit.run, args=(viewer,), kwargs={"logger": False})
    training.start()
    deadline = time.monotonic() + PATIENCE
    while not viewer.scene.resume_button.visible:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert not viewer.scene.pause_button.visible
    time.sleep(0.3)
    assert fit.module.global_step == 0
    viewer.resume()
    training.join(PATIENCE)
    assert fit.module.global_step == STEPS


@needs_viser
def test_a_run_that_is_asked_to_end_does_not_wait_in_a_pause(tmp_path):
    viewer = Viewer(settings(start_paused=True, keep_open=True), is_stopping=lambda: True)
    fit = Fit(tmp_path)
    fit.run(viewer, logger=False)
    assert fit.module.is_finished


@needs_viser
def test_the_page_stays_until_it_is_closed(tmp_path):
    viewer = Viewer(settings(keep_open=True))
    scene = viewer.scene
    fit = Fit(tmp_path)
    training = threading.Thread(target=fit.run, args=(viewer,), kwargs={"logger": False})
    training.start()
    deadline = time.monotonic() + PATIENCE
    while not scene.close_button.visible:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert fit.module.is_finished
    assert training.is_alive()
    viewer._closed.set()
    training.join(PATIENCE)
    assert not training.is_alive()


@needs_viser
def test_a_view_that_breaks_is_a_warning_and_training_goes_on(tmp_path, viewer, monkeypatch):
    monkeypatch.setattr(viewer.scene, "show", lambda *_: 1 / 0)
    fit = Fit(tmp_path)
    with pytest.warns(UserWarning, match="the live view has ended .*; training goes on"):
        fit.run(viewer, logger=False)
    assert fit.module.is_finished
    assert viewer.scene is None


def test_without_viser_the_command_says_how_to_get_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("lightning_rast.training.has_viser", lambda: False)
    from lightning_rast.scene import save_mesh

    save_mesh(TARGET, tmp_path / "ball.obj")
    config = tmp_path / "ball.yaml"
    config.write_text("data:\n  mesh: ball.obj\nviewer:\n  enabled: true\n")
    assert main(["--config", str(config), f"log.root={tmp_path / 'logs'}"]) == 2
    assert 'pip install "lightning_rast[viewer]"' in capsys.readouterr().err
    assert not (tmp_path / "logs").exists()


def test_without_viser_the_callback_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(viewer_scene, "has_viser", lambda: False)
    with pytest.raises(ModuleNotFoundError, match=r"lightning_rast\[viewer\]"):
        Viewer(ViewerConfig(enabled=True))


def photographed(folder):
    """Five views of which the second has a green photograph, and the third a damaged one."""
    views = Fit(folder).datamodule.train_views
    height, width = views.image_size
    Image.new("RGB", (2 * width, 2 * height), (20, 160, 40)).save(folder / "1.png")
    (folder / "2.png").write_bytes(b"no picture")
    sources = tuple(
        ViewSource(
            path=folder / "mask.png",
            how=MaskReading(),
            image_size=views.image_size,
            K=views.cameras.K[index],
            photograph=folder / f"{index}.png" if index in (1, 2) else None,
        )
        for index in range(len(views))
    )
    return replace(views, sources=sources)


@needs_viser
@pytest.mark.filterwarnings("ignore:cannot read photograph")
def test_a_frustum_shows_the_photograph_and_else_the_mask(tmp_path, viewer, monkeypatch):
    shown = []
    scene = viewer.scene.server.scene
    add = scene.add_camera_frustum
    monkeypatch.setattr(
        scene,
        "add_camera_frustum",
        lambda *args, **kwargs: shown.append(kwargs["image"]) or add(*args, **kwargs),
    )
    views = photographed(tmp_path)
    viewer.scene.add_cameras(views, center=torch.zeros(3).double(), is_held_out=False)
    assert tuple(shown[1][0, 0]) == (20, 160, 40)
    for image in (shown[0], shown[2]):
        assert (image[..., 0] == image[..., 1]).all()
        assert image.max() > 250


@needs_viser
def test_a_photograph_that_cannot_be_read_is_named(tmp_path, viewer):
    with pytest.warns(UserWarning, match=r"cannot read photograph .*2\.png.*shows the mask in"):
        viewer.scene.add_cameras(
            photographed(tmp_path), center=torch.zeros(3).double(), is_held_out=False
        )


@pytest.mark.filterwarnings("ignore:2 of 5 photographs")
def test_reading_photographs_does_not_hold_training_up_for_long(tmp_path):
    images = list(viewer_scene._images(photographed(tmp_path), 0.0))
    assert all((image[..., 0] == image[..., 1]).all() for image in images)


def test_photographs_that_there_is_no_time_for_are_counted(tmp_path):
    with pytest.warns(UserWarning, match="2 of 5 photographs would take too long"):
        list(viewer_scene._images(photographed(tmp_path), 0.0))


@needs_viser
def test_held_out_views_have_the_time_that_training_views_left(tmp_path, viewer, monkeypatch):
    given, clock = [], iter([0.0, 4.0, 10.0, 11.0])
    monkeypatch.setattr(viewer_scene, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    monkeypatch.setattr(
        viewer_scene, "_images", lambda views, left: given.append(left) or [None] * len(views)
    )
    for is_held_out in (False, True):
        views = Fit(tmp_path).datamodule.train_views
        viewer.scene.add_cameras(views, center=torch.zeros(3).double(), is_held_out=is_held_out)
    assert given == [5.0, 1.0]

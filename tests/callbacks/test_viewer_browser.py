"""The live view as a person sees it: a real browser draws what a real server sends."""

import threading

import pytest

from docs.figures.browser_tab import Tab, free_port
from docs.figures.tensorboard_pages import browser
from lightning_rast.callbacks import Viewer, viewer_scene
from lightning_rast.config import ViewerConfig
from tests.callbacks.problem import Fit

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(browser() is None, reason="no chromium on this machine"),
    pytest.mark.skipif(not viewer_scene.has_viser(), reason="viser is not installed"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]


def clay(pixels):
    red, green, blue = pixels.transpose(2, 0, 1)
    return int(((red > green + 8) & (green > blue + 8)).sum())


def blue(pixels):
    red, green, blue = pixels.transpose(2, 0, 1)
    return int(((blue > red + 60) & (blue > green + 20)).sum())


def test_the_page_shows_mesh_and_cameras_and_its_buttons_hold_and_release(tmp_path):
    viewer = Viewer(ViewerConfig(enabled=True, port=free_port(), start_paused=True, keep_open=True))
    fit = Fit(tmp_path / "run")
    training = threading.Thread(target=fit.run, args=(viewer,), kwargs={"logger": False})
    training.start()
    tab = Tab(viewer.scene.address)
    try:
        tab.wait_for(lambda: "Continue" in tab.text())
        tab.wait_for(lambda: clay(tab.pixels()) > 1000)
        assert blue(tab.pixels()) > 50
        assert "paused" in tab.text()
        assert fit.module.global_step == 0
        tab.press("Continue")
        tab.wait_for(lambda: "done" in tab.text())
        assert fit.module.is_finished
        tab.press("Close")
        training.join(60)
        assert not training.is_alive()
    finally:
        tab.close()
        viewer._closed.set()
        viewer.resume()

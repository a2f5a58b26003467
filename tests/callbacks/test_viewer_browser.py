"""The live view as a person sees it: a real browser draws what a real server sends."""

import base64
import io
import itertools
import json
import shutil
import socket
import subprocess
import time
import urllib.request

import numpy as np
import pytest
from PIL import Image

from lightning_rast.callbacks import Viewer, viewer_scene
from lightning_rast.config import ViewerConfig
from tests.callbacks.problem import Fit

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1000,700",
]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="no chromium on this machine"),
    pytest.mark.skipif(not viewer_scene.has_viser(), reason="viser is not installed"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]


class Tab:
    """A browser's tab, through the DevTools protocol: virtual time would not wait for a server."""

    def __init__(self, profile, address):
        from websockets.sync.client import connect  # comes with viser

        port = free_port()
        self._browser = subprocess.Popen(
            [
                *(BROWSER, *FLAGS, f"--user-data-dir={profile}"),
                *(f"--remote-debugging-port={port}", address),
            ],
            stderr=subprocess.DEVNULL,
        )
        self._numbers = itertools.count(1)
        deadline = time.monotonic() + 60
        while not (found := self._tabs(port)):
            assert time.monotonic() < deadline
            time.sleep(0.2)
        self._socket = connect(found[0]["webSocketDebuggerUrl"], max_size=None)

    @staticmethod
    def _tabs(port):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/json") as answer:
                return [tab for tab in json.load(answer) if tab["type"] == "page"]
        except OSError:
            return []

    def ask(self, method, **parameters):
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._socket.recv(timeout=60))
            if answer.get("id") == number:
                return answer["result"]

    def pixels(self):
        data = self.ask("Page.captureScreenshot", format="png")["data"]
        return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")).astype(int)

    def text(self):
        result = self.ask("Runtime.evaluate", expression="document.body.innerText")
        return result["result"].get("value", "")

    def press(self, label):
        script = f"""[...document.querySelectorAll("button")]
            .find((each) => each.innerText.trim() === {json.dumps(label)}).click()"""
        self.ask("Runtime.evaluate", expression=script)

    def wait_for(self, is_so):
        deadline = time.monotonic() + 90
        while not is_so():
            assert time.monotonic() < deadline
            time.sleep(0.3)

    def close(self):
        self._socket.close()
        self._browser.terminate()
        self._browser.wait()


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def clay(pixels):
    red, green, blue = pixels.transpose(2, 0, 1)
    return int(((red > green + 8) & (green > blue + 8)).sum())


def blue(pixels):
    red, green, blue = pixels.transpose(2, 0, 1)
    return int(((blue > red + 60) & (blue > green + 20)).sum())


def test_the_page_shows_mesh_and_cameras_and_its_buttons_hold_and_release(tmp_path):
    import threading

    viewer = Viewer(ViewerConfig(enabled=True, port=free_port(), start_paused=True, keep_open=True))
    fit = Fit(tmp_path / "run")
    training = threading.Thread(target=fit.run, args=(viewer,), kwargs={"logger": False})
    training.start()
    tab = Tab(tmp_path / "profile", viewer.scene.address)
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

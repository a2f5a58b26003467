"""A tab of a browser without a window, for pages that wait for a server.

Needs Chromium or Chrome (`tensorboard_pages.browser`) and websockets, which viser brings.
"""

import base64
import io
import itertools
import json
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from docs.figures.tensorboard_pages import PATIENCE, browser

FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
]


class Tab:
    """A browser's tab, through the DevTools protocol: virtual time would not wait for a server."""

    def __init__(self, address: str, *, size: tuple[int, int] = (1000, 700)) -> None:
        from websockets.sync.client import connect  # comes with viser

        port = free_port()
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self._browser = subprocess.Popen(
            [
                *(browser() or "", *FLAGS, f"--user-data-dir={self._profile.name}"),
                f"--window-size={size[0]},{size[1]}",
                *(f"--remote-debugging-port={port}", address),
            ],
            stderr=subprocess.DEVNULL,
        )
        self._numbers = itertools.count(1)
        deadline = time.monotonic() + PATIENCE
        while not (found := self._tabs(port)):
            assert time.monotonic() < deadline
            time.sleep(0.2)
        self._socket = connect(found[0]["webSocketDebuggerUrl"], max_size=None)

    @staticmethod
    def _tabs(port: int) -> list[dict[str, Any]]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/json") as answer:
                return [tab for tab in json.load(answer) if tab["type"] == "page"]
        except OSError:
            return []

    def ask(self, method: str, **parameters: Any) -> Any:
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._socket.recv(timeout=PATIENCE))
            if answer.get("id") == number:
                return answer["result"]

    def shape(self, size: tuple[int, int], *, dark: bool = False, scale: float = 1) -> None:
        """Pretend to be a screen of (width, height) pixels whose user likes it dark, or not."""
        width, height = size
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            **{"width": width, "height": height, "deviceScaleFactor": scale, "mobile": False},
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])

    def picture(self) -> Image.Image:
        data = self.ask("Page.captureScreenshot", format="png")["data"]
        return Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")

    def pixels(self) -> np.ndarray:
        return np.asarray(self.picture()).astype(int)

    def run(self, script: str) -> Any:
        """The value of an expression in the page."""
        return self.ask("Runtime.evaluate", expression=script)["result"].get("value")

    def text(self) -> str:
        return self.run("document.body.innerText") or ""

    def press(self, label: str) -> None:
        script = f"""[...document.querySelectorAll("button")]
            .find((each) => each.innerText.trim() === {json.dumps(label)}).click()"""
        self.run(script)

    def wait_for(self, is_so: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not is_so():
            assert time.monotonic() < deadline
            time.sleep(0.3)

    def close(self) -> None:
        self._socket.close()
        self._browser.terminate()
        self._browser.wait()
        self._profile.cleanup()


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]

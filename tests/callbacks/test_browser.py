"""TensorBoard as a person sees it: the pages are drawn by a real browser and looked at."""

import shutil
import socket
import subprocess
import sys
import time
import urllib.request

import numpy as np
import pytest
from PIL import Image

from lightning_rast.callbacks import Images, MeshLog, Scalars
from tests.callbacks.problem import Fit

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1200,900",
    "--virtual-time-budget=20000",
]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="no chromium on this machine"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """Of a TensorBoard that shows a finished run."""
    fit = Fit(tmp_path_factory.mktemp("run"))
    fit.run(
        Scalars(every_n_steps=2), Images(every_n_steps=0, num_views=2), MeshLog(every_n_steps=0)
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", fit.folder]
    server = subprocess.Popen(
        [*command, "--host", "127.0.0.1", "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}/"
    deadline = time.monotonic() + 60
    while not has_run(address):
        assert server.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.2)
    yield address
    server.terminate()
    server.wait()


def has_run(address):
    try:
        with urllib.request.urlopen(f"{address}data/runs") as answer:
            return answer.read() != b"[]"
    except OSError:
        return False


@pytest.fixture
def page(address, tmp_path):
    """The pixels (H, W, 3) of a tab."""

    def opened(tab):
        picture = tmp_path / "page.png"
        assert BROWSER is not None
        subprocess.run(
            [
                *(BROWSER, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}"),
                *(f"--screenshot={picture}", f"{address}?darkMode=false#{tab}"),
            ],
            check=True,
            timeout=120,
            capture_output=True,
        )
        return np.asarray(Image.open(picture).convert("RGB")).astype(int)

    return opened


def test_the_mesh_tab_shows_the_mesh_as_lit_clay(page):
    # Below the heading and right of the menu; clay is red > green > blue, in many shades.
    red, green, blue = page("mesh")[150:, 300:].transpose(2, 0, 1)
    clay = (red > green + 8) & (green > blue + 8)
    assert clay.mean() > 0.1
    assert len(np.unique(red[clay])) > 50


def test_the_images_tab_shows_both_signs_of_the_difference(page):
    red, green, blue = page("images")[150:, 300:].transpose(2, 0, 1)
    assert ((red > 190) & (green < 20) & (blue < 50)).sum() > 20
    assert ((blue > 180) & (red < 20) & (green < 110)).sum() > 20


def test_the_scalars_tab_shows_curves(page):
    pixels = page("scalars")[150:, 300:]
    is_line = (pixels.max(axis=2) - pixels.min(axis=2)) > 100
    assert is_line.sum() > 100

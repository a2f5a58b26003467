"""The page as a person sees it: opened as a file, offline, by a real browser."""

import re
import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image

from docs.figures.browser_tab import FLAGS
from docs.figures.tensorboard_pages import browser
from lightning_rast.page import page_html
from tests.page.run_facts import made_up
from tests.patience import PATIENCE

BROWSER = browser()
# A page in a file waits for nobody: virtual time loads it, takes the picture and ends.
ARGUMENTS = [
    *FLAGS,
    "--enable-logging=stderr",
    "--window-size=1200,900",
    "--virtual-time-budget=20000",
]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="no chromium on this machine"),
]


class Opened:
    """What the browser makes of the page: pixels (H, W, 3), the document, the console's lines."""

    def __init__(self, folder, *, dark=False):
        path = folder / "report.html"
        scheme = f"--blink-settings=preferredColorScheme={0 if dark else 1}"
        command = [BROWSER, *ARGUMENTS, scheme, f"--user-data-dir={folder / 'profile'}"]
        picture = folder / "page.png"
        told = self._run([*command, f"--screenshot={picture}", path.as_uri()])
        self.pixels = np.asarray(Image.open(picture).convert("RGB")).astype(int)
        self.console = [
            line
            for line in told.stderr.splitlines()
            if "CONSOLE" in line and "GPU stall" not in line
        ]
        self.document = self._run([*command, "--dump-dom", path.as_uri()]).stdout

    @staticmethod
    def _run(command):
        return subprocess.run(command, check=True, timeout=PATIENCE, capture_output=True, text=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    (folder / "report.html").write_text(page_html(made_up(folder)))
    return folder


@pytest.fixture(scope="module")
def opened(folder):
    return Opened(folder)


def is_clay(pixels):
    red, green, blue = pixels.transpose(2, 0, 1)
    return (red > green + 8) & (green > blue + 8)


def test_the_viewer_shows_the_mesh_as_lit_clay(opened):
    clay = is_clay(opened.pixels[:, :800])
    assert clay.sum() > 20_000
    assert len(np.unique(opened.pixels[:, :800, 0][clay])) > 50


def test_the_viewer_says_that_it_is_ready(opened):
    assert re.search(r'id="viewer"[^>]*data-state="ready"', opened.document)


def test_the_console_has_nothing_to_complain_of(opened):
    assert opened.console == []


def test_a_dark_desktop_gets_a_dark_page(folder, opened):
    dark = Opened(folder, dark=True)
    assert opened.pixels[5, 5].min() > 200
    assert dark.pixels[5, 5].max() < 60
    assert is_clay(dark.pixels[:, :800]).sum() > 20_000
    assert dark.console == []


def test_without_webgl_the_page_says_so_and_shows_the_rest(folder, tmp_path):
    shutil.copy(folder / "report.html", tmp_path)
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-3d-apis"]
    command += ["--disable-software-rasterizer", "--virtual-time-budget=10000", "--dump-dom"]
    uri = (tmp_path / "report.html").as_uri()
    document = Opened._run([*command, f"--user-data-dir={tmp_path / 'p'}", uri]).stdout
    assert 'data-state="failed"' in document
    assert "this browser has no WebGL" in document

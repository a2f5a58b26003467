"""TensorBoard as a person sees it: the pages are drawn by a real browser and looked at."""

import numpy as np
import pytest
from PIL import Image

from docs.figures.tensorboard_pages import browser, photograph, served, tab_address
from lightning_rast.callbacks import Evaluation, Images, MeshLog, RunText, ScalarLayout, Scalars
from tests.callbacks.problem import Fit

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(browser() is None, reason="no chromium on this machine"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """Of a TensorBoard that shows a finished run."""
    fit = Fit(tmp_path_factory.mktemp("run"))
    fit.run(
        Scalars(every_n_steps=2),
        ScalarLayout("pyramid"),
        Evaluation(every_n_steps=2),
        RunText(fit.config),
        Images(every_n_steps=0, num_views=2),
        MeshLog(every_n_steps=0),
    )
    with served(fit.folder) as address:
        yield address


@pytest.fixture
def page(address, tmp_path):
    """The pixels (H, W, 3) of a tab."""

    def opened(tab):
        picture = tmp_path / "page.png"
        photograph(tab_address(address, tab), picture)
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


@pytest.mark.parametrize("tab", ["scalars", "custom_scalars"])
def test_the_scalars_tabs_show_curves(page, tab):
    pixels = page(tab)[150:, 300:]
    is_line = (pixels.max(axis=2) - pixels.min(axis=2)) > 100
    assert is_line.sum() > 100

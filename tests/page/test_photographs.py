"""Photographs on the page: where there are some, small, and never at the price of a large page."""

import json
import re

import pytest
from PIL import Image

from benchmarks.doctor_cases import saved
from docs.figures.browser_tab import Tab
from docs.figures.tensorboard_pages import browser
from lightning_rast.data import load_views
from lightning_rast.page import page as page_module
from lightning_rast.page import page_html
from lightning_rast.page.facts import Facts, scored_views
from lightning_rast.page.photographs import photographs
from tests.page.run_facts import RESULT, rendered


@pytest.fixture
def folder(tmp_path):
    folder = saved(rendered(5, "view"), tmp_path / "ball")
    (folder / "images").mkdir()
    content = json.loads((folder / "cameras.json").read_text())
    for view in content["views"]:
        view["image"] = view["mask"].replace("masks", "images")
        Image.effect_noise((192, 192), 90).convert("RGB").save(folder / view["image"])
    (folder / "cameras.json").write_text(json.dumps(content))
    return folder


def facts_of(folder):
    views = load_views(folder)
    scored = [scored_views(RESULT, views, is_held_out=False)]
    return Facts(name="ball/version_0", metrics={}, mesh=RESULT, scored=scored)


def pictures(page):
    return re.findall(r'src="(data:image/(?:webp|jpeg);base64,[^"]*)"', page)


def test_each_view_with_a_photograph_shows_it(folder):
    page = page_html(facts_of(folder))
    assert len(pictures(page)) == 5
    assert 'id="show-photographs"' in page
    assert "outline of the mesh" in page


def test_views_without_photographs_have_no_button_for_them(folder):
    facts = facts_of(saved(rendered(5, "view"), folder / "other"))
    page = page_html(facts)
    assert pictures(page) == []
    assert 'id="show-photographs"' not in page
    assert "over-photographs" not in re.search(r'<ul id="views"[^>]*>', page)[0]


def test_in_little_room_photographs_are_smaller_and_then_left_out(folder):
    shown = [(facts_of(folder).scored[0], index) for index in range(5)]
    urls, notes = photographs(shown, 10**9)
    total = sum(len(url) for url in urls)
    assert notes == []
    # The tiles are 48 px here; at all sizes they are the same.
    fitting, notes = photographs(shown, total)
    assert fitting == urls
    missing, notes = photographs(shown, total - 1)
    assert missing == [None] * 5
    assert notes == ["The photographs are left out: with them, the page would be too large."]


def test_a_page_without_room_says_that_photographs_are_left_out(folder, monkeypatch):
    monkeypatch.setattr(page_module, "MOST_CHARACTERS", 1000)
    page = page_html(facts_of(folder))
    assert pictures(page) == []
    assert "The photographs are left out" in page


def test_photographs_that_cannot_be_read_are_noted_without_their_folder(folder):
    facts = facts_of(folder)
    for name in ("view_001", "view_003"):
        (folder / "images" / f"{name}.png").write_bytes(b"no picture")
    page = page_html(facts)
    assert len(pictures(page)) == 3
    assert "Not shown: cannot read photograph …/" in page
    assert "and 1 more likewise." in page
    assert str(folder) not in page


@pytest.mark.slow
@pytest.mark.skipif(browser() is None, reason="no chromium on this machine")
def test_the_button_puts_photographs_behind_the_views_and_takes_them_away(folder, tmp_path):
    (tmp_path / "report.html").write_text(page_html(facts_of(folder)))
    tab = Tab((tmp_path / "report.html").as_uri())

    def shown():
        seen = "[...document.querySelectorAll('#views img')].filter(i => i.offsetWidth)"
        return tab.run(f"{seen}.map(i => i.className || 'difference').join()")

    try:
        tab.wait_for(lambda: bool(tab.run("document.querySelector('#viewer')?.dataset.state")))
        assert shown() == ",".join(["photograph"] * 5)
        tab.press("Photographs")
        assert shown() == ",".join(["difference"] * 5)
        tab.press("Photographs")
        tab.run("document.querySelector('#views button').click()")
        src = tab.run("document.querySelector('dialog img').src")
        assert src in pictures((tmp_path / "report.html").read_text())
    finally:
        tab.close()

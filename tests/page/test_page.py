"""The page as text: it holds what it should, and nothing that leads out of it."""

import base64
import json
import re
import zlib
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
import trimesh

from lightning_rast.callbacks.clustering import clustered
from lightning_rast.config import Config
from lightning_rast.data.sources import MaskReading, ViewSource
from lightning_rast.page import gathered, page_html, written_page
from lightning_rast.page import page as page_module
from lightning_rast.page.charts import Series, line_chart, ticks
from lightning_rast.page.course import rungs
from lightning_rast.page.markup import Markup, element
from lightning_rast.page.numbers import score, seconds
from lightning_rast.page.paths import short_path, with_short_paths_in
from lightning_rast.page.pictures import TOO_LITTLE, TOO_MUCH, difference
from lightning_rast.page.remarks import remarks
from tests.page.run_facts import CURVES, METRICS, RESULT, made_up, rendered


class Tags(HTMLParser):
    """All start tags with their attributes, and the text outside of scripts and styles."""

    def __init__(self, page):
        super().__init__()
        self.found, self.open, self.text = [], [], ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] not in ("script", "style"):
            self.text += data

    def of(self, name):
        return [attributes for tag, attributes in self.found if tag == name]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    return page_html(made_up(tmp_path_factory.mktemp("run")))


def test_every_element_is_closed(page):
    assert Tags(page).open == []


def test_nothing_is_fetched(page):
    for tag, attributes in Tags(page).found:
        for name in ("src", "href", "srcset", "poster", "data"):
            value = attributes.get(name) or "data:"
            assert value.startswith("data:"), (tag, value)
    assert not re.search(r"url\(|@import", Tags(page).text)
    # A name, not an address: three.js makes its canvas with it.
    outside = set(re.findall(r"https?://[\w./-]+", page)) - {"http://www.w3.org/1999/xhtml"}
    assert outside == set()


def test_the_policy_allows_the_pages_own_scripts_and_nothing_else(page):
    policy = next(
        attributes["content"] for attributes in Tags(page).of("meta") if "http-equiv" in attributes
    )
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy


def test_no_attribute_needs_a_style_or_a_script_that_the_policy_forbids(page):
    for tag, attributes in Tags(page).found:
        assert "style" not in attributes, tag
        assert not any(name.startswith("on") for name in attributes), tag


def test_each_view_has_a_picture_and_its_iou(page):
    tiles = [each for each in Tags(page).of("li") if "data-iou" in each]
    pictures = [each for each in Tags(page).of("img") if "target against mesh" in each["alt"]]
    assert len(tiles) == len(pictures) == 7
    assert all(0.9 < float(tile["data-iou"]) <= 1 for tile in tiles)


def test_held_out_views_are_marked(page):
    marks = [each for each in Tags(page).of("span") if each.get("class") == "pill held-out"]
    assert len(marks) == 2


def test_scores_stand_beside_those_of_the_hull_and_of_the_start(page):
    text = Tags(page).text
    for heading in ("result", "hull 256³", "start (hull)"):
        assert heading in text
    assert "50 % less than that of: hull 256³" in text  # .03 of error in place of .06


def test_the_mesh_in_the_page_is_the_mesh(page):
    packed = re.search(r'id="mesh-data">([^<]*)<', page)[1]
    glb = zlib.decompress(base64.b64decode(packed))
    scene = trimesh.load(trimesh.util.wrap_as_stream(glb), file_type="glb")
    found = scene.to_geometry()
    assert len(found.faces) == RESULT.num_faces
    np.testing.assert_allclose(found.bounds, RESULT.bounds.numpy(), atol=1e-6)


def test_the_cameras_in_the_page_stand_where_the_views_were_taken(tmp_path):
    facts = made_up(tmp_path)
    data = json.loads(re.search(r'id="camera-data">([^<]*)<', page_html(facts))[1])
    cameras = facts.scored[0].views.cameras
    pose = torch.tensor(data["views"][0]["pose"], dtype=torch.float64).reshape(4, 4)
    torch.testing.assert_close(pose[:3, 3], cameras.center_world[0], atol=1e-6, rtol=0)
    left, right, bottom, top = data["views"][0]["corners"]
    assert right == pytest.approx(-left, abs=1e-6)
    assert top == pytest.approx(-bottom, abs=1e-6)
    assert top == pytest.approx(24 / float(cameras.K[0, 1, 1]), rel=1e-6)
    assert [view["held_out"] for view in data["views"]] == [True] * 2 + [False] * 5


def test_names_cannot_bring_markup_into_the_page(tmp_path):
    evil = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'"
    facts = made_up(
        tmp_path, prefix=evil, disagreeing_views=[f"{evil}_000"], device=evil, warnings=[evil]
    )
    page = page_html(facts)
    tags = Tags(page)
    assert len(tags.of("script")) == 5
    assert tags.open == []
    assert not any("onerror" in attributes for _, attributes in tags.found)
    assert "alert(1)</script>" not in page


def test_what_the_run_warned_of_is_told_once(tmp_path):
    page = page_html(made_up(tmp_path, warnings=["masks/3.png: looks inverted"] * 2))
    assert page.count("masks/3.png: looks inverted") == 1


def test_a_run_that_was_stopped_is_called_so(tmp_path):
    page = page_html(made_up(tmp_path, finished=False))
    assert "stopped early" in page
    assert "--resume continues it" in page


def test_a_run_without_views_curves_or_scores_still_has_a_page(tmp_path):
    from lightning_rast.page import Facts

    page = page_html(Facts(name="a/version_0", metrics={}, mesh=RESULT))
    assert Tags(page).open == []
    assert "no TensorBoard events" in page


def test_a_large_mesh_is_shown_coarser_and_the_page_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(page_module, "MOST_VERTS", 100)
    page = written_page(made_up(tmp_path), simplify=clustered)
    assert "Shown coarser than it is" in page
    assert len(page) < len(page_html(made_up(tmp_path)))


def test_many_views_are_not_all_pictured_but_the_worst_are(tmp_path, monkeypatch):
    from lightning_rast.page import view_tiles

    monkeypatch.setattr(view_tiles, "_MOST_PICTURES", 4)
    facts = made_up(tmp_path)
    page = page_html(facts)
    tiles = [float(each["data-iou"]) for each in Tags(page).of("li") if "data-iou" in each]
    worst = min(iou for group in facts.scored for iou in group.ious)
    assert len(tiles) < 7
    assert min(tiles) == pytest.approx(worst, abs=1e-6)
    assert "more views have no picture here" in page


def test_differences_have_the_colour_of_their_sign():
    target, prediction = np.array([[1.0, 0.0, 0.0]]), np.array([[0.0, 1.0, 0.0]])
    pixels = difference(target, prediction, np.ones((1, 3), dtype=bool))
    assert tuple(pixels[0, 0]) == (*TOO_LITTLE, 255)
    assert tuple(pixels[0, 1]) == (*TOO_MUCH, 255)
    assert pixels[0, 2, 3] == 0


def test_text_is_escaped_and_markup_is_not():
    made = element("p", "a < b", Markup("<b>c</b>"), title='"', hidden=True, id=None)
    assert made == '<p title="&quot;" hidden>a &lt; b<b>c</b></p>'


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 100, [0, 20, 40, 60, 80, 100]),
        (0.986, 0.9995, [0.986, 0.988, 0.99, 0.992, 0.994, 0.996, 0.998]),
    ],
)
def test_ticks_are_round_numbers(low, high, expected):
    assert ticks(low, high) == pytest.approx(expected)


def test_a_logarithmic_axis_leaves_out_what_it_has_no_place_for():
    chart = line_chart(
        "loss", [Series("a", [(0, 0.0), (1, 10.0), (2, 1.0)], "c1")], y_label="", log=True
    )
    assert chart.count("<circle") == 2


def test_a_single_value_can_be_drawn():
    assert "<circle" in line_chart("iou", [Series("a", [(0, 1.0)], "c1")], y_label="", highest=1.0)


def test_nothing_is_drawn_of_no_values():
    assert line_chart("iou", [Series("a", [(0, float("nan"))], "c1")], y_label="") is None


def test_bands_are_the_rungs_in_steps():
    found = [(band.first, band.last, band.name) for band in rungs(METRICS["stages"])]
    assert found == [(4, 31, "1"), (31, 33, "2")]


def test_views_that_disagree_are_named():
    (text,) = remarks({"finished": True, "disagreeing_views": ["a", "b"]}, None)
    assert "2 views disagree" in text
    assert "a, b" in text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.4844, "0.48 s"), (59.6, "1 min 0 s"), (12.3, "12 s"), (3720, "1 h 2 min")],
)
def test_seconds_are_written_as_people_say_them(value, text):
    assert seconds(value) == text


def test_a_long_path_is_shown_by_its_end():
    from lightning_rast.page.sections import _plain

    assert _plain("/home/somebody/scans/data/models/kettle.glb") == "…/data/models/kettle.glb"
    assert _plain("models/kettle.glb") == "models/kettle.glb"
    assert _plain("") == "''"


def test_small_distances_keep_their_digits():
    assert [score(x) for x in (0.99752, 0.001359, None)] == ["0.9975", "0.00136", "–"]


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/home/somebody/cow.obj", "…/cow.obj"),
        ("C:\\Users\\somebody\\data\\cow.obj", "…/data/cow.obj"),
        ("data/models/cow.obj", "data/models/cow.obj"),
        ("../../../data/models/cow.obj", "…/data/models/cow.obj"),
    ],
)
def test_a_path_is_shown_without_whose_home_it_is_in(path, shown):
    assert short_path(path) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/home/somebody/a/masks/3.png: looks inverted", "…/a/masks/3.png: looks inverted"),
        ("empty mask: /home/somebody/x/3.png; left out.", "empty mask: …/x/3.png; left out."),
        ("C:\\Users\\somebody\\a\\b.png is grey", "…/a/b.png is grey"),
        ("see '../../../up/there/is/it.png'", "see '…/there/is/it.png'"),
        ("1/2 of the views and/or masks/3.png", "1/2 of the views and/or masks/3.png"),
        ("https://example.org/home/a/b/c is no path", "https://example.org/home/a/b/c is no path"),
        ("cameras/masks at /", "cameras/masks at /"),
        ("faster by 3 px /s", "faster by 3 px /s"),
        ("\\\\server\\client\\x\\3.png is grey", "…/x/3.png is grey"),
        ("'C:\\\\Users\\\\jane\\\\x\\\\3.png'", "'…/x/3.png'"),
        ("see file:///home/jane/x/y.png", "see …/x/y.png"),
        ("/home/jane/set (old)/x/3.png", "…/set (old)/x/3.png"),
        ("no /home/Jane M Doe/x/3.png", "no …/x/3.png"),
        ("C:\\Users\\Jane Doe\\x\\3.png is grey", "…/x/3.png is grey"),
        ("from /home/jane to masks/3.png", "from …/jane to masks/3.png"),
    ],
)
def test_paths_in_a_sentence_are_shortened(text, shown):
    assert with_short_paths_in(text) == shown


def test_a_home_with_a_space_is_not_told(monkeypatch):
    monkeypatch.setenv("HOME", "/home/Jane Doe")
    assert with_short_paths_in("/home/Jane Doe/photos/a/3.png: dark") == "…/photos/a/3.png: dark"


def test_a_windows_home_with_a_space_is_not_told(monkeypatch):
    monkeypatch.setattr("pathlib.Path.home", lambda: "C:\\Users\\Jane Doe")
    text = "C:\\Users\\Jane Doe\\photos\\a\\3.png: dark"
    assert with_short_paths_in(text) == "…/photos/a/3.png: dark"
    assert with_short_paths_in(text.replace("\\", "/")) == "…/photos/a/3.png: dark"


@pytest.mark.parametrize(
    ("known", "text", "shown"),
    [
        ("/mnt/Jane Doe/scan 1", "/mnt/Jane Doe/scan 1/x/3.png: dark", "…/scan 1/x/3.png: dark"),
        ("/mnt/Jane Doe/scan 1/", "no /mnt/Jane Doe/scan 1.", "no …/scan 1."),
        ("/home/j/set (old)", "/home/j/set (old)/x/3.png", "…/set (old)/x/3.png"),
        ("D:\\Jane Doe\\x\\scan 1", "D:/Jane Doe/x/scan 1/3.png", "…/scan 1/3.png"),
        ("masks", "masks/3.png of /a/masks", "masks/3.png of …/masks"),
    ],
)
def test_a_known_folder_is_shortened_whatever_its_name_holds(known, text, shown):
    assert with_short_paths_in(text, [known]) == shown


def test_a_warning_does_not_tell_where_a_known_folder_with_a_space_is():
    notes = remarks({}, None, ["/mnt/Jane Doe/scans/3.png: dark"], ["/mnt/Jane Doe/scans"])
    assert list(notes) == ["…/scans/3.png: dark"]


def test_warnings_on_the_page_do_not_tell_where_the_run_and_its_views_lie(tmp_path):
    folder = tmp_path / "of jane" / "x" / "y"
    source = ViewSource(
        path=folder / "scan 1" / "3 a.png",
        how=MaskReading(),
        image_size=(48, 48),
        K=torch.eye(3),
        photograph=folder / "scan 1" / "3 b.jpg",
    )
    texts = [f"{source.path}: dark", f"cannot read {source.photograph}", f"no {folder}/ball/x"]
    views = replace(rendered(1, "view"), sources=(source,))
    facts = gathered(
        folder / "ball",
        Config(name="ball"),
        RESULT,
        views,
        None,
        metrics={"warnings": texts},
        curves=CURVES,
    )
    assert not any("of jane" in text for text in facts.warnings)


def test_warnings_on_the_page_do_not_tell_whose_home_it_is(tmp_path):
    page = page_html(made_up(tmp_path, warnings=["/home/somebody/scans/masks/3.png: dark"]))
    assert "/home/somebody" not in page
    assert "…/scans/masks/3.png: dark" in page

"""`lightning-rast doctor`: what it prints, writes and returns."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from benchmarks.doctor_cases import axes, inverted, saved
from lightning_rast.data import Views, orbit_cameras, synthetic_views, view_directions
from lightning_rast.doctor.command import main
from lightning_rast.doctor.diagnosis import diagnose
from lightning_rast.doctor.examination import appended
from lightning_rast.doctor.odd_views import OddView
from lightning_rast.scene import load_mesh
from tests.conftest import REPOSITORY


@pytest.fixture(scope="module")
def views() -> Views:
    mesh = load_mesh(REPOSITORY / "data" / "models" / "kettle.glb")
    return synthetic_views(
        mesh, orbit_cameras(mesh, view_directions("fibonacci", 8), image_size=96)
    )


def test_good_data_return_0_and_say_so(
    views: Views, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    folder = saved(views, tmp_path / "kettle")
    assert main([str(folder), "--no-pictures"]) == 0
    printed = capsys.readouterr().out
    assert "cameras and masks agree: mean IoU 0.9" in printed
    assert "view_007" in printed


def test_the_line_that_is_named_mends_the_data(
    views: Views, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    folder = saved(axes(1, -1, -1)(views), tmp_path / "kettle")
    assert main([str(folder), "--no-pictures"]) == 3
    line = "data.fix=[opengl_axes]"
    assert line in capsys.readouterr().out
    assert main([str(folder), "--no-pictures", line]) == 0


def test_a_superfluous_remedy_is_taken_out_instead_of_applied_twice(
    views: Views, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    folder = saved(views, tmp_path / "kettle")
    assert main([str(folder), "--no-pictures", "data.fix=[opengl_axes]"]) == 3
    printed = capsys.readouterr().out
    assert "data.fix has one remedy too many: opengl_axes" in printed
    assert "    data.fix=[]\n" in printed
    assert "cameras have OpenGL" not in printed


@pytest.mark.parametrize(
    ("given", "found", "left"),
    [
        (["flip_x", "rotate_90"], ["rotate_270"], ["flip_x"]),
        (["next_camera"], ["previous_camera", "flip_y"], ["flip_y"]),
        (["flip_y", "opengl_axes"], ["flip_y"], ["flip_y", "opengl_axes", "flip_y"]),
        (["scale_intrinsics"], ["scale_intrinsics"], ["scale_intrinsics", "scale_intrinsics"]),
        (["order_as_text"], ["order_as_numbers"], ["order_as_text", "order_as_numbers"]),
    ],
)
def test_only_neighbours_that_undo_each_other_are_taken_out(
    given: list[str], found: list[str], left: list[str]
):
    assert appended(given, found)[0] == left


def test_a_single_view_is_refused(views: Views, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    folder = saved(views[[0]], tmp_path / "kettle")
    assert main([str(folder), "--no-pictures"]) == 2
    assert "two or more views" in capsys.readouterr().err


def test_ctrl_c_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("lightning_rast.doctor.examination.examine", interrupted)
    assert main([str(tmp_path)]) == 130
    assert capsys.readouterr().err == "stopped\n"


def test_quiet_names_a_view_that_is_wrong_among_good_ones(
    views: Views,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    odd = OddView(4, "view_004", 0.1, "is inverted")
    found = replace(diagnose(views), odd=(odd,))
    monkeypatch.setattr("lightning_rast.doctor.examination.diagnose", lambda *_, **__: found)
    folder = saved(views, tmp_path / "kettle")
    assert main([str(folder), "--no-pictures", "--quiet"]) == 0
    assert capsys.readouterr().err == (
        "a view that disagrees with the others:\n    view_004: its mask is inverted (IoU 0.10)\n"
    )


@pytest.mark.filterwarnings("ignore:.*is the mask inverted")
def test_inverted_masks_have_a_key_of_their_own(
    views: Views, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    folder = saved(inverted(views), tmp_path / "kettle")
    assert main([str(folder), "--no-pictures"]) == 3
    assert "data.invert_masks=true" in capsys.readouterr().out
    assert main([str(folder), "--no-pictures", "data.invert_masks=true"]) == 0


def test_pictures_are_written(views: Views, tmp_path: Path):
    folder = saved(views, tmp_path / "kettle")
    main([str(folder), "--out", str(tmp_path / "out")])
    for name in ("sheet.png", "rig.png"):
        with Image.open(tmp_path / "out" / name) as picture:
            assert len(picture.convert("RGB").getcolors(2**24) or []) > 100


def test_json_holds_every_view(views: Views, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    folder = saved(views, tmp_path / "kettle")
    main([str(folder), "--no-pictures", "--json"])
    content = json.loads(capsys.readouterr().out)
    assert content["agree"] is True
    assert [view["name"] for view in content["views"]] == list(views.names)


def test_quiet_says_nothing_of_good_data(
    views: Views, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    folder = saved(views, tmp_path / "kettle")
    main([str(folder), "--no-pictures", "--quiet"])
    printed = capsys.readouterr()
    assert printed.out + printed.err == ""


def test_quiet_says_what_is_wrong(views: Views, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    folder = saved(axes(1, -1, -1)(views), tmp_path / "kettle")
    main([str(folder), "--no-pictures", "--quiet"])
    assert "data.fix=[opengl_axes]" in capsys.readouterr().err


def test_an_unreadable_folder_returns_2_and_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert main([str(tmp_path / "nothing")]) == 2
    assert "nothing" in capsys.readouterr().err


def test_a_config_names_the_data(views: Views, tmp_path: Path):
    saved(views, tmp_path / "kettle")
    config = tmp_path / "my.yaml"
    config.write_text("data: {kind: masks, folder: kettle}\n", encoding="utf-8")
    assert main([str(config), "--no-pictures"]) == 0


def test_a_config_of_a_rendered_mesh_is_refused(
    capsys: pytest.CaptureFixture[str],
):
    assert main([str(REPOSITORY / "configs" / "kettle.yaml")]) == 2
    assert "always agree" in capsys.readouterr().err


def test_an_unknown_fix_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main([str(tmp_path), "data.fix=[flip]"]) == 2
    assert "data.fix" in capsys.readouterr().err

"""`lightning-rast export`: what it writes and says, and how it refuses."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from lightning_rast.data import orbit_cameras, synthetic_views, view_directions
from lightning_rast.data.suspicions import mirror_suspicion
from lightning_rast.export.command import main
from lightning_rast.scene import Mesh, cube, icosphere, load_asset, load_mesh, save_mesh


@pytest.fixture
def box(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    save_mesh(cube(size=2.0), "box.ply")
    return Path("box.ply")


def refused(capsys, *argv: str) -> str:
    assert main(argv) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    return printed.err


@pytest.mark.parametrize("suffix", ["obj", "ply", "glb", "stl"])
def test_a_mesh_is_written_with_a_report_beside_it(box, capsys, suffix):
    assert main([str(box), f"out.{suffix}"]) == 0
    assert load_mesh(f"out.{suffix}").volume.item() == pytest.approx(8)
    report = json.loads(Path(f"out.{suffix}.report.json").read_text())
    assert report["file"] == f"out.{suffix}"
    assert report["volume"] == pytest.approx(8)
    said = capsys.readouterr().out
    assert f"wrote out.{suffix}" in said
    assert "watertight              yes" in said


def test_each_mesh_has_a_report_of_its_own(box):
    for name in ("out.obj", "out.ply"):
        assert main([str(box), name, "--quiet"]) == 0
    reports = sorted(Path().glob("*.report.json"))
    assert [json.loads(path.read_text())["file"] for path in reports] == ["out.obj", "out.ply"]


def test_units_scale_to_metres_by_default(box):
    assert main([str(box), "out.glb", "--units", "mm"]) == 0
    assert load_mesh("out.glb").bounds[1].tolist() == pytest.approx([1e-3] * 3)
    assert json.loads(Path("out.glb.report.json").read_text())["unit"] == "m"


def test_units_may_name_the_target(box):
    assert main([str(box), "out.stl", "--units", "m:mm", "--scale", "2"]) == 0
    assert load_mesh("out.stl").bounds[1].tolist() == pytest.approx([2000.0] * 3)


def test_up_turns_the_mesh(box):
    mesh = load_asset(box).mesh
    save_mesh(mesh.with_verts(mesh.verts + mesh.verts.new_tensor([0.0, 0.0, 5.0])), "high.ply")
    assert main(["high.ply", "out.glb", "--up", "z"]) == 0
    assert load_mesh("out.glb").bounds[1].tolist() == pytest.approx([1, 6, 1])


@pytest.mark.parametrize(("given", "index"), [(["--mirror"], 0), (["--mirror", "z"], 2)])
def test_mirror_writes_the_mirror_image(box, capsys, given, index):
    mesh = load_mesh(box)
    save_mesh(mesh.with_verts(mesh.verts + torch.tensor([3.0, 4.0, 5.0])), "away.ply")
    assert main(["away.ply", "out.glb", *given]) == 0
    expected = [3.0, 4.0, 5.0]
    expected[index] *= -1
    mirrored = load_mesh("out.glb")
    assert mirrored.bounds.mean(dim=0).tolist() == pytest.approx(expected)
    assert mirrored.volume.item() == pytest.approx(8)
    assert "watertight              yes" in capsys.readouterr().out


@pytest.fixture
def mirrored_run(box) -> Path:
    """A run's folder, with what training records of cameras that mirror the world."""
    ball = icosphere(1)
    cameras = orbit_cameras(ball, view_directions("fibonacci", 8), image_size=32)
    mirror = torch.tensor([[-1.0], [1.0], [1.0]])
    views = synthetic_views(ball, cameras)
    told = list(mirror_suspicion(replace(views, cameras=replace(cameras, K=mirror * cameras.K))))
    assert len(told) == 1
    Path("run").mkdir()
    box.rename("run/mesh.ply")
    Path("run/metrics.json").write_text(json.dumps({"warnings": told}))
    return Path("run")


def test_a_run_whose_cameras_mirror_is_exported_with_a_note(mirrored_run, capsys):
    assert main([str(mirrored_run), "out.glb", "--no-report"]) == 0
    assert "note: the cameras of this run mirror the world" in capsys.readouterr().err


def test_a_mirrored_run_is_exported_without_a_note(mirrored_run, capsys):
    assert main([str(mirrored_run), "out.glb", "--no-report", "--mirror"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("record", ["", "[]", '{"warnings": null}', '{"warnings": ["other"]}'])
def test_other_records_of_a_run_give_no_note(mirrored_run, capsys, record):
    (mirrored_run / "metrics.json").write_text(record)
    assert main([str(mirrored_run), "out.glb", "--no-report"]) == 0
    assert capsys.readouterr().err == ""


def test_a_run_is_named_by_its_folder(box):
    Path("run").mkdir()
    box.rename("run/mesh.ply")
    assert main(["run", "out.obj", "--no-report", "--quiet"]) == 0
    assert sorted(path.name for path in Path().iterdir()) == ["out.obj", "run"]


def test_report_writes_nothing(box, capsys):
    assert main(["--report", str(box)]) == 0
    assert [path.name for path in Path().iterdir()] == ["box.ply"]
    assert "box.ply: sound" in capsys.readouterr().out


def test_json_goes_to_stdout_alone(box, capsys):
    assert main(["--report", "--json", "--quiet", str(box)]) == 0
    assert json.loads(capsys.readouterr().out)["is_sound"] is True


def test_what_the_page_says_of_a_solid_that_crosses_itself_json_says_too(box, capsys):
    first, second = cube(), cube(center=(0.5, 0.4, 0.3))
    faces = torch.cat([first.faces, second.faces + first.num_verts])
    save_mesh(Mesh(torch.cat([first.verts, second.verts]), faces), "two.ply")
    assert main(["two.ply", "out.obj"]) == 0
    assert "a closed solid, but it passes through itself" in capsys.readouterr().out
    report = json.loads(Path("out.obj.report.json").read_text())
    assert (report["is_sound"], report["is_closed_solid"]) == (False, True)


@pytest.mark.parametrize("argv", [["--report", "box.ply"], ["box.ply", "out.ply"]])
@pytest.mark.parametrize("scale", ["1e300", "1e38"])
def test_a_scale_beyond_float32_is_refused(box, capsys, argv, scale):
    save_mesh(cube(size=20.0), "box.ply")
    assert "the scale takes positions beyond float32" in refused(capsys, *argv, "--scale", scale)
    assert [path.name for path in Path().iterdir()] == ["box.ply"]


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["box.ply"], "name a file to write, or give --report"),
        (["nowhere.obj", "out.glb"], "nowhere.obj: no such file or folder"),
        (["box.ply", "out.fbx"], "out.fbx: ends in .fbx; it must be one of .obj"),
        (["box.ply", "out"], "out: has no ending"),
        (["box.ply", "nowhere/out.glb"], "nowhere: no such folder; make it first"),
        ([".", "out.glb"], "a folder without mesh.ply"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(box, capsys, argv, message):
    assert message in refused(capsys, *argv)


def test_a_run_without_a_mesh_says_when_it_gets_one(box, capsys):
    Path("run").mkdir()
    Path("run/config.yaml").touch()
    assert "this run has no mesh yet" in refused(capsys, "run", "out.glb")


@pytest.mark.parametrize("option", [("--units", "miles"), ("--up", "x"), ("--scale", "-1")])
def test_bad_options_are_named(box, capsys, option):
    with pytest.raises(SystemExit) as stopped:
        main([str(box), "out.glb", *option])
    assert stopped.value.code == 2
    assert option[0] in capsys.readouterr().err


def test_a_missing_texture_is_noted_and_the_rest_is_written(box, capsys):
    Path("box.mtl").write_text("newmtl paint\nmap_Kd lost.png\n")
    Path("seen.obj").write_text(
        "mtllib box.mtl\nusemtl paint\nv 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n"
    )
    assert main(["seen.obj", "out.glb", "--quiet"]) == 0
    assert "note: seen.obj: its texture lost.png is not there" in capsys.readouterr().err
    assert load_mesh("out.glb").num_faces == 1

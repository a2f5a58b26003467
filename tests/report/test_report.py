"""`python -m lightning_rast.report RUN`, on a run that was made by the command line."""

import json
import shutil

import pytest

from lightning_rast.cli import main as train
from lightning_rast.report.command import main
from lightning_rast.scene import icosphere, save_mesh

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("work")
    save_mesh(icosphere(3, radius=0.7), folder / "ball.obj")
    settings = [
        "name=ball",
        f"data.mesh={folder / 'ball.obj'}",
        f"log.root={folder / 'logs'}",
        "data.num_views=5",
        "data.num_held_out=2",
        "data.image_size=48",
        "start.resolution=32",
        "ladder.bending=[0.05]",
        "ladder.polish_steps=2",
        "topology.enabled=false",
        "log.turntable=false",
        "device=cpu",
    ]
    config = folder / "ball.yaml"
    config.write_text("name: ball\n")
    assert train(["--config", str(config), *settings]) == 0
    return folder / "logs" / "ball" / "version_0"


@pytest.fixture
def run(trained, tmp_path):
    copy = tmp_path / "ball" / "version_0"
    shutil.copytree(trained, copy)
    return copy


def test_a_training_leaves_its_page_behind(trained):
    page = (trained / "report.html").read_text()
    assert "ball/version_0" in page
    assert "start (hull)" in page


def test_the_page_does_not_tell_where_the_data_and_the_run_lie(trained):
    page = (trained / "report.html").read_text()
    assert "ball.obj" in page
    assert str(trained.parents[2]) not in page


def test_log_report_switches_the_page_off(trained, tmp_path):
    settings = [f"log.root={tmp_path}", "log.report=false"]
    assert train(["--config", str(trained / "config.yaml"), *settings]) == 0
    assert not list(tmp_path.rglob("report.html"))


@pytest.mark.slow
def test_the_command_writes_the_page_again_with_the_scores_of_the_hull(run, capsys):
    (run / "report.html").unlink()
    assert main([str(run)]) == 0
    page = (run / "report.html").read_text()
    assert "hull 256³" in page
    assert page.count("data-iou=") == 7
    assert "report.html" in capsys.readouterr().out


def test_a_killed_run_is_reported_from_its_checkpoint(run, tmp_path):
    for name in ("metrics.json", "mesh.ply", "mesh.obj", "mesh.glb"):
        (run / name).unlink()
    assert main([str(run), "--no-hull", "--out", str(tmp_path / "killed.html")]) == 0
    page = (tmp_path / "killed.html").read_text()
    assert "stopped early" in page
    assert "Held-out IoU" in page


def test_the_command_writes_over_the_page_and_says_where_it_is(run, capsys):
    (run / "report.html").unlink()
    assert main([str(run), "--no-hull"]) == 0
    assert (run / "report.html").read_text().count("data-iou=") == 7
    assert "report.html" in capsys.readouterr().out


def test_a_run_whose_data_has_gone_keeps_its_scores(run, tmp_path):
    text = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(text.replace("ball.obj", "gone.obj"))
    assert main([str(run)]) == 0
    page = (run / "report.html").read_text()
    mean = json.loads((run / "metrics.json").read_text())["iou_mean"]
    assert "The views cannot be read any more" in page
    assert f"{mean:.4f}" in page


def test_a_run_without_mesh_and_checkpoint_is_refused(run, capsys):
    (run / "mesh.ply").unlink()
    shutil.rmtree(run / "checkpoints")
    assert main([str(run)]) == 2
    assert "nothing to report on" in capsys.readouterr().err


def test_a_folder_of_runs_is_refused_with_the_newest_run_named(run, capsys):
    assert main([str(run.parent)]) == 2
    assert "did you mean" in capsys.readouterr().err


def test_a_place_that_cannot_be_written_to_is_refused(run, tmp_path, capsys):
    assert main([str(run), "--out", str(tmp_path)]) == 2
    assert main([str(run), "--out", str(tmp_path / "no" / "a.html")]) == 2
    assert "there is no folder" in capsys.readouterr().err

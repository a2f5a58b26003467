"""The evaluate command on meshes and runs whose scores are known."""

import json

import numpy as np
import pytest
import torch

from lightning_rast.config_file import config_yaml, load_config
from lightning_rast.evaluate.command import main
from lightning_rast.render.command import main as render
from lightning_rast.scene import load_mesh, save_mesh, torus

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
QUICK = ["data.num_views=4", "data.num_held_out=2", "data.image_size=48", "start.resolution=32"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """true.ply, a ring, and small.ply, nine tenths of it, with a config to render the former."""
    ring = torus(32, 16)
    save_mesh(ring, tmp_path / "true.ply")
    save_mesh(ring.with_verts(0.9 * ring.verts), tmp_path / "small.ply")
    (tmp_path / "ring.yaml").write_text("data:\n  mesh: true.ply\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def mask_folder(folder):
    options = ["--views", "6", "--size", "48", "--outputs", "coverage"]
    assert render(["true.ply", "--out", "masks", *options]) == 0
    return folder / "masks"


def scores(arguments, folder):
    assert main([*arguments, "--json", "scores.json"]) == 0
    return json.loads((folder / "scores.json").read_text())


def test_the_true_mesh_has_perfect_scores(folder):
    found = scores(["true.ply", "--config", "ring.yaml", *QUICK], folder)
    result = found["scores"]["result"]
    assert result["held_out_iou_min"] == result["train_iou_min"] == result["volume_iou"] == 1
    assert result["surface"]["chamfer_l1"] < 1e-3
    assert result["surface"]["f_score_fine"] == 1
    assert result["mesh"]["genus"] == 1
    assert (found["num_train_views"], found["num_held_out_views"]) == (4, 2)


def test_the_start_is_scored_beside_the_result(folder):
    found = scores(["true.ply", "--config", "ring.yaml", *QUICK], folder)["scores"]
    assert found["start"]["volume_iou"] < 0.9 < found["result"]["volume_iou"]


def test_the_distance_over_what_views_see_is_measured_when_asked_for(folder):
    arguments = ["true.ply", "--config", "ring.yaml", "--seen-by", "1", *QUICK]
    seen = scores(arguments, folder)["scores"]["result"]["seen"]
    assert seen["chamfer_l1"] < 1e-3
    assert 0.5 < seen["share"] < 1


def test_a_smaller_mesh_has_the_scores_of_its_size(folder):
    result = scores(["small.ply", "--config", "ring.yaml", *QUICK], folder)["scores"]["result"]
    # A thinner ring, moved inwards.
    assert 0.5 < result["volume_iou"] < 0.8
    assert result["held_out_iou_mean"] < 0.9
    assert result["surface"]["normal_consistency"] > 0.9


@pytest.mark.slow
def test_the_hull_is_scored_when_asked_for(folder):
    quick = [*QUICK, "data.num_views=8"]
    found = scores(["true.ply", "--config", "ring.yaml", *quick, "--hull"], folder)["scores"]
    assert list(found) == ["result", "hull 256^3", "start"]
    assert 0.7 < found["hull 256^3"]["volume_iou"] < 1


def test_a_run_knows_its_views(folder):
    run = folder / "logs" / "ring" / "version_0"
    run.mkdir(parents=True)
    (run / "config.yaml").write_text(config_yaml(load_config("ring.yaml", QUICK)))
    save_mesh(load_mesh("small.ply"), run / "mesh.ply")
    found = scores([str(run)], folder)
    expected = scores(["small.ply", "--config", "ring.yaml", *QUICK], folder)
    assert found == expected


def test_a_run_is_scored_with_the_cameras_that_it_corrected(folder):
    run = folder / "logs" / "ring" / "version_0"
    run.mkdir(parents=True)
    (run / "config.yaml").write_text(config_yaml(load_config("ring.yaml", QUICK)))
    save_mesh(load_mesh("true.ply"), run / "mesh.ply")
    as_given = scores([str(run)], folder)
    pushed = np.eye(4)
    pushed[2, 3] = 5.0  # further away: the mesh looks smaller
    found = {"corrected_world_to_view": {"view_000": pushed.tolist(), "of another run": 0}}
    (run / "metrics.json").write_text(json.dumps(found))
    corrected = scores([str(run)], folder)
    assert (as_given["num_corrected"], corrected["num_corrected"]) == (0, 1)
    assert corrected["scores"]["result"]["train_iou_min"] < 0.9
    assert as_given["scores"]["result"]["train_iou_min"] == 1
    # The start was made with the cameras as they were given.
    assert corrected["scores"]["start"] == as_given["scores"]["start"]


def test_corrected_cameras_that_cannot_be_read_are_told_of(folder, capsys):
    run = folder / "logs" / "ring" / "version_0"
    run.mkdir(parents=True)
    (run / "config.yaml").write_text(config_yaml(load_config("ring.yaml", QUICK)))
    save_mesh(load_mesh("true.ply"), run / "mesh.ply")
    (run / "metrics.json").write_text('{"corrected_world_to_view": {"view_000": [1, 2]}}')
    assert main([str(run)]) == 2
    assert "metrics.json: cannot read the corrected cameras" in capsys.readouterr().err


def test_a_mesh_is_scored_on_a_folder_of_masks(folder, mask_folder):
    found = scores(["true.ply", "--data", "masks"], folder)
    assert found["scores"]["result"]["held_out_iou_min"] > 0.98
    assert found["scores"]["result"]["volume_iou"] is None
    assert (found["num_train_views"], found["num_held_out_views"]) == (5, 1)


@pytest.fixture
def ten_times_larger(folder):
    """Options that name the ring ten times as large, elsewhere, and the way there."""
    matrix = np.diag([10.0, 10.0, 10.0, 1.0])
    matrix[:3, 3] = 5
    ring = load_mesh("true.ply")
    save_mesh(ring.with_verts(10 * ring.verts + 5), folder / "moved.ply")
    np.savez(folder / "frame.npz", scale_mat_0=matrix)
    return ["--reference", "moved.ply", "--reference-frame", "frame.npz"]


def test_what_is_seen_is_measured_in_the_units_of_the_reference(
    folder, mask_folder, ten_times_larger
):
    arguments = ["small.ply", "--data", "masks", "--seen-by", "1", *ten_times_larger]
    seen = scores(arguments, folder)["scores"]["result"]["seen"]
    low, high = load_mesh("moved.ply").bounds
    half_extent = float((high - low).max()) / 2
    assert seen["chamfer_world"] == pytest.approx(seen["chamfer_l1"] * half_extent, rel=1e-4)


def test_a_reference_may_lie_in_another_frame(folder, mask_folder, ten_times_larger):
    arguments = ["true.ply", "--data", "masks", *ten_times_larger]
    result = scores(arguments, folder)["scores"]["result"]
    assert result["volume_iou"] > 0.999
    assert result["held_out_iou_min"] > 0.98


@pytest.mark.parametrize(
    ("content", "expected"),
    [(b"", "cannot read"), (b"PK\x03\x04", "cannot read"), (None, "is one array")],
)
def test_a_frame_that_is_none_is_refused(folder, capsys, content, expected):
    with (folder / "frame.npz").open("wb") as file:
        if content is None:
            np.save(file, np.eye(4))
        else:
            file.write(content)
    arguments = ["true.ply", "--reference", "true.ply", "--reference-frame", "frame.npz"]
    assert main([*arguments, "--config", "ring.yaml", *QUICK]) == 2
    assert expected in capsys.readouterr().err


def test_folds_train_again_with_each_part_held_out(folder, mask_folder):
    quick = ["preset=sphere", "schedule.steps=2", "start.subdivisions=2", "threads=1"]
    found = scores(["true.ply", "--data", "masks", *quick, "--folds", "2"], folder)
    assert list(found["repeated"]) == ["fold 0, seed 0", "fold 1, seed 0"]
    values = [each["held_out_iou_mean"] for each in found["repeated"].values()]
    spread = found["spread"]["held_out_iou_mean"]
    assert spread["mean"] == pytest.approx(sum(values) / 2)
    assert (spread["lowest"], spread["highest"]) == (min(values), max(values))


def test_tables_name_every_score(folder, capsys):
    assert main(["small.ply", "--config", "ring.yaml", *QUICK]) == 0
    printed = capsys.readouterr().out
    for label in ("held-out IoU", "volume IoU", "F-score at 1 %", "genus", "watertight"):
        assert label in printed


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["nothing.ply"], "no such run folder or mesh file"),
        (["true.ply"], "which views?"),
        (["."], "no config.yaml"),
        (["true.ply", "--data", "nowhere"], "no such folder"),
        (["true.ply", "--config", "rings.yaml"], "Did you mean ring.yaml?"),
        (["true.ply", "--config", "ring.yaml", "--folds", "2"], "needs a folder of masks"),
        (["true.ply", "--config", "ring.yaml", "--folds", "1"], "must be 2 or more"),
        (["ring.yaml", "--config", "ring.yaml"], "unknown kind of mesh file"),
        (["true.ply", "--config", "ring.yaml", "--reference", "no.ply"], "no.ply: no such file"),
        (["true.ply", "--config", "ring.yaml", "--reference-frame", "x.npz"], "needs --reference"),
    ],
)
def test_a_mistake_is_one_message_and_exit_code_2(folder, capsys, arguments, expected):
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert expected in captured.err
    assert captured.err.startswith("error: ")
    assert len(captured.err.splitlines()) == 1


def test_a_mesh_that_is_not_finite_is_told_of(folder, capsys):
    (folder / "broken.obj").write_text("v 0 0 nan\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    assert main(["broken.obj", "--config", "ring.yaml", *QUICK]) == 2
    assert "broken.obj" in capsys.readouterr().err


def test_results_do_not_depend_on_the_number_of_threads(folder):
    before, found = torch.get_num_threads(), []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        found.append(scores(["small.ply", "--config", "ring.yaml", *QUICK], folder))
    torch.set_num_threads(before)
    assert found[0] == found[1]

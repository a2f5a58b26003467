"""The command line: what it answers before and instead of training."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lightning_rast.cli import main
from lightning_rast.config_file import load_config
from lightning_rast.runs import checkpoint_path, new_run

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def config_path(tmp_path, monkeypatch):
    (tmp_path / "cube.obj").write_text("v 0 0 0\n")
    (tmp_path / "kettle.yaml").write_text("data:\n  mesh: cube.obj\n")
    monkeypatch.chdir(tmp_path)
    return str(tmp_path / "kettle.yaml")


def run_folders(folder):
    return [path.name for path in folder.glob("logs/*/*")]


def test_print_config_prints_what_load_config_reads(config_path, tmp_path, capsys):
    assert main(["--config", config_path, "schedule.steps=7", "--print-config", "seed=2"]) == 0
    (tmp_path / "printed.yaml").write_text(capsys.readouterr().out)
    printed = load_config(tmp_path / "printed.yaml")
    assert printed == load_config(config_path, ["schedule.steps=7", "seed=2"])
    assert run_folders(tmp_path) == []


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["schedule.stesp=3"], "schedule.steps"),
        (["nonsense"], "expected key=value"),
        (["--resume", "last"], "no run to resume"),
        (["--resume", "nowhere.ckpt"], "nothing to resume at nowhere.ckpt"),
    ],
)
def test_a_mistake_is_one_message_and_exit_code_2(
    config_path, tmp_path, capsys, arguments, expected
):
    assert main(["--config", config_path, *arguments]) == 2
    captured = capsys.readouterr()
    assert expected in captured.err
    assert captured.err.startswith("error: ")
    assert len(captured.err.splitlines()) == 1
    assert run_folders(tmp_path) == []


def test_a_setting_without_effect_is_named_before_anything_else(config_path, capsys):
    assert main(["--config", config_path, "optimizer.lr=0.1"]) == 2  # the mesh is none
    first, *_ = capsys.readouterr().err.splitlines()
    assert first.startswith("note: optimizer.lr has no effect with schedule.kind=ladder")


def test_a_config_is_asked_for(capsys):
    assert main([]) == 2
    assert "--config FILE is needed" in capsys.readouterr().err


def test_an_unknown_option_is_refused(config_path, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--config", config_path, "--resmue", "last"])
    assert caught.value.code == 2
    assert "--resmue" in capsys.readouterr().err


def test_nothing_heavy_is_imported_before_the_command_is_understood(config_path):
    code = (
        "import sys; from lightning_rast.cli import main\n"
        f"assert main(['--config', {config_path!r}, 'seed=-1']) == 2\n"
        "print([m for m in ('torch', 'pytorch_lightning', 'trimesh') if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPOSITORY
    )
    assert result.stdout.strip() == "[]"


def test_data_that_cannot_be_used_is_exit_code_2(tmp_path, monkeypatch, capsys):
    (tmp_path / "cameras.json").write_text(json.dumps({"views": [{"mask": "gone.png"}]}))
    (tmp_path / "mine.yaml").write_text("data: {kind: masks, folder: .}\n")
    monkeypatch.chdir(tmp_path)
    assert main(["--config", "mine.yaml"]) == 2
    assert "gone.png" in capsys.readouterr().err
    assert run_folders(tmp_path) == []


def test_a_missing_gpu_is_exit_code_2(config_path, monkeypatch, capsys):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert main(["--config", config_path, "device=cuda"]) == 2
    assert "device is cuda, but PyTorch finds no CUDA device" in capsys.readouterr().err


def test_a_damaged_checkpoint_given_by_path_is_refused(config_path, tmp_path, capsys):
    run = new_run("logs", "kettle", "")
    broken = checkpoint_path(run.folder, 20)
    broken.parent.mkdir()
    broken.write_bytes(b"PK")
    assert main(["--resume", str(broken)]) == 2
    assert f"{broken} is damaged" in capsys.readouterr().err


def test_train_py_is_the_same_command():
    result = subprocess.run(
        [sys.executable, str(REPOSITORY / "train.py"), "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    for text in ("--config", "--resume", "--print-config", "key=value"):
        assert text in result.stdout


def test_a_config_file_without_its_option_is_told_where_it_goes(capsys):
    assert main(["configs/kettle.yaml"]) == 2
    assert "configs/kettle.yaml: a config file goes after --config" in capsys.readouterr().err


def test_a_path_without_a_key_is_told_its_key(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    (tmp_path / "cube.obj").write_text("v 0 0 0\n")
    run = new_run("logs", "kettle", "").folder
    for word, said in (
        ("photos", "go as data.folder=photos"),
        ("cube.obj", "goes as data.mesh=cube.obj"),
        (str(run), f"is a run: --resume {run} continues it"),
    ):
        assert main([word]) == 2
        assert said in capsys.readouterr().err


def test_resuming_a_named_run_needs_no_data_paths(tmp_path, capsys):
    # The run has its own mesh; the file that started it may leave the path to be filled in.
    config = tmp_path / "template.yaml"
    config.write_text(f'data:\n  mesh: ""\nlog:\n  root: {tmp_path / "logs"}\n')
    assert main(["--config", str(config), "--resume", "last", "name=spot"]) == 2
    assert "no run to resume in" in capsys.readouterr().err

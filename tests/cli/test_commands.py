"""`lightning-rast`: one entry point, its help, its errors, its exit codes."""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lightning_rast import commands, terminal
from lightning_rast.commands import COMMANDS, main
from lightning_rast.config_file import load_config
from lightning_rast.scene import cube, save_mesh

REPOSITORY = Path(__file__).parents[2]
SMALL = ["--size", "16", "--views", "2"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    save_mesh(cube(), tmp_path / "box.ply")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def broken_by(monkeypatch, error):
    """Makes `lightning-rast train` end with this error."""

    class Broken:
        @staticmethod
        def main(argv):
            raise error

    monkeypatch.setattr(commands.importlib, "import_module", lambda name: Broken)


def test_help_names_every_command_and_shows_examples(capsys):
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    for name in COMMANDS:
        assert f"\n  {name} " in text
    assert text.count("\n  lightning-rast ") >= 5
    assert "exit codes:" in text
    assert len(text.splitlines()) < 50


def test_help_tells_the_exit_code_of_disagreeing_data(capsys):
    main(["--help"])
    assert "3 (doctor) cameras and masks do not agree" in capsys.readouterr().out


def test_without_arguments_there_is_help(capsys):
    assert main([]) == 0
    assert "usage: lightning-rast COMMAND" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], *([name] for name in COMMANDS)])
def test_help_does_not_load_pytorch(arguments):
    code = (
        "import sys; from lightning_rast.commands import main\n"
        f"try: main([*{arguments!r}, '--help'])\n"
        "except SystemExit: pass\n"
        "assert 'torch' not in sys.modules, 'torch was imported'"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.startswith("usage: lightning-rast")
    assert run.stdout.count("\n  lightning-rast ") >= 2
    assert run.stderr == ""


def test_python_m_is_the_same_command():
    command = [sys.executable, "-m", "lightning_rast", "--help"]
    run = subprocess.run(command, capture_output=True, text=True, check=True, cwd=REPOSITORY)
    assert run.stdout.startswith("usage: lightning-rast COMMAND")


def test_options_without_a_command_are_those_of_train(capsys):
    assert main(["--config", str(REPOSITORY / "configs" / "kettle.yaml"), "--print-config"]) == 0
    assert "preset: best" in capsys.readouterr().out


def test_an_unknown_command_is_one_line_with_a_guess(capsys):
    assert main(["trian", "--config", "x"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: no command 'trian'; did you mean train?")
    assert len(error.splitlines()) == 1


def test_a_config_file_without_a_command_is_told_where_it_goes(capsys):
    assert main(["configs/kettle.yaml"]) == 2
    assert "lightning-rast train --config configs/kettle.yaml" in capsys.readouterr().err


def test_the_version_is_told(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("lightning-rast 0.")


def test_an_unexpected_error_is_one_screen_and_a_file_has_the_rest(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(terminal.tempfile, "tempdir", str(tmp_path))
    broken_by(monkeypatch, RuntimeError("first line\n" + "and many more\n" * 99))
    assert main(["train"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("unexpected error: RuntimeError: first line\n")
    assert len(error.splitlines()) == 3
    (report,) = tmp_path.glob("lightning-rast-error-*.txt")
    assert str(report) in error
    assert "Traceback (most recent call last)" in report.read_text()


def test_a_warning_of_the_package_is_one_line():
    code = (
        "import warnings; from lightning_rast import terminal\n"
        "def main():\n"
        "    warnings.warn_explicit('mask 3 is empty', UserWarning, terminal.__file__, 7)\n"
        "    warnings.warn_explicit('old', UserWarning, '/elsewhere/numpy.py', 7)\n"
        "    return 0\n"
        "assert terminal.guarded(main) == 0"
    )
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, capture_output=True, text=True, check=True, cwd=REPOSITORY)
    ours, others, *_ = run.stderr.splitlines()
    assert ours == "warning: mask 3 is empty"
    assert others == "/elsewhere/numpy.py:7: UserWarning: old"


def test_ctrl_c_is_130_without_a_traceback(monkeypatch, capsys):
    broken_by(monkeypatch, KeyboardInterrupt())
    assert main(["train"]) == 130
    assert capsys.readouterr().err == "stopped\n"


@pytest.mark.parametrize(("name", "arguments"), [("train", ["data.image_size=-1"]), ("render", [])])
def test_every_command_refuses_with_2(folder, capsys, name, arguments):
    try:
        code = main([name, *arguments])
    except SystemExit as stop:
        code = stop.code
    assert code == 2
    assert capsys.readouterr().err.startswith("error: ")


def test_a_reader_that_has_gone_ends_a_command_quietly(folder):
    command = f"{sys.executable} -m lightning_rast render box.ply --out out --size 16; echo $? >&2"
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    run = subprocess.run(
        ["bash", "-c", f"({command}) | true"], capture_output=True, text=True, env=environment
    )
    assert run.stderr == "141\n"


def test_quiet_prints_nothing(folder, capsys):
    assert main(["render", "box.ply", "--out", "out", *SMALL, "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")


def test_json_alone_is_all_of_stdout(folder, capsys):
    assert main(["render", "--json", "box.ply", "--out", "out", *SMALL]) == 0
    captured = capsys.readouterr()
    told = json.loads(captured.out)
    assert (told["views"], told["width"], told["height"]) == (2, 16, 16)
    assert Path(told["sheet"]).is_file()
    assert Path(told["pictures"]["color"] % 1).is_file()
    assert "box.ply: 8 vertices" in captured.err


def test_json_goes_to_a_file_that_ends_in_json(folder, capsys):
    assert main(["render", "box.ply", "--out", "out", *SMALL, "--json", "told.json"]) == 0
    assert json.loads((folder / "told.json").read_text())["mesh"] == "box.ply"
    assert "box.ply: 8 vertices" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "file", "rest"),
    [
        (["--json"], "-", []),
        (["--json", "-", "a=1"], "-", ["a=1"]),
        (["--json", "a=1"], "-", ["a=1"]),
        (["--json", "out.json", "a=1"], "out.json", ["a=1"]),
        (["a=1", "--json", "logs/run"], "-", ["a=1", "logs/run"]),
        (["--json=out.txt", "a=1"], "out.txt", ["a=1"]),
        (["a=1"], None, ["a=1"]),
    ],
)
def test_json_takes_no_other_argument_for_its_file(arguments, file, rest):
    parser = terminal.Parser(prog="test")
    parser.add_argument("words", nargs="*")
    terminal.add_output_options(parser)
    found = parser.parse_intermixed_args(arguments)
    assert (found.json, found.words) == (file, rest)


@pytest.mark.parametrize("option", [["--json", "cameras.json"], ["--json=cameras.json"]])
def test_json_never_overwrites_a_file_that_is_not_its_own(folder, capsys, option):
    (folder / "cameras.json").write_text('{"views": []}')
    with pytest.raises(SystemExit) as caught:
        main(["doctor", *option, "photos"])
    assert caught.value.code == 2
    assert "cameras.json would be overwritten" in capsys.readouterr().err
    assert (folder / "cameras.json").read_text() == '{"views": []}'


def test_json_overwrites_what_it_has_written(folder):
    for size in ("16", "24"):
        options = ["--size", size, "--views", "1", "--quiet"]
        assert main(["render", "box.ply", "--out", "out", *options, "--json", "told.json"]) == 0
    assert json.loads((folder / "told.json").read_text())["width"] == 24


@pytest.mark.parametrize(
    ("name", "reason"), [("gone/out.json", "there is no folder gone"), ("out", "it is a folder")]
)
def test_a_json_file_that_cannot_be_written_is_refused_before_the_work(folder, name, reason):
    (folder / "out").mkdir()
    arguments = argparse.Namespace(quiet=False, json=name)
    telling = terminal.telling(arguments)
    with pytest.raises(terminal.OutputError, match=f"cannot write {name}: {reason}"), telling:
        pytest.fail("the work has begun")


def test_train_tells_its_metrics_as_json(folder, capsys):
    quick = ["preset=fast", "data.num_views=6", "data.num_held_out=2", "data.image_size=32"]
    quick += ["ladder.bending=[0.05]", "newton.warmup_steps=1", "newton.steps=1", "device=cpu"]
    quick += [
        "log.turntable=false",
        "log.report=false",
        "topology.enabled=false",
        "start.resolution=32",
    ]
    assert main(["train", "data.mesh=box.ply", *quick, "--json"]) == 0
    captured = capsys.readouterr()
    told = json.loads(captured.out)
    assert Path(told["run"]) == Path("logs/box/version_0")
    assert told["finished"]
    assert 0 < told["iou_mean"] <= 1
    assert "writing to" in captured.err


def test_masks_need_no_config_file(folder, capsys):
    assert main(["train", "data.folder=photos", "--print-config"]) == 2
    assert "photos" in capsys.readouterr().err
    (folder / "photos").mkdir()
    assert main(["train", "data.folder=photos", "--print-config"]) == 0
    text = capsys.readouterr().out
    assert "name: photos" in text
    assert "kind: masks" in text


@pytest.mark.parametrize("name", ["105", "007", "My photos #2", "x${y}"])
def test_masks_give_a_run_their_name_whatever_it_is(folder, capsys, name):
    (folder / name).mkdir()
    assert main(["train", f"data.folder={name}", "--print-config"]) == 0
    (folder / "printed.yaml").write_text(capsys.readouterr().out)
    config = load_config(folder / "printed.yaml")
    assert (config.name, config.data.folder) == (name, str(folder / name))

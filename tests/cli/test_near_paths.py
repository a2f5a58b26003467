"""What a mistyped path may have meant."""

from pathlib import Path

import pytest

from lightning_rast.near_paths import did_you_mean


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("silhouettes/kettle", "silhouettes/Cow", ".hidden", "logs"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "silhouettes/kettle/cameras.json").touch()
    return tmp_path


def test_the_likeliest_comes_first_and_there_are_three_at_most(tmp_path):
    for name in ("views12", "views1", "view", "views_old", "something"):
        (tmp_path / name).mkdir()
    near = did_you_mean(tmp_path / "views")
    assert near.startswith(f". Did you mean {tmp_path / 'views1'} or {tmp_path / 'view'} or ")
    assert near.count(" or ") == 2


def test_a_mistake_in_the_middle_is_found_if_the_rest_is_there(folder):
    right = folder / "silhouettes/kettle/cameras.json"
    assert did_you_mean(folder / "silhouetes/kettle/cameras.json") == f". Did you mean {right}?"
    assert did_you_mean(folder / "silhouetes/kettle/nothing.json") == ""


def test_upper_and_lower_case_are_alike(folder):
    assert did_you_mean(folder / "silhouettes/cow") == f". Did you mean {folder}/silhouettes/Cow?"


def test_relative_paths_stay_relative(folder, monkeypatch):
    monkeypatch.chdir(folder)
    assert did_you_mean("log") == ". Did you mean logs?"
    assert did_you_mean("../nowhere/at/all") == ""


def test_a_name_without_an_ending_is_a_folders(tmp_path):
    (tmp_path / "kettle").mkdir()
    (tmp_path / "kettle.yaml").touch()
    assert did_you_mean(tmp_path / "ketle") == f". Did you mean {tmp_path / 'kettle'}?"
    assert did_you_mean(tmp_path / "ketle.yaml").count("kettle") == 2


def test_hidden_files_are_meant_by_who_types_a_dot(folder):
    assert did_you_mean(folder / "hidden") == ""
    assert did_you_mean(folder / ".hiden") == f". Did you mean {folder / '.hidden'}?"


def test_other_kinds_of_files_can_be_left_out(tmp_path):
    for name in ("kettle.yaml", "kettle.yml"):
        (tmp_path / name).touch()
    expected = f". Did you mean {tmp_path / 'kettle.yaml'}?"
    assert did_you_mean(tmp_path / "ketle.yml", suffix=".yaml") == expected


@pytest.mark.parametrize("path", ["logs/file/x", "nul\0l", "", "/", "x" * 5000])
def test_what_cannot_be_looked_for_has_nothing_near(folder, monkeypatch, path):
    monkeypatch.chdir(folder)
    (folder / "logs/file").touch()
    assert did_you_mean(path) == ""

"""Kernels are compiled by whatever CXX names; what is made lies where no other user can put it."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cuda_shim import races
from tests.cuda_shim.build import compiler, kept_folder

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def obstacle():
    races.obstacle.cache_clear()
    yield races.obstacle
    races.obstacle.cache_clear()


def test_a_compiler_that_is_not_there_is_told(obstacle, monkeypatch):
    monkeypatch.setenv("CXX", "/nonexistent/c++")
    assert obstacle() == "there is no compiler /nonexistent/c++"


def test_a_compiler_may_be_several_words(obstacle, monkeypatch):
    before = obstacle()
    races.obstacle.cache_clear()
    monkeypatch.setenv("CXX", f"env {compiler()[0]}")
    assert obstacle() == before


def test_libraries_are_kept_in_the_build_folder():
    assert kept_folder([]).is_relative_to(ROOT / "build")


@pytest.mark.parametrize("cxx", ["env c++", "c++ -m64"])
def test_another_compiler_has_another_folder(cxx, monkeypatch):
    before = kept_folder([])
    monkeypatch.setenv("CXX", cxx)
    assert kept_folder([]) != before


def test_other_flags_have_another_folder():
    assert kept_folder([], "-O2") != kept_folder([])


def test_other_sources_have_another_folder():
    assert kept_folder([Path(__file__)]) != kept_folder([])


@pytest.mark.skipif(bool(races.obstacle()), reason=races.obstacle())
def test_the_watcher_is_removed_at_the_end_of_its_process():
    program = "import pathlib; from tests.cuda_shim import build; path = build._watcher(); "
    program += "assert pathlib.Path(path).is_file(); print(path)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert not Path(done.stdout.strip()).parent.exists()

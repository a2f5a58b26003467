"""The tutorials run as they stand, block by block, as a newcomer would paste them."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
TUTORIALS = REPOSITORY / "docs" / "tutorials"
# `sh` blocks set an environment up and `text` blocks show output; neither is run.
BLOCK = re.compile(r"^```(bash|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Looks like the repository's folder with its environment active, but keeps its logs apart."""
    for name in ("configs", "data", "docs"):
        (tmp_path / name).symlink_to(REPOSITORY / name)
    (tmp_path / "bin").mkdir()
    for name, words in (("python", ""), ("lightning-rast", "-m lightning_rast ")):
        script = tmp_path / "bin" / name
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" {words}"$@"\n')
        script.chmod(0o755)
    return tmp_path


def run(folder: Path, page: Path) -> None:
    """All blocks in order; those of Python as one program, after the commands before the first."""
    blocks = [(match[1], match[2]) for match in BLOCK.finditer(page.read_text())]
    assert blocks, f"{page} has no commands"
    commands = "".join(code for language, code in blocks if language == "bash")
    program = "\n".join(code for language, code in blocks if language == "python")
    environment = os.environ | {
        "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": str(REPOSITORY),
    }
    for arguments, code in ((["bash", "-eu"], commands), ([sys.executable, "-"], program)):
        done = subprocess.run(
            arguments, input=code, cwd=folder, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
@pytest.mark.parametrize(
    "tutorial",
    [
        pytest.param("1-kettle.md", marks=pytest.mark.slow),
        pytest.param("2-my-mesh.md", marks=pytest.mark.slow),
        pytest.param("3-photographs.md", marks=pytest.mark.slow),
        "4-pytorch-loop.md",
        "5-results.md",
    ],
)
def test_a_tutorial_runs_as_it_stands(folder: Path, tutorial: str):
    run(folder, TUTORIALS / tutorial)


def test_the_readmes_programs_run_as_they_stand(folder: Path):
    run(folder, REPOSITORY / "README.md")


def test_every_tutorial_is_run_and_listed():
    pages = {path.name for path in TUTORIALS.glob("[0-9]*.md")}
    index = (TUTORIALS / "README.md").read_text()
    assert {name for name in pages if f"({name})" not in index} == set()
    assert pages == set(re.findall(r"\d-[a-z-]+\.md", Path(__file__).read_text()))


@pytest.mark.parametrize("page", [*sorted(TUTORIALS.glob("*.md")), REPOSITORY / "README.md"])
def test_links_lead_somewhere(page: Path):
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
    assert [target for target in targets if not (page.parent / target).exists()] == []

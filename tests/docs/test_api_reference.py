"""The API reference builds without a warning and says something about every public name."""

import importlib
import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest

from docs.make_api import MODULES, PACKAGES, exported

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def pages(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("api")
    command = [sys.executable, "docs/make_api.py", "--out", str(out)]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    run = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert "warning" not in run.stderr.lower()
    return out / "lightning_rast"


@pytest.mark.parametrize("name", PACKAGES + MODULES)
def test_a_page_has_every_public_name(pages: Path, name: str):
    text = (pages / f"{name.replace('.', '/')}.html").read_text()
    names = exported(importlib.import_module(f"lightning_rast.{name}"))
    assert names
    assert [each for each in names if f'id="{each}"' not in text] == []


@pytest.mark.parametrize("name", PACKAGES + MODULES)
def test_every_public_name_has_a_docstring(name: str):
    module = importlib.import_module(f"lightning_rast.{name}")
    assert [each for each in exported(module) if not said(getattr(module, each))] == []


def said(thing: type) -> bool:
    text = (thing.__doc__ or "").strip()
    # What a dataclass writes where its author wrote nothing.
    return bool(text) and not (inspect.isclass(thing) and text.startswith(f"{thing.__name__}("))

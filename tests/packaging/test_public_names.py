"""What `from lightning_rast.<package> import *` brings: the names that are meant to be used."""

import ast
import importlib
import inspect
import re
from pathlib import Path

import pytest

import lightning_rast

ROOT = Path(__file__).parents[2]
PACKAGES = ("ops", "scene", "render", "losses", "optim", "data", "evaluation", "page", "callbacks")
packages = pytest.mark.parametrize("package", PACKAGES)


def imported_by(package: str, code: str) -> set[str]:
    """Names that the code imports from the package itself."""
    return {
        name.name
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.ImportFrom) and node.module == f"lightning_rast.{package}"
        for name in node.names
    }


def documented() -> list[str]:
    """Python in the documentation: blocks of its pages, and its scripts."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    blocks = [
        block
        for page in pages
        for block in re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    ]
    scripts = sorted((ROOT / "docs").rglob("*.py"))
    return blocks + [script.read_text(encoding="utf-8") for script in scripts]


@packages
def test_every_public_name_is_there_and_no_module(package):
    module = importlib.import_module(f"lightning_rast.{package}")
    values = [getattr(module, name) for name in module.__all__]
    assert values
    assert not any(inspect.ismodule(value) for value in values)


@packages
def test_what_a_package_imports_for_its_users_is_public(package):
    module = importlib.import_module(f"lightning_rast.{package}")
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    offered = {
        name.asname
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module != f"lightning_rast.{package}"
        for name in node.names
        if name.asname
    }
    assert set(module.__all__) == offered


@packages
def test_names_in_the_documentation_are_public(package):
    module = importlib.import_module(f"lightning_rast.{package}")
    used = {name for code in documented() for name in imported_by(package, code)}
    submodules = {path.stem for path in Path(module.__file__).parent.glob("*.py")}
    assert used - submodules <= set(module.__all__)


def test_the_documentation_has_examples_to_look_at():
    assert sum("from lightning_rast.scene import" in code for code in documented()) > 5


def test_a_star_does_not_hide_the_standard_librarys_modules():
    names: dict[str, object] = {}
    exec("import io\nfrom lightning_rast.scene import *\nbefore = io", names)
    assert names["before"] is importlib.import_module("io")
    assert names["load_mesh"] is importlib.import_module("lightning_rast.scene").load_mesh


def test_the_package_itself_offers_its_version_alone():
    assert lightning_rast.__all__ == ["__version__"]

"""What the package says of itself."""

import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import lightning_rast

REPOSITORY = Path(__file__).resolve().parent.parent.parent
LOCK = (REPOSITORY / "requirements.lock").read_text()


def requirements() -> list[Requirement]:
    found = [Requirement(text) for text in metadata.requires("lightning_rast") or []]
    environment = {"extra": "dev"}
    return [item for item in found if item.marker is None or item.marker.evaluate(environment)]


def pins() -> dict[str, str]:
    pinned = {}
    for line in LOCK.splitlines():
        if line and not line.startswith("#"):
            item = Requirement(line)
            if item.marker is None or item.marker.evaluate():
                pinned[item.name] = next(iter(item.specifier)).version
    return pinned


def test_the_version_has_one_source():
    assert metadata.version("lightning_rast") == lightning_rast.__version__


def test_importing_the_package_is_cheap():
    script = "import sys, lightning_rast; print('torch' in sys.modules, 'numpy' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", "False"]


@pytest.mark.parametrize("requirement", requirements(), ids=lambda item: item.name)
def test_the_lock_holds_a_version_in_range(requirement: Requirement):
    assert requirement.specifier.contains(pins()[requirement.name])


@pytest.mark.parametrize(
    "lacking", ["omegaconf==2.3.1", "pytorch-lightning==2.5.6", "torch==2.3.1", "trimesh==4.5.3"]
)
def test_versions_without_what_is_used_are_out_of_range(lacking: str):
    name, version = lacking.split("==")
    text = (REPOSITORY / "pyproject.toml").read_text()
    (accepted,) = re.findall(rf'^  "({name}>=.*)",$', text, re.M)
    assert not Requirement(accepted).specifier.contains(version)


def test_building_needs_no_torch():
    text = (REPOSITORY / "pyproject.toml").read_text()
    (requires,) = re.findall(r"^requires = \[(.*)\]$", text, re.M)
    assert [Requirement(item).name for item in re.findall(r'"(.*?)"', requires)] == [
        "scikit-build-core"
    ]

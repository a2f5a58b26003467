"""The source archive and the wheel, as a user gets them: built, installed elsewhere, used there."""

import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path, PurePosixPath

import pytest

from lightning_rast import __version__
from lightning_rast.ops._library import has_cuda

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).resolve().parent.parent.parent
USE = """
import torch, lightning_rast
from lightning_rast.ops import contour_coverage
from lightning_rast.ops._library import has_cuda
from lightning_rast.scene import Topology

faces = torch.tensor([[0, 1, 2]])
verts = torch.tensor([[[-1, -1, 0, 1], [1, -1, 0, 1], [-1, 1, 0, 1]]]).float().requires_grad_()
coverage = contour_coverage(verts, Topology.from_faces(faces, 3), (8, 8))
coverage.sum().backward()
gradient = verts.grad[0, 1, 0].item()
print(lightning_rast.__file__, has_cuda(), coverage.sum().item(), gradient, sep="\\n")
"""


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with both archives; the wheel is built from the unpacked source archive."""
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder)]
    done = subprocess.run([*build, str(REPOSITORY)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def other_python(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a second environment, which has the wheel and borrows everything else."""
    folder = tmp_path_factory.mktemp("another environment") / "venv"
    venv.create(folder, with_pip=True, symlinks=True)
    python = folder / "bin" / "python"
    paths = [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    site = Path(subprocess.run(paths, capture_output=True, text=True, check=True).stdout.strip())
    # Lines in a borrowed folder's own .pth files are not followed, so that the development
    # install stays out of sight.
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    install = [python, "-m", "pip", "install", "--no-deps", "--no-index", "--ignore-installed"]
    subprocess.run([*install, wheel_in(dist)], check=True, capture_output=True)
    return python


def wheel_in(dist: Path) -> Path:
    (wheel,) = dist.glob("*.whl")
    return wheel


def python_files(folder: str) -> set[str]:
    files = (REPOSITORY / folder).rglob("*.py")
    return {file.relative_to(REPOSITORY).as_posix() for file in files}


def package_files() -> set[str]:
    """Sources and what they read: not what was built."""
    files = (REPOSITORY / "lightning_rast").rglob("*")
    return {
        file.relative_to(REPOSITORY).as_posix()
        for file in files
        if file.is_file() and file.suffix not in (".so", ".dylib", ".pyc")
    }


def test_one_wheel_serves_every_python_and_torch(dist: Path):
    assert wheel_in(dist).name.startswith(f"lightning_rast-{__version__}-py3-none-")


def test_the_wheel_holds_the_package_and_nothing_else(dist: Path):
    with zipfile.ZipFile(wheel_in(dist)) as wheel:
        names = [name for name in wheel.namelist() if ".dist-info/" not in name]
        metadata = [PurePosixPath(name).name for name in wheel.namelist() if ".dist-info/" in name]
    libraries = {name for name in names if name.startswith("lightning_rast/_c")}
    assert {PurePosixPath(name).stem for name in libraries} == {"_core"} | (
        {"_cuda"} if has_cuda() else set()
    )
    assert sorted(set(names) - libraries) == sorted(package_files())
    assert sorted(metadata) == ["LICENSE", "METADATA", "RECORD", "WHEEL", "entry_points.txt"]


def test_the_source_archive_builds_and_tests_by_itself(dist: Path):
    (path,) = dist.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    top = {
        "CMakeLists.txt",
        "LICENSE",
        "Makefile",
        "README.md",
        "pyproject.toml",
        "requirements.lock",
    }
    assert sorted(top - names) == []
    assert sorted((python_files("lightning_rast") | python_files("tests")) - names) == []
    assert not [name for name in names if name.endswith((".so", ".dll", ".pyc"))]
    assert not [name for name in names if name.startswith(("build/", "logs/", ".venv/"))]


def test_the_wheel_works_in_another_folder(other_python: Path, tmp_path: Path):
    done = subprocess.run(
        [other_python, "-c", USE], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    where, cuda, area, gradient = done.stdout.splitlines()
    assert other_python.parent.parent in Path(where).parents
    assert cuda == str(has_cuda())
    assert float(area) == pytest.approx(32)
    # d(area)/d(x of the corner at the right): half the height, times pixels per unit of ndc.
    assert float(gradient) == pytest.approx(16)


def test_the_wheel_brings_the_command(other_python: Path, tmp_path: Path):
    command = other_python.parent / "lightning-rast"
    done = subprocess.run([command, "--help"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("usage: lightning-rast COMMAND")

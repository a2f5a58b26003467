"""Fixtures that every floor uses; shapes in the package's signatures are checked in all tests."""

import os
from collections.abc import Iterator
from pathlib import Path

# Read when OpenMP starts, which `import torch` does: waiting threads must not hold busy cores.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import jaxtyping
import pytest
import torch
from hypothesis import settings

from tests import shape_checks

# Before anything imports the package: modules that are already loaded stay unchecked.
jaxtyping.install_import_hook("lightning_rast", f"{shape_checks.__name__}.checked")

REPOSITORY = Path(__file__).resolve().parent.parent

# The same examples in every run, so that a red CI can be repeated.
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")


def pytest_configure() -> None:
    # Workers of pytest-xdist would otherwise start a pool of all cores each. Two threads try
    # kernels that share their work.
    if "PYTEST_XDIST_WORKER" in os.environ:
        torch.set_num_threads(min(2, os.cpu_count() or 1))


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


@pytest.fixture
def unchecked() -> Iterator[None]:
    """Calls as users make them: our own messages, not the shape checker's, meet a bad argument."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("cuda") is None:
        return
    from lightning_rast.ops._library import has_cuda

    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    if not has_cuda():
        pytest.skip("built without CUDA")


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.cuda)])
def device(request: pytest.FixtureRequest) -> torch.device:
    """Each device that this machine and this build can use."""
    return torch.device(request.param)


@pytest.fixture
def never_waiting() -> Iterator[None]:
    """An operation that makes the host wait for the GPU raises."""
    torch.cuda.set_sync_debug_mode("error")
    yield
    torch.cuda.set_sync_debug_mode("default")


@pytest.fixture
def enough_room() -> Iterator[None]:
    """For the contour pieces of a test's pictures on a GPU; none may be left out."""
    from lightning_rast.ops import contour_cuda

    contour_cuda.reserve_contour_pieces(100_000)
    yield
    assert not contour_cuda.contour_overflowed()
    contour_cuda.reserve_contour_pieces(0)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real scans and photographs, which is not part of the repository."""
    folder = Path(os.environ.get("LRAST_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no test data in {folder}; LRAST_TEST_DATA names another folder")
    return folder

"""The compiled libraries: what they export, what they load, what is said when they are missing."""

import ctypes
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lightning_rast.ops import _library


def output_of(*command: str | Path) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def needs(tool: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(
        sys.platform != "linux" or not shutil.which(tool), reason=f"needs Linux and {tool}"
    )


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed package without compiled libraries."""
    folder = tmp_path / "lightning_rast"
    folder.mkdir()
    monkeypatch.setattr(_library, "_PACKAGE", folder)
    return folder


def test_a_missing_library_is_named(package: Path):
    with pytest.raises(ImportError, match=r"_core\.\w+ is missing: reinstall lightning_rast"):
        _library.core.__wrapped__()


def test_in_a_source_folder_the_message_says_how_to_build(package: Path):
    (package.parent / "CMakeLists.txt").touch()
    with pytest.raises(ImportError, match=r'is missing: run "make setup"'):
        _library.core.__wrapped__()


def test_a_damaged_library_is_named(package: Path):
    _library._path("_core").write_text("not a library")
    with pytest.raises(ImportError, match=r"_core\.\w+ cannot be loaded \(.*\): reinstall"):
        _library.core.__wrapped__()


def test_a_build_without_cuda_says_so(package: Path):
    assert not _library.has_cuda()
    with pytest.raises(ImportError, match="built without CUDA: move the tensors to the CPU, or"):
        _library.cuda.__wrapped__()


def test_a_library_of_another_version_is_noticed():
    with pytest.raises(ImportError, match="has no function lrast_no_such_op"):
        _library.bind(_library.core(), "lrast_no_such_op")


def test_a_library_with_other_argument_lists_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_library, "_ABI", -1)
    with pytest.raises(ImportError, match=r"has interface \d+, the Python files beside it need -1"):
        _library.core.__wrapped__()


@pytest.mark.skipif(not _library.has_cuda(), reason="built without CUDA")
def test_the_cuda_library_loads_without_a_driver():
    assert _library.cuda() is _library.cuda()


@needs("nm")
@pytest.mark.parametrize("stem", ["_core", "_cuda"])
def test_only_the_c_abi_is_exported(stem: str):
    path = _library._path(stem)
    if not path.is_file():
        pytest.skip(f"{path.name} is not built")
    names = re.findall(r" \w (\S+)$", output_of("nm", "-D", "--defined-only", path), re.M)
    assert names
    assert [name for name in names if not name.startswith("lrast_")] == []


@needs("objdump")
def test_wide_instructions_stay_in_the_kernels_that_are_chosen_for_them():
    # A function that the linker merged across instruction sets would end the program on a CPU
    # without AVX.
    isa = ctypes.CFUNCTYPE(ctypes.c_char_p)(("lrast_isa", _library.core()))()
    if isa == b"portable":
        pytest.skip("built for one instruction set")
    users = set()
    function = ""
    path = _library._path("_core")
    for line in output_of("objdump", "-d", "-C", "--no-show-raw-insn", path).splitlines():
        if start := re.match(r"[0-9a-f]+ <(.*)>:$", line):
            function = start[1]
        elif re.search(r"%[yz]mm", line):
            users.add(function)
    assert users
    assert [name for name in users if not re.search(r"\bv[34]\b", name)] == []


@needs("nm")
def test_the_kernels_run_in_the_thread_pool_of_torch():
    script = (
        "import lightning_rast.ops._library as x; x.core(); print(open('/proc/self/maps').read())"
    )
    mapped = set(re.findall(r"\S*gomp\S*\.so\S*", output_of(sys.executable, "-c", script)))
    assert len(mapped) == 1
    assert "torch" in mapped.pop()

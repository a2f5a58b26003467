"""Compiles CUDA sources for the CPU, with `cuda_shim.h` in place of CUDA."""

import atexit
import ctypes
import functools
import hashlib
import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

_HERE = Path(__file__).resolve().parent
_FLAGS = ("-std=c++17", "-O1", "-fPIC", "-ffp-contract=off", "-Wall", "-Wextra")


def compiler() -> list[str]:
    """The command, whose first words may be those of a cache such as ccache."""
    return shlex.split(os.environ.get("CXX", "")) or [shutil.which("c++") or "g++"]


def compiled(sources: list[Path], library: Path, *more_flags: str) -> ctypes.CDLL:
    """The library made from `sources`; its kernels run on the CPU when launched."""
    shim = ("-include", str(_HERE / "cuda_shim.h"))
    inputs = [part for source in sources for part in ("-x", "c++", str(source))]
    _run(*compiler(), *_FLAGS, *more_flags, "-shared", *shim, *inputs, "-o", str(library))
    return ctypes.CDLL(str(library))


def compiled_for_races(sources: list[Path], library: Path, *more_flags: str) -> ctypes.CDLL:
    """The same, watched: `races.found()` tells what was found. Needs GCC 11 or newer.

    The compiler puts the calls of its thread sanitizer around reads and writes, but races.cpp takes
    the place of the sanitizer's library, which knows nothing of barriers between CUDA threads.
    """
    flags = (*_FLAGS, *more_flags, "-g1", "-fno-gnu-unique", "-DCUDA_SHIM_RACES")
    watched = ("-fsanitize=thread", "--param=tsan-distinguish-volatile=1")
    watched = (*watched, "--param=tsan-instrument-func-entry-exit=0")
    shim = ("-include", str(_HERE / "cuda_shim.h"))
    objects = [str(library.with_suffix(f".{i}.o")) for i in range(len(sources))]
    for source, target in zip(sources, objects, strict=True):
        command = (*compiler(), *flags, *watched, *shim, "-c", "-x", "c++", str(source))
        _run(*command, "-o", target)
    _run(*compiler(), "-shared", *objects, _watcher(), "-o", str(library))
    return ctypes.CDLL(str(library))


def kept_folder(sources: Iterable[Path], *more_flags: str) -> Path:
    """Where to keep what is made of `sources`: another folder for other text, compiler or flags.

    It is below build/, not in a temporary folder that all users share: others could put a library
    there for us to load.
    """
    version = subprocess.run([*compiler(), "--version"], capture_output=True, check=True).stdout
    recipe = repr((compiler(), version, _FLAGS, more_flags)).encode()
    texts = [path.read_bytes() for path in (*sorted(sources), _HERE / "cuda_shim.h")]
    parts = (hashlib.sha256(text).digest() for text in (recipe, *texts))
    name = hashlib.sha256(b"".join(parts)).hexdigest()[:16]
    return _HERE.parent.parent / "build" / "cuda_shim" / name


@functools.cache
def _watcher() -> str:
    """races.cpp, compiled once per process, which removes it at its end."""
    folder = Path(tempfile.mkdtemp(prefix="cuda_shim"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    target = folder / "races.o"
    flags = (*_FLAGS, "-O2", "-fno-gnu-unique", "-DCUDA_SHIM_RACES")
    _run(*compiler(), *flags, "-c", str(_HERE / "races.cpp"), "-o", str(target))
    return str(target)


def _run(*command: str) -> None:
    subprocess.run(command, check=True)

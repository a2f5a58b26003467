"""Loads the compiled libraries, which know nothing of torch and are called through ctypes."""

import ctypes
import functools
import sys
from collections.abc import Callable
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent
_ABI = 4  # kLrastAbi in csrc/api/lrast.h
_SUFFIX = ".dll" if sys.platform == "win32" else ".so"


@functools.cache
def core() -> ctypes.CDLL:
    """The CPU kernels.

    Raises:
        ImportError: the library is missing or cannot be loaded; the message says what to run.
    """
    return _load("_core")


@functools.cache
def cuda() -> ctypes.CDLL:
    """The CUDA kernels. The library loads on a machine without a GPU or a driver too.

    Raises:
        ImportError: this installation was built without CUDA, or the library cannot be loaded.
    """
    if not has_cuda():
        raise ImportError(
            "this installation of lightning_rast was built without CUDA: move the tensors to the "
            f"CPU, or install the CUDA toolkit (nvcc) and {_how_to_build()}"
        )
    return _load("_cuda")


def cpu_isa() -> str:
    """The instruction set that the CPU kernels run with: "portable", or x86-64 "v2" to "v4"."""
    name = ctypes.CFUNCTYPE(ctypes.c_char_p)(("lrast_isa", core()))()
    return name.decode()


def has_cuda() -> bool:
    """Whether this installation has CUDA kernels; says nothing about a GPU being there."""
    return _path("_cuda").is_file()


def bind(library: ctypes.CDLL, name: str, *argtypes: type) -> Callable[..., int]:
    """The entry point `name` of `library`, taking `argtypes` and returning a status code.

    Raises:
        ImportError: the library has no such function, so it is not of this version.
    """
    try:
        function = getattr(library, name)
    except AttributeError:
        raise ImportError(
            f"{library._name} has no function {name}: it was built from other sources than the "
            f"Python files beside it; {_how_to_build()}"
        ) from None
    function.argtypes = argtypes
    function.restype = ctypes.c_int
    return function


def _load(stem: str) -> ctypes.CDLL:
    path = _path(stem)
    if not path.is_file():
        raise ImportError(f"{path} is missing: {_how_to_build()}")
    try:
        library = ctypes.CDLL(str(path))
    except OSError as error:
        raise ImportError(f"{path} cannot be loaded ({error}): {_how_to_build()}") from error
    # Other argument lists than these files expect would crash the process, not raise.
    found = bind(library, "lrast_abi")()
    if found != _ABI:
        raise ImportError(
            f"{path} has interface {found}, the Python files beside it need {_ABI}: "
            f"{_how_to_build()}"
        )
    return library


def _path(stem: str) -> Path:
    return _PACKAGE / f"{stem}{_SUFFIX}"


def _how_to_build() -> str:
    root = _PACKAGE.parent
    if (root / "CMakeLists.txt").is_file():
        return (
            f'run "make setup" or "pip install -e ." in {root} (an installed lightning_rast is '
            "not seen by a Python started in that folder)"
        )
    return "reinstall lightning_rast from its sources"

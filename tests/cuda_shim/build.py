"""Compiles CUDA sources for the CPU, with `cuda_shim.h` in place of CUDA."""

import ctypes
import os
import shutil
import subprocess
from pathlib import Path

_SHIM = Path(__file__).resolve().parent / "cuda_shim.h"


def compiled(sources: list[Path], library: Path, *more_flags: str) -> ctypes.CDLL:
    """The library made from `sources`; its kernels run on the CPU when launched."""
    compiler = os.environ.get("CXX") or shutil.which("c++") or "g++"
    flags = ["-std=c++17", "-O1", "-fPIC", "-shared", "-ffp-contract=off", "-Wall", "-Wextra"]
    inputs = [part for source in sources for part in ("-x", "c++", str(source))]
    subprocess.run(
        [compiler, *flags, *more_flags, "-include", str(_SHIM), *inputs, "-o", str(library)],
        check=True,
    )
    return ctypes.CDLL(str(library))

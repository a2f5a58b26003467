"""What races.cpp has found in a library of kernels, with the lines of source concerned."""

import ctypes
import functools
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

from tests.cuda_shim.build import compiler

# Set to 1, all tests with CUDA kernels on the CPU look for races as well: it takes much longer.
WATCHING = os.environ.get("LRAST_SHIM_RACES") == "1"


@functools.cache
def obstacle() -> str:
    """Why races cannot be looked for here; empty if they can."""
    if not shutil.which(compiler()[0]):
        return f"there is no compiler {shlex.join(compiler())}"
    done = subprocess.run([*compiler(), "-dumpmachine"], capture_output=True, text=True)
    if done.returncode or not done.stdout.startswith("x86_64") or "linux" not in done.stdout:
        return "the fibers that it watches are for x86-64 and Linux"
    known = subprocess.run(
        [*compiler(), "-fsyntax-only", "--param=tsan-distinguish-volatile=1", "-x", "c++", "-"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
    )
    if known.returncode:
        return f"{shlex.join(compiler())} is not GCC 11 or newer"
    return "" if shutil.which("addr2line") else "addr2line (binutils) is missing"


def found(library: ctypes.CDLL) -> list[str]:
    """Races of the kernels that `library` has run since the last look, a line for each."""
    library.cuda_shim_races.restype = ctypes.c_char_p
    lines = library.cuda_shim_races().decode().splitlines()
    offsets = sorted({offset for line in lines for offset in re.findall(r"0x[0-9a-f]+", line)})
    places = dict(zip(offsets, _places(library._name, offsets), strict=True))
    told = {re.sub(r"0x[0-9a-f]+", lambda match: places[match[0]], line) for line in lines}
    return sorted(told)


def _places(library: str, offsets: list[str]) -> list[str]:
    """File, line and kernel of each offset of the code."""
    if not offsets:
        return []
    command = ["addr2line", "-a", "-f", "-i", "-C", "-e", library, *offsets]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [_place(part.splitlines()[1:]) for part in re.split(r"^(?=0x)", told, flags=re.M)[1:]]


def _place(frames: list[str]) -> str:
    """The innermost line, and the outermost function that it was inlined into."""
    function = re.sub(r"\(.*|<.*|^void ", "", frames[-2].replace("(anonymous namespace)::", ""))
    return f"{Path(frames[1].partition(' ')[0]).name} in {function.rpartition('::')[2]}"

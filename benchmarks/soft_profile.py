"""Where the forward time of `soft_coverage` goes, one thread.

    python benchmarks/soft_profile.py            shares by phase: wants Linux's `perf`
    python benchmarks/soft_profile.py --isa      ms per view with each instruction set

Shares are those of samples in the library alone, by function; what the compiler inlines counts as
its caller.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import cast

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch
from coverage import table
from rasterizer import SOFT_SETTINGS, VIEWS
from scenes import cameras, smooth_sphere
from stopwatch import best_ms

from lightning_rast.ops import soft_coverage
from lightning_rast.ops.soft_coverage import Semantics

CASES = [(5, 128), (4, 512)]  # smallest faces of the benchmark's, and largest
# Parts of names, first match.
PHASES = {
    "faces set up": ("set_up_faces", "prepare_view", "place_vertices", "place_keys"),
    "sorting into tiles": ("count_in_tiles", "sort_into_tiles", "over_bands"),
    "faces placed in tiles": ("list_faces", "place_group"),
    "blocks in reach": ("look_by",),
    "lists of blocks": ("list_blocks", "BlockSets"),
    "loop over pairs": ("multiply_blocks",),
    "nearest chosen": ("choose_", "find_threshold", "find_tied", "count_from", "_depths"),
    "picture written": ("write_tile", "copy_tile", "clear_last"),
}


def draw_for(seconds: float, level: int, size: int, name: Semantics) -> float:
    """Draws one case again and again; the best time of a view, ms."""
    torch.set_num_threads(1)
    scene = smooth_sphere(level)
    verts_clip = cameras(VIEWS, size).world_to_clip(scene.mesh.verts).contiguous()
    sigma = SOFT_SETTINGS[name]

    def draw() -> None:
        soft_coverage(verts_clip, scene.mesh.faces, (size, size), sigma=sigma, semantics=name)

    return best_ms(draw, repeats=sys.maxsize, seconds=seconds) / VIEWS


def shares(level: int, size: int, name: str, seconds: float) -> dict[str, float]:
    """Percent of the library's samples in each phase."""
    with tempfile.TemporaryDirectory() as folder:
        record = str(Path(folder) / "perf.data")
        work = [sys.executable, __file__, "--work", level, size, name, "--seconds", seconds]
        run(["perf", "record", "-F", "4000", "-o", record, *map(str, work)])
        report = run(
            ["perf", "report", "-i", record, "--stdio", "--sort", "symbol", "--dso", "_core.so"]
        )
    found: dict[str, float] = defaultdict(float)
    for percent, symbol in re.findall(r"^ +([\d.]+)% +\[.\] (.*)$", report, flags=re.MULTILINE):
        phase = next((p for p, parts in PHASES.items() if any(s in symbol for s in parts)), "rest")
        found[phase] += float(percent)
    total = sum(found.values())
    return {phase: 100 * share / total for phase, share in found.items()}


def run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command[:2])}: {done.stderr.strip()[-500:]}")
    return done.stdout


def print_phases(seconds: float) -> None:
    columns = {
        f"{name}, {20 * 4**level} faces, {size} px": shares(level, size, name, seconds)
        for name, level, size in all_cases()
    }
    table(
        ["percent of the time", *columns],
        (
            [phase, *(f"{c.get(phase, 0):.0f}" for c in columns.values())]
            for phase in [*PHASES, "rest"]
        ),
    )


def print_isas(seconds: float) -> None:
    rows = []
    for isa in ("v2", "v3", "v4"):
        os.environ["LRAST_ISA"] = isa  # read when a process loads the library
        command = [sys.executable, __file__, "--all", "--seconds", str(seconds)]
        rows.append([isa, *(f"{float(ms):.3g}" for ms in run(command).split())])
    cases = [f"{name}, {20 * 4**level} faces, {size} px" for name, level, size in all_cases()]
    table(["x86-64", *cases], rows)


def all_cases() -> list[tuple[Semantics, int, int]]:
    return [(name, *case) for name in SOFT_SETTINGS for case in CASES]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--isa", action="store_true")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each case")
    parser.add_argument("--work", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--all", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        level, size, name = options.work
        print(draw_for(options.seconds, int(level), int(size), cast(Semantics, name)))
    elif options.all:
        for name, level, size in all_cases():
            print(draw_for(options.seconds, level, size, name))
    elif options.isa:
        print_isas(options.seconds)
    else:
        print_phases(options.seconds)


if __name__ == "__main__":
    main()

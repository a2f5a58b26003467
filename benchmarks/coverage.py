"""Time of `contour_coverage`, forward and backward, over faces x resolution x views x threads.

    python benchmarks/coverage.py                   all tables as markdown
    python benchmarks/coverage.py --only budget     the rows that have a budget, in half a minute
    python benchmarks/coverage.py --json out.json   the numbers as well

Times are the best of several runs, in ms per view. `floor` is measured beside each row: copying a
block with as many bytes to read and write as the operands have, that is faces, edges, vertices and
the image, and for the backward pass both gradients. Stages are those of the forward pass on one
thread. Where DEODR, DRTK or PyTorch3D are installed they draw the same scenes in the same run.
`LRAST_TEST_DATA` names a folder of scans.
"""

import argparse
import json
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

# As `train.py` has it: idle threads sleep, so that they take nothing from whoever is busy.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch
from peers import peers
from scenes import (
    Scene,
    cameras,
    count_contour_edges,
    disc,
    file_scene,
    folded_scan,
    smooth_sphere,
    smooth_torus,
    test_data,
)
from stopwatch import best_ms, best_stages_ms, copy_ms, machine

from lightning_rast.ops.contour import contour_coverage, profile_contour_coverage

PEER_CASES = [(3, 128), (4, 128), (5, 128), (4, 256), (5, 256), (4, 512), (5, 512), (6, 512)]
THREAD_ROUNDS = 6
PEER_VIEWS = 4
LONGEST_PEER_MS = 20_000


@dataclass
class Timing:
    """One row: ms per view."""

    mesh: str
    faces: int
    contour_edges: int
    size: int
    views: int
    threads: int
    forward: float
    backward: float
    floor: float
    stages: dict[str, float]
    budget: float | None = None

    @property
    def total(self) -> float:
        return self.forward + self.backward


@dataclass
class PeerTiming:
    """One row: ms per view from world vertices to their gradient."""

    faces: int
    size: int
    threads: int
    times: dict[str, float]
    covered: dict[str, float]  # mean of the pictures


def timed(scene: Scene, size: int, views: int, threads: int, options: argparse.Namespace) -> Timing:
    torch.set_num_threads(threads)
    topology = scene.topology
    verts_clip = cameras(views, size).world_to_clip(scene.mesh.verts).contiguous()
    upstream = torch.rand(views, size, size)
    verts = verts_clip.requires_grad_()

    def run() -> tuple[float, float]:
        start = time.perf_counter()
        coverage = contour_coverage(verts, topology, (size, size))
        middle = time.perf_counter()
        torch.autograd.grad(coverage, verts, upstream)
        return middle - start, time.perf_counter() - middle

    forward, backward = best_stages_ms(run, repeats=options.repeats, seconds=options.seconds)
    profiles = [profile_contour_coverage(verts, topology, (size, size)) for _ in range(5)]
    stages = {name: min(run[name] for run in profiles) / views for name in profiles[0]}
    edges = [topology.edge_verts, topology.edge_faces, topology.irregular_codes]
    images_and_verts = 2 * (verts_clip.nbytes + upstream.nbytes)  # values, then gradients
    moved = views * sum(x.nbytes for x in [topology.faces, *edges]) + images_and_verts
    return Timing(
        mesh=scene.name,
        faces=scene.mesh.num_faces,
        contour_edges=count_contour_edges(verts_clip.detach(), topology),
        size=size,
        views=views,
        threads=threads,
        forward=forward / views,
        backward=backward / views,
        floor=copy_ms(moved) / views,
        stages=stages,
    )


def budget_rows(options: argparse.Namespace) -> Iterator[Timing]:
    """One core; budgets are for forward + backward per view."""
    scan_cases: list[tuple[Scene, float | None]] = [(folded_scan(), 2.0)]
    data = test_data()
    if data is not None and (data / "meshes" / "rocker-arm.obj").is_file():
        scan_cases.append((file_scene(data / "meshes" / "rocker-arm.obj"), None))
    cases = [
        (smooth_sphere(5), 512, 0.3),
        (smooth_torus(20_000), 512, 0.3),
        (smooth_sphere(6), 512, 0.7),
        (smooth_torus(80_000), 512, 0.7),
        (smooth_torus(1_000_000), 1024, 10.0),
        *((scene, 256, budget) for scene, budget in scan_cases),
    ]
    for scene, size, budget in cases:
        row = timed(scene, size, 4, 1, options)
        row.budget = budget
        yield row


def thread_rows(options: argparse.Namespace) -> Iterator[Timing]:
    """Pairs of rows. One and two threads take turns, so that a slow spell of the machine meets
    both; the best of the rounds counts."""
    for scene, size in ((smooth_sphere(5), 512), (smooth_sphere(6), 512), (folded_scan(), 256)):
        rounds = [
            [timed(scene, size, 8, threads, options) for threads in (1, 2)]
            for _ in range(THREAD_ROUNDS)
        ]
        for rows in zip(*rounds, strict=True):
            yield min(rows, key=lambda row: row.total)


def grid_rows(options: argparse.Namespace) -> Iterator[Timing]:
    scenes = [smooth_sphere(level) for level in options.levels] + [folded_scan()]
    for scene in scenes:
        for size in options.sizes:
            for views in options.views:
                for threads in options.threads:
                    yield timed(scene, size, views, threads, options)


def peer_rows(options: argparse.Namespace) -> Iterator[PeerTiming]:
    too_slow: set[str] = set()
    for level, size in PEER_CASES:
        scene, camera, target = smooth_sphere(level), cameras(PEER_VIEWS, size), disc(size)
        for threads in options.threads:
            torch.set_num_threads(threads)
            row = PeerTiming(scene.mesh.num_faces, size, threads, {}, {})
            for name, draw in peers(scene, camera, target).items():
                if name in too_slow:
                    continue
                verts = scene.mesh.verts
                row.covered[name] = float(draw(verts)[0].mean())
                took = best_ms(
                    lambda draw=draw, verts=verts: draw(verts),
                    repeats=options.repeats,
                    seconds=options.seconds,
                )
                row.times[name] = took / PEER_VIEWS
                if took > LONGEST_PEER_MS:
                    too_slow.add(name)
            yield row


def table(header: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    header = list(header)
    print("| " + " | ".join(header) + " |")
    print("|" + "---|" * len(header))
    for row in rows:
        cells = [f"{cell:.3g}" if isinstance(cell, float) else str(cell) for cell in row]
        print("| " + " | ".join(cells) + " |", flush=True)
    print()


def print_timings(rows: Iterable[Timing], results: list[Timing]) -> None:
    def cells() -> Iterator[list[object]]:
        for row in rows:
            results.append(row)
            over = row.budget is not None and row.total > row.budget
            budget = "" if row.budget is None else f"{row.budget:g}{' (over)' if over else ''}"
            yield [
                row.mesh, row.faces, row.contour_edges, row.size, row.views, row.threads,
                row.forward, row.backward, row.total, budget, row.floor,
                *row.stages.values(),
            ]  # fmt: skip

    # The stages' names are known once a row is.
    stages = profile_contour_coverage(torch.zeros(0, 42, 4), smooth_sphere(1).topology, (1, 1))
    sizes = ["mesh", "faces", "contour edges", "image", "views", "threads"]
    header = [*sizes, "forward", "backward", "total", "budget", "floor"]
    table([*header, *stages], cells())


def print_threads(rows: list[Timing]) -> None:
    pairs = zip(rows[::2], rows[1::2], strict=True)
    table(
        ["mesh", "faces", "image", "one thread", "two threads", "ratio"],
        ([a.mesh, a.faces, a.size, a.total, b.total, a.total / b.total] for a, b in pairs),
    )


def print_peers(rows: Iterable[PeerTiming], results: list[PeerTiming]) -> None:
    names = list(peers(smooth_sphere(1), cameras(1, 8), disc(8)))

    def cells() -> Iterator[list[object]]:
        for row in rows:
            results.append(row)
            yield [
                row.faces, row.size, row.threads,
                *(row.times.get(name, "-") for name in names),
                *(row.covered.get(name, "-") for name in names),
            ]  # fmt: skip

    table(["faces", "image", "threads", *names, *(f"{name} covers" for name in names)], cells())


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", choices=["budget", "threads", "grid", "peers"])
    parser.add_argument("--levels", type=int, nargs="+", default=[3, 4, 5, 6], help="icospheres")
    parser.add_argument("--sizes", type=int, nargs="+", default=[128, 256, 512, 1024])
    parser.add_argument("--views", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=1.0, help="at most, for one row")
    parser.add_argument("--json", type=Path, help="write all numbers to this file")
    return parser.parse_args()


def main() -> None:
    options = parsed()
    where = machine()
    print(", ".join(f"{key} {value}" for key, value in where.items()) + "\n")

    timings: list[Timing] = []
    peer_timings: list[PeerTiming] = []
    if options.only in (None, "budget"):
        print("## One core, ms per view\n")
        print_timings(budget_rows(options), timings)
    if options.only in (None, "threads"):
        print("## Threads over 8 views, ms per view\n")
        rows = list(thread_rows(options))
        timings += rows
        print_threads(rows)
    if options.only in (None, "grid"):
        print("## All sizes, ms per view\n")
        print_timings(grid_rows(options), timings)
    if options.only in (None, "peers"):
        print(f"## World vertices to their gradient, {PEER_VIEWS} views, ms per view\n")
        print_peers(peer_rows(options), peer_timings)
    if options.json is not None:
        record = {
            "machine": where,
            "contour_coverage": [asdict(row) | {"total": row.total} for row in timings],
            "peers": [asdict(row) for row in peer_timings],
        }
        options.json.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""Times of the operators and of a training step on a GPU, eager and as CUDA graphs.

    python benchmarks/gpu.py                    all tables as markdown
    python benchmarks/gpu.py --only operators   one of: operators, training, peers
    python benchmarks/gpu.py --json out.json    the numbers as well

Times are ms per view, the best of several runs of many calls between two events of the stream, so
that `eager` includes what Python takes where the device waits for it. `floor` is the time to copy a
block with as many bytes to read and write as the operands have: forward the inputs and the results,
and for the way back the inputs once more, the incoming gradients and the outgoing ones. An operator
without CUDA kernels says so. Where nvdiffrast, DRTK or PyTorch3D are installed they draw the same
scenes in the same run. What fails is noted in its row, the others go on, and the status is 1 at the
end. Without a GPU it is 2.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import torch
from gpu_cases import OPERATORS, Case, has_cuda_kernel, training_step
from peers import installed_peers, peers
from scenes import Scene, cameras, disc, smooth_sphere
from stopwatch import best_device_ms, device_copy_ms, machine
from torch import Tensor
from visibility_peers import visibility_peers

from lightning_rast.ops import contour_overflowed
from lightning_rast.ops._library import has_cuda
from lightning_rast.scene import Camera

SCENES = [(4, 256), (5, 512), (6, 512), (8, 1024)]  # levels of subdivision, side of the image
# The optimizer counts its steps on the host, so that a captured graph keeps its bias correction;
# after so many steps there is none left to keep.
WARM_UP_STEPS = 400
NO_KERNEL = "no CUDA kernel"
FAILED = "failed: "

Peers = dict[str, Callable[[Tensor], object]]


@dataclass
class Timing:
    """One row: ms per view, None where there is no such number."""

    what: str
    faces: int
    size: int
    views: int
    forward: float | None = None
    eager: float | None = None  # forward and backward, or a whole step
    graph: float | None = None
    floor: float | None = None
    megabytes: float | None = None
    note: str = ""

    @property
    def percent_of_floor(self) -> float | None:
        best = self.eager if self.graph is None else self.graph
        return None if best is None or self.floor is None else 100 * self.floor / best


def graph_ms(call: Callable[[], object]) -> tuple[float | None, str]:
    """Time of `call` replayed as a CUDA graph, or why it cannot be captured."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        call()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    try:
        with torch.cuda.graph(graph):
            call()
    except RuntimeError as error:
        return None, f"not captured: {str(error).splitlines()[0]}"
    return best_device_ms(graph.replay), ""


def peak_megabytes(call: Callable[[], object]) -> float:
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    call()
    return (torch.cuda.max_memory_allocated() - before) / 2**20


def timed(row: Timing, measure: Callable[[Timing], None]) -> Timing:
    """The row, filled in; what goes wrong with it must not cost the others."""
    try:
        measure(row)
    except Exception as error:  # of any library's
        row.note = f"{FAILED}{type(error).__name__}: {str(error).partition(chr(10))[0]}"
    return row


def time_operator(make: Callable[..., Case], scene: Scene, camera: Camera, row: Timing) -> None:
    case = make(scene, camera)

    def forward() -> object:
        with torch.no_grad():
            return case.forward()

    row.forward = best_device_ms(forward) / row.views
    row.eager = best_device_ms(case.both) / row.views
    row.megabytes = peak_megabytes(case.both) / row.views
    took, row.note = graph_ms(case.both)
    row.graph = None if took is None else took / row.views
    row.floor = device_copy_ms(case.bytes_moved()) / row.views


def operator_rows(options: argparse.Namespace) -> Iterator[Timing]:
    for level, size in SCENES:
        scene, camera = smooth_sphere(level), cameras(options.views, size).to("cuda")
        for name, make in OPERATORS.items():
            row = Timing(name, scene.mesh.num_faces, size, options.views)
            if has_cuda_kernel(name):
                yield timed(row, partial(time_operator, make, scene, camera))
            else:
                row.note = NO_KERNEL
                yield row


def training_rows(options: argparse.Namespace) -> Iterator[Timing]:
    for level, size in SCENES:
        scene, camera = smooth_sphere(level), cameras(options.views, size).to("cuda")
        row = Timing("training step", scene.mesh.num_faces, size, options.views)
        target = disc(size).cuda()
        yield timed(row, partial(time_step, scene, camera, target))


def time_step(scene: Scene, camera: Camera, target: Tensor, row: Timing) -> None:
    step = training_step(scene, camera, target)
    for _ in range(WARM_UP_STEPS):
        step()
    row.eager = best_device_ms(step) / row.views
    row.megabytes = peak_megabytes(step) / row.views
    took, row.note = graph_ms(step)
    row.graph = None if took is None else took / row.views


def peer_rows(options: argparse.Namespace) -> Iterator[Timing]:
    for level, size in SCENES:
        scene, camera = smooth_sphere(level), cameras(options.views, size).to("cuda")
        target, verts = disc(size).cuda(), scene.mesh.verts.float().cuda()
        names = ["lightning_rast", *installed_peers(on_gpu=True)]
        makers = {
            "silhouette and gradient": partial(peers, scene, camera, target),
            "face, barycentrics, depth": partial(visibility_peers, scene, camera),
        }
        for what, make in makers.items():
            for name in names:
                row = Timing(f"{what}: {name}", scene.mesh.num_faces, size, options.views)
                yield timed(row, partial(time_peer, make, name, verts))


def time_peer(make: Callable[..., Peers], name: str, verts: Tensor, row: Timing) -> None:
    draw = make(only=name)[name]
    row.eager = best_device_ms(lambda: draw(verts)) / row.views


def print_rows(rows: Iterator[Timing], done: Callable[[Timing], None]) -> None:
    columns = ("forward", "eager", "graph", "floor", "percent_of_floor", "megabytes")
    header = ["", "faces", "image", "views", *columns, "note"]
    print("| " + " | ".join(header).replace("_", " ") + " |")
    print("|" + "---|" * len(header))
    for row in rows:
        done(row)
        numbers = [getattr(row, column) for column in columns]
        cells = ["" if number is None else f"{number:.3g}" for number in numbers]
        print(
            "| "
            + " | ".join(map(str, [row.what, row.faces, row.size, row.views, *cells, row.note]))
            + " |",
            flush=True,
        )
    print()


def write_json(path: Path, where: dict[str, str], results: list[Timing]) -> None:
    rows = [asdict(row) | {"percent_of_floor": row.percent_of_floor} for row in results]
    path.write_text(json.dumps({"machine": where, "rows": rows}, indent=1) + "\n")


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", choices=["operators", "training", "peers"])
    parser.add_argument("--views", type=int, default=8)
    parser.add_argument("--json", type=Path, help="write all numbers to this file")
    return parser.parse_args()


def obstacle() -> str:
    """Why nothing can be measured here; empty if it can."""
    if not has_cuda():
        return "this installation of lightning_rast was built without CUDA (no nvcc was found)"
    if not torch.cuda.is_available():
        return f"torch {torch.__version__} finds no CUDA device on this machine"
    return ""


def main() -> None:
    options = parsed()
    if reason := obstacle():
        print(f"gpu: nothing to measure, {reason}", file=sys.stderr)
        sys.exit(2)
    where = machine() | {"gpu": torch.cuda.get_device_name(), "cuda": str(torch.version.cuda)}
    print(", ".join(f"{key} {value}" for key, value in where.items()) + "\n")
    tables = {
        "operators": ("Operators, ms per view", operator_rows),
        "training": ("A silhouette training step, ms per view", training_rows),
        "peers": ("Beside other rasterizers, ms per view", peer_rows),
    }
    results: list[Timing] = []

    def done(row: Timing) -> None:
        results.append(row)
        if options.json is not None:  # each time: this may be stopped before its end
            write_json(options.json, where, results)

    for name, (title, rows) in tables.items():
        if options.only in (None, name):
            print(f"## {title}\n")
            print_rows(rows(options), done)
    if contour_overflowed():
        sys.exit("gpu: pictures of contour_coverage lacked edges, its times mean nothing")
    if any(row.note.startswith(FAILED) for row in results):
        sys.exit("gpu: some rows failed, see their notes")


if __name__ == "__main__":
    main()

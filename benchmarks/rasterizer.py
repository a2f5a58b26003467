"""Time of the rasterizer family over faces x resolution x threads, with peers in the same run.

    python benchmarks/rasterizer.py                     all tables as markdown
    python benchmarks/rasterizer.py --only visibility   one of visibility, silhouette, soft, others
    python benchmarks/rasterizer.py --json out.json --plot out.png

Times are the best of several runs, in ms per view over 4 views. Peers: OpenGL on the CPU (Mesa's
llvmpipe through `pip install moderngl`), DEODR (`pip install deodr`), and DRTK and PyTorch3D where
they are installed. Where they are not, `reference_times.json` has what they took on another machine
for the same scenes and number of threads, DEODR's beside them: the columns marked *.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

# As `train.py` has it: idle threads sleep, so that they take nothing from whoever is busy.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch
from coverage import table
from cpu_visibility import visibility_peers
from peers import Peer, peers, squared_error_grad
from scenes import Scene, cameras, disc, folded_scan, smooth_sphere
from soft_pairs import count_looked_at, count_pairs
from stopwatch import best_ms, best_stages_ms, copy_ms, machine
from torch import Tensor

from lightning_rast.ops import antialias, interpolate, rasterize, soft_coverage, visible_faces
from lightning_rast.ops.soft_coverage import Semantics, soft_model
from lightning_rast.scene import Camera

VIEWS = 4
REFERENCE = json.loads((Path(__file__).parent / "reference_times.json").read_text())
CASES = [
    (3, 128), (4, 128), (5, 128), (6, 128), (4, 256), (4, 512), (5, 512), (6, 512), (6, 1024),
    (7, 1024), (8, 1024), (8, 2048),
]  # fmt: skip
SOFT_CASES = [(3, 128), (4, 128), (5, 128), (4, 256), (5, 256), (4, 512)]
SIGMA = 1e-4
# What a pair of a pixel and a face is: the pixel within reach; or any pixel of a block that may
# have one within reach. The kernels evaluate blocks of 4 x 4; masks of 8 x 8 would take in more.
COUNTS: dict[str, Callable[..., int]] = {
    "in reach": count_pairs,
    "of 4x4": count_looked_at,
    "of 8x8": partial(count_looked_at, block=8),
}
SOFT_SETTINGS: dict[Semantics, float] = {"pytorch3d": SIGMA, "softras": SIGMA, "pixel": 0.5}


@dataclass
class Row:
    """One line of a table: ms per view."""

    mesh: str
    faces: int
    size: int
    threads: int
    times: dict[str, float] = field(default_factory=dict)
    notes: dict[str, float] = field(default_factory=dict)


def row_of(scene: Scene, size: int, threads: int) -> Row:
    torch.set_num_threads(threads)
    return Row(scene.name, scene.mesh.num_faces, size, threads)


def scenes(cases: list[tuple[int, int]]) -> Iterator[tuple[Scene, int]]:
    built: dict[int, Scene] = {}
    for level, size in cases:
        yield built.setdefault(level, smooth_sphere(level)), size


def visibility_rows(options: argparse.Namespace) -> Iterator[Row]:
    """Face, barycentrics, depth; forward."""
    if len(options.threads) > 1:
        # llvmpipe reads its number of threads once in the life of a process.
        for threads in options.threads:
            yield from rows_of_process(threads, options)
        return
    for scene, size in [*scenes(CASES), (folded_scan(), 256), (folded_scan(), 1024)]:
        for threads in options.threads:
            row, expected = row_of(scene, size, threads), None
            for name, draw in visibility_peers(scene, cameras(VIEWS, size), threads).items():
                faces = draw()
                expected = faces if expected is None else expected
                row.notes[f"{name} differs"] = float((faces != expected).float().mean())
                row.times[name] = timed(draw, options)
            row.times.update(elsewhere("visibility", row))
            yield row


def rows_of_process(threads: int, options: argparse.Namespace) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.json"
        arguments = ["--only", "visibility", "--threads", threads, "--json", file]
        arguments += ["--repeats", options.repeats, "--seconds", options.seconds]
        command = [sys.executable, __file__, *map(str, arguments)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        for row in json.loads(file.read_text())["visibility"]:
            yield Row(**row)


def silhouette_rows(options: argparse.Namespace) -> Iterator[Row]:
    """World vertices to the gradient of a squared error of the silhouette."""
    for scene, size in scenes([case for case in CASES if case[0] < 8]):
        camera, target = cameras(VIEWS, size), disc(size)
        for threads in options.threads:
            row = row_of(scene, size, threads)
            names = peers(scene, camera, target)
            exact = names.pop("lightning_rast")
            if threads > 1:
                names.pop("DEODR", None)  # has one thread
            candidates = {"antialias": antialiased(scene, camera, target), "contour": exact}
            for name, draw in {**candidates, **names}.items():
                verts = scene.mesh.verts
                row.times[name] = timed(lambda draw=draw, verts=verts: draw(verts), options)
            row.times.update(elsewhere("silhouette", row))
            yield row


def antialiased(scene: Scene, camera: Camera, target: Tensor) -> Peer:
    topology, faces, size = scene.topology, scene.mesh.faces, camera.image_size

    def draw(verts: Tensor) -> tuple[Tensor, Tensor]:
        verts = verts.detach().requires_grad_()
        verts_clip = camera.world_to_clip(verts)
        seen = visible_faces(verts_clip, faces, size)
        mask = seen.coverage[..., None]
        pictures = antialias(mask, seen, verts_clip, topology, premultiplied=True).squeeze(-1)
        return pictures.detach(), squared_error_grad(pictures, target, verts)

    return draw


def soft_rows(options: argparse.Namespace) -> Iterator[Row]:
    """Soft coverage with PyTorch3D's meaning and its tutorial's settings, and with our own.

    With one thread also ns per pair of a pixel and a face, forward, as COUNTS has them.
    """
    for scene, size in scenes(SOFT_CASES):
        verts_clip = cameras(VIEWS, size).world_to_clip(scene.mesh.verts).contiguous()
        pairs = {
            (name, kind): pairs_of(verts_clip, scene, size, name, count)
            for name in SOFT_SETTINGS
            for kind, count in COUNTS.items()
        }
        for threads in options.threads:
            row = row_of(scene, size, threads)
            for name, sigma in SOFT_SETTINGS.items():
                draw = partial(
                    soft_coverage,
                    faces=scene.mesh.faces,
                    image_size=(size, size),
                    sigma=sigma,
                    semantics=name,
                )
                forward, backward = forward_and_backward(draw, verts_clip, options)
                row.times[f"{name} forward"], row.times[f"{name} backward"] = forward, backward
                if threads == 1:
                    for kind in COUNTS:
                        count = pairs[name, kind]
                        row.notes[f"{name} pairs {kind}"] = count
                        row.notes[f"{name} ns {kind}"] = 1e6 * forward / count
            row.times.update(elsewhere("soft", row))
            yield row


def pairs_of(
    verts_clip: Tensor,
    scene: Scene,
    size: int,
    name: Semantics,
    count: Callable[..., int],
) -> float:
    """Of a view, on average."""
    model = soft_model("benchmark", (size, size), SOFT_SETTINGS[name], name, 1e-4, None, None)
    return count(verts_clip, scene.mesh.faces, size, model) / VIEWS


def other_rows(options: argparse.Namespace) -> Iterator[Row]:
    """Gradient of `rasterize`, and `interpolate`, beside copying the bytes that they move."""
    for scene, size in [*scenes([(4, 256), (5, 512), (6, 1024)]), (folded_scan(), 256)]:
        camera = cameras(VIEWS, size)
        verts_clip = camera.world_to_clip(scene.mesh.verts).contiguous()
        faces = scene.mesh.faces
        fragments = rasterize(verts_clip, faces, (size, size))
        for threads in options.threads:
            row = row_of(scene, size, threads)

            def depth(verts: Tensor, faces=faces, size=size) -> Tensor:
                return rasterize(verts, faces, (size, size)).depth

            def colors(attrs: Tensor, faces=faces, fragments=fragments) -> Tensor:
                return interpolate(attrs, faces, fragments)

            times = row.times
            times["rasterize"], times["its gradient"] = forward_and_backward(
                depth, verts_clip, options
            )
            times["interpolate 3"], times["its gradient to attrs"] = forward_and_backward(
                colors, scene.mesh.verts, options
            )
            pixels = VIEWS * size * size
            times["floor of rasterize"] = copy_ms(pixels * 20) / VIEWS
            times["floor of interpolate"] = copy_ms(pixels * (16 + 12)) / VIEWS
            yield row


def forward_and_backward(
    draw: Callable[[Tensor], Tensor], leaf: Tensor, options: argparse.Namespace
) -> tuple[float, float]:
    leaf = leaf.detach().requires_grad_()
    with torch.no_grad():
        upstream = torch.rand_like(draw(leaf))

    def run() -> tuple[float, float]:
        start = time.perf_counter()
        image = draw(leaf)
        middle = time.perf_counter()
        torch.autograd.grad(image, leaf, upstream)
        return middle - start, time.perf_counter() - middle

    forward, backward = best_stages_ms(run, repeats=options.repeats, seconds=options.seconds)
    return forward / VIEWS, backward / VIEWS


def timed(work: Callable[[], object], options: argparse.Namespace) -> float:
    return best_ms(work, repeats=options.repeats, seconds=options.seconds) / VIEWS


def elsewhere(kind: str, row: Row) -> dict[str, float]:
    """What peers took on another machine for the same scene and number of threads."""
    case = [row.faces, row.size]
    if row.mesh != "smooth sphere" or case not in REFERENCE["cases"]:
        return {}
    column = REFERENCE["cases"].index(case)
    return {
        f"{name} *": times[column]
        for name, times in REFERENCE["silhouette" if kind == "soft" else kind].items()
        if times[column] is not None
        and name.endswith(("thread", "threads")[row.threads > 1])
        and (kind != "soft" or name.startswith("PyTorch3D"))
    }


def print_rows(rows: Iterator[Row]) -> list[Row]:
    found = list(rows)
    columns = {name: None for row in found for name in row.times}
    notes = {
        name: None for row in found for name in row.notes if any(r.notes.get(name) for r in found)
    }
    table(
        ["mesh", "faces", "image", "threads", *columns, *notes],
        (
            [row.mesh, row.faces, row.size, row.threads]
            + [row.times.get(name, "-") for name in columns]
            + [row.notes.get(name, "-") for name in notes]
            for row in found
        ),
    )
    return found


def plot(tables: dict[str, list[Row]], path: Path) -> None:
    """Time over faces, one line per rasterizer and resolution, one thread."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    kinds = [kind for kind in ("visibility", "silhouette") if kind in tables]
    figure, axes = pyplot.subplots(
        1, len(kinds), figsize=(6 * len(kinds), 5.5), squeeze=False, layout="constrained"
    )
    for axis, kind in zip(axes[0], kinds, strict=True):
        rows = [row for row in tables[kind] if row.threads == 1 and row.mesh == "smooth sphere"]
        names = [name for name in rows[0].times if not name.endswith("*")]
        for color, name in enumerate(names):
            for style, size in zip(("-", "--", ":"), (128, 512, 1024), strict=True):
                line = [
                    (r.faces, r.times[name]) for r in rows if r.size == size and name in r.times
                ]
                if line:
                    axis.loglog(
                        *zip(*line, strict=True), style, marker="o", markersize=3,
                        color=f"C{color}", label=f"{name}, {size} px",
                    )  # fmt: skip
        axis.set(title=f"{kind}, one thread", xlabel="faces", ylabel="ms per view")
        axis.grid(alpha=0.3)
        axis.legend(fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=3)
    figure.savefig(path, dpi=130)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", choices=list(TABLES))
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=1.0, help="at most, for one time")
    parser.add_argument("--json", type=Path, help="write all numbers to this file")
    parser.add_argument("--plot", type=Path, help="draw scaling curves to this PNG")
    return parser.parse_args()


TABLES = {
    "visibility": ("Face, barycentrics and depth, forward", visibility_rows),
    "silhouette": ("Silhouette and gradient, world vertices to world vertices", silhouette_rows),
    "soft": ("Soft coverage", soft_rows),
    "others": ("Gradients and interpolation", other_rows),
}


def main() -> None:
    options = parsed()
    where = machine()
    print(", ".join(f"{key} {value}" for key, value in where.items()) + "\n")
    tables: dict[str, list[Row]] = {}
    for name, (title, rows) in TABLES.items():
        if options.only in (None, name):
            print(f"## {title}, ms per view\n")
            tables[name] = print_rows(rows(options))
    if options.json is not None:
        record = {"machine": where} | {
            name: [asdict(row) for row in rows] for name, rows in tables.items()
        }
        options.json.write_text(json.dumps(record, indent=1) + "\n")
    if options.plot is not None:
        plot(tables, options.plot)


if __name__ == "__main__":
    main()

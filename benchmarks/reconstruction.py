"""Reconstructions from silhouettes by all methods that there are: accuracy, surface and time.

    python benchmarks/reconstruction.py --quick                    two shapes, in a minute
    python benchmarks/reconstruction.py --shapes spot bob --views 8 16 --methods hull best \\
        --meshes SCANS --json found.json                           a part of it
    python benchmarks/reconstruction.py --meshes SCANS --masks SETS/* --json found.json \\
        --page docs/benchmarks/reconstruction.md --figure docs/images/reconstruction_benchmark.png
                                                                   everything, in hours
    python benchmarks/reconstruction.py --timed --shapes kettle --views 16 --methods fast best \\
        --json found.json                                          seconds alone, anew

Runs that the JSON file has already are not repeated, so that the whole may be done in parts;
`--seconds` ends one, `--again` repeats those of an older state of the library. All methods get the
same views in one process; start-up is not counted. Scores are those of `lightning_rast.evaluation`;
they are the same for any number of threads and whatever else the machine does. Seconds are not:
so each run counts its core-seconds, and `--timed` writes the seconds of a machine that does nothing
else beside them.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from reconstruction_cases import Case, mask_cases, shape_cases, shape_names
from reconstruction_methods import Method, Outcome, known_methods, methods
from reconstruction_page import draw, page
from stopwatch import machine, product_commit
from torch import Tensor

from lightning_rast.callbacks.metrics import finite_or_null
from lightning_rast.evaluation import Scores, compare_seen, score_mesh
from lightning_rast.runs import write_atomically
from lightning_rast.scene import Mesh

_SEEN_BY = 2  # views
_QUICK = {"shapes": ["kettle", "torus"], "views": [8], "sizes": [128]}


def main() -> int:
    options = _options()
    torch.set_num_threads(options.threads)
    record = _read(options.json)
    record["machine"] = machine() | {"threads": str(options.threads)}
    for case, name, method in _missing(options, record):
        if options.seconds and time.perf_counter() - _BEGAN > options.seconds:
            print("out of time; the same command goes on", file=sys.stderr)
            break
        key = f"{case.key}, {name}"
        result = measured(case, name, method)
        if options.timed:
            result = _timed(record["results"].get(key, result), result, options.threads)
        record["results"][key] = result
        print(_line(result), file=sys.stderr, flush=True)
        if options.json is not None:
            write_atomically(options.json, (json.dumps(record, indent=1) + "\n").encode())
    text = page(record)
    print(text)
    if options.page is not None:
        options.page.write_text(text)
    if options.figure is not None:
        draw(record, options.figure)
    return 0


def measured(case: Case, name: str, method: Method) -> dict[str, Any]:
    """Run a method on a case and score what comes out; a failure is a result, too."""
    result: dict[str, Any] = {
        "commit": product_commit(),
        "kind": case.kind,
        "name": case.name,
        "views": len(case.train),
        "held_out": len(case.held_out),
        "image_size": list(case.train.image_size),
        "method": name,
    }
    if hasattr(os, "getloadavg"):  # what else the machine was doing
        result["load"] = round(os.getloadavg()[0], 1)
    if case.fold is not None:
        result["fold"] = case.fold
    try:
        began = time.process_time()
        outcome = method(case.train, case.held_out)
        result["core_seconds"] = round(time.process_time() - began, 2)
        scores = _scored(case, outcome)
    except (ValueError, RuntimeError) as error:
        return result | {"error": f"{type(error).__name__}: {error}"[:300]}
    report = {key: outcome.report[key] for key in _REPORTED if key in outcome.report}
    result |= {"seconds": round(outcome.seconds, 3), **report}
    result["scores"] = {key: round(value, 6) for key, value in scores.numbers().items()}
    if scores.seen is not None:
        seen = scores.seen
        result["seen"] = {key: round(value, 6) for key, value in vars(seen).items()}
    state = scores.mesh
    result["mesh"] = {
        "faces": state.num_faces,
        "genus": state.genus,
        "components": state.num_components,
        "is_sound": state.is_closed_solid,  # crossings are counted on their own
        "self_intersections": state.num_self_intersections,
        "folded_edges": state.num_folded_edges,
    }
    if case.reference is not None:
        topology = case.reference.topology
        result["reference"] = {"genus": topology.genus, "components": topology.num_components}
    return finite_or_null(result)


_REPORTED = ("k", "steps", "seconds_of_stages", "disagreeing_views")


def _scored(case: Case, outcome: Outcome) -> Scores:
    """Where the true surface encloses no volume, or was measured from one side, its distance over
    what the training views see stands for the volume."""
    mesh, cameras = outcome.mesh, case.train.cameras
    if case.reference is None:
        return score_mesh(mesh, case.train, case.held_out)
    if case.to_reference is None:
        scores = score_mesh(mesh, case.train, case.held_out, case.reference)
        if scores.volume_iou is not None:
            return scores
        return replace(
            scores, seen=compare_seen(mesh, case.reference, cameras, least_views=_SEEN_BY)
        )
    scores = score_mesh(mesh, case.train, case.held_out)
    there = _moved(mesh, case.to_reference)
    surface = score_mesh(there, case.train[[0]], reference=case.reference)
    back = _moved(case.reference, torch.linalg.inv(case.to_reference))
    seen = compare_seen(mesh, back, cameras, least_views=_SEEN_BY)
    length = float(torch.linalg.det(case.to_reference[:3, :3]).abs()) ** (1 / 3)
    return replace(
        scores,
        volume_iou=surface.volume_iou,
        surface=surface.surface,
        seen=replace(seen, chamfer_world=seen.chamfer_world * length),
    )


def _moved(mesh: Mesh, matrix: Tensor) -> Mesh:
    return mesh.with_verts(mesh.verts.double() @ matrix[:3, :3].T + matrix[:3, 3])


def _timed(before: dict[str, Any], now: dict[str, Any], threads: int) -> dict[str, Any]:
    """The record of a run, with the seconds of another one with nothing else on the machine."""
    if before.get("commit") == now["commit"] and before.get("scores") != now.get("scores"):
        where = f"{now['name']}, {now['method']}"
        print(f"{where}: other scores than before, by the same code", file=sys.stderr)
    alone = {key: now[key] for key in ("seconds", "load", "seconds_of_stages") if key in now}
    return before | {"alone": alone | {"threads": threads, "commit": now["commit"]}}


def _missing(
    options: argparse.Namespace, record: dict[str, Any]
) -> Iterator[tuple[Case, str, Method]]:
    available = methods(options.settings, threads=options.threads)
    for name in options.methods:
        if name not in available:
            print(f"{name} is left out: it is not installed", file=sys.stderr)
    shapes = shape_cases(options.shapes, options.meshes, options.views, options.sizes)
    masks = mask_cases(options.masks, options.reference, num_folds=options.folds)
    for case in chain(shapes, masks):
        for name in options.methods:
            done = record["results"].get(f"{case.key}, {name}")
            if name in available and _is_wanted(done, options):
                yield case, name, available[name]


def _is_wanted(done: dict[str, Any] | None, options: argparse.Namespace) -> bool:
    if done is None:
        return True
    done = done.get("alone") if options.timed else done
    return done is None or (options.again and done.get("commit") != product_commit())


def _read(path: Path | None) -> dict[str, Any]:
    if path is None or not path.is_file():
        return {"results": {}}
    return json.loads(path.read_text())


def _line(result: dict[str, Any]) -> str:
    where = f"{result['name']}, {result['views']} views, {result['method']}"
    if "error" in result:
        return f"{where}: {result['error']}"
    scores = result["scores"]
    numbers = {name: scores[name] for name in _SHOWN if name in scores}
    shown = ", ".join(f"{name} {value:.4f}" for name, value in numbers.items())
    return f"{where}: {result['seconds']:.1f} s, {shown}, genus {result['mesh']['genus']}"


_SHOWN = ("held_out_iou_mean", "held_out_iou_min", "train_iou_mean", "volume_iou", "chamfer_world")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a small part, in a minute")
    parser.add_argument("--shapes", nargs="*", choices=shape_names(), metavar="NAME")
    parser.add_argument("--views", nargs="+", type=int, metavar="N")
    parser.add_argument("--sizes", nargs="+", type=int, metavar="PX")
    parser.add_argument("--methods", nargs="+", choices=known_methods(), metavar="NAME")
    parser.add_argument("--meshes", type=Path, metavar="DIR", help="spot, bob, teapot and others")
    parser.add_argument("--masks", nargs="+", type=Path, default=[], metavar="DIR")
    parser.add_argument(
        "--folds", type=int, default=0, metavar="K", help="hold out each K-th mask in turn"
    )
    parser.add_argument(
        "--reference",
        nargs="+",
        default=[],
        metavar="NAME=MESH[,FRAME.npz]",
        help="true surface of a folder of masks; scale_mat_0 leads to its frame",
    )
    parser.add_argument(
        "--settings", nargs="+", default=[], metavar="key=value", help="on top of the presets"
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--again", action="store_true", help="repeat runs of an older library")
    parser.add_argument("--timed", action="store_true", help="write seconds; nothing else may run")
    parser.add_argument("--seconds", type=float, default=0, help="begin nothing after this time")
    parser.add_argument("--json", type=Path, help="results are added to this file")
    parser.add_argument("--page", type=Path, help="write the page of markdown here, too")
    parser.add_argument("--figure", type=Path, help="draw quality over seconds (needs matplotlib)")
    options = parser.parse_args()
    everything = {"shapes": shape_names(), "views": [4, 8, 16, 36], "sizes": [128, 256]}
    for key, value in (_QUICK if options.quick else everything).items():
        if getattr(options, key) is None:
            setattr(options, key, value)
    if options.methods is None:
        options.methods = ["hull", "sphere", "fast", "best"] if options.quick else known_methods()
    return options


_BEGAN = time.perf_counter()

if __name__ == "__main__":
    raise SystemExit(main())

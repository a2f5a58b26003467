"""What each stage of the reconstruction buys: the preset `best` with one thing left out.

    python benchmarks/ablation.py --meshes SCANS --masks SETS/* \\
        --json docs/benchmarks/ablation.json --page docs/benchmarks/ablation.md

Every row is a config that a user can write too. Runs that the JSON file has already are not
repeated; `--seconds` ends one early, and the same command goes on.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from reconstruction import measured
from reconstruction_cases import mask_cases, shape_cases, shape_names
from reconstruction_methods import preset_method
from stopwatch import machine

from lightning_rast.runs import write_atomically

VARIANTS: dict[str, tuple[str, ...]] = {
    "best": (),
    "no polish (`fast`)": ("preset=fast",),
    "no Gauss-Newton": ("newton.steps=0", "newton.warmup_steps=0"),
    "from a sphere": ("start.kind=sphere",),
    "hull of 48 cells": ("start.resolution=48",),
    "bending .005 throughout": ("ladder.bending=[0.005,0.005,0.005,0.005,0.005,0.005,0.005]",),
    "bending .05 throughout": ("ladder.bending=[0.05,0.05,0.05,0.05,0.05,0.05,0.05]",),
    "no remeshing": ("remesh.enabled=false",),
    "edges whatever the thickness": ("remesh.thickness=0",),
    "no topology stage": ("topology.enabled=false",),
    "another topology from .018 on": ("topology.again_from=0.018",),
    "crossings mended from .05 on": ("topology.mended_from=0.05",),
    "no robust views": ("newton.robust_views=false",),
}


def main() -> int:
    options = _options()
    torch.set_num_threads(options.threads)
    record: dict[str, Any] = {"results": {}}
    if options.json is not None and options.json.is_file():
        record = json.loads(options.json.read_text())
    record["machine"] = machine() | {"threads": str(options.threads)}
    shapes = shape_cases(options.shapes, options.meshes, [options.views], [options.size])
    for case in chain(shapes, mask_cases(options.masks, [])):
        for name, settings in VARIANTS.items():
            key = f"{case.key}, {name}"
            if key in record["results"]:
                continue
            if options.seconds and time.perf_counter() - _BEGAN > options.seconds:
                print("out of time; the same command goes on", file=sys.stderr)
                return _finish(record, options.page)
            method = preset_method([f"threads={options.threads}", *settings])
            record["results"][key] = result = measured(case, name, method)
            print(key, result.get("error", result.get("scores")), file=sys.stderr, flush=True)
            if options.json is not None:
                write_atomically(options.json, (json.dumps(record, indent=1) + "\n").encode())
    return _finish(record, options.page)


def page(record: dict[str, Any]) -> str:
    """Held-out IoU (of shapes: volume IoU) of each object and variant."""
    results: Sequence[dict[str, Any]] = list(record["results"].values())
    objects = list(dict.fromkeys((each["name"], each["views"]) for each in results))
    heads = ["", *(f"{name}, {views}" for name, views in objects), "mean change", "mean core-s"]
    lines = [heads, ["---"] * len(heads)]
    for variant in dict.fromkeys(each["method"] for each in results):
        found = {(e["name"], e["views"]): e for e in results if e["method"] == variant}
        full = {(e["name"], e["views"]): e for e in results if e["method"] == "best"}
        changes = [
            _score(found[key]) - _score(full[key])
            for key in objects
            if _is_done(found.get(key)) and _is_done(full.get(key))
        ]
        seconds = [each["core_seconds"] for each in found.values() if _is_done(each)]
        cells = [
            ("failed" if key in found else "")
            if not _is_done(found.get(key))
            else f"{_score(found[key]):.4f} ({found[key]['mesh']['genus']})"
            for key in objects
        ]
        change = f"{sum(changes) / len(changes):+.4f}" if changes and variant != "best" else ""
        time_spent = f"{sum(seconds) / len(seconds):.1f}" if seconds else ""
        lines.append([variant, *cells, change, time_spent])
    where = ", ".join(f"{key} {value}" for key, value in record["machine"].items())
    commits = ", ".join(sorted({each["commit"] for each in results}))
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return (
        "# What each stage buys\n\nThe preset `best` with one thing changed, by"
        " `benchmarks/ablation.py`. Of rendered shapes the volume IoU, of\nmasks the mean held-out"
        " IoU; the genus in brackets; after the name the number of training views. A cell without\n"
        "a number was not run, to save time; the mean is over those that were.\n"
        f"{where}, runs of {commits}.\n\n{table}\n{_crossings(results, objects)}"
    )


def _crossings(results: Sequence[dict[str, Any]], objects: Sequence[tuple[str, int]]) -> str:
    """Pairs of faces that cross with and without the stage that mends them, where any do."""
    shown = ("best", "no topology stage")
    pairs = {
        (each["name"], each["views"], each["method"]): each["mesh"]["self_intersections"]
        for each in results
        if _is_done(each) and each["method"] in shown
    }
    rows = [
        (name, views, [pairs.get((name, views, way)) for way in shown]) for name, views in objects
    ]
    lines = [
        f"| {name}, {views} | {after} | {before} |"
        for name, views, (after, before) in rows
        if after is not None and before is not None and after + before > 0
    ]
    if not lines:
        return ""
    head = "| pairs of faces that cross | best | no topology stage |\n| --- | --- | --- |\n"
    return "\n" + head + "\n".join(lines) + "\n"


def _finish(record: dict[str, Any], path: Path | None) -> int:
    text = page(record)
    print(text)
    if path is not None:
        path.write_text(text)
    return 0


def _is_done(result: dict[str, Any] | None) -> bool:
    return result is not None and "error" not in result


def _score(result: dict[str, Any]) -> float:
    scores = result["scores"]
    return scores.get("volume_iou", scores["held_out_iou_mean"])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--shapes", nargs="*", choices=shape_names(), metavar="NAME", default=["kettle", "torus"]
    )
    parser.add_argument("--views", type=int, default=16, help="of each shape")
    parser.add_argument("--size", type=int, default=128, metavar="PX")
    parser.add_argument("--meshes", type=Path, metavar="DIR", help="spot, bob, teapot and others")
    parser.add_argument("--masks", nargs="+", type=Path, default=[], metavar="DIR")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=0, help="begin nothing after this time")
    parser.add_argument("--json", type=Path, help="results are added to this file")
    parser.add_argument("--page", type=Path, help="write the page of markdown here, too")
    return parser.parse_args()


_BEGAN = time.perf_counter()

if __name__ == "__main__":
    raise SystemExit(main())

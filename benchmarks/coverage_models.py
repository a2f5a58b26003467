"""The same object fitted through each coverage model: what it costs, and what comes out.

    python benchmarks/coverage_models.py > docs/benchmarks/coverage_models.md

Everything but `render.coverage` is as in configs/kettle.yaml, from a sphere down the image pyramid:
where coverage has the whole work to do. All results are measured alike, by exact coverage on views
that no training saw.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from stopwatch import machine
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from lightning_rast.config_file import load_config
from lightning_rast.render import render_silhouettes
from lightning_rast.scene import load_mesh
from lightning_rast.training import make_views

ROOT = Path(__file__).resolve().parents[1]
MODELS: dict[str, tuple[str, ...]] = {
    "contour": (),
    "antialias": ("render.coverage=antialias",),
    "soft-0.1": ("render.coverage=soft", "render.sigma=0.1"),
    "soft-0.25": ("render.coverage=soft", "render.sigma=0.25"),
    "softras-0.1": ("render.coverage=softras", "render.sigma=0.1"),
    "softras-0.25": ("render.coverage=softras", "render.sigma=0.25"),
    "pytorch3d-0.1": ("render.coverage=pytorch3d", "render.sigma=0.1"),
    "pytorch3d-0.25": ("render.coverage=pytorch3d", "render.sigma=0.25"),
}
SCHEDULE = ("preset=sphere",)
GOAL = 0.98  # IoU; the kettle's requirement
EVALUATE_EVERY = 10  # steps

TEXT = """\
# Coverage models

The kettle (`configs/kettle.yaml`: {num_views} views of {image_size} x {image_size} pixels,
{steps} steps from a sphere down the image pyramid, up to {num_faces} faces), fitted once with each
value of `render.coverage`; made by `benchmarks/coverage_models.py`.
{machine}.

{table}

- IoU and area: of exact silhouettes, whatever was trained on, over {num_held_out} held-out views.
  IoU as in [reconstruction.md](reconstruction.md); area is that of the silhouettes, result / true.
- IoU {goal}: seconds of training until the held-out mean reaches it, looked at every {every} steps.
- Seconds of training include those evaluations and the pictures on the way. Chamfer as in
  [reconstruction.md](reconstruction.md).
- `contour` is exact. `antialias` composites a mask of the pixels' centres at outlines, which is the
  same but for parts so thin that they hit no centre. `soft` blurs every face by
  `render.sigma` (the number behind it) pixels of the image pyramid's current level, `softras` and
  `pytorch3d` as these systems do it. Their outlines lie outside of the true ones, so the fitted
  object comes out smaller than with `contour`.
"""


@dataclass(frozen=True)
class Result:
    model: str
    iou_mean: float
    iou_min: float
    area: float  # result / true
    chamfer: float
    seconds: float
    seconds_to_goal: float | None
    steps: int
    faces: int


def fitted(model: str, root: Path, *, overrides: Sequence[str], threads: int) -> Result:
    """Train in a process of its own, then measure what it wrote."""
    settings = (
        *SCHEDULE,
        f"name={model}",
        f"log.root={root}",
        f"threads={threads}",
        f"log.evaluate_every_n_steps={EVALUATE_EVERY}",
        "log.turntable=false",
        "device=cpu",
    )
    config_path = ROOT / "configs" / "kettle.yaml"
    command = [sys.executable, str(ROOT / "train.py"), "--config", str(config_path)]
    run = subprocess.run(
        [*command, *settings, *MODELS[model], *overrides],
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        raise SystemExit(f"{model}: train.py failed:\n{run.stdout}{run.stderr}")
    folder = root / model / "version_0"
    metrics = json.loads((folder / "metrics.json").read_text())
    config = load_config(folder / "config.yaml")
    _, held_out = make_views(config.data, load_mesh(config.data.mesh), seed=config.seed)
    assert held_out is not None
    with torch.no_grad():
        coverage = render_silhouettes(load_mesh(folder / "mesh.ply"), held_out.cameras)
    return Result(
        model=model,
        iou_mean=metrics["iou_mean"],
        iou_min=metrics["iou_min"],
        area=float(coverage.sum() / held_out.coverage.sum()),
        chamfer=metrics["chamfer"],
        seconds=metrics["seconds"]["training"],
        seconds_to_goal=seconds_to_goal(folder),
        steps=metrics["steps"],
        faces=metrics["faces"],
    )


def seconds_to_goal(folder: Path) -> float | None:
    """From the first evaluation, before any step, to the one that meets the goal."""
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()
    found = events.Scalars("heldout/iou_mean")
    met = [event.wall_time for event in found if event.value >= GOAL]
    return met[0] - found[0].wall_time if met else None


def table(results: Sequence[Result]) -> str:
    header = [
        "render.coverage", "held-out IoU mean", "min", "area", "Chamfer", "training, s",
        "ms per step", f"IoU {GOAL}, s",
    ]  # fmt: skip
    lines = [header, ["---"] * len(header), *(_cells(result) for result in results)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cells(result: Result) -> list[str]:
    to_goal = result.seconds_to_goal
    return [
        result.model,
        f"{result.iou_mean:.4f}",
        f"{result.iou_min:.4f}",
        f"{result.area:.4f}",
        f"{result.chamfer:.4f}",
        f"{result.seconds:.1f}",
        f"{1e3 * result.seconds / result.steps:.1f}",
        "not reached" if to_goal is None else f"{to_goal:.1f}",
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", default=",".join(MODELS), help=f"some of {','.join(MODELS)}")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, help="write all numbers to this file")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="of the config")
    options = parser.parse_intermixed_args()
    chosen = options.only.split(",")
    if unknown := set(chosen) - set(MODELS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    torch.set_num_threads(options.threads)
    where = machine() | {"threads": str(options.threads)}
    if hasattr(os, "getloadavg"):  # what else the machine was doing
        where["load"] = f"{os.getloadavg()[0]:.1f}"
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for model in chosen:
            result = fitted(
                model, Path(folder), overrides=options.overrides, threads=options.threads
            )
            results.append(result)
            print(" | ".join(_cells(result)), file=sys.stderr, flush=True)
    config = load_config(ROOT / "configs" / "kettle.yaml", [*SCHEDULE, *options.overrides])
    print(
        TEXT.format(
            machine=", ".join(f"{key} {value}" for key, value in where.items()),
            table=table(results),
            num_views=config.data.num_views,
            num_held_out=config.data.num_held_out,
            image_size=config.data.image_size,
            steps=config.schedule.steps,
            num_faces=max(result.faces for result in results),
            goal=GOAL,
            every=EVALUATE_EVERY,
        ),
        end="",
    )
    if options.json is not None:
        record = {"machine": where, "results": [asdict(result) for result in results]}
        options.json.write_text(json.dumps(record, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

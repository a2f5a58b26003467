"""What wrong masks and cameras cost a fit, and when it sees that masks contradict each other.

    python benchmarks/robustness.py --only binary blobs              two rows, in a minute
    python benchmarks/robustness.py --masks SETS/* --json docs/benchmarks/robustness.json \\
        --page docs/benchmarks/robustness.md                         everything

Rows that the JSON file has already are not repeated, so that the whole may be done in parts;
`--seconds` ends one, `--again` repeats those of an older state of the library. Scores are the same
for any number of threads and whatever else the machine does.
"""

import argparse
import json
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from reconstruction_cases import mask_cases
from robustness_cases import DAMAGES, good_views, kettle
from robustness_page import CORRECTED, FOLLOWED, GOOD, page
from stopwatch import machine, product_commit

from lightning_rast.config import LadderConfig
from lightning_rast.config_file import load_config
from lightning_rast.data import Views
from lightning_rast.evaluate.retraining import retrained
from lightning_rast.evaluation import volume_iou
from lightning_rast.ladder_module import LadderModule
from lightning_rast.ladder_stages import make_ladder_of
from lightning_rast.optim.ladder import Position
from lightning_rast.runs import write_atomically
from lightning_rast.scene import mesh_report
from lightning_rast.training import problem_of

Row = dict[str, Any]
_PRESETS = ("fast", "best")


@dataclass
class _Watched(Position):
    """judged: the outlines' residual where it is judged, px."""

    judged: float = 0.0

    def begin_rung(
        self, rms_px: float, *, is_judged: bool, noise_px: float, least_fall: float
    ) -> None:
        super().begin_rung(rms_px, is_judged=is_judged, noise_px=noise_px, least_fall=least_fall)
        if is_judged:
            self.judged = rms_px

    @property
    def left(self) -> float:
        """Of the highest until then."""
        return round(self.judged / self.highest, 4)


def main() -> int:
    options = _options()
    torch.set_num_threads(options.threads)
    warnings.simplefilter("ignore")  # of damage that is meant
    record: dict[str, Any] = {"results": {}}
    if options.json is not None and options.json.is_file():
        record = json.loads(options.json.read_text())
    record["machine"] = machine() | {"threads": str(options.threads)}
    for key, run in _rows(options.masks, options.threads):
        done = record["results"].get(key)
        if options.only and not any(part in key for part in options.only):
            continue
        if done is not None and not (options.again and done["commit"] != product_commit()):
            continue
        if options.seconds and time.perf_counter() - _BEGAN > options.seconds:
            print("out of time; the same command goes on", file=sys.stderr)
            break
        record["results"][key] = row = {"commit": product_commit(), **run()}
        print(f"{key}: {row}", file=sys.stderr, flush=True)
        if options.json is not None:
            write_atomically(options.json, (json.dumps(record, indent=1) + "\n").encode())
    text = page(record, noise_px=LadderConfig().noise_px)
    print(text)
    if options.page is not None:
        options.page.write_text(text)
    return 0


def _rows(folders: Sequence[Path], threads: int) -> Iterator[tuple[str, Callable[[], Row]]]:
    """The name of each row and what makes it, cheap ones first."""
    always = [f"threads={threads}", "name=robustness", "device=cpu"]
    cases = {GOOD: lambda views: views, **DAMAGES}
    for way in ("", FOLLOWED, CORRECTED):
        for name, damage in cases.items():
            settings = [*always, "preset=fast", *way.split(", ")[1:]]
            yield name + way, lambda d=damage, s=settings: fitted(d(good_views()), s)
    for case in mask_cases(folders, []):
        for preset in _PRESETS:
            settings = [*always, f"preset={preset}"]
            yield f"{case.name}, {preset}", lambda v=case.train, s=settings: judged(v, s)


def fitted(views: Views, settings: Sequence[str]) -> Row:
    """A whole fit of the kettle, and the hull that it starts from."""
    config = load_config(None, settings, complete=False)
    problem = problem_of(config, views)
    module = problem.module
    assert isinstance(module, LadderModule)
    module.position = position = _Watched()
    hull, k = volume_iou(module.mesh(), kettle()), module.num_disagreeing + 1
    mesh = retrained(problem)
    found, state = module.report(), mesh_report(mesh)
    return {
        "hull_iou": round(hull, 6),
        "k": k,
        "volume_iou": round(volume_iou(mesh, kettle()), 6),
        "genus": state.genus,
        "is_closed_solid": state.is_closed_solid,
        "disagreeing_views": found["disagreeing_views"],
        "noise_px": found["noise_px"],
        "left": position.left,
        **({"cameras": found["cameras"]} if "cameras" in found else {}),
    }


def judged(views: Views, settings: Sequence[str]) -> Row:
    """A fit as far as the rung where the residual is judged."""
    config = load_config(None, settings, complete=False)
    last = make_ladder_of(config).judged_at
    config.ladder.bending = [each for each in config.ladder.bending if each >= last]
    config.topology.enabled = False
    problem = problem_of(config, views)
    assert isinstance(problem.module, LadderModule)
    problem.module.position = position = _Watched()
    retrained(problem)
    return {
        "views": len(views),
        "noise_px": round(position.noise, 3),
        "judged_px": round(position.judged, 3),
        "left": position.left,
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", nargs="+", metavar="PART", help="rows with this in their names")
    parser.add_argument("--masks", nargs="+", type=Path, default=[], metavar="DIR")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--again", action="store_true", help="repeat rows of an older library")
    parser.add_argument("--seconds", type=float, default=0, help="begin nothing after this time")
    parser.add_argument("--json", type=Path, help="results are added to this file")
    parser.add_argument("--page", type=Path, help="write the page of markdown here, too")
    return parser.parse_args()


_BEGAN = time.perf_counter()

if __name__ == "__main__":
    raise SystemExit(main())

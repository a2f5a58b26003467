"""How well the visual hull that a fit starts from predicts views that it was not carved from.

    python benchmarks/hulls.py --masks SETS/*

Every fifth view is held out, images are 512 pixels at most; a table of markdown is printed.
"""

import argparse
from pathlib import Path

import torch
from reconstruction_cases import mask_cases

from lightning_rast.config import StartConfig
from lightning_rast.data import Views
from lightning_rast.evaluation import silhouettes_of, view_ious
from lightning_rast.optim import visual_hull
from lightning_rast.scene import Mesh


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--masks", nargs="+", type=Path, required=True, metavar="DIR")
    parser.add_argument("--resolution", type=int, default=StartConfig().resolution, metavar="CELLS")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"{options.resolution} cells\n\n| masks | views | k | held out | training |")
    print("|---|---|---|---|---|", flush=True)
    for case in mask_cases(options.masks, []):
        train = case.train
        hull = visual_hull(
            train.coverage, train.cameras, known=train.known, resolution=options.resolution
        )
        scores = [_mean_iou(hull.mesh, views) for views in (case.held_out, train)]
        told = " | ".join(f"{score:.3f}".removeprefix("0") for score in scores)
        print(f"| {case.name} | {len(train)} | {hull.num_disagreeing + 1} | {told} |", flush=True)
    return 0


def _mean_iou(mesh: Mesh, views: Views) -> float:
    return float(view_ious(silhouettes_of(mesh), views).mean())


if __name__ == "__main__":
    raise SystemExit(main())

"""Facts of a small run that never happened, for pages to be made of."""

import io
from pathlib import Path

import torch
from PIL import Image

from lightning_rast.config import Config
from lightning_rast.data import orbit_cameras, synthetic_views, view_directions
from lightning_rast.page import Baseline, Curves, Facts, gathered
from lightning_rast.scene import Mesh, icosphere

TRUTH = icosphere(3, radius=0.7)
RESULT = icosphere(3, radius=0.68)
CURVES = Curves(
    {
        "heldout/iou_mean": [(0, 0.91), (50, 0.95), (100, 0.97)],
        "train/iou_mean": [(0, 0.92), (50, 0.96), (100, 0.98)],
        "train/silhouette": [(10, 900.0), (50, 30.0), (100, 2.0)],
    }
)
METRICS = {
    "iou_mean": 0.97,
    "iou_min": 0.96,
    "train_iou_mean": 0.98,
    "train_iou_min": 0.97,
    "finished": True,
    "steps": 100,
    "seconds": {"setup": 1.0, "training": 4.0, "total": 6.0},
    "seconds_of_stages": {"start": 0.5, "newton": 1.0, "polish": 2.0},
    "stages": [
        {"kind": "newton", "name": "warm-up", "steps": 4},
        {"kind": "newton", "name": "rung 1 of 2 (0.05), Gauss-Newton", "steps": 2},
        {"kind": "polish", "name": "rung 1 of 2 (0.05), polish", "steps": 25},
        {"kind": "newton", "name": "rung 2 of 2 (0.03), Gauss-Newton", "steps": 2},
    ],
}


def made_up(folder: Path, *, mesh: Mesh = RESULT, prefix: str = "view", **metrics) -> Facts:
    """Five training views and two held-out ones of a sphere; metrics come on top of `METRICS`."""
    run = folder / "ball" / "version_0"
    run.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4), "white").save(buffer, format="GIF")
    (run / "turntable.gif").write_bytes(buffer.getvalue())
    config = Config(name="ball")
    config.data.num_views = 5
    return gathered(
        run,
        config,
        mesh,
        rendered(5, prefix),
        rendered(2, "held_out"),
        metrics=METRICS | metrics,
        curves=CURVES,
        baselines=[Baseline("hull 256³", held_out_iou_mean=0.94, train_iou_mean=0.99)],
    )


def rendered(num_views: int, prefix: str):
    directions = view_directions("fibonacci", num_views, between=prefix == "held_out")
    with torch.no_grad():
        cameras = orbit_cameras(TRUTH, directions, image_size=48)
        return synthetic_views(TRUTH, cameras, prefix=prefix)

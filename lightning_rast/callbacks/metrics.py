"""Writes how good the result is and what it took: `metrics.json`."""

import json
import math
import platform
import sys
import time
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

from lightning_rast import __version__
from lightning_rast.callbacks.evaluation import parts
from lightning_rast.callbacks.event_file import add_scalars
from lightning_rast.callbacks.moments import is_finished
from lightning_rast.callbacks.write_failure import outlives_write_failure
from lightning_rast.evaluation import chamfer_l1, native_ious, view_ious
from lightning_rast.ops import cpu_isa
from lightning_rast.runs import METRICS_NAME, write_atomically
from lightning_rast.scene import Mesh

IOU_PROTOCOL = "within the target's box + 8 %, both images binarised at 1/2"
_MISFIT = 0.1  # a sphere in the right place fits better


class Metrics(pl.Callback):
    """`metrics.json` at the end of training, also when it comes early (`finished` is false then).

    iou_mean, iou_min: over the held-out views, null without any; `box_iou` in the masks' own
        resolution, or as `iou_resolution` says. train_iou_*: the training views as trained on.
        iou_protocol: how `box_iou` counts, in words.
    chamfer: `chamfer_l1` to the mesh that the views were rendered from, absent for masks.
    cameras, corrected_world_to_view: in words, and (4, 4) by view, if cameras may be corrected.
    disagreeing_views, seconds_of_stages, stages: of a ladder: views that the mesh does not meet
        because most others say otherwise, seconds by kind of stage, and every stage in order.
    warnings: what the run warned of, from reading its data on; of the last session.
    seconds: setup, training (until the last step, with all that callbacks do meanwhile), and
        total, with the files written after it. Summed over the sessions of a run that was
        resumed; work that a killed session did after its last checkpoint is not counted.

    Args:
        folder: of the run.
        started: `time.perf_counter()` when the program began.
        reference: the true surface, if it is known.
        warnings: kept up to date by whoever notes them.
    """

    FILE = METRICS_NAME

    def __init__(
        self,
        folder: Path,
        *,
        started: float,
        reference: Mesh | None = None,
        warnings: Sequence[str] = (),
    ) -> None:
        self.path = folder / self.FILE
        self.warnings = warnings
        self.started = started
        self.reference = reference
        self._train_began = self._step_ended = started
        # Of the sessions before this one.
        self._earlier = {"setup": 0.0, "training": 0.0, "total": 0.0}

    def state_dict(self) -> dict[str, Any]:
        return {"seconds": self._seconds()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._earlier = dict(state_dict["seconds"])

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._train_began = self._step_ended = time.perf_counter()
        self._forget()

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: object,
        batch: object,
        batch_idx: int,
    ) -> None:
        self._step_ended = time.perf_counter()

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        metrics = self._measured(trainer, pl_module)
        metrics["seconds"] = self._seconds()
        text = json.dumps(finite_or_null(metrics), indent=2, allow_nan=False)
        self._write(text + "\n")
        if is_finished(trainer):
            names = ("iou_mean", "iou_min", "train_iou_mean", "chamfer", "faces")
            results = {name: metrics.get(name) for name in names}
            results["training_seconds"] = metrics["seconds"]["training"]
            found = {f"result/{name}": value for name, value in results.items()}
            add_scalars(trainer, {tag: value for tag, value in found.items() if value is not None})
            module, _ = parts(trainer, pl_module)
            _warn_of_misfit(metrics["train_iou_mean"], module.step_size[0])
            _tell_of_stages(metrics)

    @outlives_write_failure
    def _forget(self) -> None:
        # Those of a run which goes on now are not of what its next checkpoints hold.
        self.path.unlink(missing_ok=True)

    @outlives_write_failure
    def _write(self, text: str) -> None:
        write_atomically(self.path, text.encode())

    def _measured(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> dict[str, Any]:
        module, datamodule = parts(trainer, pl_module)
        train, held_out = datamodule.train_views, datamodule.held_out_views
        train_iou = view_ious(module, train).tolist()
        held_out_iou, resolution = [], "none"
        if held_out is not None:
            held_out_iou, resolution = native_ious(module, held_out)
        chamfer = {}
        if self.reference is not None:
            chamfer["chamfer"] = chamfer_l1(module.mesh(), self.reference)
        return {
            "iou_mean": _mean(held_out_iou),
            "iou_min": min(held_out_iou, default=None),
            "train_iou_mean": _mean(train_iou),
            "train_iou_min": min(train_iou),
            "iou_resolution": resolution,
            "iou_protocol": IOU_PROTOCOL,
            **chamfer,
            "finished": is_finished(trainer),
            "steps": trainer.global_step,
            "vertices": len(module.verts),
            "faces": len(module.faces),
            **module.report(),
            "warnings": list(dict.fromkeys(self.warnings)),
            "device": device_name(module.verts.device),
            "threads": torch.get_num_threads(),
            "versions": versions(),
            "iou_of_view": {
                "train": dict(zip(train.names, train_iou, strict=True)),
                "held_out": dict(zip(held_out.names, held_out_iou, strict=True))
                if held_out is not None
                else {},
            },
        }

    def _seconds(self) -> dict[str, float]:
        session = {
            "setup": self._train_began - self.started,
            "training": self._step_ended - self._train_began,
            "total": time.perf_counter() - self.started,
        }
        return {key: round(self._earlier[key] + spent, 3) for key, spent in session.items()}


def _warn_of_misfit(train_iou: float, key: str) -> None:
    if train_iou < _MISFIT:
        print(
            f"warning: the mesh does not fit its views (mean IoU {train_iou:.4f}): it was lost on"
            f" the way, lower {key}; or the cameras do not belong to the images",
            file=sys.stderr,
        )


def _tell_of_stages(metrics: dict[str, Any]) -> None:
    if seconds := metrics.get("seconds_of_stages"):
        parts = ", ".join(f"{kind} {spent:.2f} s" for kind, spent in seconds.items())
        print(f"{sum(seconds.values()):.2f} s in stages: {parts}")
    if told := metrics.get("cameras"):
        print(told)
    if names := metrics.get("disagreeing_views"):
        print(
            f"warning: {len(names)} of {len(metrics['iou_of_view']['train'])} views disagree with"
            f" the others: {', '.join(names)}; look at their masks and cameras",
            file=sys.stderr,
        )


def finite_or_null(value: Any) -> Any:
    """The same structure with None for numbers that JSON does not know."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite_or_null(part) for key, part in value.items()}
    if isinstance(value, list):
        return [finite_or_null(part) for part in value]
    return value


def device_name(device: torch.device) -> str:
    """Such as "cpu (x86_64, 2 cores)" or "cuda (NVIDIA H200)"."""
    if device.type == "cuda":
        return f"cuda ({torch.cuda.get_device_name(device)})"
    return f"{device.type} ({platform.machine()})"


def versions() -> dict[str, str]:
    """Of what has a say in the result."""
    found = {
        "lightning_rast": __version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "isa": cpu_isa(),
    }
    for package in ("pytorch-lightning", "numpy", "scipy"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "unknown"
    return found


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None

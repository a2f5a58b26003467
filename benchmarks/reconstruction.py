"""Reconstructions through `train.py` with default settings: accuracy, surface and time.

    python benchmarks/reconstruction.py                        a page of markdown, in minutes
    python benchmarks/reconstruction.py --only kettle spot     some of the objects
    python benchmarks/reconstruction.py --json docs/benchmarks/reconstruction.json \\
        > docs/benchmarks/reconstruction.md                    the page in the documentation

The sample meshes always run. Other meshes and sets of photographs' masks run where
`LRAST_TEST_DATA` names a folder that has them. Everything about a result but its time is measured
on the mesh file that the run wrote, against views loaded again. Exit code 1: a requirement is
missed.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from stopwatch import machine

from lightning_rast.config_file import load_config
from lightning_rast.data.views import Views
from lightning_rast.evaluation import chamfer_l1
from lightning_rast.losses import box_iou
from lightning_rast.render import render_silhouettes
from lightning_rast.scene import Mesh, TopologyReport, load_mesh
from lightning_rast.training import make_views

ROOT = Path(__file__).resolve().parents[1]
_VIEWS_AT_ONCE = 4  # of up to 2 million pixels

TEXT = """\
# Reconstruction

`train.py` with default settings, the same for every object; made by `benchmarks/reconstruction.py`.
{machine}.

{table}

{soundness}

- Meshes are rendered from {num_views} sides at {image_size} x {image_size} pixels, with held-out
  views between them. Of photographs' masks every fifth is held out; training sees them at
  {max_image_size} pixels at most.
- IoU: in the resolution of the mask files (rendered meshes: of training), both images cut at one
  half, inside the target's box widened by 8 % of its longer side.
- Chamfer: mean distance between the surfaces, both ways, in half of the longest side of the
  reference's box.{millimetres}
- Seconds: of training until the last step, with evaluation, pictures and checkpoints on the way;
  in all, from the start of the program to the last file. {load}
- Genus and components: result / reference. A deformed sphere keeps genus 0 and one component.
- Folds: edges between faces whose normals are more than 90 degrees apart, result / reference.
"""


@dataclass(frozen=True)
class Subject:
    """What is reconstructed, and what the result has to reach."""

    name: str
    config: str
    overrides: tuple[str, ...] = ()
    reference: Path | None = None  # the true surface where the views come from photographs
    to_millimetres: Path | None = None  # cameras_sphere.npz of the DTU sets, for its scale_mat
    least_iou: float | None = None
    most_seconds: float | None = None


@dataclass
class Surface:
    """The state of a mesh."""

    topology: TopologyReport
    is_inside_out: bool
    folded_edges: float  # share of the edges

    @property
    def is_sound(self) -> bool:
        """Closed, manifold, oriented and turned outwards."""
        return self.topology.genus is not None and not self.is_inside_out


@dataclass
class Result:
    name: str
    views: int
    held_out_views: int
    image_size: tuple[int, int]
    iou_mean: float
    iou_min: float
    train_iou_mean: float
    surface: Surface
    metrics: dict[str, Any]  # what the run says itself
    reference: Surface | None = None
    chamfer: float | None = None
    chamfer_millimetres: float | None = None
    least_iou: float | None = None
    most_seconds: float | None = None

    @property
    def missed(self) -> list[str]:
        """Requirements that it does not meet, in words."""
        found = []
        if self.least_iou is not None and self.iou_mean < self.least_iou:
            found.append(f"held-out IoU {self.iou_mean:.4f} < {self.least_iou}")
        seconds = self.metrics["seconds"]["training"]
        if self.most_seconds is not None and seconds > self.most_seconds:
            found.append(f"{seconds:.1f} s of training > {self.most_seconds}")
        return found


def subjects() -> Iterator[Subject]:
    yield Subject("avocado", "avocado")
    yield Subject("kettle", "kettle", least_iou=0.98, most_seconds=25.0)
    yield Subject("tree", "tree")
    data = Path(os.environ.get("LRAST_TEST_DATA", ROOT.parent / "shared" / "data"))
    meshes = {
        "spot": "spot/cow.obj",
        "teapot": "teapot/teapot.obj",
        "bob": "bob/bob_tri.obj",
        "avocado_scan": "avocado/Avocado.gltf",
    }
    for name, file in meshes.items():
        path = data / "meshes" / file
        least = 0.985 if name == "spot" else None
        if _is_there(path, name):
            yield Subject(name, "my_mesh", (f"data.mesh={path}",), least_iou=least)
    for name, least in {"vgg_dino": 0.955, "dtu_scan65": 0.97}.items():
        folder = data / name
        if _is_there(folder / "cameras.json", name):
            subject = Subject(name, "masks", (f"data.folder={folder}",), least_iou=least)
            skull, frame = data / "meshes" / "skull_nds.obj", folder / "cameras_sphere.npz"
            if name == "dtu_scan65" and _is_there(skull, f"reference of {name}"):
                subject = replace(subject, reference=skull, to_millimetres=frame)
            yield subject


def _is_there(path: Path, name: str) -> bool:
    if not path.is_file():
        print(
            f"{name} is left out: no {path}; LRAST_TEST_DATA names another folder", file=sys.stderr
        )
    return path.is_file()


def reconstructed(subject: Subject, root: Path, *, threads: int) -> Result:
    """Train in a process of its own, then measure what it wrote."""
    config_path = ROOT / "configs" / f"{subject.config}.yaml"
    settings = [f"name={subject.name}", f"log.root={root}", f"threads={threads}"]
    command = [sys.executable, str(ROOT / "train.py"), "--config", str(config_path)]
    run = subprocess.run(
        [*command, *settings, *subject.overrides], capture_output=True, text=True, check=False
    )
    if run.returncode:
        raise SystemExit(f"{subject.name}: train.py failed:\n{run.stdout}{run.stderr}")
    folder = root / subject.name / "version_0"
    data = load_config(folder / "config.yaml").data
    data.max_image_size = 0
    rendered_from = load_mesh(data.mesh) if data.kind == "synthetic" else None
    train_views, held_out_views = make_views(data, rendered_from, seed=0)
    assert held_out_views is not None
    mesh = load_mesh(folder / "mesh.ply")
    iou = ious(mesh, held_out_views)
    result = Result(
        name=subject.name,
        views=len(train_views),
        held_out_views=len(held_out_views),
        image_size=train_views.image_size,
        iou_mean=float(iou.mean()),
        iou_min=float(iou.min()),
        train_iou_mean=float(ious(mesh, train_views).mean()),
        surface=surface(mesh),
        metrics=json.loads((folder / "metrics.json").read_text()),
        least_iou=subject.least_iou,
        most_seconds=subject.most_seconds,
    )
    if abs(result.iou_mean - result.metrics["iou_mean"]) > 1e-4:
        raise SystemExit(
            f"{subject.name}: metrics.json says IoU {result.metrics['iou_mean']:.5f}, the files"
            f" {result.iou_mean:.5f}"
        )
    if rendered_from is not None:
        compare_surfaces(result, mesh, rendered_from)
    elif subject.reference is not None and subject.to_millimetres is not None:
        # The masks' cameras are in a frame where the object fits the unit sphere.
        frame = torch.from_numpy(np.load(subject.to_millimetres)["scale_mat_0"]).float()
        verts = mesh.verts @ frame[:3, :3].T + frame[:3, 3]
        reference = load_mesh(subject.reference)
        compare_surfaces(result, mesh.with_verts(verts), reference)
        half_extent = float((reference.bounds[1] - reference.bounds[0]).max()) / 2
        assert result.chamfer is not None
        result.chamfer_millimetres = result.chamfer * half_extent
    return result


def compare_surfaces(result: Result, mesh: Mesh, reference: Mesh) -> None:
    result.reference = surface(reference.weld())
    result.chamfer = chamfer_l1(mesh, reference)


def ious(mesh: Mesh, views: Views) -> torch.Tensor:
    """IoU of each view, as published for the same masks."""
    found = []
    for start in range(0, len(views), _VIEWS_AT_ONCE):
        group = views[range(start, min(start + _VIEWS_AT_ONCE, len(views)))]
        coverage = render_silhouettes(mesh, group.cameras)
        found.append(box_iou(coverage, group.coverage, group.known))
    return torch.cat(found)


def surface(mesh: Mesh) -> Surface:
    first, second = mesh.face_normals[mesh.topology.face_adjacency.long()].unbind(dim=1)
    is_folded = (first * second).sum(dim=1) < 0
    return Surface(mesh.topology.report(), mesh.is_inside_out, float(is_folded.double().mean()))


def table(results: Sequence[Result]) -> str:
    header = [
        "object", "views, held out", "image", "held-out IoU mean", "min", "required",
        "training IoU", "Chamfer", "training, in all, s", "steps", "faces", "genus", "components",
        "folds, %",
    ]  # fmt: skip
    lines = [header, ["---"] * len(header), *(_cells(result) for result in results)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cells(result: Result) -> list[str]:
    seconds, (height, width) = result.metrics["seconds"], result.image_size
    required = "" if result.least_iou is None else f"{result.least_iou:g}"
    if result.most_seconds is not None:
        required += f", {result.most_seconds:g} s"
    chamfer = "" if result.chamfer is None else f"{result.chamfer:.4f}"
    states = [result.surface, *([result.reference] if result.reference else [])]
    genus = ["-" if state.topology.genus is None else str(state.topology.genus) for state in states]
    return [
        result.name,
        f"{result.views}, {result.held_out_views}",
        f"{width} x {height}",
        f"{result.iou_mean:.4f}",
        f"{result.iou_min:.4f}",
        required + (" (missed)" if result.missed else ""),
        f"{result.train_iou_mean:.4f}",
        chamfer,
        f"{seconds['training']:.1f}, {seconds['total']:.1f}",
        str(result.metrics["steps"]),
        str(result.metrics["faces"]),
        " / ".join(genus),
        " / ".join(str(state.topology.num_components) for state in states),
        " / ".join(f"{100 * state.folded_edges:.2f}" for state in states),
    ]


def page(results: Sequence[Result], where: dict[str, str]) -> str:
    """The whole text, from a run of anything."""
    unsound = [result.name for result in results if not result.surface.is_sound]
    soundness = (
        f"Not closed, manifold and turned outwards: {', '.join(unsound)}."
        if unsound
        else "Every result is closed, manifold, consistently wound and turned outwards."
    )
    millimetres = "".join(
        f" For {result.name} it is\n  {result.chamfer_millimetres:.2f} mm, with the side that no"
        " camera sees."
        for result in results
        if result.chamfer_millimetres is not None
    )
    data = load_config(ROOT / "configs" / "kettle.yaml").data
    where = dict(where)
    load = where.pop("load", "")
    return TEXT.format(
        load=f"When the runs began,\n  the system's load average was {load}." if load else "",
        machine=", ".join(f"{key} {value}" for key, value in where.items()),
        table=table(results),
        soundness=soundness,
        millimetres=millimetres,
        num_views=data.num_views,
        image_size=data.image_size,
        max_image_size=data.max_image_size,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", nargs="+", metavar="NAME", help="objects to reconstruct")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, help="write all numbers to this file")
    options = parser.parse_args()
    chosen = list(subjects())
    if unknown := set(options.only or ()) - {subject.name for subject in chosen}:
        parser.error(f"unknown or left out: {', '.join(sorted(unknown))}")
    torch.set_num_threads(options.threads)
    where = machine() | {"threads": str(options.threads)}
    if hasattr(os, "getloadavg"):  # what else the machine was doing
        where["load"] = f"{os.getloadavg()[0]:.1f}"
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for subject in chosen:
            if options.only and subject.name not in options.only:
                continue
            result = reconstructed(subject, Path(folder), threads=options.threads)
            results.append(result)
            print(" | ".join(_cells(result)), file=sys.stderr, flush=True)
    print(page(results, where))
    if options.json is not None:
        record = {"machine": where, "results": [asdict(result) for result in results]}
        options.json.write_text(json.dumps(record, indent=1) + "\n")
    for result in results:
        for text in result.missed:
            print(f"{result.name}: {text}", file=sys.stderr)
    return int(any(result.missed for result in results))


if __name__ == "__main__":
    raise SystemExit(main())

"""Every setting of a run, with its type, default and limits.

A file in `configs/` holds only what differs from these defaults. Nothing below `module.py`
sees a config; this file imports nothing of the package.
"""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal


@dataclass(kw_only=True)
class DataConfig:
    """Where the silhouettes come from.

    `synthetic` renders them from a mesh file, `masks` reads a folder of mask images with a
    `cameras.json` (docs/data_formats.md). Paths in a config file are relative to that file,
    paths on the command line to the current folder.
    """

    kind: Literal["synthetic", "masks"] = "synthetic"

    # synthetic
    mesh: str = ""
    num_views: int = 20
    num_held_out: int = 8
    layout: Literal["fibonacci", "ring", "hemisphere"] = "fibonacci"
    image_size: int = 256  # pixels, square
    fov_deg: float = 40.0  # vertical
    distance: float = 0.0  # of the cameras from the mesh's centre; 0 = the mesh fills the image

    # masks
    folder: str = ""
    max_image_size: int = 512  # longest side after area averaging, pixels; 0 = as in the files
    held_out_every: int = 5  # view i is held out when i % every == offset; 0 = none
    held_out_offset: int = 2
    pixel_centers: Literal["auto", "integer", "half"] = "auto"  # auto = what cameras.json says


@dataclass(kw_only=True)
class StartConfig:
    """The mesh that training starts from: the visual hull, a sphere fitted to the views, a file."""

    kind: Literal["hull", "sphere", "mesh"] = "hull"
    mesh: str = ""

    # hull
    resolution: int = 96  # cells along its box's longest side
    # Views that may deny a point of it; from 0 to this many, what fits the masks best.
    max_disagreeing: int = 2

    # sphere
    subdivisions: int = 4  # of the icosphere: 20 * 4**n faces
    # Of the fitted radius. A sphere inside the object grows its limbs; one around it has to
    # shrink, and where the object is thin its two sides would pass through each other.
    radius_scale: float = 0.5


@dataclass(kw_only=True)
class RenderConfig:
    """How the coverage that the loss sees is computed; results are measured by contours always.

    contour: exact, in value and gradient. soft: every face blurred, so that gradients reach
    further and the object comes out smaller. antialias: a mask of pixels' centres, composited at
    outlines.
    """

    coverage: Literal["contour", "soft", "antialias"] = "contour"
    sigma: float = 0.25  # of the soft blur, in pixels of the images at their current size


@dataclass(kw_only=True)
class LossConfig:
    """Term weights; 0 disables a term. None depends on the unit or the size of the images."""

    silhouette_l2: float = 1.0
    silhouette_l1: float = 0.0
    laplacian: float = 1.0  # bending, over the length that the schedule says
    normal_consistency: float = 0.0
    edge_length: float = 0.0


@dataclass(kw_only=True)
class OptimizerConfig:
    """AdamUniform on the vertices, gradient and step smoothed by (I + lambda L)^-1.

    Of `schedule.kind: pyramid`; the polish of a ladder has its settings in `ladder`.
    """

    lr: float = 0.03  # per step, in half-extents of the object
    lr_end: float = 0.003  # reached at the last step, geometrically
    betas: tuple[float, float] = (0.9, 0.95)
    smoothing_start: float = 19.0  # lambda at the first pyramid level
    smoothing_end: float = 4.0  # lambda at the last one


@dataclass(kw_only=True)
class ScheduleConfig:
    """Which way the mesh goes: down the ladder of bending lengths (`newton`, `remesh`, `ladder`,
    `topology`), or, with everything else in this section, along an image pyramid.

    Moments are fractions of `steps`, so that a shorter run keeps its shape.
    """

    kind: Literal["ladder", "pyramid"] = "ladder"
    views_per_step: int = 0  # of gradient steps; 0 = all

    # pyramid
    steps: int = 400
    pyramid: list[int] = field(default_factory=lambda: [4, 2, 1])  # image size is divided by it
    pyramid_at: list[float] = field(default_factory=lambda: [0.0, 0.4, 0.65])
    subdivide_at: list[float] = field(default_factory=lambda: [0.6])  # every face into four
    # The surface is kept smooth over this length, in half-extents of the object: long enough at
    # first for limbs to grow in one piece, at last no longer than the detail that is wanted.
    bending_start: float = 0.1
    bending_end: float = 0.012


@dataclass(kw_only=True)
class NewtonConfig:
    """Gauss-Newton steps: outlines jump to the masks' outlines, the surface follows stiffly."""

    warmup_steps: int = 4  # before the mesh is made even, at the first bending length
    steps: int = 2  # of each rung; 0 = none
    clip_px: float = 6.0  # an outline piece asks for no more than this
    huber_px: float = 2.0  # beyond it, residuals count linearly
    smoothing: float = 0.1  # of the step, in units of the outline's stiffness
    # A view that disagrees with most of the others loses its say, here and in the polish.
    robust_views: bool = True


@dataclass(kw_only=True)
class RemeshConfig:
    """Triangles of even size, after the warm-up and of each mesh of new topology."""

    enabled: bool = True
    edge_px: float = 3.5  # target length of an edge, in pixels of the training images
    edge: float = 0.012  # but not less than this, in units of the object
    thickness: float = 0.5  # and not more than this part of the local thickness; 0 = whatever it is
    iterations: int = 5


@dataclass(kw_only=True)
class LadderConfig:
    """The bending lengths that the surface is freed by, rung by rung, and each rung's polish.

    Lengths and rates are in units of the object: the longest half extent of its box is 0.9.
    """

    bending: list[float] = field(
        default_factory=lambda: [0.05, 0.035, 0.025, 0.018, 0.012, 0.008, 0.005]
    )
    # Before those, from a sphere: long enough for limbs to grow in one piece.
    bending_from_sphere: list[float] = field(default_factory=lambda: [0.2, 0.14, 0.1, 0.07])
    polish_steps: int = 25  # of gradient descent on exact coverage, each rung; 0 = none
    lr: float = 0.002  # about how far the typical vertex moves in a step
    lr_per_rung: float = 0.8
    lr_within: float = 0.6  # at a rung's end, of its beginning
    smoothing: float = 4.0  # of the gradient, as optimizer.smoothing_*
    betas: tuple[float, float] = (0.9, 0.95)
    # A rung ends early when its energy has not fallen by this fraction for `patience` steps.
    min_gain: float = 0.001
    patience: int = 8


@dataclass(kw_only=True)
class TopologyConfig:
    """Handles, holes and islands that the masks do not show are removed at the end."""

    enabled: bool = True
    resolution: int = 192  # voxels along the longest side
    blur: float = 0.8  # voxels
    max_iou_loss: float = 0.002  # of the training views; beyond, the mesh before is kept


@dataclass(kw_only=True)
class LogConfig:
    """What a run writes, and how often. 0 = only at the end."""

    root: str = "logs"
    every_n_steps: int = 10
    evaluate_every_n_steps: int = 50
    image_every_n_steps: int = 100
    mesh_every_n_steps: int = 100
    checkpoint_every_n_steps: int = 25
    num_checkpoints: int = 3
    num_logged_views: int = 4
    turntable: bool = True


# What a preset sets; whatever a file or the command line says comes on top of it.
PRESETS: dict[str, dict[str, bool | int | float | str | list[float]]] = {
    "best": {},  # the defaults below
    # Gauss-Newton alone, on twice as many rungs: what the polish does between two lengths, shorter
    # strides do too, at a third of the time and with held-out IoUs up to .005 lower.
    "fast": {
        "ladder.polish_steps": 0,
        "newton.steps": 2,
        "ladder.bending": [
            *(0.05, 0.042, 0.035, 0.029, 0.0245, 0.0205, 0.0172),
            *(0.0145, 0.0121, 0.0102, 0.0085, 0.0071, 0.006, 0.005),
        ],
    },
    # From a sphere along an image pyramid, with gradient steps only: no hull, no remeshing.
    "sphere": {"start.kind": "sphere", "schedule.kind": "pyramid"},
}


@dataclass(kw_only=True)
class Config:
    """One run. Its files go to `<log.root>/<name>/version_<n>/`."""

    name: str = ""  # empty = the config file's name
    preset: Literal["best", "fast", "sphere"] = "best"  # sets other keys, see PRESETS
    seed: int = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int = 0  # 0 = as many as PyTorch chooses
    data: DataConfig = field(default_factory=DataConfig)
    start: StartConfig = field(default_factory=StartConfig)
    render: RenderConfig = field(default_factory=RenderConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    newton: NewtonConfig = field(default_factory=NewtonConfig)
    remesh: RemeshConfig = field(default_factory=RemeshConfig)
    ladder: LadderConfig = field(default_factory=LadderConfig)
    topology: TopologyConfig = field(default_factory=TopologyConfig)
    log: LogConfig = field(default_factory=LogConfig)


def problems(config: Config) -> Iterator[tuple[str, str]]:
    """Impossible values, as pairs of the full key and what it must be."""
    yield from _top_problems(config)
    yield from _data_problems(config.data)
    yield from _start_problems(config.start)
    if not _positive(config.render.sigma):
        yield "render.sigma", f"must be more than 0 pixels, got {config.render.sigma}"
    for key, weight in vars(config.loss).items():
        if not _finite(weight, at_least=0.0):
            yield f"loss.{key}", f"must be a weight of 0 or more, got {weight}"
    if not config.loss.silhouette_l2 and not config.loss.silhouette_l1:
        yield "loss.silhouette_l2", "and silhouette_l1 are both 0: the views would not count"
    yield from _optimizer_problems(config.optimizer)
    yield from _schedule_problems(config.schedule)
    yield from _ladder_problems(config)
    yield from _log_problems(config.log)


def _finite(value: float, *, at_least: float) -> bool:
    return math.isfinite(value) and value >= at_least


def _positive(value: float) -> bool:
    return math.isfinite(value) and value > 0


def _top_problems(config: Config) -> Iterator[tuple[str, str]]:
    if config.name in ("", ".", "..") or any(c in config.name for c in "/\\\0"):
        yield "name", f"must be a plain folder name, got {config.name!r}"
    if not 0 <= config.seed < 2**31:  # PyTorch's CPU generator drops higher bits of a seed
        yield "seed", f"must be between 0 and 2^31 - 1, got {config.seed}"
    if config.threads < 0:
        yield "threads", f"must be 0 (automatic) or more, got {config.threads}"


def _data_problems(data: DataConfig) -> Iterator[tuple[str, str]]:
    if data.kind == "synthetic" and not data.mesh:
        yield "data.mesh", "is needed when data.kind is synthetic: a path of an OBJ, GLB or PLY"
    if data.kind == "masks" and not data.folder:
        yield "data.folder", "is needed when data.kind is masks: a folder with a cameras.json"
    if data.num_views < 1:
        yield "data.num_views", f"must be 1 or more, got {data.num_views}"
    if data.num_held_out < 0:
        yield "data.num_held_out", f"must be 0 or more, got {data.num_held_out}"
    if not 1 <= data.image_size <= 4096:
        yield "data.image_size", f"must be between 1 and 4096 pixels, got {data.image_size}"
    if not 0 < data.fov_deg < 180:
        yield "data.fov_deg", f"must be between 0 and 180 degrees, got {data.fov_deg}"
    if not _finite(data.distance, at_least=0.0):
        yield "data.distance", f"must be 0 (automatic) or more, got {data.distance}"
    if not 0 <= data.max_image_size <= 4096:
        yield "data.max_image_size", f"must be 0 (native) to 4096, got {data.max_image_size}"
    if data.held_out_every == 1 or data.held_out_every < 0:
        yield "data.held_out_every", f"must be 0 (none) or at least 2, got {data.held_out_every}"
    elif data.held_out_every and not 0 <= data.held_out_offset < data.held_out_every:
        most = data.held_out_every - 1
        yield "data.held_out_offset", f"must be between 0 and {most}, got {data.held_out_offset}"


def _start_problems(start: StartConfig) -> Iterator[tuple[str, str]]:
    if start.kind == "mesh" and not start.mesh:
        yield "start.mesh", "is needed when start.kind is mesh: a path of an OBJ, GLB or PLY"
    if not 8 <= start.resolution <= 512:
        yield "start.resolution", f"must be between 8 and 512, got {start.resolution}"
    if start.max_disagreeing < 0:
        yield "start.max_disagreeing", f"must be 0 or more, got {start.max_disagreeing}"
    if not 0 <= start.subdivisions <= 8:
        yield "start.subdivisions", f"must be between 0 and 8, got {start.subdivisions}"
    if not _positive(start.radius_scale):
        yield "start.radius_scale", f"must be more than 0, got {start.radius_scale}"


def _optimizer_problems(optimizer: OptimizerConfig) -> Iterator[tuple[str, str]]:
    for key in ("lr", "lr_end"):
        if not _positive(getattr(optimizer, key)):
            yield f"optimizer.{key}", f"must be more than 0, got {getattr(optimizer, key)}"
    if not all(0 <= beta < 1 for beta in optimizer.betas):
        yield "optimizer.betas", f"must be between 0 and 1 (1 excluded), got {optimizer.betas}"
    for key in ("smoothing_start", "smoothing_end"):
        if not _finite(getattr(optimizer, key), at_least=0.0):
            yield f"optimizer.{key}", f"must be 0 or more, got {getattr(optimizer, key)}"


def _schedule_problems(schedule: ScheduleConfig) -> Iterator[tuple[str, str]]:
    if schedule.steps < 1:
        yield "schedule.steps", f"must be 1 or more, got {schedule.steps}"
    if schedule.views_per_step < 0:
        yield "schedule.views_per_step", f"must be 0 (all) or more, got {schedule.views_per_step}"
    if not schedule.pyramid or any(factor < 1 for factor in schedule.pyramid):
        yield "schedule.pyramid", f"must hold divisors of 1 or more, got {schedule.pyramid}"
    for key in ("bending_start", "bending_end"):
        if not _finite(getattr(schedule, key), at_least=0.0):
            yield f"schedule.{key}", f"must be 0 or more, got {getattr(schedule, key)}"
    moments = schedule.pyramid_at
    if len(moments) != len(schedule.pyramid):
        yield "schedule.pyramid_at", f"must have one moment for each of pyramid, got {moments}"
    elif not _ascending_fractions(moments) or moments[0] != 0:
        yield "schedule.pyramid_at", f"must rise from 0 to below 1, got {moments}"
    if not _ascending_fractions(schedule.subdivide_at):
        yield "schedule.subdivide_at", f"must rise within 0 to 1, got {schedule.subdivide_at}"
    elif len(schedule.subdivide_at) > 4:
        yield "schedule.subdivide_at", "must have 4 moments at most: each makes 4 times the faces"


def _ladder_problems(config: Config) -> Iterator[tuple[str, str]]:
    newton, ladder, topology = config.newton, config.ladder, config.topology
    for key, least in (
        ("newton.warmup_steps", 0),
        ("newton.steps", 0),
        ("remesh.iterations", 1),
        ("ladder.polish_steps", 0),
        ("ladder.patience", 1),
        ("topology.resolution", 8),
    ):
        if _value(config, key) < least:
            yield key, f"must be {least} or more, got {_value(config, key)}"
    for key in (
        "newton.clip_px",
        "newton.huber_px",
        "remesh.edge_px",
        "ladder.lr",
        "ladder.lr_per_rung",
        "ladder.lr_within",
    ):
        if not _positive(_value(config, key)):
            yield key, f"must be more than 0, got {_value(config, key)}"
    for key in (
        "newton.smoothing",
        "remesh.edge",
        "remesh.thickness",
        "ladder.smoothing",
        "ladder.min_gain",
        "topology.blur",
        "topology.max_iou_loss",
    ):
        if not _finite(_value(config, key), at_least=0.0):
            yield key, f"must be 0 or more, got {_value(config, key)}"
    if not all(0 <= beta < 1 for beta in ladder.betas):
        yield "ladder.betas", f"must be between 0 and 1 (1 excluded), got {ladder.betas}"
    for key in ("bending", "bending_from_sphere"):
        lengths = getattr(ladder, key)
        if not all(_positive(length) for length in lengths):
            yield f"ladder.{key}", f"must hold lengths of more than 0, got {lengths}"
    if config.schedule.kind == "ladder":
        if not ladder.bending:
            yield "ladder.bending", "must hold a length or more"
        if not newton.steps and not ladder.polish_steps:
            yield "ladder.polish_steps", "and newton.steps are both 0: nothing would move"
    if topology.enabled and topology.resolution > 512:
        yield "topology.resolution", f"must be 512 or less, got {topology.resolution}"


def _value(config: Config, key: str) -> float:
    section, name = key.split(".")
    return getattr(getattr(config, section), name)


def _ascending_fractions(moments: list[float]) -> bool:
    ascending = all(a < b for a, b in itertools.pairwise(moments))
    return ascending and all(0 <= moment < 1 for moment in moments)


def _log_problems(log: LogConfig) -> Iterator[tuple[str, str]]:
    if not log.root:
        yield "log.root", "must be a folder"
    for key in ("every", "checkpoint_every"):
        if getattr(log, f"{key}_n_steps") < 1:
            yield f"log.{key}_n_steps", f"must be 1 or more, got {getattr(log, f'{key}_n_steps')}"
    for key in ("evaluate_every", "image_every", "mesh_every"):
        if getattr(log, f"{key}_n_steps") < 0:
            yield f"log.{key}_n_steps", f"must be 0 or more, got {getattr(log, f'{key}_n_steps')}"
    if log.num_checkpoints < 2:
        # One alone would leave nothing to fall back to when it turns out to be damaged.
        yield "log.num_checkpoints", f"must be 2 or more, got {log.num_checkpoints}"
    if log.num_logged_views < 0:
        yield "log.num_logged_views", f"must be 0 or more, got {log.num_logged_views}"

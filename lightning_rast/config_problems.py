"""What is wrong with the values of a config, beyond their types."""

import itertools
import math
from collections.abc import Iterator

from lightning_rast.config import (
    Config,
    DataConfig,
    LogConfig,
    OptimizerConfig,
    ScheduleConfig,
    StartConfig,
)


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
    if not 1 <= config.viewer.port <= 65535:
        yield "viewer.port", f"must be between 1 and 65535, got {config.viewer.port}"
    if config.viewer.every_n_steps < 0:
        yield "viewer.every_n_steps", f"must be 0 or more, got {config.viewer.every_n_steps}"


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
        yield "data.folder", "is needed when data.kind is masks: a folder with images and cameras"
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
    if not data.masks:
        yield "data.masks", "must be auto, alpha, background, or a folder or pattern"
    if not 0 < data.background_threshold < 1:
        threshold = data.background_threshold
        yield "data.background_threshold", f"must be between 0 and 1, got {threshold}"
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
    if not 0 <= start.max_disagreeing <= 2:  # MOST_DISAGREEING of ops/carve.py, less one
        yield "start.max_disagreeing", f"must be between 0 and 2, got {start.max_disagreeing}"
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
        "cameras.bending",
        "cameras.prior",
        "topology.again_from",
        "topology.mended_from",
    ):
        if not _positive(_value(config, key)):
            yield key, f"must be more than 0, got {_value(config, key)}"
    for key in (
        "newton.smoothing",
        "remesh.edge",
        "remesh.thickness",
        "ladder.smoothing",
        "ladder.noise_px",
        "topology.blur",
        "topology.max_iou_loss",
    ):
        if not _finite(_value(config, key), at_least=0.0):
            yield key, f"must be 0 or more, got {_value(config, key)}"
    if not 0 <= ladder.min_gain < 1:
        yield "ladder.min_gain", f"must be between 0 and 1 (1 excluded), got {ladder.min_gain}"
    if not all(0 <= beta < 1 for beta in ladder.betas):
        yield "ladder.betas", f"must be between 0 and 1 (1 excluded), got {ladder.betas}"
    if not 0 <= ladder.least_fall < 1:
        yield "ladder.least_fall", f"must be between 0 and 1 (1 excluded), got {ladder.least_fall}"
    if not 0 < config.cameras.needed <= 1:
        yield "cameras.needed", f"must be between 0 and 1, got {config.cameras.needed}"
    for key in ("bending", "bending_from_sphere"):
        lengths = getattr(ladder, key)
        if not all(_positive(length) for length in lengths):
            yield f"ladder.{key}", f"must hold lengths of more than 0, got {lengths}"
    if config.schedule.kind == "ladder":
        if not ladder.bending:
            yield "ladder.bending", "must hold a length or more"
        elif config.cameras.enabled and config.cameras.bending > ladder.bending[0]:
            yield (
                "cameras.bending",
                f"must not be more than the first of ladder.bending, {ladder.bending[0]:g}, got "
                f"{config.cameras.bending}: cameras would never be corrected",
            )
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

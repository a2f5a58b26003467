"""Which settings have no effect beside the others."""

from collections.abc import Iterator

from lightning_rast.config import Config

_PYRAMID = (
    "optimizer.",
    "schedule.steps",
    "schedule.pyramid",
    "schedule.pyramid_at",
    "schedule.subdivide_at",
    "schedule.bending_start",
    "schedule.bending_end",
    "loss.laplacian",
    "loss.normal_consistency",
    "loss.edge_length",
)
_LADDER = ("newton.", "remesh.", "ladder.", "cameras.", "topology.")
_POLISH = (
    "loss.silhouette_l2",
    "loss.silhouette_l1",
    "render.",
    "schedule.views_per_step",
    "ladder.lr",
    "ladder.lr_per_rung",
    "ladder.lr_within",
    "ladder.smoothing",
    "ladder.betas",
    "ladder.min_gain",
    "ladder.patience",
)
_SYNTHETIC = (
    "data.mesh",
    "data.num_views",
    "data.num_held_out",
    "data.layout",
    "data.image_size",
    "data.fov_deg",
    "data.distance",
)
_MASKS = (
    "data.folder",
    "data.format",
    "data.masks",
    "data.invert_masks",
    "data.background_threshold",
    "data.max_image_size",
    "data.held_out_every",
    "data.held_out_offset",
    "data.pixel_centers",
    "data.fix",
)


def reason_without_effect(config: Config, key: str) -> str | None:
    """The setting because of which `key` changes nothing; None if it has an effect."""
    for reason, keys in _without_effect(config):
        if any(key == each or (each.endswith(".") and key.startswith(each)) for each in keys):
            return reason
    return None


def _without_effect(config: Config) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Settings, and the keys that have no effect because of them: whole sections end in a dot."""
    data, start, schedule = config.data, config.start, config.schedule
    is_ladder = schedule.kind == "ladder"
    yield f"schedule.kind={schedule.kind}", _PYRAMID if is_ladder else _LADDER
    if is_ladder and not config.ladder.polish_steps:
        yield "ladder.polish_steps=0", _POLISH
    yield f"data.kind={data.kind}", _MASKS if data.kind == "synthetic" else _SYNTHETIC
    if data.masks != "background":
        yield f"data.masks={data.masks}", ("data.background_threshold",)
    if start.kind != "hull":
        yield f"start.kind={start.kind}", ("start.resolution", "start.max_disagreeing")
    if start.kind != "sphere":
        only_of_spheres = ("start.subdivisions", "start.radius_scale", "ladder.bending_from_sphere")
        yield f"start.kind={start.kind}", only_of_spheres
    if start.kind != "mesh":
        yield f"start.kind={start.kind}", ("start.mesh",)
    if config.render.coverage in ("contour", "antialias"):
        yield f"render.coverage={config.render.coverage}", ("render.sigma",)
    for section in ("remesh", "cameras", "topology", "viewer"):
        if not getattr(config, section).enabled:
            keys = tuple(f"{section}.{name}" for name in vars(getattr(config, section)))
            yield f"{section}.enabled=false", tuple(key for key in keys if "enabled" not in key)

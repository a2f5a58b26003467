"""Every setting of a run, with its type, default and limits.

A file in `configs/` holds only what differs from these defaults. Nothing below `module.py`
sees a config; this file imports nothing of the package.
"""

from dataclasses import dataclass, field
from typing import Literal

# The names in data/remedies.py; inverted masks have a key of their own.
Fix = Literal[
    "inverse_pose",
    "opengl_axes",
    "pytorch3d_axes",
    "transpose_rotation",
    "center_as_t",
    "flip_y",
    "y_axis_up",
    "flip_x",
    "transpose_images",
    "swap_intrinsics",
    "rotate_90",
    "rotate_270",
    "rotate_180",
    "scale_intrinsics",
    "order_as_numbers",
    "order_as_text",
    "renumber_from_text",
    "reverse_order",
    "next_camera",
    "previous_camera",
]


@dataclass(kw_only=True)
class DataConfig:
    """Where the silhouettes come from.

    `synthetic` renders them from a mesh file, `masks` reads a folder of images with cameras, or a
    camera file in it (docs/data_formats.md). Paths in a config file are relative to that file,
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
    # Of the cameras; auto recognises it.
    format: Literal[
        "auto", "cameras_json", "transforms", "colmap", "neus", "middlebury", "matrices"
    ] = "auto"
    # Where: auto (files that the cameras name, or masks/, mask/, *_mask.png, or alpha), alpha,
    # background, or a folder or pattern such as segmentation/{stem}_fg.png.
    masks: str = "auto"
    invert_masks: bool = False  # black is the object
    background_threshold: float = 0.1  # of a colour channel's difference from it, 0..1
    max_image_size: int = 512  # longest side after area averaging, pixels; 0 = as in the files
    held_out_every: int = 5  # view i is held out when i % every == offset; 0 = none
    held_out_offset: int = 2
    # Where the first pixel's centre is: (0, 0), (.5, .5) or (1, 1); auto = what the format says.
    pixel_centers: Literal["auto", "integer", "half", "matlab"] = "auto"
    # Undo mistakes in cameras and images, in this order; `lightning-rast doctor` names them
    # (docs/doctor.md).
    fix: list[Fix] = field(default_factory=list)


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
    further and the object comes out smaller; softras, pytorch3d: the same as these systems compute
    it. antialias: a mask of pixels' centres, composited at outlines.
    """

    coverage: Literal["contour", "soft", "antialias", "softras", "pytorch3d"] = "contour"
    # As `coverage_model` has it; a wider blur makes the result smaller.
    sigma: float = 0.1  # of the soft blur, in pixels of the images at their current size


@dataclass(kw_only=True)
class LossConfig:
    """Term weights; 0 disables a term. None depends on the unit or the size of the images."""

    silhouette_l2: float = 1.0
    silhouette_l1: float = 0.0

    # pyramid: a ladder has its bending lengths, in `ladder`
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
    # A rung ends early when its energy has not fallen by this fraction for `patience` steps; not
    # where each step sees other views.
    min_gain: float = 0.001
    patience: int = 8
    # Where the outlines' residual is above noise_px at half of the longest bending length and has
    # not fallen by least_fall of its highest, masks contradict each other, and less bending would
    # only follow their errors: the rest is Gauss-Newton steps with the longest length again, and
    # noise_px as newton.huber_px. least_fall 0 = never.
    noise_px: float = 0.3
    least_fall: float = 0.15


@dataclass(kw_only=True)
class CamerasConfig:
    """Small rigid corrections of the cameras, on the way down the ladder; off unless asked for."""

    enabled: bool = False
    bending: float = 0.018  # after the last rung that is not finer
    prior: float = 0.02  # holds each view's total correction back
    needed: float = 0.85  # kept if the outline's residual falls below this part of what it was


@dataclass(kw_only=True)
class TopologyConfig:
    """Handles, holes and islands that the masks do not show are removed at the end."""

    enabled: bool = True
    resolution: int = 192  # voxels along the longest side
    blur: float = 0.8  # voxels
    # Bending length from which the ladder is gone down again with a mesh of other topology: long
    # enough to heal what was cut. Where only crossings are mended, from a shorter one: long ones
    # would squeeze the same thin parts again.
    again_from: float = 0.05
    mended_from: float = 0.018
    max_iou_loss: float = 0.002  # of the training views; beyond, the mesh before is kept


@dataclass(kw_only=True)
class LogConfig:
    """What a run writes, and how often. 0 = only at the end."""

    root: str = "logs"
    every_n_steps: int = 2
    evaluate_every_n_steps: int = 20
    image_every_n_steps: int = 100
    mesh_every_n_steps: int = 100
    checkpoint_every_n_steps: int = 25
    num_checkpoints: int = 3
    num_logged_views: int = 4
    turntable: bool = True
    report: bool = True  # report.html, a page with everything about the run


@dataclass(kw_only=True)
class ViewerConfig:
    """A live view in the browser, at http://127.0.0.1:<port>, seen from this machine only.

    Needs viser: pip install "lightning_rast[viewer]". It changes nothing but the time taken.
    """

    enabled: bool = False
    port: int = 8080  # the next free one from there
    every_n_steps: int = 2  # and ten times a second at most; 0 = only at the end
    start_paused: bool = False  # wait for "Continue", so that nothing is missed
    keep_open: bool = False  # after the end, until "Close" or Ctrl-C


# What a preset sets; whatever a file or the command line says comes on top of it.
PRESETS: dict[str, dict[str, bool | int | float | str | list[float]]] = {
    "best": {},  # the defaults below
    # Gauss-Newton alone, on twice as many rungs: what the polish does between two lengths, shorter
    # strides do too, at about half the time and with held-out IoUs up to .005 lower.
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
    cameras: CamerasConfig = field(default_factory=CamerasConfig)
    topology: TopologyConfig = field(default_factory=TopologyConfig)
    log: LogConfig = field(default_factory=LogConfig)
    viewer: ViewerConfig = field(default_factory=ViewerConfig)

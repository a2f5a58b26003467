"""Builds everything that a config describes and trains."""

import json
import logging
import os
import pickle
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytorch_lightning as pl
import torch

from lightning_rast.callbacks import (
    AtomicCheckpointIO,
    CheckpointSaver,
    Completion,
    Divergence,
    Evaluation,
    Images,
    MeshExport,
    MeshLog,
    Metrics,
    ProgressDisplay,
    ReportPage,
    RunText,
    ScalarLayout,
    Scalars,
    Turntable,
    Viewer,
    opened_logger,
)
from lightning_rast.callbacks.viewer_scene import MISSING, has_viser
from lightning_rast.config import Config, DataConfig
from lightning_rast.data.datamodule import ViewsDataModule
from lightning_rast.data.formats import load_views
from lightning_rast.data.remedies import remedied
from lightning_rast.data.synthetic import orbit_cameras, synthetic_views, view_directions
from lightning_rast.data.views import Views, ViewsError, split_held_out
from lightning_rast.ladder_module import CHECKPOINT_FORMAT, LadderModule
from lightning_rast.ladder_stages import make_ladder_of
from lightning_rast.module import ReconstructionModule
from lightning_rast.optim.schedule import Schedule
from lightning_rast.pyramid_module import PyramidModule
from lightning_rast.runs import Run, RunError, checkpoint_step
from lightning_rast.scene import Mesh, MeshFileError, icosphere, load_mesh
from lightning_rast.starts import HALF_EXTENT, Start, make_start, tell_of_start, warn_again
from lightning_rast.warning_notes import noted_warnings


@dataclass(frozen=True)
class Problem:
    """What is fitted to what; reference: the mesh that the views were rendered from, if any.
    warnings: that were given on the way, more of them while it trains."""

    module: ReconstructionModule
    datamodule: ViewsDataModule
    reference: Mesh | None = None
    warnings: list[str] = field(default_factory=list)


def build(config: Config, checkpoint: Path | None = None) -> Problem:
    """Load or render the views and make the start mesh; writes nothing.

    checkpoint: of which the run will be continued; its mesh then takes the place of the start.

    Raises:
        RunError: the data, the mesh or the device cannot be used.
    """
    _quieten_lightning()
    accelerator_of(config)
    if config.viewer.enabled and not has_viser():
        raise RunError(MISSING)
    with noted_warnings() as notes:
        try:
            reference = load_mesh(config.data.mesh) if config.data.kind == "synthetic" else None
            train_views, held_out_views = make_views(config.data, reference, seed=config.seed)
        except (ViewsError, MeshFileError) as error:
            raise RunError(str(error)) from None
        problem = problem_of(
            config, train_views, held_out_views, reference, is_resumed=checkpoint is not None
        )
    return replace(problem, warnings=notes)


def problem_of(
    config: Config,
    train_views: Views,
    held_out_views: Views | None = None,
    reference: Mesh | None = None,
    *,
    is_resumed: bool = False,
) -> Problem:
    """What a config does with views that are there already; `data` in it does not count.

    is_resumed: a checkpoint will bring the mesh.

    Raises:
        RunError: the views, the start mesh or the device cannot be used.
    """
    _quieten_lightning()
    accelerator_of(config)
    if config.threads:
        torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    try:
        module = make_module(config, train_views, is_resumed=is_resumed)
    except (ViewsError, MeshFileError) as error:
        raise RunError(str(error)) from None
    datamodule = ViewsDataModule(
        train_views,
        held_out_views,
        schedule=module.schedule if isinstance(module, PyramidModule) else Schedule(steps=1),
        views_per_step=config.schedule.views_per_step,
        seed=config.seed,
    )
    return Problem(module, datamodule, reference)


def make_module(config: Config, views: Views, *, is_resumed: bool = False) -> ReconstructionModule:
    """The module that `schedule.kind` names, on the mesh that `start` names.

    is_resumed: a checkpoint will bring mesh and scale, so that no hull needs to be carved.
    """
    began = time.perf_counter()
    start = Start(icosphere(0), 1.0) if is_resumed else make_start(config.start, views)
    if is_resumed:
        warn_again(views)
    else:
        tell_of_start(config, start.mesh, views)
    if config.schedule.kind == "pyramid":
        return PyramidModule(config, start.mesh, scale=start.half_extent)
    return LadderModule(
        config,
        start.mesh,
        scale=start.half_extent / HALF_EXTENT,
        num_disagreeing=start.num_disagreeing,
        seconds=0.0 if is_resumed else time.perf_counter() - began,
    )


def fit(config: Config, problem: Problem, run: Run, *, started: float) -> int:
    """Train in the run's folder and return the exit code (see `cli.py`).

    started: `time.perf_counter()` when the program began, for the time that setup took.
    """
    saver = CheckpointSaver(
        run.folder,
        every_n_steps=config.log.checkpoint_every_n_steps,
        keep=config.log.num_checkpoints,
    )
    watching = make_callbacks(
        config, run, reference=problem.reference, started=started, warnings=problem.warnings
    )
    if config.viewer.enabled:  # last: all files are written while it stays open
        watching.append(Viewer(config.viewer, is_stopping=lambda: bool(saver.stopped_by)))
    # Nothing is shown of a mesh that is lost. The saver comes last: what others keep is saved as
    # of the same step, and while they finish their files, Ctrl-C waits for them.
    callbacks = [Divergence(intervals(config)), *watching, saver, Completion()]
    trainer = make_trainer(config, run, callbacks)
    try:
        with noted_warnings(problem.warnings):
            trainer.fit(
                problem.module,
                datamodule=problem.datamodule,
                ckpt_path=run.checkpoint,
                weights_only=True,
            )
    except SystemExit:  # Lightning's answer to Ctrl-C outside of the training loop
        return 130
    if saver.stopped_by and not problem.module.is_finished:
        print(f"stopped at step {trainer.global_step}, saved; continue with --resume {run.folder}")
        return 128 + saver.stopped_by
    return 0


def is_complete(config: Config, run: Run) -> bool:
    """True when the run has done its last step and everything that is written after it is there."""
    names = [
        *MeshExport.FILES,
        *([Turntable.FILE] if config.log.turntable else []),
        *([ReportPage.FILE] if config.log.report else []),
    ]
    if not all((run.folder / name).exists() for name in names):
        return False
    if config.schedule.kind == "pyramid" and run.step < config.schedule.steps:
        return False
    try:
        metrics = json.loads((run.folder / Metrics.FILE).read_text(encoding="utf-8"))
        return bool(metrics["finished"]) and metrics["steps"] == run.step
    except (OSError, ValueError, TypeError, KeyError):
        return False


def check_checkpoint(path: Path) -> None:
    """Look into a checkpoint before anything is written.

    Raises:
        RunError: it is none of this program's, or of another version, or its name tells another
            step.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        state, step = content["state_dict"], content["global_step"]
        needed = {"pytorch-lightning_version", "loops", "optimizer_states", "lr_schedulers"}
        is_ours = (
            needed | {"scale"} <= set(content)
            and ("ladder" in content or "num_subdivisions" in content)
            and set(state) == {"verts", "faces"}
            and state["verts"].ndim == state["faces"].ndim == 2
        )
        is_current = "ladder" not in content or content["ladder"].get("format") == CHECKPOINT_FORMAT
    except (OSError, RuntimeError, pickle.UnpicklingError, LookupError, TypeError, AttributeError):
        is_ours, is_current, step = False, False, None
    if not is_ours:
        raise RunError(f"{path} is no checkpoint of a reconstruction; remove it, or name another")
    if not is_current:
        raise RunError(f"{path} was written by another version of lightning_rast; start a new run")
    if step != checkpoint_step(path):
        raise RunError(f"{path} holds step {step}; a checkpoint must keep its name")


def make_views(
    data: DataConfig, reference: Mesh | None, *, seed: int
) -> tuple[Views, Views | None]:
    """Training and held-out views: silhouettes of `reference`, or from a folder of masks."""
    if reference is None:
        views = load_views(
            data.folder,
            format=data.format,
            masks=data.masks,
            max_image_size=data.max_image_size,
            pixel_centers=data.pixel_centers,
            background_threshold=data.background_threshold,
            invert_masks=data.invert_masks,
        )
        views = remedied(views, data.fix)
        return split_held_out(views, every=data.held_out_every, offset=data.held_out_offset)

    def rendered(num_views: int, *, between: bool, prefix: str) -> Views:
        directions = view_directions(data.layout, num_views, seed=seed, between=between)
        cameras = orbit_cameras(
            reference,
            directions,
            image_size=data.image_size,
            fov_deg=data.fov_deg,
            distance=data.distance,
        )
        return synthetic_views(reference, cameras, prefix=prefix)

    training = rendered(data.num_views, between=False, prefix="view")
    if not data.num_held_out:
        return training, None
    return training, rendered(data.num_held_out, between=True, prefix="held_out")


def make_callbacks(
    config: Config,
    run: Run,
    *,
    reference: Mesh | None,
    started: float,
    warnings: Sequence[str] = (),
) -> list[pl.Callback]:
    """Everything that shows and writes what happens. They act in this order."""
    log = config.log
    callbacks: list[pl.Callback] = [
        Scalars(every_n_steps=log.every_n_steps),  # first: its step time is without the others'
        Evaluation(every_n_steps=log.evaluate_every_n_steps),
        RunText(config),
        ScalarLayout(config.schedule.kind),
        Images(every_n_steps=log.image_every_n_steps, num_views=log.num_logged_views),
        MeshLog(every_n_steps=log.mesh_every_n_steps),
        MeshExport(run.folder, every_n_steps=log.mesh_every_n_steps),
    ]
    if log.turntable:
        callbacks.append(Turntable(run.folder))
    metrics = Metrics(run.folder, started=started, reference=reference, warnings=warnings)
    callbacks.append(metrics)
    if log.report:  # of the files that those before it wrote
        callbacks.append(ReportPage(run.folder, config))
    callbacks.append(ProgressDisplay(run.folder, warnings=warnings))
    return callbacks


def intervals(config: Config) -> list[int]:
    """Every how many steps something is done with the mesh."""
    log = config.log
    return [
        log.every_n_steps,
        log.evaluate_every_n_steps,
        log.image_every_n_steps,
        log.mesh_every_n_steps,
        log.checkpoint_every_n_steps,
    ]


def make_trainer(config: Config, run: Run, callbacks: list[pl.Callback]) -> pl.Trainer:
    """A trainer that does nothing per step but train: at a millisecond a step, Lightning's
    defaults would cost as much as the work. Callbacks write what is to be seen, every n steps."""
    logger = opened_logger(
        save_dir=run.folder.parent.parent,
        name=run.folder.parent.name,
        version=run.folder.name,
        # Else TensorBoard shows the steps after the checkpoint twice.
        purge_step=run.step + 1 if run.checkpoint else 0,
        flush_secs=2,  # so that it can be watched
        default_hp_metric=False,
    )
    accelerator = accelerator_of(config)
    is_pyramid = config.schedule.kind == "pyramid"
    most_steps = config.schedule.steps if is_pyramid else make_ladder_of(config).most_steps
    return pl.Trainer(
        accelerator=accelerator,
        devices=1,
        max_steps=most_steps,
        max_epochs=-1,
        logger=logger or False,
        callbacks=callbacks,
        plugins=[AtomicCheckpointIO()],
        # Without it, sums over faces on the GPU differ from run to run.
        deterministic=accelerator == "cuda",
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        limit_val_batches=0,
        log_every_n_steps=most_steps + 1,
        enable_autolog_hparams=False,
        default_root_dir=run.folder,
    )


def accelerator_of(config: Config) -> str:
    """ "cpu" or "cuda".

    Raises:
        RunError: cuda is asked for and there is none.
    """
    if config.device == "cuda" and not torch.cuda.is_available():
        raise RunError("device is cuda, but PyTorch finds no CUDA device; use device=auto")
    accelerator = "cpu" if config.device == "cpu" or not torch.cuda.is_available() else "cuda"
    if accelerator == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # asked for by determinism
    return accelerator


def _quieten_lightning() -> None:
    # Advice about data loader workers, and which accelerators exist, on every start.
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module="pytorch_lightning")

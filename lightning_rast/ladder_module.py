"""Fitting down the ladder of bending lengths: the stages of `optim.ladder`, wired together."""

import time
from dataclasses import asdict, replace
from typing import Any

import torch
from pytorch_lightning.core.optimizer import LightningOptimizer
from torch import Tensor

from lightning_rast.config import Config
from lightning_rast.data.views import Views
from lightning_rast.ladder_stages import (
    Hold,
    corrected_cameras,
    disagreeing_names,
    even_mesh,
    hold_of,
    longest_again,
    make_ladder_of,
    misfit_of,
    outline_targets,
    outlines_of,
    places_of,
    remade_mesh,
    seconds_by_kind,
    state_of,
    verdict_on,
)
from lightning_rast.module import ReconstructionModule
from lightning_rast.ops.steady_sum import steady_sum
from lightning_rast.optim.adam_uniform import AdamUniform
from lightning_rast.optim.bending import Bending, mean_edge, stiff_smoother
from lightning_rast.optim.crossings import without_new_crossings
from lightning_rast.optim.ladder import Position, Stage
from lightning_rast.optim.outline_newton import outline_step
from lightning_rast.optim.polish import limited_move
from lightning_rast.scene import Mesh, Topology

CHECKPOINT_FORMAT = 2  # of checkpoint["ladder"]; more whenever its keys change
_UNCROSSED_EVERY = 5  # steps of a polish, of a mesh made anew


class LadderModule(ReconstructionModule):
    """Gauss-Newton steps and a polish at every bending length, on a mesh that is made even and,
    where the masks say so, of another topology.

    scale: world units of a length of 1 in the config; the longest half extent of the object's box
        is 0.9 of them. num_disagreeing: views that may be wrong at a point, as the hull found.
        seconds: spent on the start mesh.

    A Gauss-Newton step is one of the optimizer too, which counts it and does nothing else without
    a gradient. Whatever the next step depends on is in the checkpoint: the mesh, the optimizer's
    state, the position in the ladder, and what a stage keeps while it lasts.
    """

    def __init__(
        self,
        config: Config,
        mesh: Mesh,
        *,
        scale: float,
        num_disagreeing: int = 0,
        seconds: float = 0.0,
    ) -> None:
        super().__init__(config, mesh, scale=scale)
        self.automatic_optimization = False
        self.ladder = make_ladder_of(config)
        self.num_disagreeing = num_disagreeing
        self.position = Position()
        self.stage_log: list[dict[str, Any]] = []
        self._hold: Hold | None = None
        self._kept: Mesh | None = None  # before the topology changed
        self._world_to_view: Tensor | None = None  # of cameras that were corrected
        self._said_of_cameras = ""
        self._seconds = 0.0  # of the current stage
        self._num_held_back = 0
        self._uncrossed: Tensor | None = None  # positions when last looked at
        self._crossings: Tensor | None = None  # there; None = not looked for yet
        if seconds:
            self._write_log("start", config.start.kind, steps=0, seconds=seconds)

    @property
    def is_finished(self) -> bool:
        return self.position.stage >= len(self.ladder.stages)

    @property
    def stage(self) -> Stage:
        return self.ladder.stages[self.position.stage]

    @property
    def progress(self) -> float:
        return self.ladder.progress_at(self.position)

    @property
    def steps_left(self) -> int:
        polished = [entry["steps"] for entry in self.stage_log if entry["kind"] == "polish"]
        return self.ladder.steps_left(
            self.position, polish_steps=polished[-1] if polished else None
        )

    @property
    def place(self) -> str:
        if self.is_finished:
            return f"step {self.global_step}"
        where = f"step {self.global_step} {self.stage.name}"
        return f"{where}, new mesh" if self.position.round else where

    @property
    def step_size(self) -> tuple[str, float]:
        return "ladder.lr", self.config.ladder.lr

    def scalars(self) -> dict[str, float]:
        if self.is_finished:
            return {}
        last = self.stage_log[-1] if self.stage_log else {}
        counted = {"held_back", "self_intersections", "flipped_faces"} & set(last)
        return {
            "ladder/bending": self.stage.bending,
            "ladder/stage": self.position.stage,
            **{f"mesh/{name}": last[name] for name in sorted(counted)},
        }

    @property
    def num_self_intersections(self) -> int | None:
        return self.stage_log[-1]["self_intersections"] if self.stage_log else None

    def report(self) -> dict[str, Any]:
        """Seconds by kind of stage, all stages in order (held_back: vertices whose moves were
        shortened, counted in every step), pairs of faces that cross and faces that look backwards
        at the end, the views that disagree with most of the others, and the residual (px, 0 = none)
        at which it was seen that the masks contradict each other."""
        of_cameras = {"cameras": self._said_of_cameras} if self._said_of_cameras else {}
        if self._world_to_view is not None:
            matrices = dict(zip(self._views.names, self._world_to_view.tolist(), strict=True))
            of_cameras["corrected_world_to_view"] = matrices
        return {
            **of_cameras,
            **({"topology": "; ".join(self.messages)} if self.messages else {}),
            "disagreeing_views": disagreeing_names(self.mesh(), self._targets, self._views.names),
            "noise_px": round(self.position.noise, 3),
            "self_intersections": self.stage_log[-1]["self_intersections"],
            "flipped_faces": self.stage_log[-1]["flipped_faces"],
            "seconds_of_stages": seconds_by_kind(self.stage_log),
            "stages": self.stage_log,
        }

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return AdamUniform([self.verts], lr=0.0, smoother=_nothing, smooths_steps=False)

    def on_fit_start(self) -> None:
        datamodule = self.trainer.datamodule  # pyright: ignore[reportAttributeAccessIssue]
        self.look_at(datamodule.train_views)
        datamodule.train_views = self._views
        self._go_on()
        super().on_fit_start()

    def look_at(self, views: Views) -> None:
        """Take these as the training views: Gauss-Newton steps use all of them."""
        if self._world_to_view is not None:
            cameras = replace(views.cameras, world_to_view=self._world_to_view)
            views = replace(views, cameras=cameras.to(views.coverage.device))
        self._targets = outline_targets(views)
        self._views = views

    def training_step(self, batch: Views, batch_idx: int) -> dict[str, Tensor]:
        began = time.perf_counter()
        if self._uncrossed is None and self.position.round:
            self._uncrossed = self.verts.detach().clone()
        optimizer = self.optimizers()
        assert isinstance(optimizer, LightningOptimizer)
        if self.stage.kind == "newton":
            terms = self._newton_step(self.stage)
            self.verts.grad = None  # of the polish before: the optimizer would follow it again
            optimizer.step()
        else:
            terms = self._polish_gradient(self.stage, batch)
            before = self.verts.detach().clone()
            optimizer.step()
            moved, num_held_back = limited_move(before, self.verts.detach(), self._topology)
            self.verts.data.copy_(moved)
            self._num_held_back += num_held_back
        if not bool(self.verts.isfinite().all()):  # lost, which is for `Divergence` to say
            return {"loss": terms["total"], **terms}
        if self.stage.kind == "newton" or self.position.step % _UNCROSSED_EVERY == 0:
            self._uncross()
        self.position.count(float(terms["total"]), min_gain=self.config.ladder.min_gain)
        self._seconds += time.perf_counter() - began
        self._go_on()
        self.trainer.should_stop |= self.is_finished
        return {"loss": terms["total"], **terms}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)
        kept = self._kept
        checkpoint["ladder"] = {
            "format": CHECKPOINT_FORMAT,
            "position": asdict(self.position),
            "hold": None if self._hold is None else asdict(self._hold),
            "kept": None if kept is None else (kept.verts, kept.faces),
            "num_disagreeing": self.num_disagreeing,
            "world_to_view": self._world_to_view,
            "said_of_cameras": self._said_of_cameras,
            "stage_log": self.stage_log,
            "seconds": self._seconds,
            "num_held_back": self._num_held_back,
            "uncrossed": self._uncrossed,
            "messages": self.messages,
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_load_checkpoint(checkpoint)
        state = checkpoint["ladder"]
        self.position = Position(**state["position"])
        self._hold = None if state["hold"] is None else Hold(**state["hold"])
        self._kept = None if state["kept"] is None else Mesh(*state["kept"])
        self.num_disagreeing = state["num_disagreeing"]
        self._world_to_view = state["world_to_view"]
        self._said_of_cameras = state["said_of_cameras"]
        self.stage_log = state["stage_log"]
        self._seconds = state["seconds"]
        self._num_held_back = state["num_held_back"]
        self._uncrossed = state["uncrossed"]
        self.messages = state["messages"]

    def _set_topology(self, topology: Topology) -> None:
        super()._set_topology(topology)
        # Made when a polish needs it, with the smoother; a resumed one makes the same again.
        self._bending: Bending | None = None

    @torch.no_grad()
    def _newton_step(self, stage: Stage) -> dict[str, Tensor]:
        newton, ladder = self.config.newton, self.config.ladder
        rows, _ = outlines_of(self.mesh(), self._targets, newton)
        position, plan = self.position, self.ladder
        if position.step == 0 and plan.fine_at <= position.stage < plan.again_at:
            self.position.begin_rung(
                rows.rms_px,
                is_judged=stage.bending == self.ladder.judged_at,
                noise_px=ladder.noise_px,
                least_fall=ladder.least_fall,
            )
        bending = stage.bending
        if self.position.noise:
            # What most of the masks agree on: stiff, and larger residuals count linearly.
            bending = self.ladder.longest
            robust = replace(newton, huber_px=min(newton.huber_px, ladder.noise_px))
            rows, _ = outlines_of(self.mesh(), self._targets, robust)
        step = outline_step(
            self.verts,
            self._topology,
            rows,
            bending=bending * self.scale,
            edge=mean_edge(self.verts, self._topology),
            smoothing=newton.smoothing,
        )
        self.verts.add_(step.delta)
        self._num_held_back += int((step.scale < 1).sum())
        misfit = steady_sum(rows.weight * rows.residual.square()).to(self.verts)
        return {"outline": misfit, "total": misfit}

    def _polish_gradient(self, stage: Stage, batch: Views) -> dict[str, Tensor]:
        """Fill in the vertices' gradient, and what the optimizer needs to follow it."""
        ladder = self.config.ladder
        if self.position.step == 0:
            self._begin_polish(stage)
        hold = self._hold
        assert hold is not None
        optimizer = self.trainer.optimizers[0]
        assert isinstance(optimizer, AdamUniform)
        if self._bending is None:
            self._bending = Bending(self._topology, dtype=self.verts.dtype)
            optimizer.smoother = stiff_smoother(
                self._topology, smoothing=ladder.smoothing, bending=hold.bending
            )
        group = optimizer.param_groups[0]
        group["lr"], group["betas"] = stage.lr_at(self.position.step) * self.scale, ladder.betas
        self.verts.grad = None
        places = places_of(batch, self._views)
        # Not the batch's: they may have been corrected meanwhile.
        coverage = self.coverage(self.mesh(), self._views.cameras[places])
        misfit = misfit_of(coverage.detach(), batch, self.config.loss, hold.weights[places])
        coverage.backward(misfit.grad_coverage)
        bent, grad_bent = self._bending(self.verts.detach())
        weight = hold.stiffness * hold.bending * len(batch) / len(self._views)
        assert self.verts.grad is not None
        self.verts.grad.add_(grad_bent, alpha=weight)
        terms = {"silhouette": misfit.of_view.sum(), "bending": weight * bent}
        return {**terms, "total": terms["silhouette"] + terms["bending"]}

    def _begin_polish(self, stage: Stage) -> None:
        self._hold = hold_of(
            self.mesh(), self._targets, self.config.newton, bending=stage.bending * self.scale
        )
        self._bending = None
        self.trainer.optimizers[0].state.clear()

    @torch.no_grad()
    def _uncross(self) -> None:
        """Of a mesh made anew take back what made faces cross since this was last done."""
        if self._uncrossed is not None:
            before, after = self._uncrossed.to(self.verts), self.verts.detach()
            self._uncrossed, self._crossings = without_new_crossings(
                before, after.clone(), self._topology, old=self._crossings
            )
            self.verts.copy_(self._uncrossed)

    def _go_on(self) -> None:
        """From a stage that is over to the next step, through all that takes no steps."""
        while not self.is_finished:
            stage, position = self.stage, self.position
            if stage.bending > position.longest:
                position.go(position.stage + 1)
                continue
            if stage.kind == "newton" or stage.kind == "polish":
                # A polish follows exact coverage, errors and all.
                is_over = stage.kind == "polish" and (self._is_stale or position.noise > 0)
                if position.step < stage.steps and not is_over:
                    return
                following = position.stage + 1
                if position.step:
                    self._uncross()
            else:
                began = time.perf_counter()
                if stage.kind == "remesh":
                    mesh = even_mesh(self.mesh(), self._views, self.config.remesh, unit=self.scale)
                    self._replace(mesh)
                    following = position.stage + 1
                elif stage.kind == "cameras":
                    # Once: a new topology finds them corrected.
                    if position.round == 0:
                        self._correct_cameras(stage)
                    following = position.stage + 1
                else:
                    following = self._settle_topology()
                self._seconds += time.perf_counter() - began
            self._write_log(stage.kind, stage.name, steps=position.step, seconds=self._seconds)
            self._seconds, self._num_held_back, self._hold = 0.0, 0, None
            position.go(following)

    @property
    def _is_stale(self) -> bool:
        """Whether a polish gains nothing any more: energies of different views would not tell."""
        sees_all = not 0 < self.config.schedule.views_per_step < len(self._views)
        return sees_all and self.position.stale >= self.config.ladder.patience

    def _correct_cameras(self, stage: Stage) -> None:
        found = corrected_cameras(
            self.mesh(), self._targets, self.config, bending=stage.bending * self.scale
        )
        self._said_of_cameras = str(found)
        if found.accepted:
            self._world_to_view = found.cameras.world_to_view
            self.look_at(self._views)
            # So that scores and pictures are of the cameras that the mesh was fitted to.
            self.trainer.datamodule.train_views = self._views  # pyright: ignore[reportAttributeAccessIssue]
            self.position.noise = 0.0  # it came from the cameras
            with torch.no_grad():
                self.verts.copy_(found.mesh.verts.to(self.verts))

    def _settle_topology(self) -> int:
        """Make the mesh anew, or judge what came of it; the stage that follows."""
        settings, position = self.config.topology, self.position
        if position.stage >= self.ladder.again_at:
            before, self._kept = self._kept, None
            assert before is not None
            verdict = verdict_on(before, self.mesh(), self._views, settings)
            old, new = verdict.iou
            settled = "kept" if verdict.accepted else f"dropped: {verdict.reason}"
            self.messages.append(
                f"{self._anew}: training IoU {old:.4f} -> {new:.4f}, the new mesh is {settled}"
            )
            if not verdict.accepted:
                self._replace(before)
            return len(self.ladder.stages)
        remade = remade_mesh(
            self.mesh(), self._views, settings, num_disagreeing=self.num_disagreeing
        )
        if remade is None:
            return len(self.ladder.stages)
        position.longest = longest_again(self.config, remade)
        again = self.ladder.rungs_again(position.longest)
        self.messages.append(f"{self._anew}: {remade.reason}; {again} rungs follow")
        self._kept = self.mesh().with_verts(self.verts.detach().clone())
        self._replace(remade.mesh)
        position.round = 1
        return self.ladder.again_at

    @property
    def _anew(self) -> str:
        """With the step at which the rounds change: there the mesh was replaced."""
        step = sum(entry["steps"] for entry in self.stage_log if entry["round"] == 0)
        return f"mesh made anew at step {step}"

    def _replace(self, mesh: Mesh) -> None:
        self._install(mesh.to(self.verts.device).to(self.verts.dtype))
        self._uncrossed = self._crossings = None
        for optimizer in self.trainer.optimizers:
            optimizer.state.clear()
            optimizer.param_groups[0]["params"] = [self.verts]

    def _write_log(self, kind: str, name: str, *, steps: int, seconds: float) -> None:
        self.stage_log.append(
            {
                "kind": kind,
                "name": name,
                "round": self.position.round,
                "steps": steps,
                "seconds": round(seconds, 4),
                "held_back": self._num_held_back,
                **state_of(self.mesh().with_verts(self.verts.detach())),
            }
        )


def _nothing(values: Tensor) -> Tensor:
    return values

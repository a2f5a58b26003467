"""The plan of a reconstruction: stages down a ladder of bending lengths, and where a run is in it.

Nothing here touches a mesh. The plan follows from the settings alone; the position is a small
record that a checkpoint holds, so that a resumed run goes on where the other stopped.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Literal

StageKind = Literal["newton", "remesh", "polish", "cameras", "topology"]


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A stretch of steps of one kind; remeshing, cameras and topology take none of their own.

    bending: length in units of the object (the longest half extent of its box is 0.9).
    lr: of a polish, first and last, in units of the object.
    """

    kind: StageKind
    name: str
    steps: int = 0
    bending: float = 0.0
    lr: tuple[float, float] = (0.0, 0.0)

    def lr_at(self, step: int) -> float:
        first, last = self.lr
        return first * (last / first) ** (step / max(1, self.steps - 1))


@dataclass
class Position:
    """Where a run is in its ladder.

    stage, step: of the stage, and steps done in it. round: 1 once the mesh was made anew.
    longest: rungs of longer bending are passed over, which a mesh made anew may not need.
    lowest: least energy of the stage that was an improvement; stale: steps since then.
    highest: largest residual of the outlines (px) that a rung began with; noise: the one at which
        it was seen that bending less does not help, 0 if it was not.
    """

    stage: int = 0
    step: int = 0
    round: int = 0
    lowest: float = float("inf")
    stale: int = 0
    highest: float = 0.0
    noise: float = 0.0
    longest: float = math.inf

    def begin_rung(
        self, rms_px: float, *, is_judged: bool, noise_px: float, least_fall: float
    ) -> None:
        """Note the residual of the outlines at the beginning of a rung, and judge whether it falls.

        Masks that a surface can agree with are approached rung by rung. Where masks contradict each
        other the residual stays what it is, and less bending only lets the surface follow the
        errors that no other view sees. So a residual above noise_px that has not fallen by
        least_fall (0..1) of the highest so far is noise.
        """
        self.highest = max(self.highest, rms_px)
        if is_judged and least_fall and rms_px > max(noise_px, (1 - least_fall) * self.highest):
            self.noise = rms_px

    def count(self, energy: float, *, min_gain: float) -> None:
        """After a step, of an energy that is positive."""
        self.step += 1
        if energy < (1 - min_gain) * self.lowest:
            self.lowest, self.stale = energy, 0
        else:
            self.stale += 1

    def go(self, stage: int) -> None:
        self.stage, self.step, self.lowest, self.stale = stage, 0, float("inf"), 0


@dataclass(frozen=True, kw_only=True)
class Ladder:
    """What a run does, in order.

    fine_at: where the rungs begin that any start needs. again_at: what follows the first stage of
    kind topology, for a mesh that was made anew there; the end if there is no such stage.
    """

    stages: tuple[Stage, ...]
    fine_at: int
    again_at: int

    @property
    def most_steps(self) -> int:
        """Of a run in which no stage ends early and the mesh is made anew."""
        return sum(stage.steps for stage in self.stages)

    @property
    def longest(self) -> float:
        """Bending length of the first rung that any start needs."""
        return max((stage.bending for stage in self.stages[self.fine_at :]), default=0.0)

    @property
    def judged_at(self) -> float:
        """The bending length, the first that is half of the longest or less, at which it is judged
        whether residuals fall; 0 if there is none."""
        lengths = [stage.bending for stage in self.stages[self.fine_at :] if stage.bending]
        return max((each for each in lengths if each <= self.longest / 2), default=0.0)

    def rungs_again(self, longest: float) -> int:
        """How many rungs a mesh made anew goes down, of those that bend no more than over that."""
        names = {
            stage.name.partition(",")[0]
            for stage in self.stages[self.again_at :]
            if 0 < stage.bending <= longest
        }
        return len(names)

    def progress_at(self, position: Position) -> float:
        """Steps done of the most that there may be, 0..1: without a round for a mesh made anew it
        jumps to 1 in the end."""
        if position.stage >= len(self.stages):
            return 1.0
        done = sum(stage.steps for stage in self.stages[: position.stage])
        return (done + position.step) / max(1, self.most_steps)

    def steps_left(self, position: Position, *, polish_steps: int | None = None) -> int:
        """Steps that are likely to follow, without those of a mesh made anew before there is one.

        polish_steps: what the last polish took, as the next ones probably will; None = all.
        """
        end = len(self.stages) if position.round else self.again_at
        left = 0
        for number, stage in enumerate(self.stages[position.stage : end]):
            steps = stage.steps
            if stage.bending > position.longest or (stage.kind == "polish" and position.noise):
                steps = 0
            elif stage.kind == "polish" and polish_steps is not None:
                steps = min(steps, polish_steps)
            left += max(0, steps - position.step) if number == 0 else steps
        return left


def make_ladder(
    bending: Sequence[float],
    *,
    warmup_steps: int = 4,
    newton_steps: int = 2,
    polish_steps: int = 25,
    lr: float = 2e-3,
    lr_per_rung: float = 0.8,
    lr_within: float = 0.6,
    first_fine: int = 0,
    remeshes: bool = True,
    cameras_at: float = 0.0,
    again_from: float = math.inf,
) -> Ladder:
    """Warm up, remesh, then for every bending length Gauss-Newton steps and a polish; topology,
    and for a mesh made anew there remeshing, the rungs from some length on, and a verdict.

    first_fine: rungs before this one are those that a start far from the object needs; they come
        first of all, and again no more when the mesh is made anew.
    cameras_at: cameras are corrected, once, after the last rung that is not finer; 0 = never.
    again_from: a mesh made anew begins at the first rung that is no longer, or at the last one; 0
        leaves all from the topology stage on out.
    """
    rungs = [
        _rung(length, index - first_fine, len(bending), index)
        for index, length in enumerate(bending)
    ]
    stages: list[Stage] = []

    def add(kind: StageKind, name: str, steps: int, rung: "_Rung") -> None:
        if steps:
            first = lr * lr_per_rung ** max(0, rung.finer)
            stages.append(
                Stage(
                    kind=kind,
                    name=name,
                    steps=steps,
                    bending=rung.bending,
                    lr=(first, first * lr_within),
                )
            )

    def climb(part: Sequence["_Rung"]) -> None:
        for rung in part:
            add("newton", f"{rung.name}, Gauss-Newton", newton_steps, rung)
            add("polish", f"{rung.name}, polish", polish_steps, rung)

    climb(rungs[:first_fine])
    if len(rungs) > first_fine:
        add("newton", "warm-up", warmup_steps, rungs[first_fine])
    if remeshes:
        stages.append(Stage(kind="remesh", name="remeshing"))
    fine_at = len(stages) - remeshes
    fine = rungs[first_fine:]
    num_coarse = sum(1 for _ in takewhile(lambda rung: rung.bending >= cameras_at > 0, fine))
    climb(fine[:num_coarse])
    if num_coarse:
        last = fine[num_coarse - 1].bending
        stages.append(Stage(kind="cameras", name="cameras", bending=last))
    climb(fine[num_coarse:])
    if again_from == 0:
        return Ladder(stages=tuple(stages), fine_at=fine_at, again_at=len(stages))
    stages.append(Stage(kind="topology", name="topology"))
    again_at = len(stages)
    if remeshes:
        stages.append(Stage(kind="remesh", name="remeshing of the new mesh"))
    climb([rung for rung in fine if rung.bending <= again_from] or fine[-1:])
    stages.append(Stage(kind="topology", name="verdict on the new mesh"))
    return Ladder(stages=tuple(stages), fine_at=fine_at, again_at=again_at)


@dataclass(frozen=True)
class _Rung:
    name: str
    bending: float
    finer: int


def _rung(bending: float, finer: int, number: int, index: int) -> _Rung:
    return _Rung(f"rung {index + 1} of {number} ({bending:g})", bending, finer)

"""The plan of a reconstruction: stages down a ladder of bending lengths, and where a run is in it.

Nothing here touches a mesh. The plan follows from the settings alone; the position is a small
record that a checkpoint holds, so that a resumed run goes on where the other stopped.
"""

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

    stage, step: of the stage, and steps done in it. round: how often the topology was changed.
    lowest: least energy of the stage that was an improvement; stale: steps since then.
    highest: largest residual of the outlines (px) that a rung of this round began with; noise: the
        one at which it was seen that bending less does not help, 0 if it was not.
    """

    stage: int = 0
    step: int = 0
    round: int = 0
    lowest: float = float("inf")
    stale: int = 0
    highest: float = 0.0
    noise: float = 0.0

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

    def go_again(self, stage: int) -> None:
        """To the beginning of another round."""
        self.go(stage)
        self.round, self.highest, self.noise = self.round + 1, 0.0, 0.0


@dataclass(frozen=True, kw_only=True)
class Ladder:
    """What a run does, in order. `again_at` is where a mesh of other topology starts anew."""

    stages: tuple[Stage, ...]
    again_at: int
    num_again: int  # how often that may happen at most

    @property
    def most_steps(self) -> int:
        """Of a run in which no stage ends early and the topology is changed every time."""
        once = sum(stage.steps for stage in self.stages)
        again = sum(stage.steps for stage in self.stages[self.again_at :])
        return once + self.num_again * again

    @property
    def longest(self) -> float:
        """Bending length of a round's first rung."""
        return max((stage.bending for stage in self.stages[self.again_at :]), default=0.0)

    @property
    def judged_at(self) -> float:
        """The bending length, the first that is half of the longest of a round or less, at which it
        is judged whether residuals fall; 0 if there is none."""
        lengths = [stage.bending for stage in self.stages[self.again_at :] if stage.bending]
        return max((each for each in lengths if each <= self.longest / 2), default=0.0)

    def progress_at(self, position: Position) -> float:
        """Steps done of those that there are, 0..1; a new round makes it smaller."""
        done = [stage.steps for stage in self.stages[: position.stage]]
        all_of_round = sum(stage.steps for stage in self.stages[self.again_at :])
        total = sum(stage.steps for stage in self.stages) + position.round * all_of_round
        return (sum(done) + position.step + position.round * all_of_round) / max(1, total)


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
    num_again: int = 1,
) -> Ladder:
    """Warm up, remesh, then for every bending length Gauss-Newton steps and a polish; topology.

    first_fine: rungs before this one are those that a start far from the object needs; they come
        first of all, and again no more when the topology changes.
    cameras_at: cameras are corrected, once, after the last rung that is not finer; 0 = never.
    num_again: how often the topology may be changed; 0 leaves that stage out.
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
    again_at = len(stages) - remeshes
    fine = rungs[first_fine:]
    num_coarse = sum(1 for _ in takewhile(lambda rung: rung.bending >= cameras_at > 0, fine))
    climb(fine[:num_coarse])
    if num_coarse:
        last = fine[num_coarse - 1].bending
        stages.append(Stage(kind="cameras", name="cameras", bending=last))
    climb(fine[num_coarse:])
    if num_again:
        stages.append(Stage(kind="topology", name="topology"))
    return Ladder(stages=tuple(stages), again_at=again_at, num_again=num_again)


@dataclass(frozen=True)
class _Rung:
    name: str
    bending: float
    finer: int


def _rung(bending: float, finer: int, number: int, index: int) -> _Rung:
    return _Rung(f"rung {index + 1} of {number} ({bending:g})", bending, finer)

"""What happens at which step of a run: a pure function of the step number.

Nothing here is state, so a resumed run is at the same place as an uninterrupted one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Stage:
    """What stays the same over a stretch of steps."""

    level: int  # into Schedule.pyramid
    num_subdivisions: int  # of the start mesh, in total
    smoothing: float  # lambda of the gradient smoother


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Coarse to fine over `steps` steps; moments are fractions of it.

    pyramid: the image size's divisor at each level, entered at `pyramid_at`.
    subdivide_at: when each face is split into four.
    lr, bending, smoothing: (first, last); the learning rate and the bending length fall
        geometrically with the step, the smoothing with the pyramid level.
    """

    steps: int
    pyramid: Sequence[int] = (1,)
    pyramid_at: Sequence[float] = (0.0,)
    subdivide_at: Sequence[float] = ()
    lr: tuple[float, float] = (1e-2, 1e-2)
    bending: tuple[float, float] = (0.1, 0.012)
    smoothing: tuple[float, float] = (19.0, 4.0)

    def stage_at(self, step: int) -> Stage:
        """The image size and mesh that `step` works on."""
        level = sum(step >= round(at * self.steps) for at in self.pyramid_at) - 1
        last = len(self.pyramid) - 1
        return Stage(
            level=level,
            num_subdivisions=sum(step >= round(at * self.steps) for at in self.subdivide_at),
            smoothing=_between(*self.smoothing, level / last if last else 1.0),
        )

    def lr_at(self, step: int) -> float:
        """The learning rate, which falls geometrically over the run."""
        return _between(*self.lr, step / max(1, self.steps - 1))

    def bending_at(self, step: int) -> float:
        """The bending length, which falls geometrically over the run."""
        return _between(*self.bending, step / max(1, self.steps - 1))


def views_of_step(num_views: int, views_per_step: int, *, seed: int, step: int) -> list[int]:
    """Which views a step uses: rounds through all of them, each round in its own random order.

    Depends on (seed, step) alone. 0 views per step, or more than there are, means all, in order.
    """
    if views_per_step == 0 or views_per_step >= num_views:
        return list(range(num_views))
    chosen: list[int] = []
    position = step * views_per_step
    while len(chosen) < views_per_step:
        order = _order_of_round(num_views, seed, position // num_views)
        start = position % num_views
        # A round that ends within the step must not repeat a view of it.
        fresh = [view for view in order[start:] if view not in chosen]
        chosen += fresh[: views_per_step - len(chosen)]
        position += num_views - start
    return sorted(chosen)


def _order_of_round(num_views: int, seed: int, round_index: int) -> list[int]:
    generator = torch.Generator().manual_seed((seed * 1_000_003 + round_index) % 2**32)
    return torch.randperm(num_views, generator=generator).tolist()


def _between(first: float, last: float, fraction: float) -> float:
    """Geometric interpolation; linear when one end is 0."""
    if first > 0 and last > 0:
        return first * (last / first) ** fraction
    return first + (last - first) * fraction

"""What a run wrote down of its way: scalars over the steps, from its TensorBoard events."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import (
    SCALARS,
    EventAccumulator,
)

Points = Sequence[tuple[int, float]]


@dataclass(frozen=True)
class Curves:
    """(step, value) by tag, as `callbacks.Scalars` and `callbacks.Evaluation` name them."""

    by_tag: Mapping[str, Points] = field(default_factory=dict)

    def of(self, tag: str) -> Points:
        return self.by_tag.get(tag, ())

    def first(self, tag: str) -> float | None:
        """The value at step 0: of the mesh that the run started from."""
        points = self.of(tag)
        return points[0][1] if points and points[0][0] == 0 else None


def read_curves(folder: Path) -> Curves:
    """All scalars of a run's folder, none where it has no events.

    Of a run that was resumed, steps that were done twice count once.
    """
    # 0 keeps all of a kind, 1 one of a tag: pictures and meshes are not wanted.
    sizes = {SCALARS: 0, "images": 1, "tensors": 1, "histograms": 1, "audio": 1}
    events = EventAccumulator(str(folder), size_guidance=sizes)
    events.Reload()
    found: dict[str, Points] = {}
    for tag in events.Tags()[SCALARS]:
        by_step = {event.step: event.value for event in events.Scalars(tag)}
        found[tag] = sorted(by_step.items())
    return Curves(found)

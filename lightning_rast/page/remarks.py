"""What somebody who looks at a result should know of it, in sentences."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lightning_rast.page.numbers import count, in_words
from lightning_rast.page.paths import with_short_paths_in
from lightning_rast.scene import MeshReport

_MISFIT = 0.1  # a sphere in the right place fits better


def remarks(
    metrics: Mapping[str, Any],
    state: MeshReport | None,
    issued: Sequence[str] = (),
    known_paths: Sequence[str] = (),
) -> Iterator[str]:
    """issued: the warnings of the run itself, as they were printed; known_paths: that they may
    speak of."""
    yield from dict.fromkeys(with_short_paths_in(text, known_paths) for text in issued)
    if metrics and not metrics.get("finished"):
        yield "The run was stopped before its last step; --resume continues it."
    train_iou = metrics.get("train_iou_mean")
    if train_iou is not None and train_iou < _MISFIT:
        yield (
            f"The mesh does not fit its views (mean IoU {train_iou:.4f}): it was lost on the way,"
            " or the cameras do not belong to the images."
        )
    if names := metrics.get("disagreeing_views"):
        yield (
            f"{in_words(len(names), 'view')} disagree{'s' if len(names) == 1 else ''} with most of"
            f" the others and lost their say: {', '.join(names)}. Look at their masks and cameras."
        )
    if noise := metrics.get("noise_px"):
        yield (
            f"The masks contradict each other (outlines are {noise:.2f} px apart); the surface was"
            " kept smooth instead of following their errors."
        )
    if told := metrics.get("cameras"):
        yield f"Cameras: {told}"
    if state is not None:
        yield from _of_the_mesh(state)


def _of_the_mesh(state: MeshReport) -> Iterator[str]:
    if not state.is_watertight:
        yield f"The mesh is open, at {in_words(state.num_boundary_loops, 'border')}."
    if state.is_inside_out:
        yield "The mesh is inside out: its normals point inwards."
    if crossing := state.num_self_intersections:
        yield f"{count(crossing)} pairs of faces cross each other."

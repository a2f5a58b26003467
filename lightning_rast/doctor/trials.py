"""Tries the usual mistakes on small images, and says which remedy mends views that disagree."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from lightning_rast.data.remedies import REMEDIES, remedied
from lightning_rast.data.suspicions import look_inverted
from lightning_rast.data.views import Views, ViewsError
from lightning_rast.doctor.consensus import Consensus, consensus
from lightning_rast.doctor.quick_hull import quick_hull
from lightning_rast.ops.mask_distance import mask_distance
from lightning_rast.scene import Camera

SCREENED_SIZE = 96  # px, longer side
CHECKED_SIZE = 256
_SCREENED_VIEWS = 14
_MOST_CHECKED = 4
# Of several that fit about as well, the first in this file's order is named.
_TIE = 0.004
# A remedy is believed if it brings what is missing to 1 below this part of what it was,
_LEAST_CURE = 0.72
_LEAST_GAIN = 0.006
# and the views then agree.
_CURED = 0.75
_CONVINCING = 0.9  # no further combinations are tried then
_POOR = 0.7  # nor where this is reached already, though nothing mends the rest

# Remedies of one group exclude each other; later groups come after earlier ones.
_GROUPS: tuple[tuple[str, ...], ...] = (
    ("inverse_pose", "transpose_rotation", "center_as_t"),
    ("opengl_axes", "pytorch3d_axes", "y_axis_up"),
    ("swap_intrinsics", "scale_intrinsics"),
    ("flip_y", "flip_x", "transpose_images", "rotate_90", "rotate_270", "rotate_180"),
    (
        "order_as_numbers",
        "order_as_text",
        "renumber_from_text",
        "reverse_order",
        "next_camera",
        "previous_camera",
    ),
)


@dataclass(frozen=True)
class Trial:
    """fixes: names of `REMEDIES` in order; none: the views as they are. score: 0..1, how the hull
    fits the views then; checked: measured finely."""

    fixes: tuple[str, ...]
    score: float
    checked: bool = False


@dataclass(frozen=True, eq=False)
class Cure:
    """The remedy that mends the views; equal: others that do so as well. agreed: afterwards."""

    fixes: tuple[str, ...]
    equal: tuple[tuple[str, ...], ...]
    agreed: Consensus


class Screen:
    """Views in two small sizes, to try remedies on: small, fine, after those that are `given`."""

    def __init__(self, views: Views, given: Sequence[str] = ()) -> None:
        self._given = tuple(given)
        self._as_read = limited(views, SCREENED_SIZE), limited(views, CHECKED_SIZE)
        self.small, self.fine = (remedied(size, given) for size in self._as_read)
        count = len(views)
        most = min(count, _SCREENED_VIEWS)
        self._chosen = [round(i * (count - 1) / max(1, most - 1)) for i in range(most)]
        self._distances: dict[tuple[int, int, bool], Tensor] = {}
        self.trials: list[Trial] = []

    def distances(self, views: Views, fixes: Sequence[str]) -> Float[Tensor, "N H W"]:
        """Of the views after these remedies: of all, only inverting changes the masks."""
        key = (*views.image_size, _inverts((*self._given, *fixes)))
        if key not in self._distances:
            self._distances[key] = mask_distance(views.coverage, views.known)
        return self._distances[key]

    def screened(self, fixes: Sequence[str]) -> Trial | None:
        """None: it cannot be applied, or changes nothing."""
        try:
            mended = remedied(self._as_read[0], (*self._given, *fixes))
        except (ViewsError, ValueError, RuntimeError):
            return None
        if fixes and not (_inverts(fixes) or _differ(mended.cameras, self.small.cameras)):
            return None
        distances = self.distances(mended, fixes)[self._chosen]
        trial = Trial(tuple(fixes), quick_hull(mended[self._chosen], distances).score)
        self.trials.append(trial)
        return trial

    def mended(self, fixes: Sequence[str]) -> Views:
        """The finer ones."""
        return remedied(self._as_read[1], (*self._given, *fixes))

    def checked(self, fixes: Sequence[str]) -> Consensus:
        mended = self.mended(fixes)
        found = consensus(mended, self.distances(mended, fixes))
        self.trials.append(Trial(tuple(fixes), found.score, checked=True))
        return found


def find_cure(screen: Screen, before: Consensus) -> Cure | None:
    """The remedies, one or two (and masks inverted back beside them), that mend the views."""
    base = screen.screened(())
    assert base is not None
    best = _best_of(screen, before, base.score, [(name,) for name in REMEDIES])
    reached = before.score if best is None else best.agreed.score
    if reached < (_POOR if best is None else _CONVINCING):
        tried = {trial.fixes[0] for trial in screen.trials if len(trial.fixes) == 1}
        better = _best_of(screen, before, base.score, _combinations(screen.small, tried))
        if better is not None and (
            best is None or better.agreed.score > best.agreed.score + 4 * _TIE
        ):
            best = better
    return best


def _best_of(
    screen: Screen, before: Consensus, base: float, combinations: Iterable[tuple[str, ...]]
) -> Cure | None:
    trials: list[Trial] = []
    for fixes in combinations:
        trial = screen.screened(fixes)
        if trial is not None:
            trials.append(trial)
            if len(fixes) > 1 and trial.score > _CONVINCING:
                break
    # Python's sort keeps the order of equals: likelier remedies stay before others.
    promising = sorted(
        (trial for trial in trials if trial.score > max(0.0, base - 2 * _TIE)),
        key=lambda trial: -round(trial.score / _TIE),
    )
    results: list[tuple[Trial, Consensus]] = []
    for trial in promising[:_MOST_CHECKED]:
        if results and trial.score < promising[0].score - 0.1:
            break
        results.append((trial, screen.checked(trial.fixes)))
    results = [(t, agreed) for t, agreed in results if _mends(agreed, before)]
    if not results:
        return None
    top = max(agreed.score for _, agreed in results)
    order = {fixes: index for index, fixes in enumerate(t.fixes for t in trials)}
    tied = [(t, agreed) for t, agreed in results if agreed.score > top - _TIE]
    tied.sort(key=lambda pair: (len(pair[0].fixes), order[pair[0].fixes]))
    (first, agreed), others = tied[0], tied[1:]
    return Cure(first.fixes, tuple(t.fixes for t, _ in others), agreed)


def _mends(after: Consensus, before: Consensus) -> bool:
    if after.mesh is None or after.score < _CURED:
        return False
    # Views left out as odd cost: a remedy must not win by giving up on more of them.
    missing_before = 1 - before.score * (1 - len(before.odd) / len(before.fit))
    missing = 1 - after.score * (1 - len(after.odd) / len(after.fit))
    return missing < _LEAST_CURE * missing_before and missing_before - missing > _LEAST_GAIN


def _combinations(views: Views, usable: set[str]) -> Iterator[tuple[str, ...]]:
    """Pairs from different groups; with inverted masks, where they look so, single ones too."""
    groups = [[name for name in group if name in usable] for group in _GROUPS]
    first: tuple[str, ...] = ("invert_masks",) if look_inverted(views) else ()
    if first:
        for group in groups:
            yield from ((*first, name) for name in group)
    for group, other in itertools.combinations(groups, 2):
        yield from ((*first, a, b) for a in group for b in other)


def _inverts(fixes: Sequence[str]) -> bool:
    return list(fixes).count("invert_masks") % 2 == 1


def _differ(mended: Camera, cameras: Camera) -> bool:
    same_pose = torch.allclose(mended.world_to_view, cameras.world_to_view)
    return not (same_pose and torch.allclose(mended.K, cameras.K))


def limited(views: Views, size: int) -> Views:
    """With a longer side of this many pixels at most; on the CPU."""
    views = views.to("cpu")
    return views.downscaled(max(1.0, max(views.image_size) / size))

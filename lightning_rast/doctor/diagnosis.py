"""Do cameras and masks agree, and if not, why?"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor

from lightning_rast.data.calibration import PixelCenters
from lightning_rast.data.remedies import REMEDIES, remedied
from lightning_rast.data.suspicions import look_inverted, mirror_suspicion, spread_deg
from lightning_rast.data.views import Views, ViewsError
from lightning_rast.doctor.consensus import Consensus
from lightning_rast.doctor.odd_views import OddView, odd_reasons
from lightning_rast.doctor.pixel_shift import PixelShift, pixel_shift
from lightning_rast.doctor.trials import Screen, Trial, find_cure, limited
from lightning_rast.ops.mask_distance import mask_distance
from lightning_rast.optim.agreement import Targets, agreement
from lightning_rast.scene import Mesh

# A hull that fits its views this well leaves no room for a mistake in all of them.
_BEYOND_DOUBT = 0.975
# Below it, views do not agree, whatever else is said of them.
_AGREES = 0.75
_EXACT = 0.9
_FINE_SIZE = 512  # px: half a pixel does not show in smaller images
_NARROW_DEG = 25.0
_FEW_VIEWS = 4
_MANY = 0.15  # of the views: more odd ones may have one cause
# Where files of each kind of `data.pixel_centers` need (cx, cy) moved to.
_FIRST_CENTER: dict[PixelCenters, float] = {"integer": 0.5, "half": 0.0, "matlab": -0.5}


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """What the doctor found.

    agree: most views do, as they are and as they should: False also where a remedy is known.
    ious: of hull and mask, per view, as the views are. odd: views that disagree with the rest (of
        the mended ones, where there is a cure).
    fixes: names of `data.remedies.REMEDIES` that mend the views. equal: other lists that do it as
        well. mended_ious: per view, afterwards.
    shift: of pixels; None where it was not looked at, since the views do not agree exactly enough.
    pixel_centers: what `data.pixel_centers` should be instead of what it is, else "".
    spread_deg: between the most different lines of sight.
    notes: sentences on what else was seen.
    trials: all that was tried. views, mesh: the mended views and their hull.
    """

    agree: bool
    ious: Float64[Tensor, " N"]
    odd: tuple[OddView, ...]
    fixes: tuple[str, ...]
    equal: tuple[tuple[str, ...], ...]
    mended_ious: Float64[Tensor, " N"]
    shift: PixelShift | None
    pixel_centers: str
    spread_deg: float
    notes: tuple[str, ...]
    trials: tuple[Trial, ...]
    views: Views
    mesh: Mesh | None

    @property
    def causes(self) -> tuple[str, ...]:
        """What is wrong, a sentence's end each."""
        return tuple(REMEDIES[name].cause for name in self.fixes)


@torch.no_grad()
def diagnose(
    views: Views, *, given: Sequence[str] = (), pixel_centers: PixelCenters | None = None
) -> Diagnosis:
    """Carve a quick hull; where it fits badly, try the usual mistakes.

    given: remedies that the views are meant to be taken with; what is found comes behind them.
    pixel_centers: what the views were loaded with; None: not known.

    Raises:
        ViewsError: there are fewer than two views.
    """
    if len(views) < 2:
        raise ViewsError(
            "a single view agrees with any camera: whether cameras and masks belong together shows"
            " in two or more views"
        )
    screen = Screen(views, given)
    before = screen.checked(())
    cure = None
    many_odd = len(before.odd) > _MANY * len(views)
    if before.score < _BEYOND_DOUBT or many_odd or look_inverted(screen.small):
        cure = find_cure(screen, before)
    after = before if cure is None else cure.agreed
    mended = screen.mended(() if cure is None else cure.fixes)
    typical = float(after.fit.median())
    odd = ()
    if after.mesh is not None:
        odd = odd_reasons(mended, after.mesh, after.odd, typical=typical)
    is_sound = after.mesh is not None and after.score >= _AGREES
    shift, better_centers = None, ""
    if is_sound and after.score >= _EXACT:
        fixes = (*given, *(cure.fixes if cure else ()))
        fine = remedied(limited(views, _FINE_SIZE), fixes)
        shift, better_centers = _pixels(fine, after, pixel_centers)
    return Diagnosis(
        agree=is_sound and cure is None and not better_centers,
        ious=_ious(before, screen.fine),
        odd=odd,
        fixes=() if cure is None else cure.fixes,
        equal=() if cure is None else cure.equal,
        mended_ious=_ious(after, mended),
        shift=shift,
        pixel_centers=better_centers,
        spread_deg=spread_deg(mended),
        notes=tuple(_notes(mended, after, is_sound)),
        trials=tuple(screen.trials),
        views=mended,
        mesh=after.mesh,
    )


def _ious(agreed: Consensus, views: Views) -> Float64[Tensor, " N"]:
    if agreed.mesh is None:
        return torch.zeros(len(views), dtype=torch.float64)
    return agreement(agreed.mesh, Targets(views.coverage, views.cameras, views.known)).iou


def _pixels(
    views: Views, agreed: Consensus, pixel_centers: PixelCenters | None
) -> tuple[PixelShift, str]:
    """And what `data.pixel_centers` should be."""
    assert agreed.mesh is not None
    fine = views[[view for view in range(len(views)) if view not in agreed.odd]]
    native_px = 1.0 if fine.sources is None else fine.sources[0].scale[1]
    distances = mask_distance(fine.coverage, fine.known)
    shift = pixel_shift(fine, distances, agreed.mesh, native_px=native_px)
    if pixel_centers is None:
        half = shift.nearest((0.5, -0.5))
        return shift, "" if half is None else "integer" if half > 0 else "half"
    steps = {other: at - _FIRST_CENTER[pixel_centers] for other, at in _FIRST_CENTER.items()}
    step = shift.nearest([value for value in steps.values() if value])
    return shift, next((other for other, value in steps.items() if value == step), "")


def _notes(views: Views, agreed: Consensus, is_sound: bool) -> Iterator[str]:
    spread = spread_deg(views)
    if spread < _NARROW_DEG:
        yield (
            f"all views look along nearly the same line (within {spread:.0f} degrees): the shape "
            "along it is a guess; add views from the side"
        )
    elif len(views) < _FEW_VIEWS:
        yield f"{len(views)} views leave much of the shape open; eight or more from all around help"
    if is_sound and agreed.score < _EXACT:
        yield (
            f"cameras or masks are inexact (fit {agreed.score:.2f}, {_EXACT} and more is usual): "
            "refine the masks, or let training correct the cameras with cameras.enabled: true"
        )
    yield from mirror_suspicion(views)

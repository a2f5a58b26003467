"""What looks wrong about views before anything is fitted to them."""

import warnings
from collections.abc import Iterator, Sequence

import torch

from lightning_rast.data.calibration import shown
from lightning_rast.data.fitted_sphere import seen_center
from lightning_rast.data.views import Views
from lightning_rast.ops.advice import LightningRastWarning

ADVICE = "`lightning-rast doctor` on the data finds out more"
# Of a run's recorded warnings, that with this part says that its mesh is a mirror image.
MIRROR_ADVICE = "export with --mirror"
_NARROW_DEG = 25.0
_POOR_IOU = 0.75  # of the hull; exact views reach .95 and more


def suspicions(views: Views, hull_ious: Sequence[float] = ()) -> Iterator[str]:
    """Sentences on masks that look inverted, cameras that do not fit or that
    mirror the world, views from one side only.

    hull_ious: `VisualHull.ious`, where a hull was carved. Nothing is said of views that are fine.
    """
    if look_inverted(views):
        wanted = "false" if _are_inverted(views) else "true"
        more = f" ({ADVICE})" if len(views) > 1 else ""  # it compares views
        yield (
            "the masks look inverted: most are white along the image's border, but the object must "
            f"be white, not what is around it; try data.invert_masks={wanted}{more}"
        )
    elif hull_ious and max(hull_ious) < _POOR_IOU:
        yield (
            f"cameras and masks do not fit together: the visual hull matches the masks with an IoU "
            f"of {max(hull_ious):.2f}, where .9 is usual; {ADVICE}"
        )
    spread = spread_deg(views)
    if len(views) > 1 and spread < _NARROW_DEG and not hull_ious:  # an open hull says so itself
        yield (
            f"all {len(views)} views look along nearly the same line (within {spread:.0f} degrees)"
            ": the shape along it will be a guess; add views from the side"
        )
    yield from mirror_suspicion(views)


def mirror_suspicion(views: Views) -> Iterator[str]:
    """A sentence on cameras that mirror: nothing else shows it, since every overlay fits."""
    mirrors = mirroring(views)
    if not mirrors:
        return
    if len(mirrors) == len(views):
        all_views = "the camera mirrors" if len(views) == 1 else f"all {len(views)} cameras mirror"
        yield (
            f"{all_views} the world (fx or fy is negative, as where a 3x4 matrix has a negative "
            "determinant): unless the images are mirrored, the mesh will be the mirror image of "
            f"the object; {MIRROR_ADVICE}"
        )
        return
    # The fewer ones are named: those are likelier to be wrong.
    others = sorted(set(range(len(views))) - set(mirrors))
    few, which = (mirrors, "these") if len(mirrors) <= len(others) else (others, "all but these")
    yield (
        f"{len(mirrors)} of {len(views)} cameras mirror the world (fx or fy is negative), {which}: "
        f"{shown(views.names[view] for view in few)}; the cameras of one object all do or none "
        "does: some of these matrices, or of the images, are wrong"
    )


def mirroring(views: Views) -> list[int]:
    """The views whose camera is left-handed: fx fy < 0, or a pose that is no rotation."""
    cameras = views.cameras
    pixels = torch.linalg.det(cameras.K[:, :2, :2].detach().double())
    pose = torch.linalg.det(cameras.world_to_view[:, :3, :3].detach().double())
    return (pixels * pose < 0).nonzero()[:, 0].tolist()


def warn_of_suspicions(views: Views, hull_ious: Sequence[float] = ()) -> None:
    """Each of `suspicions` as a warning."""
    for text in suspicions(views, hull_ious):
        warnings.warn(text, LightningRastWarning, stacklevel=3)


def no_hull(views: Views, error: str, worst: Sequence[int] = ()) -> str:
    """Why nothing was carved, for people.

    error: what the carving said; worst: views that disagree most.
    """
    if len(views) < 2:  # where the doctor has nothing to compare either
        return f"{error}; start.kind=sphere needs no hull"
    if look_inverted(views):
        return "; ".join(suspicions(views))
    names = ", ".join(views.names[view] for view in worst[:5])
    by_name = f" (by name: {names})" if names else ""
    return f"{error}{by_name}. {ADVICE}; start.kind=sphere needs no hull"


def look_inverted(views: Views) -> bool:
    """True where most masks cover most of their image's border."""
    images = views.coverage
    edges = torch.cat((images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1]), dim=1)
    known = torch.ones_like(images) if views.known is None else views.known.to(images)
    seen = torch.cat((known[:, 0], known[:, -1], known[:, :, 0], known[:, :, -1]), dim=1)
    share = (edges * seen).sum(dim=1) / seen.sum(dim=1).clamp(min=1)
    return float((share > 0.5).double().mean()) > 0.5


def spread_deg(views: Views) -> float:
    """The largest angle between two views' lines of sight to the object, 0 to 90 degrees.

    Lines, not rays: two cameras on opposite sides see the same outline and measure no depth.
    """
    if len(views) < 2:
        return 0.0
    if views.cameras.orthographic:
        direction = views.cameras.look_direction.cpu()
    else:
        direction = views.cameras.center_world.cpu() - seen_center(views)
    direction = torch.nn.functional.normalize(direction.double(), dim=1)
    cosine = (direction @ direction.T).abs().clamp(max=1.0).min()
    return float(torch.rad2deg(torch.arccos(cosine)))


def _are_inverted(views: Views) -> bool:
    return views.sources is not None and views.sources[0].how.inverted

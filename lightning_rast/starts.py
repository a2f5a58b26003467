"""The mesh that a config's training starts from."""

import warnings
from dataclasses import dataclass

import torch

from lightning_rast.config import Config, StartConfig
from lightning_rast.data.fitted_sphere import fitted_sphere
from lightning_rast.data.suspicions import mirror_suspicion, no_hull, warn_of_suspicions
from lightning_rast.data.views import Views, ViewsError
from lightning_rast.ops.advice import LightningRastWarning, warn_about_inside_out
from lightning_rast.optim.agreement import Targets
from lightning_rast.optim.start_checks import StartError, check_digits, check_start_place
from lightning_rast.optim.visual_hull import HullError, visual_hull
from lightning_rast.scene import Mesh, cut_apart, icosphere, load_mesh

# Half of the object's extent, in units of the lengths that a ladder is given in.
HALF_EXTENT = 0.9


@dataclass(frozen=True)
class Start:
    """What a fit starts from; half_extent: of the object's box, about, world units.
    num_disagreeing: views that the hull found to be wrong at a point, at most."""

    mesh: Mesh
    half_extent: float
    num_disagreeing: int = 0


def make_start(start: StartConfig, views: Views) -> Start:
    """The mesh of a file, an icosphere about the sphere that was fitted to the views, or the hull.

    Raises:
        ViewsError, MeshFileError: there is none.
    """
    if start.kind == "hull":
        try:
            hull = visual_hull(
                views.coverage,
                views.cameras,
                known=views.known,
                resolution=start.resolution,
                max_disagreeing=start.max_disagreeing,
            )
        except (HullError, ValueError) as error:  # the latter of a single view
            worst = error.views if isinstance(error, HullError) else ()
            raise ViewsError(no_hull(views, str(error), worst)) from None
        warn_of_suspicions(views, hull.ious)
        if hull.is_open:
            warnings.warn(
                "the views look from nearly one side: how deep the object is stays open, and the "
                "visual hull was cut at twice the masks' extent; add views from other sides",
                LightningRastWarning,
                stacklevel=2,
            )
        return Start(hull.mesh, HALF_EXTENT * hull.unit, hull.num_disagreeing)
    warn_of_suspicions(views)
    center, radius = fitted_sphere(views)
    if start.kind == "mesh":
        mesh = _without_touching_parts(load_mesh(start.mesh))
        warn_about_inside_out(mesh.verts, mesh.topology)
        return Start(mesh, radius)
    sphere = icosphere(
        start.subdivisions, radius=radius * start.radius_scale, center=center.tolist()
    )
    return Start(sphere, radius)


def _without_touching_parts(mesh: Mesh) -> Mesh:
    """Cut apart where that makes a manifold of it and opens nothing; else as it is."""
    if mesh.topology.is_manifold:
        return mesh
    cut = cut_apart(mesh)
    opens = len(cut.topology.boundary_edges) > len(mesh.topology.boundary_edges)
    if opens or not (cut.topology.is_manifold and cut.topology.is_oriented):
        return mesh
    warnings.warn(
        "the start mesh touches itself, so that it is no manifold; its parts were cut apart at "
        f"{cut.num_verts - mesh.num_verts} vertices, and nothing was moved",
        LightningRastWarning,
        stacklevel=2,
    )
    return cut


def warn_again(views: Views) -> None:
    """What a run that goes on must hear again, since its record is written anew."""
    for text in mirror_suspicion(views):
        warnings.warn(text, LightningRastWarning, stacklevel=2)


def tell_of_start(config: Config, mesh: Mesh, views: Views) -> None:
    """Warn of a start that the stages to come can do little with.

    Raises:
        ViewsError: they can do nothing with it.
    """
    topology = mesh.topology
    told: list[str | None] = []
    try:
        told.append(check_digits(mesh.bounds.double().mean(0), views.cameras))
        if config.start.kind == "mesh":
            center, radius = fitted_sphere(views)
            targets = Targets.of(
                views.coverage.cpu(), views.cameras.to("cpu"), _on_cpu(views.known)
            )
            told.append(check_start_place(mesh, targets, center=center, radius=radius))
    except StartError as error:
        raise ViewsError(str(error)) from None
    is_changed = config.remesh.enabled or config.topology.enabled
    if config.schedule.kind == "ladder" and is_changed:
        if not (topology.is_manifold and topology.is_oriented):
            told.append(
                "the start mesh is no oriented manifold, so that its triangles and its topology"
                " stay as they are (`lightning-rast evaluate` says where it is not);"
                " start.kind=hull or sphere begins with a sound one"
            )
        elif not topology.is_closed and config.topology.enabled:
            told.append("the start mesh is open, so that its topology stays as it is")
    for text in told:
        if text is not None:
            warnings.warn(text, LightningRastWarning, stacklevel=2)


def _on_cpu(known: torch.Tensor | None) -> torch.Tensor | None:
    return None if known is None else known.cpu()

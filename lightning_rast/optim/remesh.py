"""Isotropic remeshing: triangles of a wished size, anywhere on the same surface."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from lightning_rast.ops.remesh import RemeshedArrays, remesh_arrays
from lightning_rast.scene import Mesh


@dataclass(frozen=True)
class RemeshReport:
    """What `remesh` did, over all iterations."""

    num_splits: int
    num_collapses: int
    num_flips: int


@dataclass(frozen=True)
class Remeshed:
    """A new mesh, with what its vertices carry and where on the old mesh they lie."""

    mesh: Mesh
    attributes: dict[str, Tensor]
    source: "SurfacePoints"
    report: RemeshReport


@dataclass(frozen=True)
class SurfacePoints:
    """Places on a mesh: three of its vertices each, and their weights, of sum 1."""

    verts: Tensor  # (P, 3) int64
    weights: Tensor  # (P, 3) float64

    def interpolate(self, values: Float[Tensor, "V *rest"]) -> Float[Tensor, "P *rest"]:
        """Values at the mesh's vertices, linearly in between; computed in float64."""
        corners = values.detach()[self.verts.to(values.device)]
        weights = self.weights.to(values.device)
        weights = weights.reshape(*weights.shape, *[1] * (values.ndim - 1))
        # A vertex that stayed has weight 1 there: what is infinite elsewhere must not reach it.
        terms = torch.where(weights == 0, 0.0, weights * corners.double())
        return terms.sum(dim=1).to(values.dtype)


@torch.no_grad()
def remesh(
    mesh: Mesh,
    target_edge: float | Float[Tensor, " V"],
    *,
    iterations: int = 5,
    balance: bool = True,
    attributes: Mapping[str, Tensor] | None = None,
) -> Remeshed:
    """A mesh of nearly equal-sided triangles on the same surface.

    Each iteration splits edges longer than 4/3 of the wished length, collapses those shorter than
    4/5, flips edges towards six neighbours per vertex (four at a boundary), moves vertices within
    the surface towards the middle of their faces, though hardly across creases, and puts them back
    onto the *input*: onto the nearest point of its triangles, found in a tree of boxes. Triangles
    that look more than about 100 degrees away from the vertex's normal do not count, so that a
    vertex of a thin sheet is never put onto its other side.

    The topology stays: number of components, handles and boundary loops. A boundary keeps its
    corners (turns of more than 45 degrees), and its vertices stay on it. Steps are refused that
    would turn a face by more than 75 degrees, make a sliver worse, or take the surface further
    than a quarter of the wished length from where it was; some edges therefore stay shorter than
    wished where the surface bends faster than the wished length can follow.

    Args:
        mesh: an oriented manifold, with or without boundaries. Vertices without faces are dropped.
        target_edge: the wished length in world units, for all edges or at each vertex; in the
            latter case the surface in between has what lies linearly in between.
        iterations: 0 only drops vertices without faces.
        balance: at last move vertices off the input by as much as the faces around them lie off it
            on the other side, so that the volume of curved parts stays: with edges of a third of
            the radius a ball loses 0.2 % instead of 4 %. False leaves them exactly on the input.
        attributes: values at the vertices, (V, ...) of any floating type: colours, an optimizer's
            moments. A new vertex gets what lies linearly in between at its place on the input; one
            that did not move keeps its value exactly.

    Returns:
        The new mesh, its attributes under the same names, and its vertices' places on the input.
        Types and devices are those of the input. The same bits on every run and for any number of
        threads; computed in float64 on the CPU. Not differentiable: nothing requires gradients.

    Source: M. Botsch, L. Kobbelt, "A remeshing approach to multiresolution modeling", 2004; sizing
    fields as in M. Dunyach et al., "Adaptive remeshing for real-time mesh deformation", 2013.

    Raises:
        ValueError: the mesh is not an oriented manifold (the message says where, and how to mend
            it), a vertex is not finite, a wished length is not positive or so small that there
            would be more than 20 million faces, or an attribute does not fit.
    """
    attributes = attributes or {}
    _check(mesh, iterations, attributes)
    target = _target_per_vertex(mesh, target_edge)
    made = remesh_arrays(
        mesh.verts.detach().cpu().double(), mesh.faces.cpu(), target, iterations, balance
    )
    source = SurfacePoints(made.source_verts.long(), made.source_weights)
    return Remeshed(
        mesh=_mesh_of(made, mesh),
        attributes={name: source.interpolate(values) for name, values in attributes.items()},
        source=source,
        report=RemeshReport(made.num_splits, made.num_collapses, made.num_flips),
    )


def _mesh_of(made: RemeshedArrays, mesh: Mesh) -> Mesh:
    return Mesh(made.verts.to(mesh.verts), made.faces.to(mesh.verts.device))


def _check(mesh: Mesh, iterations: int, attributes: Mapping[str, Tensor]) -> None:
    is_bad = ~torch.isfinite(mesh.verts).all(dim=1)
    if bool(is_bad.any()):
        row = int(is_bad.nonzero()[0, 0])
        raise ValueError(
            f"remesh: verts[{row}] = {mesh.verts[row].tolist()} is not finite; "
            "has the fit diverged?"
        )
    if iterations < 0:
        raise ValueError(f"remesh: iterations must not be negative, got {iterations}")
    for name, values in attributes.items():
        if values.shape[:1] != (mesh.num_verts,) or not values.is_floating_point():
            raise ValueError(
                f"remesh: attribute {name!r} must be floating point ({mesh.num_verts}, ...), one "
                f"row per vertex, got {values.dtype} {tuple(values.shape)}"
            )


def _target_per_vertex(mesh: Mesh, target_edge: float | Tensor) -> Tensor:
    target = torch.as_tensor(target_edge, dtype=torch.float64).detach().cpu()
    if target.ndim == 0:
        target = target.expand(mesh.num_verts)
    if target.shape != (mesh.num_verts,):
        raise ValueError(
            f"remesh: target_edge must be a number or ({mesh.num_verts},), one per vertex, got "
            f"{tuple(target.shape)}"
        )
    is_bad = ~(torch.isfinite(target) & (target > 0))
    if bool(is_bad.any()):
        row = int(is_bad.nonzero()[0, 0])
        raise ValueError(
            f"remesh: target_edge must be positive and finite, got {float(target[row]):g} "
            f"(vertex {row})"
        )
    return target

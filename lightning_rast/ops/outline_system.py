"""The linear system of an outline Gauss-Newton step; `optim.outline_newton` derives it."""

import ctypes
import functools
from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float, Int32
from torch import Tensor

from lightning_rast.ops._library import bind, core
from lightning_rast.ops._registry import raise_status
from lightning_rast.ops.contour_pieces import ContourPieces


class RowTerms(NamedTuple):
    """What `outline_row_terms` finds of P pieces."""

    jacobian: Float[Tensor, "P 2 3"]
    point_world: Float[Tensor, "P 3"]
    residual: Float[Tensor, " P"]
    weight: Float[Tensor, " P"]


class Solution(NamedTuple):
    """What `solve_outline_system` finds; the last three are numbers of the linear system."""

    delta: Float[Tensor, "V 3"]
    stiffness: float
    iterations: int
    relative_residual: float


def outline_row_terms(
    verts: Float[Tensor, "V 3"],
    clip_from_world: Float[Tensor, "N 4 4"],
    distances: Float[Tensor, "N H W"],
    view_weights: Float[Tensor, " N"],
    pieces: ContourPieces,
    *,
    clip_px: float,
    huber_px: float,
) -> RowTerms:
    """How far each piece is from where it should be, and how it follows its edge's vertices.

    All float64 on the CPU but `distances`, float32, NaN where unknown; such rows' residual is NaN.
    """
    num_pieces = len(pieces.view)
    terms = RowTerms(
        jacobian=verts.new_empty(num_pieces, 2, 3),
        point_world=verts.new_empty(num_pieces, 3),
        residual=verts.new_empty(num_pieces),
        weight=verts.new_empty(num_pieces),
    )
    status = _rows_function()(
        verts.data_ptr(),
        clip_from_world.data_ptr(),
        distances.data_ptr(),
        view_weights.data_ptr(),
        *(values.data_ptr() for values in pieces),
        num_pieces,
        *distances.shape[1:],
        clip_px,
        huber_px,
        torch.get_num_threads(),
        *(values.data_ptr() for values in terms),
    )
    if status != 0:
        raise_status("outline_row_terms", status)
    return terms


def solve_outline_system(
    verts: Float[Tensor, "V 3"],
    edges: Int32[Tensor, "E 2"],
    row_verts: Int32[Tensor, "P 2"],
    jacobian: Float[Tensor, "P 2 3"],
    residual: Float[Tensor, " P"],
    weight: Float[Tensor, " P"],
    *,
    smoothing: float,
    bending: float,
    damping: float,
    rtol: float,
    max_iterations: int,
) -> Solution:
    """(A + s (smoothing L + bending L L + damping)) delta = b - s bending L L verts.

    A and b are those of the rows, s is A's mean diagonal and L the graph Laplacian of `edges`.
    Conjugate gradients with 3x3 blocks as preconditioner, from 0; float64 on the CPU, contiguous.

    Raises:
        ValueError: the vertices of a row are not joined by an edge.
    """
    delta = torch.empty_like(verts)
    report = (ctypes.c_double * 4)()
    status = _solve_function()(
        verts.data_ptr(),
        len(verts),
        edges.data_ptr(),
        len(edges),
        row_verts.data_ptr(),
        jacobian.data_ptr(),
        residual.data_ptr(),
        weight.data_ptr(),
        len(row_verts),
        smoothing,
        bending,
        damping,
        rtol,
        max_iterations,
        torch.get_num_threads(),
        delta.data_ptr(),
        report,
    )
    if status == _NOT_AN_EDGE:
        row = int(report[3])
        raise ValueError(
            f"outline rows: row {row} joins the vertices {row_verts[row].tolist()}, which no edge "
            "of the topology does; were the rows made for another mesh?"
        )
    if status != 0:
        raise_status("solve_outline_system", status)
    return Solution(delta, report[0], int(report[1]), report[2])


def limit_outline_step(
    verts: Float[Tensor, "V 3"],
    edges: Int32[Tensor, "E 2"],
    faces: Int32[Tensor, "F 3"],
    delta: Float[Tensor, "V 3"],
    *,
    max_edges: float,
) -> tuple[Float[Tensor, "V 3"], Float[Tensor, " V"]]:
    """`delta` shortened vertex by vertex, and by how much.

    No vertex moves further than `max_edges` times the mean length of its edges, and then steps
    are halved at the corners of each face that turns by a right angle or more, until none does.
    """
    delta, scale = delta.clone(), verts.new_empty(len(verts))
    status = _limit_function()(
        verts.data_ptr(),
        len(verts),
        edges.data_ptr(),
        len(edges),
        faces.data_ptr(),
        len(faces),
        max_edges,
        delta.data_ptr(),
        scale.data_ptr(),
    )
    if status != 0:
        raise_status("limit_outline_step", status)
    return delta, scale


_NOT_AN_EDGE = 16
_P, _I64, _I32, _F64 = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int32, ctypes.c_double


@functools.cache
def _rows_function() -> Callable[..., int]:
    sizes = (_I64, _I32, _I32, _F64, _F64, _I32)
    return bind(core(), "lrast_outline_rows", *([_P] * 10), *sizes, *([_P] * 4))


@functools.cache
def _solve_function() -> Callable[..., int]:
    system = (_P, _I64, _P, _I64, _P, _P, _P, _P, _I64)
    settings = (_F64, _F64, _F64, _F64, _I32, _I32)
    return bind(core(), "lrast_outline_solve", *system, *settings, _P, _P)


@functools.cache
def _limit_function() -> Callable[..., int]:
    mesh = (_P, _I64, _P, _I64, _P, _I64)
    return bind(core(), "lrast_outline_limit", *mesh, _F64, _P, _P)

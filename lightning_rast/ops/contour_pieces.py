"""The visible outline itself, piece by piece, as `contour_coverage` finds it."""

import ctypes
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import torch
from jaxtyping import Float, Int32
from torch import Tensor

from lightning_rast.ops._library import bind, core
from lightning_rast.ops._registry import raise_status
from lightning_rast.ops.contour import record_contour

if TYPE_CHECKING:
    from lightning_rast.scene import Topology


class ContourPieces(NamedTuple):
    """P pieces of the visible outline, each the part of an edge inside one pixel.

    Sorted by view and there by edge. Frame: screen, x right and y down in pixels.
    """

    view: Int32[Tensor, " P"]
    verts: Int32[Tensor, "P 2"]  # the edge, from the upper end to the lower one
    t: Float[Tensor, " P"]  # mean position along the edge on the screen, 0 at its first vertex
    point: Float[Tensor, "P 2"]  # that position
    normal: Float[Tensor, "P 2"]  # unit, away from what is covered
    length: Float[Tensor, " P"]  # px


@torch.no_grad()
def contour_pieces(
    verts_clip: Float[Tensor, "N V 4"],
    topology: "Topology",
    image_size: tuple[int, int],
) -> ContourPieces:
    """The pieces of the visible outline that `contour_coverage` integrates along.

    Their union over the pixels is the border between covered and not, inside the image and
    nowhere else: neither edges behind others nor the image's own border are part of it. Moving
    the point of a piece by d changes the coverage of its pixel by `length * normal . d`, so

        d loss / d point = grad_coverage[view, row, column] * length * normal

    summed over pieces, (1 - t) of it for the first vertex and t for the second, is the gradient
    that `contour_coverage` returns. Edges that the near plane cuts are left out, and so are the
    cuts: no single vertex moves them.

    Arguments and errors are those of `contour_coverage`; the results have the type of
    `verts_clip`, the same bits for any number of threads, and no gradient.

    Raises:
        ValueError: `verts_clip` is not on the CPU. The record of the CUDA kernels has no such
            pieces; pass `verts_clip.cpu()` and `topology.to("cpu")`.
    """
    if verts_clip.device.type != "cpu":
        raise ValueError(
            f"contour_pieces: verts_clip is on {verts_clip.device}, but outline pieces are found "
            'on the CPU only; pass verts_clip.cpu() and topology.to("cpu")'
        )
    verts_clip = verts_clip.contiguous()
    tape = record_contour(verts_clip, topology, image_size)
    num_views = len(verts_clip)
    starts = torch.empty(num_views + 1, dtype=torch.int64, device="cpu")
    _call(verts_clip, tape, image_size, starts, None)
    num_pieces = int(starts[-1])

    def empty(*shape: int) -> Tensor:
        return verts_clip.new_empty(num_pieces, *shape)

    pieces = ContourPieces(
        view=torch.empty(num_pieces, dtype=torch.int32, device="cpu"),
        verts=torch.empty(num_pieces, 2, dtype=torch.int32, device="cpu"),
        t=empty(),
        point=empty(2),
        normal=empty(2),
        length=empty(),
    )
    if num_pieces:
        _call(verts_clip, tape, image_size, starts, pieces)
    return pieces


def _call(
    verts_clip: Tensor,
    tape: Tensor,
    image_size: tuple[int, int],
    starts: Tensor,
    pieces: ContourPieces | None,
) -> None:
    status = _function(verts_clip.dtype)(
        verts_clip.data_ptr(),
        tape.data_ptr(),
        len(tape),
        *verts_clip.shape[:2],
        *image_size,
        torch.get_num_threads(),
        starts.data_ptr(),
        *([None] * 6 if pieces is None else [values.data_ptr() for values in pieces]),
    )
    if status != 0:
        raise_status("contour_pieces", status)


@functools.cache
def _function(dtype: torch.dtype) -> Callable[..., int]:
    pointer, int64, int32 = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int32
    return bind(
        core(),
        f"lrast_outline_pieces_{'f32' if dtype == torch.float32 else 'f64'}",
        *(pointer, pointer, int64, int64, int64, int32, int32, int32),
        *([pointer] * 7),
    )

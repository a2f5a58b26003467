"""Faces for pixels that a mesh covers in part, but that no pixel centre nearby hits."""

import ctypes
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from lightning_rast.ops._antialias_inputs import CULL, check_antialias_inputs
from lightning_rast.ops._library import bind, core
from lightning_rast.ops._registry import OPERATORS, check_tensors, raise_status, runs_eagerly_on_cpu
from lightning_rast.ops.advice import share_watch
from lightning_rast.ops.interpolate import interpolate
from lightning_rast.ops.rasterize import Fragments

if TYPE_CHECKING:
    from lightning_rast.scene import Topology


def fill_thin_parts(
    fragments: Fragments,
    coverage: Float[Tensor, "N H W"],
    verts_clip: Float[Tensor, "N V 4"] | Float[Tensor, "V 4"],
    topology: "Topology",
    *,
    cull: Literal["none", "back", "front"] = "none",
    face_ranges: Int64[Tensor, "N 2"] | None = None,
) -> Fragments:
    """Show a face where the mesh covers a pixel in part, and neither its centre nor a neighbour's.

    Wires and rims thinner than a pixel may pass between all centres: then nothing nearby knows
    their colour, and `antialias` has none to blend. In such pixels this names the face at the
    nearest edge of the outline, and the point of it that passes the pixel, half-way. With them the
    picture is that of what is there, and `antialias(..., premultiplied=True)` of a mask is the
    exact coverage everywhere.

    Args:
        fragments: of `rasterize`, without layers.
        coverage: `contour_coverage` of the same mesh; only whether it is positive matters, so that
            no gradient flows to it.
        verts_clip, topology, cull, face_ranges: as for `antialias`.

    Returns:
        `fragments` with these pixels filled. The same bits on every run, for any number of threads.

    Differentiable once, as the fragments are. In the pixels that are filled, `bary` is constant and
    `depth` is that of the point, which moves with the mesh. Edges along which the near plane cuts
    faces are no outline here.

    Raises:
        ValueError: a shape, dtype or device does not fit.
    """
    check_tensors("fill_thin_parts", coverage=coverage)
    if coverage.shape != fragments.face_idx.shape:
        raise ValueError(
            f"fill_thin_parts: coverage must be {tuple(fragments.face_idx.shape)} as face_idx, got "
            f"{tuple(coverage.shape)}"
        )
    check_antialias_inputs(
        coverage[..., None],
        fragments,
        verts_clip,
        topology,
        cull,
        face_ranges,
        op="fill_thin_parts",
    )
    if verts_clip.dim() == 2:
        verts_clip = verts_clip.expand(len(coverage), -1, -1)
    bary, face = torch.ops.lightning_rast.thin_parts(
        fragments.face_idx,
        coverage.detach(),
        verts_clip.detach(),
        topology.faces,
        topology.edge_verts,
        topology.edge_faces,
        topology.irregular_offsets,
        topology.irregular_codes,
        face_ranges,
        cull,
    )
    is_filled = face >= 0
    if runs_eagerly_on_cpu(face) and not is_filled.any():
        return fragments
    w = interpolate(verts_clip[..., 3:], topology.faces, Fragments(face, bary, fragments.depth))
    filled = Fragments(
        torch.where(is_filled, face, fragments.face_idx),
        torch.where(is_filled[..., None], bary, fragments.bary),
        torch.where(is_filled, w[..., 0], fragments.depth),
    )
    share_watch(fragments, filled)
    return filled


OPERATORS.define(
    "thin_parts(Tensor face_idx, Tensor coverage, Tensor verts_clip, Tensor faces, "
    "Tensor edge_verts, Tensor edge_faces, Tensor irregular_offsets, Tensor irregular_codes, "
    "Tensor? face_ranges, str cull) -> (Tensor bary, Tensor face)"
)

_SUFFIX = {torch.float32: "f32", torch.float64: "f64"}
_P, _I64, _I32 = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int32


@functools.cache
def _function(dtype: torch.dtype) -> Callable[..., int]:
    return bind(
        core(),
        f"lrast_thin_parts_{_SUFFIX[dtype]}",
        *(_P, _P, _P, _I64, _I64, _I32, _I32, _P, _I64, _P, _I64, _P, _I64, _P, _P),
        *(_P, _I32, _I32, _P, _P, _P),
    )


def _empty_outputs(face_idx: Tensor, coverage: Tensor, *_) -> tuple[Tensor, Tensor]:
    return coverage.new_empty(*face_idx.shape, 3), face_idx.new_empty(face_idx.shape)


def _forward(
    face_idx: Tensor,
    coverage: Tensor,
    verts_clip: Tensor,
    faces: Tensor,
    edge_verts: Tensor,
    edge_faces: Tensor,
    irregular_offsets: Tensor,
    irregular_codes: Tensor,
    face_ranges: Tensor | None,
    cull: str,
) -> tuple[Tensor, Tensor]:
    face_idx, coverage, verts_clip = (x.contiguous() for x in (face_idx, coverage, verts_clip))
    face_ranges = None if face_ranges is None else face_ranges.contiguous()
    bary, face = _empty_outputs(face_idx, coverage)
    nearest = face_idx.new_empty(face_idx.shape, dtype=torch.int64)
    status = _function(coverage.dtype)(
        face_idx.data_ptr(),
        coverage.data_ptr(),
        verts_clip.data_ptr(),
        *verts_clip.shape[:2],
        *face_idx.shape[1:],
        faces.data_ptr(),
        faces.shape[0],
        edge_verts.data_ptr(),
        edge_verts.shape[0],
        edge_faces.data_ptr(),
        edge_faces.shape[0],
        irregular_offsets.data_ptr(),
        irregular_codes.data_ptr(),
        None if face_ranges is None else face_ranges.data_ptr(),
        CULL[cull],
        torch.get_num_threads(),
        nearest.data_ptr(),
        face.data_ptr(),
        bary.data_ptr(),
    )
    if status != 0:
        raise_status("fill_thin_parts", status)
    return bary, face


OPERATORS.impl("thin_parts", _forward, "CPU")
torch.library.register_fake("lightning_rast::thin_parts", _empty_outputs)

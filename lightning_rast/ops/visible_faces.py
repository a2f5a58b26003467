"""Hard visibility without weights and depth: all that a mask or a map of faces needs."""

import ctypes
import functools
from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float, Int32, Int64
from torch import Tensor

from lightning_rast.ops._library import bind, core
from lightning_rast.ops._registry import OPERATORS, all_run_eagerly_on_cpu, check_image_size
from lightning_rast.ops.rasterize import _CULL, _check, _raise_status


class VisibleFaces(NamedTuple):
    """What `visible_faces` sees at each pixel centre."""

    face_idx: Int32[Tensor, "N H W"]
    """Number of the face, -1 on the background."""
    coverage: Float[Tensor, "N H W"]
    """1 where a face is seen, 0 on the background; in the type of the vertices, no gradient."""


def visible_faces(
    verts_clip: Float[Tensor, "N V 4"] | Float[Tensor, "V 4"],
    faces: Int32[Tensor, "F 3"],
    image_size: tuple[int, int],
    *,
    cull: Literal["none", "back", "front"] = "none",
    face_ranges: Int64[Tensor, "N 2"] | None = None,
) -> VisibleFaces:
    """The nearest face at each pixel centre: `rasterize(...).face_idx`, bit for bit, in less time.

    An image of a mask, or of something that is looked up by face, takes no more:

        seen = visible_faces(verts_clip, topology.faces, (H, W))
        mask = antialias(seen.coverage[..., None], seen, verts_clip, topology)

    Args: as for `rasterize`, and errors too.

    Not differentiable: no small motion changes which face a pixel shows. `antialias` makes images
    of it that have gradients.
    """
    _check("visible_faces", verts_clip, faces, face_ranges)
    check_image_size("visible_faces", image_size)
    if cull not in _CULL:
        raise ValueError(f'visible_faces: cull must be "none", "back" or "front", got {cull!r}')
    draw = torch.ops.lightning_rast.visible_faces
    if all_run_eagerly_on_cpu(verts_clip, faces, face_ranges):
        draw = _visible_faces  # the way through the dispatcher takes as long as a small picture
    return VisibleFaces(
        *draw(verts_clip.detach(), faces, face_ranges, image_size[0], image_size[1], cull)
    )


OPERATORS.define(
    "visible_faces(Tensor verts_clip, Tensor faces, Tensor? face_ranges, int height, int width, "
    "str cull) -> (Tensor face_idx, Tensor coverage)"
)

_SUFFIX = {torch.float32: "f32", torch.float64: "f64"}
_P, _I64, _I32 = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int32


@functools.cache
def _function(dtype: torch.dtype) -> Callable[..., int]:
    sizes = (_I64, _I64, _I64, _I32, _I32, _I32, _I32, _I32)
    return bind(core(), f"lrast_visible_faces_{_SUFFIX[dtype]}", _P, _P, _P, *sizes, _P, _P, _P)


def _empty_faces(
    verts_clip: Tensor, face_ranges: Tensor | None, height: int, width: int
) -> tuple[Tensor, Tensor]:
    num_views = verts_clip.shape[0] if face_ranges is None else face_ranges.shape[0]
    shape = (num_views, height, width)
    return verts_clip.new_empty(shape, dtype=torch.int32), verts_clip.new_empty(shape)


def _visible_faces(
    verts_clip: Tensor,
    faces: Tensor,
    face_ranges: Tensor | None,
    height: int,
    width: int,
    cull: str,
) -> tuple[Tensor, Tensor]:
    verts_clip, faces = verts_clip.contiguous(), faces.contiguous()
    face_ranges = None if face_ranges is None else face_ranges.contiguous()
    face_idx, coverage = _empty_faces(verts_clip, face_ranges, height, width)
    where = (ctypes.c_int64 * 2)()
    status = _function(verts_clip.dtype)(
        verts_clip.data_ptr(),
        faces.data_ptr(),
        None if face_ranges is None else face_ranges.data_ptr(),
        face_idx.shape[0],
        verts_clip.shape[-2],
        faces.shape[0],
        height,
        width,
        _CULL[cull],
        verts_clip.dim() == 2,
        torch.get_num_threads(),
        face_idx.data_ptr(),
        coverage.data_ptr(),
        where,
    )
    if status != 0:
        _raise_status("visible_faces", status, list(where), verts_clip, faces, face_ranges)
    return face_idx, coverage


OPERATORS.impl("visible_faces", _visible_faces, "CPU")


@torch.library.register_fake("lightning_rast::visible_faces")
def _(
    verts_clip: Tensor,
    faces: Tensor,
    face_ranges: Tensor | None,
    height: int,
    width: int,
    cull: str,
) -> tuple[Tensor, Tensor]:
    return _empty_faces(verts_clip, face_ranges, height, width)

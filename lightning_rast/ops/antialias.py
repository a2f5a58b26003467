"""Images that carry visibility gradients: composited along outlines, folds and intersections."""

import ctypes
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from lightning_rast.ops._antialias_inputs import CULL, check_antialias_inputs
from lightning_rast.ops._library import bind, core
from lightning_rast.ops._registry import OPERATORS, raise_status
from lightning_rast.ops.advice import SeenFaces, mark_antialiased

if TYPE_CHECKING:
    from lightning_rast.scene import Topology


def antialias(
    image: Float[Tensor, "N H W C"],
    fragments: SeenFaces,
    verts_clip: Float[Tensor, "N V 4"] | Float[Tensor, "V 4"],
    topology: "Topology",
    *,
    cull: Literal["none", "back", "front"] = "none",
    face_ranges: Int64[Tensor, "N 2"] | None = None,
    premultiplied: bool = False,
) -> Float[Tensor, "N H W C"]:
    """Blend pixels at boundaries of what is visible, so that `image` has gradients there.

    A rasterized image shows one face per pixel, and no small motion of a vertex changes which. Here
    pixels that a boundary passes become the mean of the colours on its two sides, weighted with
    their areas in the pixel: a picture filtered with a box of one pixel, and a gradient that is the
    integral of the jump in colour along the boundary.

    - At outlines, between the mesh and the background, areas are those of `contour_coverage`:
      exact, whatever the number of edges in a pixel.
    - At folds and borders inside the mesh, with a part of it beyond, the areas follow from the
      visible pieces of contour edges in the pixel.
    - Where two surfaces intersect, the planes of the two faces give the line. Faces that the mesh
      joins within the distance of a pixel do not intersect.

    Works for any number of channels: colours, depth, normals, masks of several objects, texture
    coordinates. The weights are the same for all, never negative, and add up to 1: the result stays
    within the range of its input.

    Args:
        image: what `interpolate`, or shading after it, made of `fragments`; float32 or float64.
            Pixels without a face show the background, whatever it is; with `premultiplied`, 0.
        fragments: of `rasterize`, without layers, or of `visible_faces`, or any object with
            `face_idx (N, H, W)`.
        verts_clip: the vertices that were rasterized, as `rasterize` took them.
        topology: `Topology.from_faces(faces, V)` of the faces that were rasterized. As for
            `contour_coverage`, vertices at equal positions should be merged first (`Mesh.weld`).
        cull, face_ranges: as `rasterize` was told. What is left out has no outline, and faces next
            to it have a border there. Work grows with the faces of all views, not of each.
        premultiplied: the background is 0 in all channels, so that no pixel need show it: slits
            narrower than a pixel and the image's border are blended too. Of a mask this makes the
            exact coverage of all that pixels' centres and their neighbours hit; divided by such a
            mask, other channels are the surface's own (`Renderer` does that).

    Returns:
        The image, of the same shape and dtype. The same bits on every run, for any number of
        threads and any instruction set; so are the gradients.

    Differentiable once in `image` and `verts_clip`: the exact derivative of what is computed. The
    discrete choices (which pieces are visible, which pixels show the two sides) are constants. It
    comes on top of the gradient that flows through `image` into `fragments.bary`; together they
    approximate that of the true picture. Where it is only an approximation:

    - the colour on either side of a boundary is that at the centre of the nearest pixel which shows
      that side, up to a pixel away. Where colours change fast next to a fold, as normals do, the
      jump is off by as much;
    - surfaces intersect as the planes of the faces do at the pixels' centres;
    - in a pixel with three or more surfaces, areas may not add up; they are then clamped;
    - what shows in no pixel nearby has no colour to blend: there the pixel stays as it is. That is
      so for wires where no centre hits them (`fill_thin_parts` gives them a face) and, unless
      `premultiplied`, for slits and a background that shows only in part of the pixels at the
      image's border;
    - colours that jump where nothing is hidden (flat shading, seams of a texture) are no boundary.

    Sources: T.-M. Li et al., "Differentiable Monte Carlo ray tracing through edge sampling", 2018,
    for the integral along edges; M. de La Gorce et al., "Model-based 3D hand pose estimation from
    monocular video", 2011, for antialiased occlusion boundaries; S. Pidhorskyi et al., "Rasterized
    edge gradients", 2024, for intersections between pixels' faces. Areas in place of samples are
    our own; `docs/decisions/antialias.md` has measurements.

    Raises:
        ValueError: a shape, dtype or device does not fit, a vertex is not finite, or `face_idx`
            names a face that is not there. On CUDA, where looking would stall the device, faces
            with such a vertex have no outline, numbers of faces that are not there count as
            background, and room for outlines is kept as for `contour_coverage`
            (`reserve_contour_pieces`).
    """
    check_antialias_inputs(image, fragments, verts_clip, topology, cull, face_ranges)
    if verts_clip.dim() == 2:
        verts_clip = verts_clip.expand(len(image), -1, -1)
    mark_antialiased(fragments)
    record = torch.is_grad_enabled() and (image.requires_grad or verts_clip.requires_grad)
    out, _ = torch.ops.lightning_rast.antialias(
        image,
        fragments.face_idx,
        verts_clip,
        *_topology_tensors(topology),
        face_ranges,
        cull,
        premultiplied,
        image_grad=record and image.requires_grad,
        record=record,
    )
    return out


def _topology_tensors(topology: "Topology") -> tuple[Tensor, ...]:
    return (
        topology.faces,
        topology.edge_verts,
        topology.edge_faces,
        topology.irregular_offsets,
        topology.irregular_codes,
        topology.face_neighbors,
    )


# The tape's size depends on the picture: see contour.py, which does the same.
OPERATORS.define(
    "antialias(Tensor image, Tensor face_idx, Tensor verts_clip, Tensor faces, Tensor edge_verts, "
    "Tensor edge_faces, Tensor irregular_offsets, Tensor irregular_codes, Tensor face_neighbors, "
    "Tensor? face_ranges, str cull, bool premultiplied, bool image_grad, bool record) "
    "-> (Tensor out, Tensor tape)"
)
OPERATORS.define(
    "antialias_backward(Tensor grad_out, Tensor tape, Tensor image, Tensor face_idx, "
    "Tensor verts_clip, Tensor faces, Tensor edge_verts, Tensor edge_faces, "
    "Tensor irregular_offsets, Tensor irregular_codes, Tensor face_neighbors, "
    "Tensor? face_ranges, str cull, bool premultiplied, bool image_grad, bool verts_grad) "
    "-> (Tensor grad_image, Tensor grad_verts_clip)"
)

_NOT_FINITE, _NOT_IN_FRONT, _TAPE_LOST, _BAD_FACE = 1, 2, 5, 6
_SUFFIX = {torch.float32: "f32", torch.float64: "f64"}
_P, _I64, _I32 = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int32


@functools.cache
def _forward_function(dtype: torch.dtype) -> Callable[..., int]:
    return bind(
        core(),
        f"lrast_antialias_forward_{_SUFFIX[dtype]}",
        *(_P, _P, _P, _I64, _I64, _I32, _I32, _I32, _P, _I64, _P, _I64, _P, _I64, _P, _P, _P),
        *(_P, _I32, _I32, _I32, _I32, _P, _P, _P, _P),
    )


@functools.cache
def _backward_function(dtype: torch.dtype) -> Callable[..., int]:
    return bind(
        core(),
        f"lrast_antialias_backward_{_SUFFIX[dtype]}",
        *(_P, _P, _P, _I64, _I64, _I32, _I32, _I32, _P, _P, _I64, _I32, _P, _P),
    )


@functools.cache
def _free_function() -> Callable[..., int]:
    return bind(core(), "lrast_antialias_free", _P)


def _raise_status(
    status: int, view: int, item: int, face_idx: Tensor, verts_clip: Tensor, num_faces: int
) -> None:
    if status in (_NOT_FINITE, _NOT_IN_FRONT):
        values = ", ".join(f"{value:g}" for value in verts_clip[view, item].tolist())
        place = f"antialias: verts_clip[{view}, {item}] = ({values})"
        if status == _NOT_FINITE:
            raise ValueError(f"{place} is not finite on the screen; has the fit diverged?")
        raise ValueError(
            f"{place}: in front of the near plane (z >= -w), w must be positive. verts_clip must "
            "come from an OpenGL projection, z included; Camera.world_to_clip makes one"
        )
    if status == _BAD_FACE:
        row, column = divmod(item, face_idx.shape[2])
        raise ValueError(
            f"antialias: face_idx[{view}, {row}, {column}] = {int(face_idx[view, row, column])}, "
            f"but the topology has {num_faces} faces"
        )
    raise_status("antialias", status)


def _forward(
    image: Tensor,
    face_idx: Tensor,
    verts_clip: Tensor,
    faces: Tensor,
    edge_verts: Tensor,
    edge_faces: Tensor,
    irregular_offsets: Tensor,
    irregular_codes: Tensor,
    face_neighbors: Tensor,
    face_ranges: Tensor | None,
    cull: str,
    premultiplied: bool,
    image_grad: bool,
    record: bool,
) -> tuple[Tensor, Tensor]:
    image, face_idx, verts_clip = image.contiguous(), face_idx.contiguous(), verts_clip.contiguous()
    face_ranges = None if face_ranges is None else face_ranges.contiguous()
    num_views, height, width, num_channels = image.shape
    out = torch.empty_like(image)
    memory, num_words = ctypes.c_void_p(), ctypes.c_int64()
    where = (ctypes.c_int64 * 2)()
    status = _forward_function(image.dtype)(
        image.data_ptr(),
        face_idx.data_ptr(),
        verts_clip.data_ptr(),
        num_views,
        verts_clip.shape[1],
        height,
        width,
        num_channels,
        faces.data_ptr(),
        faces.shape[0],
        edge_verts.data_ptr(),
        edge_verts.shape[0],
        edge_faces.data_ptr(),
        edge_faces.shape[0],
        irregular_offsets.data_ptr(),
        irregular_codes.data_ptr(),
        face_neighbors.data_ptr(),
        None if face_ranges is None else face_ranges.data_ptr(),
        CULL[cull],
        premultiplied,
        image_grad,
        torch.get_num_threads(),
        out.data_ptr(),
        ctypes.byref(memory) if record else None,
        ctypes.byref(num_words),
        where,
    )
    if status != 0:
        _raise_status(status, where[0], where[1], face_idx, verts_clip, faces.shape[0])
    if not record:
        return out, torch.zeros(1, dtype=torch.int64)
    try:
        tape = torch.empty(num_words.value, dtype=torch.int64)
        ctypes.memmove(tape.data_ptr(), memory, 8 * num_words.value)
    finally:
        _free_function()(memory)
    return out, tape[:1]


def _backward(
    grad_out: Tensor,
    tape: Tensor,
    image: Tensor,
    face_idx: Tensor,
    verts_clip: Tensor,
    faces: Tensor,
    edge_verts: Tensor,
    edge_faces: Tensor,
    irregular_offsets: Tensor,
    irregular_codes: Tensor,
    face_neighbors: Tensor,
    face_ranges: Tensor | None,
    cull: str,
    premultiplied: bool,
    image_grad: bool,
    verts_grad: bool,
) -> tuple[Tensor, Tensor]:
    grad_out, image, verts_clip = grad_out.contiguous(), image.contiguous(), verts_clip.contiguous()
    grad_image = torch.empty_like(image) if image_grad else image.new_empty(0)
    grad_verts_clip = torch.zeros_like(verts_clip) if verts_grad else verts_clip.new_empty(0)
    num_views, height, width, num_channels = image.shape
    status = _TAPE_LOST
    for attempt in range(2):
        whole = tape.storage_offset() == 0
        status = _backward_function(image.dtype)(
            grad_out.data_ptr(),
            image.data_ptr(),
            verts_clip.data_ptr(),
            num_views,
            verts_clip.shape[1],
            height,
            width,
            num_channels,
            faces.data_ptr(),
            tape.data_ptr(),
            tape.untyped_storage().nbytes() // 8 if whole else 0,
            torch.get_num_threads(),
            grad_image.data_ptr() if image_grad else None,
            grad_verts_clip.data_ptr() if verts_grad else None,
        )
        if status != _TAPE_LOST or attempt > 0:
            break
        _, tape = _forward(
            image,
            face_idx,
            verts_clip,
            *(faces, edge_verts, edge_faces, irregular_offsets, irregular_codes, face_neighbors),
            *(face_ranges, cull, premultiplied),
            *(image_grad, True),
        )
    if status != 0:
        raise_status("antialias", status)
    return grad_image, grad_verts_clip


OPERATORS.impl("antialias", _forward, "CPU")
OPERATORS.impl("antialias_backward", _backward, "CPU")


@torch.library.register_fake("lightning_rast::antialias")
def _(
    image: Tensor,
    face_idx: Tensor,
    verts_clip: Tensor,
    faces: Tensor,
    edge_verts: Tensor,
    edge_faces: Tensor,
    irregular_offsets: Tensor,
    irregular_codes: Tensor,
    face_neighbors: Tensor,
    face_ranges: Tensor | None,
    cull: str,
    premultiplied: bool,
    image_grad: bool,
    record: bool,
) -> tuple[Tensor, Tensor]:
    return (
        torch.empty_like(image, memory_format=torch.contiguous_format),
        image.new_empty(1, dtype=torch.int64),
    )


@torch.library.register_fake("lightning_rast::antialias_backward")
def _(
    grad_out: Tensor,
    tape: Tensor,
    image: Tensor,
    face_idx: Tensor,
    verts_clip: Tensor,
    faces: Tensor,
    edge_verts: Tensor,
    edge_faces: Tensor,
    irregular_offsets: Tensor,
    irregular_codes: Tensor,
    face_neighbors: Tensor,
    face_ranges: Tensor | None,
    cull: str,
    premultiplied: bool,
    image_grad: bool,
    verts_grad: bool,
) -> tuple[Tensor, Tensor]:
    contiguous = torch.contiguous_format
    return (
        torch.empty_like(image, memory_format=contiguous) if image_grad else image.new_empty(0),
        torch.empty_like(verts_clip, memory_format=contiguous)
        if verts_grad
        else verts_clip.new_empty(0),
    )


def _setup_context(ctx, inputs, output) -> None:
    ctx.save_for_backward(output[1], *inputs[:10])
    ctx.drawing = inputs[10:12]
    ctx.mark_non_differentiable(output[1])


def _autograd_backward(ctx, grad_out: Tensor, _grad_tape: Tensor | None):
    tape, *inputs = ctx.saved_tensors
    image_grad, _, verts_grad = ctx.needs_input_grad[:3]
    grad_image, grad_verts_clip = torch.ops.lightning_rast.antialias_backward(
        grad_out, tape, *inputs, *ctx.drawing, image_grad, verts_grad
    )
    return (
        grad_image if image_grad else None,
        None,
        grad_verts_clip if verts_grad else None,
        *(None,) * 11,
    )


torch.library.register_autograd(
    "lightning_rast::antialias", _autograd_backward, setup_context=_setup_context
)


def _no_second_derivative(ctx, *grads):
    raise RuntimeError(
        "antialias: its gradient cannot be differentiated again; call backward() or "
        "torch.autograd.grad() without create_graph=True"
    )


torch.library.register_autograd("lightning_rast::antialias_backward", _no_second_derivative)

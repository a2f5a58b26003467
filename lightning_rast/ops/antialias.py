"""Images that carry visibility gradients: composited along outlines, folds and intersections."""

from typing import TYPE_CHECKING, Literal

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from lightning_rast.ops._antialias_cpu import antialias_backward_on_cpu, antialias_on_cpu
from lightning_rast.ops._antialias_inputs import check_antialias_inputs
from lightning_rast.ops._registry import (
    OPERATORS,
    all_run_eagerly_on_cpu,
    check_gradients,
    runs_eagerly_on_cpu,
)
from lightning_rast.ops.advice import (
    SeenFaces,
    mark_antialiased,
    warn_about_culled_front,
    warn_about_seams_on_screen,
)

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

    - the colour on either side of a boundary is that at the centre of a pixel nearby which shows
      that side, up to a pixel away. That of the pixel itself fades out for its neighbour's as the
      boundary comes closer to the centre, so that nothing jumps when the centre is hidden. Where
      colours change fast next to a boundary, that is rough: gradients of colours, masks and depth
      are within 10 degrees of the true ones, those of smooth surfaces' normals, which change
      without bound there, within 25, and up to 1.4 times as long. The mean of 2 x 2 samples of a
      finer picture brings them within 15 degrees (`Renderer(supersampling=2)`);
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
    topology_tensors, face_idx = _topology_tensors(topology), fragments.face_idx
    drawing = (face_ranges, cull, premultiplied)
    if all_run_eagerly_on_cpu(image, face_idx, verts_clip, face_ranges):
        if verts_clip.requires_grad:
            warn_about_seams_on_screen(verts_clip, topology)
        if cull == "back":
            warn_about_culled_front(verts_clip, topology)
        if record:
            return _EagerAntialias.apply(image, verts_clip, face_idx, topology_tensors, drawing)
        return antialias_on_cpu(
            image, face_idx, verts_clip, *topology_tensors, *drawing, image_grad=False, record=False
        )[0]
    out, _ = torch.ops.lightning_rast.antialias(
        image,
        face_idx,
        verts_clip,
        *topology_tensors,
        *drawing,
        image_grad=record and image.requires_grad,
        record=record,
    )
    return out


_SixTensors = tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]


def _topology_tensors(topology: "Topology") -> _SixTensors:
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

OPERATORS.impl("antialias", antialias_on_cpu, "CPU")
OPERATORS.impl("antialias_backward", antialias_backward_on_cpu, "CPU")


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
    check_gradients("antialias", grad_out)
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


class _EagerAntialias(torch.autograd.Function):
    """The registered operator and its derivative, called without torch's dispatcher: the way
    through it takes as long as a small picture. See `contour_coverage`."""

    @staticmethod
    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx,
        image: Tensor,
        verts_clip: Tensor,
        face_idx: Tensor,
        topology: _SixTensors,
        drawing: tuple[Tensor | None, str, bool],
    ) -> Tensor:
        image_grad = ctx.needs_input_grad[0]
        out, tape = antialias_on_cpu(
            image, face_idx, verts_clip, *topology, *drawing, image_grad=image_grad, record=True
        )
        ctx.save_for_backward(tape, image, face_idx, verts_clip)
        ctx.topology, ctx.drawing = topology, drawing
        return out

    @staticmethod
    def backward(ctx, grad_out: Tensor):  # pyright: ignore[reportIncompatibleMethodOverride]
        check_gradients("antialias", grad_out)
        tape, image, face_idx, verts_clip = ctx.saved_tensors
        image_grad, verts_grad = ctx.needs_input_grad[:2]
        operator = antialias_backward_on_cpu
        if not runs_eagerly_on_cpu(grad_out) or torch.is_grad_enabled():
            # With create_graph=True, the operator: its own derivative says that there is none.
            operator = torch.ops.lightning_rast.antialias_backward
        grad_image, grad_verts_clip = operator(
            *(grad_out, tape, image, face_idx, verts_clip),
            *(*ctx.topology, *ctx.drawing, image_grad, verts_grad),
        )
        grads = grad_image if image_grad else None, grad_verts_clip if verts_grad else None
        return (*grads, None, None, None)


def _no_second_derivative(ctx, *grads):
    raise RuntimeError(
        "antialias: its gradient cannot be differentiated again; call backward() or "
        "torch.autograd.grad() without create_graph=True"
    )


torch.library.register_autograd("lightning_rast::antialias_backward", _no_second_derivative)

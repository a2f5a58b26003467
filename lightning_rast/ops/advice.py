"""Warnings about what runs, looks right and cannot work; each once per process, with what to do."""

import os
import sys
import threading
import warnings
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

if TYPE_CHECKING:
    from lightning_rast.scene import Topology

_PACKAGE = f"{Path(__file__).parent.parent}{os.sep}"


class LightningRastWarning(UserWarning):
    """A likely mistake in how the package is used; the text says what to do about it."""


@runtime_checkable
class SeenFaces(Protocol):
    """Anything that says which face each pixel shows: `Fragments`, `VisibleFaces` or others."""

    @property
    def face_idx(self) -> Tensor: ...


@runtime_checkable
class RasterFragments(SeenFaces, Protocol):
    """Anything with these fields of `Fragments`, from `rasterize` or elsewhere."""

    @property
    def bary(self) -> Tensor: ...


_lock = threading.Lock()
_given: set[str] = set()


def warn_once(key: str, text: str, place: tuple[str, int] | None = None) -> None:
    """Give the `LightningRastWarning` named `key`, unless this process has given it before.

    Args:
        key: names the advice.
        text: what is wrong, what follows, what to do.
        place: file and line to blame; by default where the package was called from.
    """
    with _lock:
        if key in _given:
            return
        _given.add(key)
    file, line = place or calling_place()
    warnings.warn_explicit(text, LightningRastWarning, file, line)


def calling_place() -> tuple[str, int]:
    """File and line of the innermost caller outside of this package."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    return frame.f_code.co_filename, frame.f_lineno


# --- Hard images in a loss ------------------------------------------------------------------------


# Whether one rasterization has met `antialias`: a dictionary, as what torch.save writes of a tensor
# includes its attributes, and torch.load takes nothing but plain types.
_ANTIALIASED = "antialiased"
_WATCH = "_lightning_rast_watch"
_HARD_IMAGE = "hard_image"


def _owner(fragments: SeenFaces) -> Tensor:
    """The tensor whose attribute holds the watch; one for all slices of views and layers.

    An attribute, so that Fragments stay a tuple of three tensors, and the watch ends with them.
    """
    face_idx = fragments.face_idx
    return face_idx if face_idx._base is None else face_idx._base


def watch_fragments(fragments: RasterFragments) -> None:
    """Have images of these fragments looked at by `watch_hard_image`, if a gradient can reach them.

    Inside `torch.compile` nothing is watched.
    """
    if torch.compiler.is_compiling() or _HARD_IMAGE in _given:
        return
    if fragments.bary.requires_grad:
        setattr(_owner(fragments), _WATCH, {_ANTIALIASED: False})


def watch_hard_image(image: Tensor, fragments: RasterFragments) -> None:
    """Warn when a gradient reaches `image` and its fragments have not met `antialias` by then."""
    if torch.compiler.is_compiling() or _HARD_IMAGE in _given or not image.requires_grad:
        return
    watch = getattr(_owner(fragments), _WATCH, None)
    if watch is None or not fragments.bary.requires_grad:
        return
    place = calling_place()

    def look(grad: Tensor | None) -> None:
        if grad is not None and not watch[_ANTIALIASED]:
            warn_once(
                _HARD_IMAGE,
                "visibility gradients are missing: the vertices of this image need gradients, and "
                "it went into a loss without antialias(). Inside each face the gradient is right, "
                "but nothing says how moving an outline changes the image, so shapes will not "
                "fit. Pass the image through antialias(image, fragments, verts_clip, topology) "
                "before the loss. If outlines get their gradient elsewhere, such as from "
                "contour_coverage(), say so with mark_antialiased(fragments)",
                place,
            )

    image.register_hook(look)


def mark_antialiased(fragments: SeenFaces) -> None:
    """Note that images of these fragments get visibility gradients; nothing will be warned of."""
    if torch.compiler.is_compiling():
        return
    watch = getattr(_owner(fragments), _WATCH, None)
    if watch is not None:
        watch[_ANTIALIASED] = True


def share_watch(fragments: RasterFragments, changed: RasterFragments) -> None:
    """Have images of `changed`, made from `fragments`, looked at as those of `fragments` are."""
    watch = getattr(_owner(fragments), _WATCH, None)
    if watch is not None and not torch.compiler.is_compiling():
        setattr(_owner(changed), _WATCH, watch)


# --- Meshes ---------------------------------------------------------------------------------------

_looked_at: dict[str, weakref.WeakSet["Topology"]] = {}


def warn_about_seams(verts: Float[Tensor, "V 3"], topology: "Topology") -> None:
    """Warn if boundary edges lie exactly on one another: the surface goes on, its vertices do not.

    Looks once per topology; on CUDA that waits for the device.
    """
    _look_once("seams", verts, topology, _find_seams)


def warn_about_seams_on_screen(
    verts_clip: Float[Tensor, "N V 4"] | Float[Tensor, "V 4"], topology: "Topology"
) -> None:
    """`warn_about_seams`, where only clip space is known: one camera takes equal vertices to equal
    places, and different ones to different places."""
    _look_once("seams", verts_clip, topology, _find_seams_on_screen)


def warn_about_culled_front(
    verts_clip: Float[Tensor, "N V 4"] | Float[Tensor, "V 4"], topology: "Topology"
) -> None:
    """`warn_about_inside_out`, where only clip space is known and back faces are left out."""
    _look_once("inside_out", verts_clip, topology, _find_culled_front)


def warn_about_inside_out(verts: Float[Tensor, "V 3"], topology: "Topology") -> None:
    """Warn if a closed mesh has negative volume, so that `cull` and normals take it inside out.

    Looks once per topology; on CUDA that waits for the device. Of several closed parts, only the
    sum of their volumes counts.
    """
    _look_once("inside_out", verts, topology, _find_inside_out)


def _look_once(
    key: str, verts: Tensor, topology: "Topology", find: Callable[[Tensor, "Topology"], str | None]
) -> None:
    if torch.compiler.is_compiling() or key in _given:
        return
    looked_at = _looked_at.setdefault(key, weakref.WeakSet())
    if topology in looked_at:
        return
    looked_at.add(topology)
    text = find(verts.detach(), topology)
    if text is not None:
        warn_once(key, text)


def _find_seams(verts: Tensor, topology: "Topology") -> str | None:
    edges = topology.boundary_edges.long()
    if len(edges) == 0:
        return None
    used, ends = torch.unique(edges, return_inverse=True)
    # Adding 0 turns -0 into 0.
    _, position = torch.unique(verts[used] + 0.0, dim=0, return_inverse=True)
    pairs = position[ends].sort(dim=1).values
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    _, which, count = torch.unique(pairs, dim=0, return_inverse=True, return_counts=True)
    num_seams = int((count[which] > 1).sum())
    if num_seams == 0:
        return None
    return (
        f"{num_seams} of {len(edges)} boundary edges lie exactly on another one: vertices are "
        "repeated along seams, as files with texture coordinates do it. Each seam counts as an "
        "outline: it costs time, and antialias() blends across it and gives it gradients; moved "
        "apart, it opens. Merge the vertices with Mesh.weld(), and give texture coordinates an "
        "index buffer of their own: interpolate(uv, faces_uv, fragments)"
    )


def _find_seams_on_screen(verts_clip: Tensor, topology: "Topology") -> str | None:
    if verts_clip.numel() == 0:
        return None
    verts = verts_clip.reshape(-1, *verts_clip.shape[-2:])[0]
    z = verts[:, 2]
    # Pictures in the plane have no depth: edges that lie on one another may be far apart.
    if bool((z == z[0]).all()):
        return None
    return _find_seams(verts, topology)


def _find_inside_out(verts: Tensor, topology: "Topology") -> str | None:
    volume = _negative_volume(verts, topology)
    if volume is None:
        return None
    return (
        f"the mesh is inside out: its volume is {volume:.4g}. Faces must run counter-clockwise "
        'seen from outside, or cull="back" removes those in front and normals point inwards. '
        "Reverse them: faces.flip(1)"
    )


def _find_culled_front(verts_clip: Tensor, topology: "Topology") -> str | None:
    if verts_clip.numel() == 0:
        return None
    x, y, z, w = verts_clip.reshape(-1, *verts_clip.shape[-2:])[0].double().unbind(1)
    # Seen through a camera, a mesh stays itself or becomes its mirror image if it is in front.
    if not bool((w > 0).all()):
        return None
    # From afar, z / w in single precision no longer knows front from back. w does, being the depth
    # itself, in other units; an orthographic camera has none, but its z is linear.
    depth = w if bool(w.min() < w.max()) else z
    if _negative_volume(torch.stack((x / w, y / w, -depth), 1), topology) is None:
        return None
    return (
        'the mesh is inside out, so that cull="back" removes its faces in front and what is seen '
        "is its inside. Faces must run counter-clockwise seen from outside. Reverse them: "
        'faces.flip(1); if cameras mirror the picture on purpose, take cull="front"'
    )


# Of the sum of magnitudes: what rounding of single precision may add up to. Without thickness, a
# mesh has no inside that could be out.
_LEAST_VOLUME = 1e-5


def _negative_volume(verts: Tensor, topology: "Topology") -> float | None:
    """Of what is closed and oriented, if it is negative beyond rounding."""
    if topology.num_faces == 0 or not (topology.is_closed and topology.is_oriented):
        return None
    corners = verts.double()[topology.faces.long()]
    a, b, c = (corners - corners.mean(dim=(0, 1))).unbind(1)
    parts = (a * torch.linalg.cross(b, c)).sum(dim=1) / 6
    volume = parts.sum().item()
    return volume if volume < -_LEAST_VOLUME * parts.abs().sum().item() else None

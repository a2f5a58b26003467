"""Images averaged over many samples per pixel, and how they change: the truth for `antialias`."""

from collections.abc import Callable

import torch
from torch import Tensor

from tests.reference.directional import smooth_directions, smooth_weights


def box_filtered(
    verts_clip: Tensor, faces: Tensor, attrs: Tensor, size: int, samples: int
) -> Tensor:
    """`attrs (V, C)` as seen in `verts_clip (V, 4)`: `(size, size, C)`, 0 where no face is."""
    from lightning_rast.ops import interpolate, rasterize

    fine = size * samples
    fragments = rasterize(verts_clip[None], faces, (fine, fine))
    image = interpolate(attrs, faces, fragments)[0]
    return image.reshape(size, samples, size, samples, -1).mean(dim=(1, 3))


def derivatives(
    verts: Tensor, faces: Tensor, attrs: Tensor, project, size: int, *, count: int, samples: int
) -> tuple[Tensor, Tensor]:
    """Of a weighted sum of the image along smooth fields: the truth's, and that of `antialias`."""
    truth, ours = derivatives_by_channel(
        verts, faces, lambda _verts: attrs, project, size, count=count, samples=samples
    )
    return truth.sum(dim=1), ours.sum(dim=1)


def derivatives_by_channel(
    verts: Tensor,
    faces: Tensor,
    paint: Callable[[Tensor], Tensor],
    project,
    size: int,
    *,
    count: int,
    samples: int,
    premultiplied: bool = False,
    finer: int = 1,
) -> tuple[Tensor, Tensor]:
    """The same of each channel `(count, C)`; `paint(verts)` gives attributes `(V, C)`.

    Central differences of equal steps, small against a pixel and large against a sample. Ours is of
    the mean of `finer x finer` antialiased pixels for each.
    """
    from lightning_rast.ops import antialias, interpolate, rasterize
    from lightning_rast.scene import Topology

    weights = smooth_weights((size, size))[..., None]
    fields = smooth_directions(verts, count)
    step = 0.15 * 2 / size
    truth = []
    for field in fields:
        ahead, behind = (
            (box_filtered(project(moved)[0], faces, paint(moved), size, samples)
             * weights).sum(dim=(0, 1))
            for moved in (verts + step * field, verts - step * field)
        )  # fmt: skip
        truth.append((ahead - behind) / (2 * step))
    leaf = verts.clone().requires_grad_()
    verts_clip = project(leaf)
    fragments = rasterize(verts_clip, faces, (finer * size, finer * size))
    image = interpolate(paint(leaf), faces, fragments)
    topology = Topology.from_faces(faces, len(verts))
    smooth = antialias(image, fragments, verts_clip, topology, premultiplied=premultiplied)[0]
    smooth = smooth.reshape(size, finer, size, finer, -1).mean(dim=(1, 3))
    ours = [
        (fields * torch.autograd.grad(channel, leaf, retain_graph=True)[0]).sum(dim=(1, 2))
        for channel in (smooth * weights).sum(dim=(0, 1))
    ]
    return torch.stack(truth), torch.stack(ours, dim=1)

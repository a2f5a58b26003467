"""Images averaged over many samples per pixel, and how they change: the truth for `antialias`."""

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
    """Of a weighted sum of the image along smooth fields: the truth's, and that of `antialias`.

    Central differences of equal steps, small against a pixel and large against a sample.
    """
    from lightning_rast.ops import antialias, interpolate, rasterize
    from lightning_rast.scene import Topology

    weights = smooth_weights((size, size))[..., None]
    fields = smooth_directions(verts, count)
    step = 0.15 * 2 / size
    truth = []
    for field in fields:
        ahead, behind = (
            (box_filtered(project(verts + sign * step * field)[0], faces, attrs, size, samples)
             * weights).sum()
            for sign in (1, -1)
        )  # fmt: skip
        truth.append((ahead - behind) / (2 * step))
    leaf = verts.clone().requires_grad_()
    verts_clip = project(leaf)
    fragments = rasterize(verts_clip, faces, (size, size))
    image = interpolate(attrs, faces, fragments)
    smooth = antialias(image, fragments, verts_clip, Topology.from_faces(faces, len(verts)))
    (grad,) = torch.autograd.grad((smooth[0] * weights).sum(), leaf)
    return torch.stack(truth), (fields * grad).sum(dim=(1, 2))

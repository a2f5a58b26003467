"""Faces in clip space to triangles on the screen, cut at the near plane `z = -w`.

Plain PyTorch and differentiable, so that the references know the coverage and the gradient of a
face that crosses the plane.
"""

import torch
from torch import Tensor


def screen_triangles(verts_clip: Tensor, faces: Tensor, image_size: tuple[int, int]) -> Tensor:
    """Triangles `(T, 3, 2)` in pixels, y down, of one view `verts_clip (V, 4)`."""
    height, width = image_size
    corners = _clip_to_near(verts_clip[faces.long()])
    x = (corners[..., 0] / corners[..., 3] * 0.5 + 0.5) * width
    y = (0.5 - corners[..., 1] / corners[..., 3] * 0.5) * height
    return torch.stack([x, y], dim=-1)


def _clip_to_near(corners: Tensor) -> Tensor:
    """Cut triangles `(F, 3, 4)`; returns `(T, 3, 4)`, all of it with `z >= -w`."""
    distance = corners[..., 2] + corners[..., 3]
    inside = distance >= 0
    num_inside = inside.sum(dim=1)
    kept = corners[num_inside == 3]

    tip, out_b, out_c = _rotated(corners, inside, num_inside == 1, lead_inside=True)
    one = torch.stack([tip, _cut(tip, out_b), _cut(tip, out_c)], dim=1)

    out, in_b, in_c = _rotated(corners, inside, num_inside == 2, lead_inside=False)
    cut_b, cut_c = _cut(in_b, out), _cut(in_c, out)
    two = torch.cat(
        [torch.stack([cut_b, in_b, in_c], dim=1), torch.stack([cut_b, in_c, cut_c], dim=1)]
    )
    return torch.cat([kept, one, two])


def _rotated(
    corners: Tensor, inside: Tensor, chosen: Tensor, *, lead_inside: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """The chosen faces' corners, rotated so that the corner unlike the two others leads."""
    lead = (inside[chosen] == lead_inside).int().argmax(dim=1)
    order = (lead[:, None] + torch.arange(3, device=corners.device)) % 3
    rotated = corners[chosen].gather(1, order[..., None].expand(-1, -1, 4))
    return rotated[:, 0], rotated[:, 1], rotated[:, 2]


def _cut(inner: Tensor, outer: Tensor) -> Tensor:
    # Always from the inner to the outer end, so that two faces cut a shared edge at one point.
    inner_distance = inner[:, 2] + inner[:, 3]
    outer_distance = outer[:, 2] + outer[:, 3]
    t = inner_distance / (inner_distance - outer_distance)
    return inner + t[:, None] * (outer - inner)

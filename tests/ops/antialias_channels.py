"""Pictures of colours, masks, depth and normals at once, of surfaces with much that is hidden."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from lightning_rast.scene import Mesh, icosphere, torus
from tests.ops.contour_views import seen_from
from tests.reference.supersampled import derivatives_by_channel


class Parts(NamedTuple):
    """Several closed surfaces in one mesh."""

    verts: Tensor
    faces: Tensor
    part: Tensor  # (V,) which surface


def joined(*parts: tuple[Tensor, Tensor]) -> Parts:
    verts, faces = zip(*parts, strict=True)
    starts = [sum(len(v) for v in verts[:i]) for i in range(len(parts))]
    moved = [part + start for part, start in zip(faces, starts, strict=True)]
    number = torch.arange(len(parts)).repeat_interleave(torch.tensor([len(v) for v in verts]))
    return Parts(torch.cat(verts), torch.cat(moved), number)


def placed(
    mesh: Mesh, axes: tuple[int, int, int] = (0, 1, 2), at: tuple[float, ...] = (0, 0, 0)
) -> tuple[Tensor, Tensor]:
    return mesh.verts.double()[:, axes] + torch.tensor(at).double(), mesh.faces


def knot(level: int) -> Parts:
    """A tube along a trefoil, which passes before itself three times."""
    around = torus(2 ** (level + 4), 2**level, radius=1.0, tube_radius=0.5)
    x, y, z = around.verts.double().unbind(1)
    turn, ring = torch.atan2(z, x), torch.hypot(x, z)

    def centre(t: Tensor) -> Tensor:
        curve = (t.sin() + 2 * (2 * t).sin(), t.cos() - 2 * (2 * t).cos(), -(3 * t).sin())
        return 0.24 * torch.stack(curve, dim=1)

    ahead = torch.nn.functional.normalize(centre(turn + 1e-4) - centre(turn - 1e-4))
    side = torch.linalg.cross(ahead, torch.tensor([[0.3, 0.5, 0.8]]).double().expand_as(ahead))
    side = torch.nn.functional.normalize(side)
    up = torch.linalg.cross(ahead, side)
    tube = 0.26 * ((ring - 1)[:, None] * side + y[:, None] * up)
    return joined((centre(turn) + tube, around.faces))


def links(level: int) -> Parts:
    """Two rings that hold each other, and a ball that one of them pierces."""
    ring = torus(2 ** (level + 2), 2 ** (level + 1), radius=0.55, tube_radius=0.14)
    return joined(
        placed(ring, at=(-0.25, 0, 0)),
        placed(ring, (1, 2, 0), at=(0.3, 0, 0)),
        placed(icosphere(level, radius=0.25), at=(-0.3, 0.1, 0.2)),
    )


def spikes(level: int) -> Parts:
    """Two balls with bumps, through each other: folds everywhere, and shallow intersections."""

    def bumpy(height: float, at: tuple[float, ...]) -> tuple[Tensor, Tensor]:
        verts, faces = placed(icosphere(level))
        x, y, z = verts.unbind(1)
        bumps = height * torch.sin(7 * x + 1) * torch.sin(8 * y) * torch.cos(6 * z)
        return 0.55 * (1 + bumps)[:, None] * verts + torch.tensor(at).double(), faces

    return joined(bumpy(0.35, (-0.25, 0, 0)), bumpy(0.5, (0.3, 0.1, 0.1)))


SCENES: dict[str, Callable[[int], Parts]] = {"knot": knot, "links": links, "spikes": spikes}


def painted(parts: Parts, verts: Tensor) -> Tensor:
    """Attributes `(V, C)`: a colour that varies, a mask per surface, depth, and normals."""
    x, y, _ = parts.verts.unbind(1)
    color = 0.5 + 0.5 * torch.sin(3 * x + 2 * y + parts.part)
    masks = torch.nn.functional.one_hot(parts.part).double()
    depth = seen_from(verts)[0, :, 3]
    normals = Mesh(parts.verts, parts.faces).vertex_normals()
    return torch.cat([color[:, None], masks, depth[:, None], normals], dim=1)


def cosines(
    parts: Parts, size: int, *, count: int, samples: int, finer: int = 1
) -> dict[str, tuple[float, float]]:
    """Of each kind of channel: cosine between derivatives of the truth and of `antialias`, along
    `count` fields, and the ratio of their lengths."""
    truth, ours = derivatives_by_channel(
        parts.verts,
        parts.faces,
        lambda verts: painted(parts, verts),
        seen_from,
        size,
        count=count,
        samples=samples,
        premultiplied=True,
        finer=finer,
    )
    widths = {"color": 1, "masks": int(parts.part.max()) + 1, "depth": 1, "normals": 3}
    kinds = zip(*(of.split([*widths.values()], dim=1) for of in (truth, ours)), strict=True)
    return {
        kind: (float((a * b).sum() / a.norm() / b.norm()), float(b.norm() / a.norm()))
        for kind, (a, b) in zip(widths, kinds, strict=True)
    }

"""How well a mesh, painted back, agrees with the masks."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor

from lightning_rast.render.silhouette import render_silhouettes
from lightning_rast.scene import Camera, Mesh

# px: images with a longer side are averaged in blocks, so that they cost no more than they tell.
_LONGEST_SIDE = 512


@dataclass(frozen=True, eq=False)
class Targets:
    """Masks and their cameras, in a size that suits comparing."""

    coverage: Float[Tensor, "N H W"]
    cameras: Camera
    known: Bool[Tensor, "N H W"] | None

    @classmethod
    def of(
        cls,
        coverage: Float[Tensor, "N H W"],
        cameras: Camera,
        known: Bool[Tensor, "N H W"] | None = None,
    ) -> "Targets":
        """Pixels are averaged in whole blocks; a remainder at the right and below is left out."""
        height, width = cameras.image_size
        factor = min(math.ceil(max(height, width) / _LONGEST_SIDE), height, width)
        if factor == 1:
            return cls(coverage, cameras, known)
        small = height // factor, width // factor
        whole = small[0] * factor, small[1] * factor
        pooled = torch.nn.functional.avg_pool2d(coverage.float(), factor)
        if known is not None:
            known = torch.nn.functional.avg_pool2d(known.float(), factor) > 1 - 1e-6
        return cls(pooled, cameras.crop(0, 0, whole).resized(small), known)


@dataclass(frozen=True, eq=False)
class Agreement:
    """Per view, of areas: intersection over union, and the part of the mask that is not covered."""

    iou: Float64[Tensor, " N"]
    uncovered: Float64[Tensor, " N"]


@torch.no_grad()
def agreement(mesh: Mesh, targets: Targets) -> Agreement:
    """Coverages are compared as they are, without a threshold; unknown pixels do not count."""
    rendered = render_silhouettes(mesh, targets.cameras)
    wanted = targets.coverage.to(rendered)
    if targets.known is not None:
        rendered, wanted = rendered * targets.known, wanted * targets.known
    both = torch.minimum(rendered, wanted).sum(dim=(1, 2)).double()
    area = wanted.sum(dim=(1, 2)).double()
    either = rendered.sum(dim=(1, 2)).double() + area - both
    return Agreement(both / either.clamp(min=1e-9), 1 - both / area.clamp(min=1e-9))

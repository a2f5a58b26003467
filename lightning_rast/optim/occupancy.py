"""Meshes as occupied points of a grid."""

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float64
from scipy import ndimage
from torch import Tensor

from lightning_rast.optim.voxels import extract_surface, voxelize
from lightning_rast.scene import Mesh

_PAD = 3  # cells around the mesh


@dataclass(frozen=True, eq=False)
class Voxels:
    """Occupied points of a grid; origin: world position of point (0, 0, 0), cell: spacing."""

    inside: Bool[Tensor, "X Y Z"]
    origin: Float64[Tensor, "3"]
    cell: float

    @classmethod
    def of(cls, mesh: Mesh, resolution: int) -> "Voxels":
        """`resolution` cells along the longest side of the mesh's box, and three around it."""
        low, high = mesh.bounds.double().cpu()
        cell = float((high - low).max()) / resolution
        size = [math.ceil(float(side) / cell) + 1 + 2 * _PAD for side in high - low]
        origin = (low + high) / 2 - cell * (torch.tensor(size) - 1) / 2
        winding = voxelize(mesh, origin=origin, cell=cell, size=size)
        return cls(winding != 0, origin, cell)

    def surface(self, blur: float) -> Mesh:
        """Around the occupied points, blurred by a Gaussian of `blur` cells and cut at one half."""
        field = self.inside.numpy().astype(np.float32)
        if blur > 0:
            field = ndimage.gaussian_filter(field, blur, truncate=3.0)
        return extract_surface(
            torch.from_numpy(field), origin=self.origin, cell=self.cell, level=0.5
        )

    def without(self, removed: Bool[Tensor, "U V W"], grid: "Voxels") -> "Voxels":
        """Less the points whose nearest one of another grid is removed there."""
        nearest = []
        for axis, (size, other) in enumerate(zip(self.inside.shape, removed.shape, strict=True)):
            at = self.origin[axis] + self.cell * torch.arange(size)
            index = ((at - grid.origin[axis]) / grid.cell).round().long()
            nearest.append(index.clamp(0, other - 1))
        gone = removed[nearest[0]][:, nearest[1]][:, :, nearest[2]]
        return replace(self, inside=self.inside & ~gone)

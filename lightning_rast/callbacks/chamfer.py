"""Distance between two surfaces, for comparing a result with the mesh it should be."""

import numpy as np
import torch
from scipy.spatial import KDTree

from lightning_rast.scene import Mesh

NUM_SAMPLES = 20_000


def chamfer_l1(mesh: Mesh, reference: Mesh, *, num_samples: int = NUM_SAMPLES) -> float:
    """Symmetric Chamfer-L1 distance in half-extents of the reference.

    With point sets A on `mesh` and B on `reference`, drawn evenly by area (seeded):
    `(mean_a min_b |a - b| + mean_b min_a |a - b|) / 2`, Euclidean distances, not squared, divided
    by half of the longest side of the reference's bounding box. Sampling gives even two equal
    surfaces a distance: see `chamfer_floor`. NaN when a mesh has no area or is not finite.
    """
    return _chamfer(mesh, reference, num_samples, seeds=(0, 1))


def chamfer_floor(reference: Mesh, *, num_samples: int = NUM_SAMPLES) -> float:
    """`chamfer_l1` of a surface with itself: no result can be expected to be below it."""
    return _chamfer(reference, reference, num_samples, seeds=(0, 1))


def surface_samples(mesh: Mesh, num_samples: int, *, seed: int) -> np.ndarray:
    """Points (num_samples, 3), float64, uniform by area over the mesh's faces.

    Raises:
        ValueError: the mesh has no area, or positions that are not finite.
    """
    corners = mesh.verts.detach().double().cpu().numpy()[mesh.faces.cpu().numpy()]
    a, b, c = corners.transpose(1, 0, 2)
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    total = float(area.sum())
    if not (np.isfinite(total) and total > 0):
        raise ValueError(f"surface_samples: the mesh has an area of {total / 2}")
    random = np.random.default_rng(seed)
    face = np.searchsorted(np.cumsum(area), random.random(num_samples) * total, side="right")
    face = np.minimum(face, len(area) - 1)
    # The root spreads points evenly between a corner and the opposite side.
    root, along = np.sqrt(random.random((num_samples, 1))), random.random((num_samples, 1))
    return (1 - root) * a[face] + root * ((1 - along) * b[face] + along * c[face])


def _chamfer(mesh: Mesh, reference: Mesh, num_samples: int, *, seeds: tuple[int, int]) -> float:
    if mesh.num_faces == 0 or reference.num_faces == 0:
        return float("nan")
    try:
        found = surface_samples(mesh, num_samples, seed=seeds[0])
        wanted = surface_samples(reference, num_samples, seed=seeds[1])
    except ValueError:
        return float("nan")
    to_wanted, _ = KDTree(wanted).query(found)
    to_found, _ = KDTree(found).query(wanted)
    low, high = reference.bounds.double()
    half_extent = float(torch.max(high - low)) / 2
    return float(np.mean(to_wanted) + np.mean(to_found)) / 2 / half_extent

"""How far two surfaces lie apart: Chamfer-L1, F-score, normal consistency."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.spatial import KDTree

from lightning_rast.evaluation.seen import times_seen
from lightning_rast.scene import Camera, Mesh

NUM_POINTS = 20_000
_NUM_SITES = 100_000  # samples that lead to the faces near a point
_NUM_CANDIDATES = 6  # of them per point
_SLACK = 0.01  # relative, of the distance to them


@dataclass(frozen=True, kw_only=True)
class SurfaceScores:
    """A surface against a reference, from points drawn evenly by area (seeded) on both.

    chamfer_l1: mean distance of the points on either surface to the other, both ways averaged;
        Euclidean, not squared, in half of the longest side of the reference's bounding box.
    chamfer_world: the same in world units.
    f_score_fine, f_score: harmonic mean of precision (share of the points on the mesh that are
        nearer than a threshold to the reference) and recall (the other way round); the threshold
        is 0.5 % and 1 % of the diagonal of the reference's bounding box.
    normal_consistency: mean |cosine| between a point's normal and that of the nearest face of the
        other surface, both ways averaged.
    """

    chamfer_l1: float
    chamfer_world: float
    f_score_fine: float
    f_score: float
    normal_consistency: float


@dataclass(frozen=True, kw_only=True)
class SeenScores:
    """As `chamfer_*` of `SurfaceScores`, over what at least `least_views` cameras see of either
    surface: of points on the mesh those that they see of the mesh, of points on the reference those
    that they see of the reference, each to the whole other surface.

    share: of the reference's area that is seen so.
    """

    least_views: int
    share: float
    chamfer_l1: float
    chamfer_world: float


def compare_surfaces(mesh: Mesh, reference: Mesh, *, num_points: int = NUM_POINTS) -> SurfaceScores:
    """All scores of `SurfaceScores`.

    The definitions are those of Tatarchenko et al., "What Do Single-View 3D Reconstruction
    Networks Learn?" (F-score), and Mescheder et al., "Occupancy Networks" (normal consistency).

    Raises:
        ValueError: a mesh has no area, or positions that are not finite.
    """
    found, wanted = _Surface(mesh), _Surface(reference)
    low, high = reference.bounds.detach().double().cpu().numpy()
    half_extent, diagonal = (high - low).max() / 2, np.linalg.norm(high - low)
    to_reference, cosine_to_reference = _one_way(found, wanted, num_points, seed=0)
    to_mesh, cosine_to_mesh = _one_way(wanted, found, num_points, seed=1)

    def f_score(threshold: float) -> float:
        precision, recall = (to_reference < threshold).mean(), (to_mesh < threshold).mean()
        return float(2 * precision * recall / max(precision + recall, 1e-12))

    chamfer = float(to_reference.mean() + to_mesh.mean()) / 2
    return SurfaceScores(
        chamfer_l1=chamfer / float(half_extent),
        chamfer_world=chamfer,
        f_score_fine=f_score(0.005 * diagonal),
        f_score=f_score(0.01 * diagonal),
        normal_consistency=float(cosine_to_reference.mean() + cosine_to_mesh.mean()) / 2,
    )


def compare_seen(
    mesh: Mesh,
    reference: Mesh,
    cameras: Camera,
    *,
    least_views: int = 2,
    num_points: int = NUM_POINTS,
) -> SeenScores:
    """Chamfer distance over what cameras see, for references that were measured from one side, or
    views that leave a side out: there neither is more than a guess.

    Args:
        mesh, reference: both in the world of the cameras, faces wound outwards.
        least_views: cameras that have to see a point, 1 or more.

    Raises:
        ValueError: a mesh has no area or positions that are not finite, or fewer cameras than that
            see any point of it.
    """
    found, wanted = _Surface(mesh), _Surface(reference)
    extent = reference.bounds.detach().double().cpu()
    half_extent = float((extent[1] - extent[0]).max()) / 2
    distances, shares = [], []
    pairs = ((found, mesh, wanted), (wanted, reference, found))
    for seed, (source, surface, target) in enumerate(pairs):
        points, face = source.samples(num_points, seed=seed)
        seen = times_seen(
            torch.from_numpy(points), torch.from_numpy(source.normals[face]), surface, cameras
        )
        is_seen = (seen >= least_views).numpy()
        if not is_seen.any():
            raise ValueError(f"compare_seen: no point of a surface is seen by {least_views} views")
        distances.append(float(target.distances(points[is_seen])[0].mean()))
        shares.append(float(is_seen.mean()))
    chamfer = sum(distances) / 2
    return SeenScores(
        least_views=least_views,
        share=shares[1],
        chamfer_l1=chamfer / half_extent,
        chamfer_world=chamfer,
    )


def chamfer_l1(mesh: Mesh, reference: Mesh, *, num_points: int = NUM_POINTS) -> float:
    """`SurfaceScores.chamfer_l1`; NaN when a mesh has no area or is not finite."""
    if mesh.num_faces == 0 or reference.num_faces == 0:
        return float("nan")
    try:
        return compare_surfaces(mesh, reference, num_points=num_points).chamfer_l1
    except ValueError:
        return float("nan")


def surface_samples(mesh: Mesh, num_points: int, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Points (num_points, 3), float64, evenly by area over the mesh, and the face of each.

    Raises:
        ValueError: the mesh has no area, or positions that are not finite.
    """
    return _Surface(mesh).samples(num_points, seed=seed)


def distances_to_surface(points: np.ndarray, mesh: Mesh) -> tuple[np.ndarray, np.ndarray]:
    """Distance of each point (N, 3) to the mesh, and the face it is nearest to.

    Looked for among the faces near the nearest of 100,000 samples: what comes out is the exact
    distance to a face, which now and then is not the very nearest one.
    """
    return _Surface(mesh).distances(points)


class _Surface:
    """Triangles as numpy arrays, with a search structure over them."""

    def __init__(self, mesh: Mesh) -> None:
        corners = mesh.verts.detach().double().cpu().numpy()[mesh.faces.cpu().numpy()]
        self.corners = corners
        a, b, c = corners.transpose(1, 0, 2)
        normal = np.cross(b - a, c - a)
        length = np.linalg.norm(normal, axis=1)
        total = float(length.sum())
        if not (np.isfinite(total) and total > 0):
            raise ValueError(f"surfaces: the mesh has an area of {total / 2}")
        self.normals = normal / np.maximum(length, 1e-300)[:, None]
        self._area_up_to = np.cumsum(length)
        self._tree: KDTree | None = None
        self._face_of_site = np.zeros(0, dtype=np.int64)

    def samples(self, num_points: int, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
        random = np.random.default_rng(seed)
        # One in each of num_points parts of equal area: no clusters, no gaps.
        place = (np.arange(num_points) + random.random(num_points)) / num_points
        face = np.searchsorted(self._area_up_to, place * self._area_up_to[-1], side="right")
        face = np.minimum(face, len(self.corners) - 1)
        # The root spreads points evenly between a corner and the opposite side.
        root, along = np.sqrt(random.random((num_points, 1))), random.random((num_points, 1))
        a, b, c = self.corners[face].transpose(1, 0, 2)
        return (1 - root) * a + root * ((1 - along) * b + along * c), face

    def distances(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if self._tree is None:
            sites, self._face_of_site = self.samples(_NUM_SITES, seed=2)
            self._tree = KDTree(sites)
        # From a sphere's centre all sites are equally far, and a search for the very nearest among
        # them looks at each.
        _, near = self._tree.query(points, k=_NUM_CANDIDATES, eps=_SLACK)
        faces = self._face_of_site[near]
        distance = np.sqrt(_squared_distances(points[:, None], self.corners[faces]))
        best = distance.argmin(axis=1)[:, None]
        return (
            np.take_along_axis(distance, best, axis=1)[:, 0],
            np.take_along_axis(faces, best, axis=1)[:, 0],
        )


def _one_way(
    source: _Surface, target: _Surface, num_points: int, *, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Distances of points on `source` to `target`, and |cosines| between normals there."""
    points, face = source.samples(num_points, seed=seed)
    distance, nearest = target.distances(points)
    return distance, np.abs((source.normals[face] * target.normals[nearest]).sum(axis=1))


def _squared_distances(point: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Of points (..., 3) to triangles (..., 3, 3): within the face, or to the nearest side."""
    following = np.roll(corners, -1, axis=-2)
    side, offset = following - corners, point[..., None, :] - corners
    along = (side * offset).sum(axis=-1) / np.maximum((side * side).sum(axis=-1), 1e-300)
    to_side = offset - np.clip(along, 0, 1)[..., None] * side
    nearest_side = (to_side**2).sum(axis=-1).min(axis=-1)
    normal = np.cross(side[..., 0, :], side[..., 1, :])
    squared = (normal**2).sum(axis=-1)
    is_inside = ((np.cross(side, offset) * normal[..., None, :]).sum(axis=-1) >= 0).all(axis=-1)
    height = (offset[..., 0, :] * normal).sum(axis=-1) ** 2 / np.maximum(squared, 1e-300)
    return np.where(is_inside & (squared > 0), height, nearest_side)

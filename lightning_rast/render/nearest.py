"""Which face is seen at each pixel: a depth buffer in numpy, for pictures."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

# Pixels of bounding boxes that are looked at together, to bound the memory.
_CANDIDATES_AT_ONCE = 2**19
# Rounding must not leave a pixel between two faces.
_SLACK = 1e-4


@dataclass(frozen=True)
class Hits:
    """The pixels that show something.

    pixel: row * width + column. bary: of the pixel's centre in its face, on the screen.
    """

    pixel: Int[np.ndarray, "P"]
    face_idx: Int[np.ndarray, "P"]
    bary: Float[np.ndarray, "P 3"]


def nearest_faces(
    corners: Float[np.ndarray, "F 3 2"],
    nearness: Float[np.ndarray, "F 3"],
    image_size: tuple[int, int],
) -> Hits:
    """The nearest face at each pixel's centre; faces without area are left out.

    corners: in pixels, finite. nearness: anything that grows towards the viewer and is linear on
    the screen across a face: 1 / depth in perspective, -depth otherwise.
    """
    height, width = image_size
    limit = np.array([width, height])
    # Centres are at +0.5; `low` is the first one inside, `high` the one past the last.
    low = np.clip(np.ceil(corners.min(axis=1) - 0.5), 0, limit).astype(np.int64)
    high = np.clip(np.floor(corners.max(axis=1) - 0.5) + 1, low, limit).astype(np.int64)
    extent = high - low
    num_candidates = extent.prod(axis=1)
    a, b, c = corners.transpose(1, 0, 2)
    area = _cross(b - a, c - a)
    considered = np.flatnonzero((num_candidates > 0) & (area != 0))
    area = np.where(area != 0, area, 1.0)

    seen_face = np.full(height * width, -1, dtype=np.int32)
    seen_nearness = np.full(height * width, -np.inf, dtype=np.float32)
    seen_bary = np.zeros((height * width, 2), dtype=np.float32)
    # Coordinates relative to the box's corner are small: single precision is enough.
    start = (low + 0.5 - a).astype(np.float32)
    by_row, by_column = (c - a) / area[:, None], (b - a) / area[:, None]
    by_row, by_column = by_row.astype(np.float32), by_column.astype(np.float32)
    base, slope = nearness[:, 0], nearness[:, 1:] - nearness[:, :1]
    base, slope = base.astype(np.float32), slope.astype(np.float32)
    total = np.cumsum(num_candidates[considered])
    cuts = np.flatnonzero(np.diff(total // _CANDIDATES_AT_ONCE)) + 1
    for group in np.split(considered, cuts):
        count = num_candidates[group]
        face = np.repeat(group.astype(np.int32), count)
        first = np.repeat(np.cumsum(count) - count, count)
        row, column = np.divmod((np.arange(len(face)) - first).astype(np.int32), extent[face, 0])
        x = start[face, 0] + column.astype(np.float32)
        y = start[face, 1] + row.astype(np.float32)
        beta = x * by_row[face, 1] - y * by_row[face, 0]
        gamma = y * by_column[face, 0] - x * by_column[face, 1]
        inside = np.flatnonzero((beta > -_SLACK) & (gamma > -_SLACK) & (beta + gamma < 1 + _SLACK))
        face, beta, gamma = face[inside], beta[inside], gamma[inside]
        pixel = (low[face, 1] + row[inside]) * width + low[face, 0] + column[inside]
        near = base[face] + beta * slope[face, 0] + gamma * slope[face, 1]

        before = seen_nearness[pixel]
        np.maximum.at(seen_nearness, pixel, near)
        wins = (near > before) & (near == seen_nearness[pixel])
        pixel = pixel[wins]
        seen_face[pixel] = face[wins]
        seen_bary[pixel] = np.stack((beta[wins], gamma[wins]), axis=1)
    pixel = np.flatnonzero(seen_face >= 0)
    beta, gamma = seen_bary[pixel].T
    return Hits(pixel, seen_face[pixel], np.stack((1 - beta - gamma, beta, gamma), axis=1))


def _cross(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]

"""Lens distortion, undone: the image that a pinhole camera with the same K would have taken."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor

from lightning_rast.data.errors import ViewsError

_NUM_COEFFICIENTS = {"brown": (4, 5, 8), "fisheye": (4,)}
_NUM_RADII = 512


@dataclass(frozen=True)
class Distortion:
    """What a lens does to directions, as OpenCV has it.

    brown: coefficients k1, k2, p1, p2[, k3[, k4, k5, k6]]; with x, y = view coordinates over
        depth and r^2 = x^2 + y^2, radial factor (1 + k1 r^2 + k2 r^4 + k3 r^6) /
        (1 + k4 r^2 + k5 r^4 + k6 r^6), and p1, p2 tangential.
    fisheye: k1, k2, k3, k4; with theta = atan r, distorted radius theta (1 + k1 theta^2 + ...).

    https://docs.opencv.org/4.x/d9/d0c/group__calib3d.html (brown) and
    https://docs.opencv.org/4.x/db/d58/group__calib3d__fisheye.html
    """

    model: Literal["brown", "fisheye"]
    coefficients: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.coefficients) not in _NUM_COEFFICIENTS[self.model]:
            raise ViewsError(
                f"{self.model} distortion has {_NUM_COEFFICIENTS[self.model]} coefficients,"
                f" got {len(self.coefficients)}"
            )
        if not np.isfinite(self.coefficients).all():
            raise ViewsError(f"distortion coefficients must be finite, got {self.coefficients}")

    @property
    def is_nothing(self) -> bool:
        """The pinhole camera is right as it is (a fisheye without coefficients still bends)."""
        return self.model == "brown" and not any(self.coefficients)


def undistorted(
    image: Shaped[Tensor, "H W *C"], K: Float[Tensor, "3 3"], distortion: Distortion
) -> tuple[Shaped[Tensor, "H W *C"], Bool[Tensor, "H W"]]:
    """The pinhole camera's image (bilinear), and where the distorted one had something to show.

    Of coverage, or of colours of any dtype that OpenCV knows. What is not known is 0.

    K in pixels, centres at +0.5; it may have skew. Beyond the radius where the polynomial turns
    back, which would show the image's middle once more, nothing is known.

    Raises:
        ViewsError: OpenCV is not installed, or the coefficients lead nowhere.
    """
    cv2 = _opencv()
    height, width = image.shape[:2]
    # OpenCV's pixel centres are at integers.
    matrix = K.double().cpu().numpy() - np.array([[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]])
    no_skew = matrix.copy()
    no_skew[0, 1] = 0
    coefficients = np.array(distortion.coefficients)
    size, as_float = (width, height), cv2.CV_32FC1
    make = cv2.initUndistortRectifyMap
    if distortion.model == "fisheye":
        make = cv2.fisheye.initUndistortRectifyMap
    try:
        x, y = make(no_skew, coefficients, np.eye(3), matrix, size, as_float)
        x = x + np.float32(matrix[0, 1] / matrix[1, 1]) * (y - np.float32(matrix[1, 2]))
        inside = (x >= -0.5) & (x <= width - 0.5) & (y >= -0.5) & (y <= height - 0.5)
        known = inside & _before_the_turn(matrix, (height, width), distortion)
        moved = [np.where(known, places, -2).astype(np.float32) for places in (x, y)]
        source = np.ascontiguousarray(image.cpu().numpy())
        result = cv2.remap(source, *moved, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    except cv2.error as error:
        raise ViewsError(f"OpenCV cannot undo this distortion: {error}") from None
    if not known.any():
        values = ", ".join(f"{value:g}" for value in distortion.coefficients)
        raise ViewsError(f"the distortion {values} leaves nothing of the image; is it right?")
    result[~known] = 0
    return torch.from_numpy(result), torch.from_numpy(known)


def _before_the_turn(
    matrix: np.ndarray, image_size: tuple[int, ...], distortion: Distortion
) -> np.ndarray:
    """(H, W): nearer to the axis than where the distorted radius stops to grow."""
    height, width = image_size
    columns, rows = np.meshgrid(np.arange(width), np.arange(height))
    y = (rows - matrix[1, 2]) / matrix[1, 1]
    x = (columns - matrix[0, 2] - matrix[0, 1] * y) / matrix[0, 0]
    radius = np.hypot(x, y)
    samples = np.linspace(0, radius.max(), _NUM_RADII)
    grows = np.diff(_distorted_radius(samples, distortion)) > 0
    limit = samples[-1] if grows.all() else samples[int(np.argmin(grows))]
    return radius <= limit


def _distorted_radius(radius: np.ndarray, distortion: Distortion) -> np.ndarray:
    k = distortion.coefficients
    with np.errstate(all="ignore"):
        if distortion.model == "fisheye":
            theta = np.arctan(radius)
            t2 = theta**2
            return theta * (1 + t2 * (k[0] + t2 * (k[1] + t2 * (k[2] + t2 * k[3]))))
        k3, k4, k5, k6 = (*k[4:], 0.0, 0.0, 0.0, 0.0)[:4]
        r2 = radius**2
        above, below = (k[0], k[1], k3), (k4, k5, k6)
        factor = [1 + r2 * (a + r2 * (b + r2 * c)) for a, b, c in (above, below)]
        return radius * factor[0] / factor[1]


def _opencv() -> Any:
    try:
        import cv2
    except ImportError as error:
        raise ViewsError(
            "the cameras have lens distortion, and undoing it needs OpenCV (no"
            f' "cv2": {error}): pip install "lightning_rast[undistort]", or undistort the masks'
            " first"
        ) from None
    return cv2

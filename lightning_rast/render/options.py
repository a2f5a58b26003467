"""What the render command can be asked for; needs nothing but Python, so that `--help` is quick."""

from dataclasses import dataclass
from typing import Literal

UpAxis = Literal["y", "z", "x", "-y", "-z", "-x"]  # "-y": y points down
Color = tuple[float, float, float]  # sRGB, 0..1

CLAY: Color = (0.83, 0.68, 0.57)


@dataclass(frozen=True, kw_only=True)
class TurntableOptions:
    """Pictures of a mesh from all sides.

    outputs: kinds of pictures, each in a folder of that name.
    image_size: (H, W) in pixels.
    fov_deg: vertical; None: parallel rays.
    color: of the whole surface; None: those of the file, clay where it has none.
    background: None is transparent.
    supersampling: samples per pixel and side for colours and normals.
    """

    outputs: tuple[str, ...] = ("color",)
    num_views: int = 8
    image_size: tuple[int, int] = (512, 512)
    fov_deg: float | None = 30.0
    elevation_deg: float = 20.0
    up: UpAxis = "y"
    shading: Literal["smooth", "creased", "flat"] = "creased"
    color: Color | None = None
    background: Color | None = (1.0, 1.0, 1.0)
    supersampling: int = 2
    gif: bool = False
    device: str = "cpu"

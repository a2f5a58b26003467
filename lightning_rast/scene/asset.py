"""A mesh with its colours, and what a reader of mesh files hands over before it is one."""

import io
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int32
from PIL import Image
from torch import Tensor

from lightning_rast.scene.mesh import Mesh

_MOST_PIXELS = 2**27


@dataclass(frozen=True)
class Texture:
    """An image as its file holds it: `content` is that of a PNG or JPEG, which `suffix` names."""

    content: bytes = field(repr=False)
    suffix: str = ".png"

    def pixels(self) -> np.ndarray:
        """(H, W, 4) bytes, row 0 at the top, sRGB and alpha.

        Raises:
            ValueError: the image cannot be decoded.
        """
        try:
            with Image.open(io.BytesIO(self.content)) as image:
                if image.width * image.height > _MOST_PIXELS:
                    raise ValueError(f"{image.width} x {image.height} pixels are too many")
                return np.asarray(image.convert("RGBA"))
        # Pillow's decoders raise whatever a damaged image sets off in them.
        except Exception as error:
            raise ValueError(f"a texture cannot be decoded ({error})") from error


@dataclass(frozen=True, kw_only=True)
class Material:
    """color: red, green, blue in sRGB, and alpha, 0..1. A texture is multiplied with it.

    alpha_mode: as glTF says it: OPAQUE, MASK or BLEND.
    alpha_cutoff: of MASK; where alpha is less, nothing is there.
    """

    name: str = ""
    color: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)
    texture: Texture | None = None
    alpha_mode: str = "OPAQUE"
    alpha_cutoff: float = 0.5
    is_double_sided: bool = True


@dataclass(frozen=True, kw_only=True, eq=False)
class Asset:
    """A mesh, and how its faces look. What is shown at a point is the product of the colour at the
    corners, of the material's colour and of its texture.

    colors: red, green, blue (sRGB) and alpha at each face's corners, 0..1.
    uvs: places in the texture at each face's corners; (0, 0) is its lower left, (1, 1) its upper
        right corner.
    material_idx: of each face, a place in `materials`.
    notes: what the file says but could not be read, for a person.
    """

    mesh: Mesh
    colors: Float[Tensor, "F 3 4"] | None = None
    uvs: Float[Tensor, "F 3 2"] | None = None
    material_idx: Int32[Tensor, " F"] | None = None
    materials: tuple[Material, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def has_appearance(self) -> bool:
        """Whether anything but plain white is known."""
        plain = all(
            material.texture is None and material.color == (1.0, 1.0, 1.0, 1.0)
            for material in self.materials
        )
        return self.colors is not None or not plain


@dataclass(kw_only=True)
class FilePolygons:
    """What a reader finds in a file: polygons, their corners one after the other.

    verts (V, 3): positions. corners (C,): a vertex each. counts (P,): corners of each polygon, 3
    or more. colors (C, 4), uvs (C, 2), material_idx (P,): as in `Asset`, or None.
    """

    verts: np.ndarray
    corners: np.ndarray
    counts: np.ndarray
    colors: np.ndarray | None = None
    uvs: np.ndarray | None = None
    material_idx: np.ndarray | None = None
    materials: list[Material] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def linear_from_srgb(values: np.ndarray) -> np.ndarray:
    """0..1 to 0..1. Source: IEC 61966-2-1."""
    values = np.clip(values, 0, 1)
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def srgb_from_linear(values: np.ndarray) -> np.ndarray:
    """The inverse of `linear_from_srgb`."""
    values = np.clip(values, 0, 1)
    curved = 1.055 * values ** (1 / 2.4) - 0.055
    # Rounding would leave white a little grey.
    return np.where(values <= 0.0031308, 12.92 * values, np.where(values == 1, 1.0, curved))


def cleaned_colors(values: np.ndarray) -> np.ndarray:
    """(N, 3 or 4) float32 0..1 with alpha, of what files hold: 0..1, or 0..255 where all are whole
    numbers and anything is above 1; what is not a number is white."""
    values = np.nan_to_num(np.asarray(values, dtype=np.float64), nan=1.0, posinf=1.0, neginf=0.0)
    # Arithmetic leaves colours a hair above 1, which are no bytes.
    if values.size and values.max() > 1 and (values == np.rint(values)).all():
        values = values / 255
    values = np.clip(values, 0, 1).astype(np.float32)
    if values.shape[1] == 3:
        values = np.concatenate((values, np.ones_like(values[:, :1])), axis=1)
    return values

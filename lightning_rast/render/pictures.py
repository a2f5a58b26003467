"""Pictures for people: renderings as bytes, an animation, a sheet of many. Not differentiable."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int32, UInt8, UInt16
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from lightning_rast.render.options import CLAY, Color
from lightning_rast.render.paint import Paint
from lightning_rast.render.renderer import Renderer, Rendering
from lightning_rast.render.shading import linear_from_srgb, srgb_from_linear
from lightning_rast.scene import Camera, Mesh

WHITE: Color = (1.0, 1.0, 1.0)
# In pictures of depths; the farthest point still differs from the background, 0.
NEAR_VALUE, FAR_VALUE = 65535, 9830

# Views are rendered in groups of about this many samples, to bound the memory.
_SAMPLES_AT_ONCE = 2**21
_SHEET_WIDTH, _MOST_COLUMNS = 1800, 8
_GAP, _FONT_SIZE, _INK = 6, 18, (70, 70, 70)


def shaded_preview(
    mesh: Mesh, camera: Camera, *, color: Color = CLAY
) -> UInt8[np.ndarray, "N H W 3"]:
    """The mesh as a matt model on white, lit from over the viewer's left shoulder.

    Both sides of faces are shown. Edges of more than 40 degrees stay sharp, others are smoothed
    over.

    Raises:
        ValueError: a vertex is not finite.
    """
    renderer = Renderer(
        outputs=("coverage", "color"),
        shading="creased",
        albedo=albedo_of(color),
        supersampling=2,
    )
    height, width = camera.image_size
    frames = np.full((len(camera), height, width, 3), 255, dtype=np.uint8)
    for views, rendering in in_groups(renderer, mesh, camera):
        frames[views] = color_pictures(rendering, background=WHITE)
    return frames


def albedo_of(color: Color) -> Color:
    """The linear albedo that looks like an sRGB colour in full light."""
    red, green, blue = linear_from_srgb(torch.tensor(color, dtype=torch.float64)).tolist()
    return red, green, blue


def in_groups(
    renderer: Renderer, mesh: Mesh, camera: Camera, colors: Paint | None = None
) -> Iterator[tuple[slice, Rendering]]:
    """What the renderer makes, some views at a time so that memory suffices: which, and images."""
    height, width = camera.image_size
    at_once = max(1, _SAMPLES_AT_ONCE // (height * width * renderer.supersampling**2))
    for start in range(0, len(camera), at_once):
        views = slice(start, min(start + at_once, len(camera)))
        with torch.no_grad():
            rendering = renderer(mesh, camera[views], colors)
        yield views, rendering


def color_pictures(
    rendering: Rendering, *, background: Color | None
) -> UInt8[np.ndarray, "N H W C"]:
    """`color`, rendered on black, in sRGB; on a background, or with an alpha channel for None."""
    color, coverage = present(rendering.color), present(rendering.coverage)[..., None]
    if background is None:
        straight = color / coverage.clamp(min=1e-6)
        return as_bytes(torch.cat((srgb_from_linear(straight), coverage), dim=3))
    light = torch.tensor(albedo_of(background)).to(color)
    return as_bytes(srgb_from_linear(color + (1 - coverage) * light))


def normals_pictures(
    rendering: Rendering, *, background: Color | None
) -> UInt8[np.ndarray, "N H W C"]:
    """x, y and z from -1..1 as red, green and blue, the usual code; else as `color_pictures`."""
    normals, coverage = present(rendering.normals), present(rendering.coverage)[..., None]
    coded = 0.5 * normals + 0.5 * coverage
    if background is None:
        return as_bytes(torch.cat((coded / coverage.clamp(min=1e-6), coverage), dim=3))
    return as_bytes(coded + (1 - coverage) * torch.tensor(background).to(coded))


def depth_pictures(
    depth: Float[Tensor, "N H W"], depth_range: tuple[float, float]
) -> UInt16[np.ndarray, "N H W"]:
    """From `NEAR_VALUE` to `FAR_VALUE` linearly over the range; the background is 0."""
    near, far = depth_range
    fraction = ((depth.double() - near) / (far - near)).clamp(0, 1)
    value = torch.where(depth > 0, NEAR_VALUE - (NEAR_VALUE - FAR_VALUE) * fraction, 0)
    return value.round().cpu().numpy().astype(np.uint16)


def face_pictures(
    face_idx: Int32[Tensor, "N H W"], *, background: Color | None
) -> UInt8[np.ndarray, "N H W C"]:
    """A colour of its own for each face, as good as that goes; else as `color_pictures`."""
    number = face_idx.double()[..., None]
    # Multiples of these, without their integer part, fill the cube evenly [Roberts 2018, R3].
    steps = torch.tensor([0.8191725134, 0.6710436067, 0.5497004779], dtype=torch.float64)
    color = 0.2 + 0.75 * (number * steps.to(number.device)).frac()
    is_surface = (face_idx >= 0)[..., None]
    if background is None:
        return as_bytes(torch.cat((color, torch.ones_like(number)), dim=3) * is_surface)
    return as_bytes(torch.where(is_surface, color, torch.tensor(background).to(color)))


def present(image: Tensor | None) -> Tensor:
    """The image that was asked for."""
    assert image is not None
    return image


def as_bytes(values: Float[Tensor, "*batch"]) -> UInt8[np.ndarray, "*batch"]:
    """0..1 to 0..255."""
    return (255 * values.clamp(0, 1) + 0.5).to(torch.uint8).cpu().numpy()


def thumbnail(picture: np.ndarray, size: tuple[int, int]) -> Image.Image:
    """Any of the pictures above in (H, W) pixels, on white where it is transparent."""
    if picture.dtype == np.uint16:
        picture = (picture >> 8).astype(np.uint8)
    image = Image.fromarray(picture)
    if image.mode == "RGBA":
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB").resize((size[1], size[0]), Image.Resampling.BOX)


def sheet_size(image_size: tuple[int, int], num_views: int) -> tuple[int, int]:
    """(H, W) of the thumbnails with which a contact sheet is not too wide."""
    height, width = image_size
    scale = min(1.0, (_SHEET_WIDTH / min(num_views, _MOST_COLUMNS) - _GAP) / width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def contact_sheet(
    rows: Mapping[str, Sequence[Image.Image]], *, headings: Sequence[str]
) -> Image.Image:
    """Thumbnails of one size on a page: for each name a row, for each view a heading."""
    width, height = next(iter(rows.values()))[0].size
    step_x, step_y, margin = width + _GAP, height + _GAP, _FONT_SIZE + 2 * _GAP
    num_columns = min(len(headings), _MOST_COLUMNS)
    band_height = margin + len(rows) * step_y
    num_bands = -(-len(headings) // num_columns)
    page_size = (margin + num_columns * step_x, num_bands * band_height)
    page = Image.new("RGB", page_size, "white")
    for view, heading in enumerate(headings):
        band, column = divmod(view, num_columns)
        x, y = margin + column * step_x, band * band_height
        page.paste(_caption(heading, (width, margin)), (x, y))
        for row, (name, pictures) in enumerate(rows.items()):
            page.paste(pictures[view], (x, y + margin + row * step_y))
            if column == 0:
                label = _caption(name, (height, margin)).transpose(Image.Transpose.ROTATE_90)
                page.paste(label, (0, y + margin + row * step_y))
    return page


def _caption(text: str, size: tuple[int, int]) -> Image.Image:
    caption = Image.new("RGB", size, "white")
    font = ImageFont.load_default(_FONT_SIZE)
    center = (size[0] / 2, size[1] / 2)
    ImageDraw.Draw(caption).text(center, text, fill=_INK, font=font, anchor="mm")
    return caption


def save_png(path: str | Path, picture: np.ndarray | Image.Image) -> None:
    """Write a picture; the file appears under its name when it is complete."""
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    _write(Path(path), lambda unfinished: image.save(unfinished, format="PNG"))


def save_gif(
    path: str | Path, frames: UInt8[np.ndarray, "N H W 3"], *, frames_per_second: float = 15.0
) -> None:
    """Write an endless animation; the file appears under its name when it is complete."""
    if len(frames) == 0:
        raise ValueError("save_gif needs at least one frame")
    images = [Image.fromarray(frame) for frame in frames]
    # One palette for all frames, undithered: nothing flickers where nothing moves.
    palette = images[0].quantize(192)
    paletted = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]

    def save(unfinished: Path) -> None:
        paletted[0].save(
            unfinished,
            format="GIF",
            save_all=True,
            append_images=paletted[1:],
            duration=round(1000 / frames_per_second),
            loop=0,
        )

    _write(Path(path), save)


def _write(path: Path, save: Callable[[Path], None]) -> None:
    unfinished = path.with_name(f".{path.name}.part")
    try:
        save(unfinished)
        os.replace(unfinished, path)  # noqa: PTH105
    finally:
        unfinished.unlink(missing_ok=True)

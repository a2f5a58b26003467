"""A contact sheet: each view with the outline of the hull that the views agree on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from lightning_rast.data.area import area_average
from lightning_rast.data.errors import ViewsError
from lightning_rast.data.photograph_image import faded, photograph_in_view
from lightning_rast.data.views import Views
from lightning_rast.ops.mask_distance import mask_distance
from lightning_rast.render.silhouette import render_silhouettes
from lightning_rast.scene import Mesh

MASK, MISSING, EXTRA, LINE = (205, 208, 212), (92, 142, 200), (240, 150, 120), (214, 66, 20)
# Over photographs: lighter, since those are dark.
HULL_LINE, MASK_LINE = (255, 104, 40), (64, 190, 255)
_BACKGROUND, _UNKNOWN = (255, 255, 255), (244, 244, 244)
_INK, _ALARM = (60, 60, 60), (190, 20, 20)
_PAGE_WIDTH, _MOST_COLUMNS, _LEAST_COLUMNS = 1500, 8, 4
_MOST_SHOWN = 48
_GAP, _CAPTION, _FONT = 8, 20, 14
_TINT = 0.5  # of an area that only one has, over a photograph


@dataclass(frozen=True, eq=False)
class Sheet:
    """notes: sentences on what is not shown."""

    picture: Image.Image
    notes: tuple[str, ...]


def contact_sheet(
    views: Views, mesh: Mesh | None, ious: Sequence[float], odd: Sequence[int] = ()
) -> Sheet:
    """One picture per view (of many, some): the photograph, faded, with the outlines of the mask
    and of the hull; or, where there is none, the mask in grey and the hull's outline over it.

    Blue is only in the mask, red only in the hull. Views of `odd` have a red frame.
    """
    shown = _shown(len(views), odd)
    columns = max(_LEAST_COLUMNS, min(_MOST_COLUMNS, round(len(shown) ** 0.5 * 1.4)))
    width = (_PAGE_WIDTH - _GAP) // columns - _GAP
    height = max(1, round(width * views.image_size[0] / views.image_size[1]))
    step_x, step_y = width + _GAP, height + _CAPTION + _GAP
    rows = -(-len(shown) // columns)
    top = _CAPTION + 2 * _GAP
    page = Image.new("RGB", (columns * step_x + _GAP, top + rows * step_y), "white")
    draw = ImageDraw.Draw(page)
    font = ImageFont.load_default(_FONT)
    failures: list[str] = []
    has_photograph: list[bool] = []
    for place, view in enumerate(shown):
        row, column = divmod(place, columns)
        x, y = _GAP + column * step_x, top + row * step_y
        is_odd = view in odd
        label = f"{views.names[view]}  {ious[view]:.3f}"
        draw.text((x, y + 2), label, fill=_ALARM if is_odd else _INK, font=font)
        photograph = _photograph(views, view, (height, width), failures)
        has_photograph.append(photograph is not None)
        picture = _picture(views[[view]], mesh, (height, width), photograph)
        page.paste(picture, (x, y + _CAPTION))
        frame = (x - 1, y + _CAPTION - 1, x + width, y + _CAPTION + height)
        draw.rectangle(
            frame, outline=_ALARM if is_odd else (215, 215, 215), width=2 if is_odd else 1
        )
    told = "name and IoU"
    if len(shown) < len(views):
        told += f"; {len(shown)} of {len(views)} views"
    _legend(draw, font, any(has_photograph), all(has_photograph), told)
    return Sheet(page, tuple(_notes(failures)))


def _shown(num_views: int, odd: Sequence[int]) -> list[int]:
    """All, or of many the odd ones and others evenly spread."""
    if num_views <= _MOST_SHOWN:
        return list(range(num_views))
    spread = {round(i * (num_views - 1) / (_MOST_SHOWN - 1)) for i in range(_MOST_SHOWN)}
    kept = sorted(spread | set(odd))
    ordinary = [view for view in kept if view not in odd]
    surplus = set(ordinary[1 : 1 + len(kept) - _MOST_SHOWN])
    return [view for view in kept if view not in surplus]


def _photograph(
    views: Views, view: int, size: tuple[int, int], failures: list[str]
) -> Float[Tensor, "H W 3"] | None:
    try:
        found = photograph_in_view(views, view, size)
    except ViewsError as error:
        failures.append(str(error))
        return None
    if found is None:
        return None
    return torch.from_numpy(faded(found))


def _notes(failures: Sequence[str]) -> Sequence[str]:
    if not failures:
        return ()
    more = f", and {len(failures) - 1} more likewise" if len(failures) > 1 else ""
    return (f"{failures[0]}{more}; the sheet shows the mask alone there",)


def _legend(
    draw: ImageDraw.ImageDraw,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    has_photographs: bool,
    has_nothing_else: bool,
    told: str,
) -> None:
    x = _GAP
    entries = [] if has_nothing_else else [(MASK, "mask")]
    entries += [(MASK_LINE, "outline of the mask")] if has_photographs else []
    entries += [(HULL_LINE if has_nothing_else else LINE, "outline of the hull")]
    for color, text in (*entries, (MISSING, "only in the mask"), (EXTRA, "only in the hull")):
        draw.rectangle((x, _GAP + 3, x + 14, _GAP + 15), fill=color)
        draw.text((x + 20, _GAP), text, fill=_INK, font=font)
        x += 20 + int(draw.textlength(text, font=font)) + 24
    draw.text((x, _GAP), told, fill=_INK, font=font)


def _picture(
    view: Views,
    mesh: Mesh | None,
    size: tuple[int, int],
    photograph: Float[Tensor, "H W 3"] | None,
) -> Image.Image:
    mask = area_average(view.coverage, size)
    known = None if view.known is None else area_average(view.known.float(), size)
    inside = None if mesh is None else render_silhouettes(mesh, view.cameras.resized(size))
    if photograph is None:
        picture = torch.tensor(_BACKGROUND) * (1 - mask[0, ..., None])
        picture = picture + torch.tensor(MASK) * mask[0, ..., None]
    else:
        picture = photograph
    if inside is not None:
        tint = 1.0 if photograph is None else _TINT
        for color, part in ((MISSING, mask - inside), (EXTRA, inside - mask)):
            picture = _painted(picture, color, tint * part.clamp(0, 1))
    if photograph is not None:
        # Wider than the hull's, and below it: both are seen where they agree.
        seen = None if known is None else known > 0.5
        picture = _painted(picture, MASK_LINE, _line(mask_distance(mask, seen), 2.4))
    if inside is not None:
        color = LINE if photograph is None else HULL_LINE
        picture = _painted(
            picture, color, _line(mask_distance(inside), 1.3 if photograph is None else 1.1)
        )
    if known is not None:
        picture = _painted(picture, _UNKNOWN, 1 - known)
    return Image.fromarray(_bytes(picture))


def _painted(
    picture: Float[Tensor, "H W 3"], color: tuple[int, int, int], weight: Float[Tensor, "1 H W"]
) -> Float[Tensor, "H W 3"]:
    weight = weight[0, ..., None].to(picture)
    return picture * (1 - weight) + torch.tensor(color) * weight


def _line(distance: Float[Tensor, "1 H W"], half_width: float) -> Float[Tensor, "1 H W"]:
    return (half_width - distance.abs()).clamp(0, 1).nan_to_num(0.0)


def _bytes(picture: Tensor) -> np.ndarray:
    return picture.clamp(0, 255).round().to(torch.uint8).numpy()

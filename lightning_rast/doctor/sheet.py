"""A contact sheet: each mask with the outline of the hull that the views agree on."""

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from lightning_rast.data.area import area_average
from lightning_rast.data.views import Views
from lightning_rast.ops.mask_distance import mask_distance
from lightning_rast.render.silhouette import render_silhouettes
from lightning_rast.scene import Mesh

MASK, MISSING, EXTRA, LINE = (205, 208, 212), (92, 142, 200), (240, 150, 120), (214, 66, 20)
_BACKGROUND, _UNKNOWN = (255, 255, 255), (244, 244, 244)
_INK, _ALARM = (60, 60, 60), (190, 20, 20)
_PAGE_WIDTH, _MOST_COLUMNS, _LEAST_COLUMNS = 1500, 8, 4
_MOST_SHOWN = 48
_GAP, _CAPTION, _FONT = 8, 20, 14


def contact_sheet(
    views: Views, mesh: Mesh | None, ious: Sequence[float], odd: Sequence[int] = ()
) -> Image.Image:
    """One picture per view (of many, some): the mask in grey, the hull's outline over it.

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
    _legend(draw, font, len(shown), len(views))
    for place, view in enumerate(shown):
        row, column = divmod(place, columns)
        x, y = _GAP + column * step_x, top + row * step_y
        is_odd = view in odd
        label = f"{views.names[view]}  {ious[view]:.3f}"
        draw.text((x, y + 2), label, fill=_ALARM if is_odd else _INK, font=font)
        page.paste(_picture(views[[view]], mesh, (height, width)), (x, y + _CAPTION))
        frame = (x - 1, y + _CAPTION - 1, x + width, y + _CAPTION + height)
        draw.rectangle(
            frame, outline=_ALARM if is_odd else (215, 215, 215), width=2 if is_odd else 1
        )
    return page


def _shown(num_views: int, odd: Sequence[int]) -> list[int]:
    """All, or of many the odd ones and others evenly spread."""
    if num_views <= _MOST_SHOWN:
        return list(range(num_views))
    spread = {round(i * (num_views - 1) / (_MOST_SHOWN - 1)) for i in range(_MOST_SHOWN)}
    kept = sorted(spread | set(odd))
    ordinary = [view for view in kept if view not in odd]
    surplus = set(ordinary[1 : 1 + len(kept) - _MOST_SHOWN])
    return [view for view in kept if view not in surplus]


def _legend(
    draw: ImageDraw.ImageDraw,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    shown: int,
    total: int,
) -> None:
    x = _GAP
    for color, text in (
        (MASK, "mask"),
        (LINE, "outline of the hull"),
        (MISSING, "only in the mask"),
        (EXTRA, "only in the hull"),
    ):
        draw.rectangle((x, _GAP + 3, x + 14, _GAP + 15), fill=color)
        draw.text((x + 20, _GAP), text, fill=_INK, font=font)
        x += 20 + int(draw.textlength(text, font=font)) + 24
    text = "name and IoU" if shown == total else f"name and IoU; {shown} of {total} views"
    draw.text((x, _GAP), text, fill=_INK, font=font)


def _picture(view: Views, mesh: Mesh | None, size: tuple[int, int]) -> Image.Image:
    mask = area_average(view.coverage, size)[0][..., None]
    picture = torch.tensor(_BACKGROUND) * (1 - mask) + torch.tensor(MASK) * mask
    if mesh is not None:
        hull = render_silhouettes(mesh, view.cameras.resized(size))
        inside = hull[0][..., None].to(mask)
        for color, part in ((MISSING, mask - inside), (EXTRA, inside - mask)):
            weight = part.clamp(0, 1)
            picture = picture * (1 - weight) + torch.tensor(color) * weight
        line = (1.3 - mask_distance(hull).abs()).clamp(0, 1)[0][..., None].nan_to_num(0.0)
        picture = picture * (1 - line) + torch.tensor(LINE) * line
    if view.known is not None:
        known = area_average(view.known.float(), size)[0][..., None]
        picture = picture * known + torch.tensor(_UNKNOWN) * (1 - known)
    return Image.fromarray(_bytes(picture))


def _bytes(picture: Tensor) -> np.ndarray:
    return picture.clamp(0, 255).round().to(torch.uint8).numpy()

"""A picture of the cameras around the hull."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float64
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from lightning_rast.data.fitted_sphere import seen_center
from lightning_rast.data.views import Views
from lightning_rast.render.pictures import shaded_preview
from lightning_rast.scene import Camera, Mesh

_PANEL = 640  # px
_SCALE = 2  # drawn larger, then averaged
_FIRST, _LAST, _ALARM, _INK = (33, 102, 172), (230, 145, 20), (200, 20, 20), (70, 70, 70)
# Cameras are drawn no farther than this many radii of the object, or it would be a dot.
_FARTHEST = 3.0
_FRUSTUM = 0.75  # length in radii of the object
_MOST_LABELS = 40


def rig_picture(views: Views, mesh: Mesh | None, odd: Sequence[int] = ()) -> Image.Image:
    """The cameras as pyramids around the hull, from the side and from above.

    Colours run from blue, the first view, to orange, the last; odd views are red. Up is what is up
    in most images. Far cameras are drawn nearer, on the same line of sight; the picture says so.
    """
    center, radius = _object(views, mesh)
    eyes = views.cameras.center_world.double().cpu()
    if views.cameras.orthographic:
        eyes = center - _FARTHEST * radius * views.cameras.look_direction.double().cpu()
    away = eyes - center
    distance = away.norm(dim=1, keepdim=True).clamp(min=1e-12)
    drawn = center + away * (distance.clamp(max=_FARTHEST * radius) / distance)
    is_shortened = bool((distance > 1.001 * _FARTHEST * radius).any())
    # The ball around the cameras and the object.
    corners = torch.cat((drawn, center + radius * torch.eye(3), center - radius * torch.eye(3)))
    middle = (corners.amin(dim=0) + corners.amax(dim=0)) / 2
    reach = 1.12 * float((corners - middle).norm(dim=1).max())
    up = _up(views)
    side = _any_across(up)
    page = Image.new("RGB", (2 * _PANEL, _PANEL + 24), "white")
    directions = (side + 0.45 * up, up + 0.02 * side)
    for column, (towards, title) in enumerate(zip(directions, ("side", "above"), strict=True)):
        panel = _panel(views, mesh, drawn, center, radius, middle, reach, towards, up, side, odd)
        page.paste(panel, (column * _PANEL, 24))
        text = f"from the {title}" if title == "side" else f"from {title}"
        ImageDraw.Draw(page).text(
            (column * _PANEL + 12, 8), text, fill=_INK, font=ImageFont.load_default(15)
        )
    if is_shortened:
        text = "distances of the cameras are shortened"
        ImageDraw.Draw(page).text((130, 8), text, fill=_INK, font=ImageFont.load_default(15))
    return page


def _panel(
    views: Views,
    mesh: Mesh | None,
    eyes: Tensor,
    center: Tensor,
    radius: float,
    middle: Tensor,
    reach: float,
    towards: Tensor,
    up: Tensor,
    side: Tensor,
    odd: Sequence[int],
) -> Image.Image:
    size = _PANEL * _SCALE
    towards = towards / towards.norm()
    is_above = float((towards @ up).abs()) > 0.9
    viewer = Camera.look_at(
        middle + 5 * reach * towards,
        middle,
        -side if is_above else up,
        fov_deg=24.0,
        image_size=(size, size),
        near=1e-3 * reach,
        far=1e3 * reach,
    )
    picture = Image.new("RGB", (size, size), "white")
    depth = (eyes - center) @ towards
    draw = ImageDraw.Draw(picture)
    behind = [view for view in range(len(views)) if depth[view] < 0]
    front = [view for view in range(len(views)) if depth[view] >= 0]
    for view in sorted(behind, key=lambda v: float(depth[v])):
        _draw_camera(draw, views, view, eyes[view], radius, viewer, odd)
    if mesh is not None:
        shaded_bytes = shaded_preview(mesh, viewer)[0]
        shaded = Image.fromarray(shaded_bytes)
        mask = Image.fromarray(np.uint8(255) * (shaded_bytes < 255).any(axis=2))
        picture.paste(shaded, (0, 0), mask)
    else:
        x, y = viewer.project(center[None])[0, 0].tolist()
        draw.ellipse((x - 8, y - 8, x + 8, y + 8), outline=_INK, width=2)
    for view in sorted(front, key=lambda v: float(depth[v])):
        _draw_camera(draw, views, view, eyes[view], radius, viewer, odd)
    return picture.resize((_PANEL, _PANEL), Image.Resampling.BOX)


def _draw_camera(
    draw: ImageDraw.ImageDraw,
    views: Views,
    view: int,
    eye: Tensor,
    radius: float,
    viewer: Camera,
    odd: Sequence[int],
) -> None:
    corners = eye + _FRUSTUM * radius * _corner_rays(views.cameras[[view]])
    points = viewer.project(torch.cat((eye[None], corners)))[0]
    apex, *square = [tuple(point) for point in points.tolist()]
    color = _ALARM if view in odd else _color(view, len(views))
    for corner in square:
        draw.line((apex, corner), fill=color, width=3)
    for a, b in zip(square, [*square[1:], square[0]], strict=True):
        draw.line((a, b), fill=color, width=3)
    # The upper edge of the image, thick: a camera that stands on its head shows.
    draw.line((square[0], square[1]), fill=color, width=9)
    if len(views) <= _MOST_LABELS or view in odd:
        x = 1.25 * apex[0] - 0.25 * sum(p[0] for p in square) / 4
        y = 1.25 * apex[1] - 0.25 * sum(p[1] for p in square) / 4
        draw.text((x, y), str(view), fill=color, font=ImageFont.load_default(26), anchor="mm")


def _corner_rays(camera: Camera) -> Float64[Tensor, "4 3"]:
    """World directions through the image's corners (upper left, upper right, lower right, lower
    left), of about unit length; none leads farther aside than ahead."""
    height, width = camera.image_size
    pixels = torch.tensor(
        [[0, 0, 1], [width, 0, 1], [width, height, 1], [0, height, 1]], dtype=torch.float64
    )
    K = camera.K[0].double().cpu()
    rays = torch.linalg.solve(K, pixels.T).T
    if camera.orthographic:
        rays = torch.cat((rays[:, :2], torch.ones(4, 1, dtype=torch.float64)), dim=1)
    # Off-centre and very narrow fields of view would be a line, or point away from the object.
    offset = rays[:, :2] - rays[:, :2].mean(dim=0)
    widest = float(offset.norm(dim=1).max())
    rays[:, :2] = rays[:, :2].mean(dim=0) + offset * (min(max(widest, 0.28), 0.8) / widest)
    rotation = camera.world_to_view[0, :3, :3].double().cpu()
    directions = rays @ rotation
    return directions / rays.mean(dim=0).norm()


def _object(views: Views, mesh: Mesh | None) -> tuple[Tensor, float]:
    if mesh is not None:
        low, high = mesh.bounds.double()
        return (low + high) / 2, max(float((high - low).norm()) / 2, 1e-12)
    center = seen_center(views)
    distance = (views.cameras.center_world.double().cpu() - center).norm(dim=1)
    return center, max(float(distance.median()) / _FARTHEST, 1e-12)


def _up(views: Views) -> Tensor:
    """What is up in most images; y where they do not agree."""
    mean = -views.cameras.world_to_view[:, 1, :3].double().cpu().mean(dim=0)
    if float(mean.norm()) < 0.2:
        mean = torch.tensor([0.0, 1.0, 0.0], dtype=torch.float64)
    return mean / mean.norm()


def _any_across(up: Tensor) -> Tensor:
    axis = torch.eye(3, dtype=torch.float64)[int(up.abs().argmin())]
    across = torch.linalg.cross(up, axis)
    return across / across.norm()


def _color(view: int, count: int) -> tuple[int, int, int]:
    t = view / max(1, count - 1)
    red, green, blue = (round((1 - t) * a + t * b) for a, b in zip(_FIRST, _LAST, strict=True))
    return red, green, blue

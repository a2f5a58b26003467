"""Texture lookups with wrapping and mip-mapping, made of `grid_sample`."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import avg_pool2d, grid_sample, pad

from lightning_rast.ops._registry import check_is_tensor

_BORDERS = {"repeat": "circular", "clamp": "replicate", "mirror": "replicate"}
_FILTERS = ("nearest", "bilinear", "mipmap")


def check_lookup(op: str, wrap: str, filtering: str) -> None:
    """Refuse names that `sample_texture` does not know."""
    if wrap not in _BORDERS:
        raise ValueError(f"{op}: wrap must be one of {tuple(_BORDERS)}, got {wrap!r}")
    if filtering not in _FILTERS:
        raise ValueError(f"{op}: filter must be one of {_FILTERS}, got {filtering!r}")


def sample_texture(
    texture: Float[Tensor, "H W C"] | Float[Tensor, "N H W C"],
    uv: Float[Tensor, "N *pixels 2"],
    *,
    wrap: Literal["repeat", "clamp", "mirror"] = "repeat",
    filter: Literal["nearest", "bilinear", "mipmap"] = "bilinear",  # noqa: A002
    uv_dx: Float[Tensor, "N *pixels 2"] | None = None,
    uv_dy: Float[Tensor, "N *pixels 2"] | None = None,
) -> Float[Tensor, "N *pixels C"]:
    """Colours of a texture at texture coordinates.

    `uv = (0, 0)` is the corner of the texture above and left of its first texel `texture[0, 0]`,
    `(1, 1)` the opposite one: v runs down the rows, as glTF has it. Texel (row, column) has its
    centre at `((column + 0.5) / W, (row + 0.5) / H)`. Where v runs up, as in OBJ files, pass
    `1 - v`.

    Args:
        texture: float32 or float64, one for all views or one for each. Any size, 1 x 1 too.
        uv: of the same dtype, such as `interpolate(uv, faces_uv, fragments)`. On the background
            that is (0, 0), and so is what is looked up there: mask it.
        wrap: what lies beyond [0, 1]. "repeat": the texture again; its first and last columns are
            neighbours, and so are its rows. "clamp": its border. "mirror": its mirror image and the
            texture in turn.
        filter: "nearest" takes the texel whose square holds the point. "bilinear" blends the four
            nearest. "mipmap" blends two of the levels that halve the texture again and again, each
            bilinearly, at `level = log2(max(|uv_dx|, |uv_dy|))` with lengths in texels (isotropic:
            Williams, "Pyramidal Parametrics", 1983; OpenGL 4.6, section 8.14.1). A level averages
            the one before by area, over parts of texels where that has an odd size (Guthe and
            Heckbert, "Non-Power-of-Two Mipmap Creation", 2005).
        uv_dx: derivative of uv by the pixel's column, for "mipmap", such as
            `interpolate(uv, faces_uv, fragments._replace(bary=bary_dx))` with `bary_dx` from
            `fragment_derivatives`.
        uv_dy: likewise by the pixel's row.

    Returns:
        Colours (N, ..., C). NaN where uv, or a derivative of it, is NaN, or where uv is infinite
        and the texture has no border there ("repeat", "mirror"); no gradient comes from there.

    Differentiable in `texture`; in `uv`, except by "nearest"; and by "mipmap" in `uv_dx` and
    `uv_dy`, through the level. Colours have kinks in uv on the lines between texel centres and at
    mirrors, and in the level where it is a whole number or the two lengths are equal. On CUDA,
    `grid_sample` and `gather` add up their gradients in no fixed order, so that their bits may
    differ from run to run; on the CPU they are the same.

    Raises:
        TypeError: what should be a tensor is none.
        ValueError: a shape, dtype or device does not fit, the texture has no texel, "mipmap" lacks
            derivatives, or another filter got some.
    """
    _check(texture, uv, wrap, filter, uv_dx, uv_dy)
    textures = texture.movedim(-1, -3)
    textures = textures if textures.dim() == 4 else textures[None]
    # With one texture, all views are one long row of points.
    points = uv.reshape(len(textures), 1, uv[..., 0].numel() // max(len(textures), 1), 2)
    valid = ~points.isnan() if wrap == "clamp" else points.isfinite()
    local = _wrapped(torch.where(valid, points, 0.0), wrap)
    valid = valid.all(dim=-1)
    if filter == "nearest":
        colours = _nearest(textures, local)
    elif uv_dx is None or uv_dy is None:
        picture, places = _atlas([textures], wrap)
        colours = _bilinear(picture, places[0], local)
    else:
        uv_dx, uv_dy = uv_dx.reshape(points.shape), uv_dy.reshape(points.shape)
        valid = valid & ~(uv_dx.isnan() | uv_dy.isnan()).any(dim=-1)
        colours = _trilinear(*_atlas(_levels(textures), wrap), local, uv_dx, uv_dy)
    colours = torch.where(valid[:, None], colours, torch.nan)
    return colours.movedim(1, -1).reshape(*uv.shape[:-1], texture.shape[-1])


def _atlas(levels: list[Tensor], wrap: str) -> tuple[Tensor, Tensor]:
    """Levels (T, C, H, W) in one picture, below each other, each with a border of one texel.

    And where they are in it, (L, 4): width and height; column and row of the first texel.
    """
    width = levels[0].shape[-1]
    parts = []
    for level in levels:
        part = pad(level, (1, 1, 1, 1), mode=_BORDERS[wrap])
        missing = width - level.shape[-1]
        parts.append(pad(part, (0, missing)) if missing else part)
    picture = torch.cat(parts, dim=-2) if len(parts) > 1 else parts[0]
    return picture, _places(levels)


def _places(levels: list[Tensor]) -> Tensor:
    # Computed where the texture is: numbers from the host would stall a GPU, and no captured graph
    # takes them.
    number = torch.arange(len(levels), device=levels[0].device)
    height, width = (_halvings(size, number) for size in levels[0].shape[-2:])
    row = (height + 2).expand(len(levels), -1).tril(-1).sum(dim=1) + 1
    places = torch.stack((width, height, torch.ones_like(row), row), dim=-1)
    return places.to(levels[0].dtype)


def _halvings(size: int, number: Tensor) -> Tensor:
    """`size` halved so many times, rounded down, but never below 1."""
    return (torch.full_like(number, size) >> number).clamp(min=1)


def _bilinear(picture: Tensor, place: Tensor, local: Tensor) -> Tensor:
    """Colours (T, C, 1, P) of the level at `place` (4,) or (T, 1, P, 4), at points in [0, 1]."""
    size, start = place.split(2, dim=-1)
    height, width = picture.shape[-2:]
    extent = torch.stack((place.new_full((), width), place.new_full((), height)))
    grid = (local * size + start) * (2 / extent) - 1
    return grid_sample(picture, grid, padding_mode="border", align_corners=False)


def _trilinear(
    picture: Tensor, places: Tensor, local: Tensor, uv_dx: Tensor, uv_dy: Tensor
) -> Tensor:
    last = len(places) - 1
    level = _level(uv_dx, uv_dy, places[0, :2], last)
    fine = level.detach().floor().long()
    coarse = (fine + 1).clamp(max=last)
    fine_colours, coarse_colours = (
        _bilinear(picture, places[number], local) for number in (fine, coarse)
    )
    weight = (level - fine)[:, None]
    return (1 - weight) * fine_colours + weight * coarse_colours


def _levels(textures: Tensor) -> list[Tensor]:
    levels = [textures]
    while max(levels[-1].shape[-2:]) > 1:
        level = levels[-1]
        odd = [dim for dim in (-2, -1) if level.shape[dim] % 2 and level.shape[dim] > 1]
        pairs = [1 if dim in odd else min(level.shape[dim], 2) for dim in (-2, -1)]
        level = avg_pool2d(level, pairs)
        for dim in odd:
            level = _halved(level, dim)
        levels.append(level)
    return levels


def _halved(texture: Tensor, dim: int) -> Tensor:
    """Averages of equal stretches along `dim` of odd size, half as many: they cut texels."""
    size = texture.shape[dim]
    half = size // 2
    first = texture.movedim(dim, -1)
    # Stretch i is size / half texels long: it begins i / half into texel 2 i, and ends in 2 i + 2.
    i = torch.arange(half, dtype=texture.dtype, device=texture.device)
    halved = (half - i) * first[..., :-1:2] + half * first[..., 1::2] + (i + 1) * first[..., 2::2]
    return (halved / size).movedim(-1, dim)


def _level(uv_dx: Tensor, uv_dy: Tensor, size: Tensor, last: int) -> Tensor:
    # Where a bound is exceeded, a derivative is multiplied by 0, which must not meet an infinity.
    by_x, by_y = (
        (torch.where(d.isnan(), 0.0, d).clamp(-1e15, 1e15) * size).square().sum(dim=-1)
        for d in (uv_dx, uv_dy)
    )
    return 0.5 * torch.maximum(by_x, by_y).clamp(1.0, 4.0**last).log2()


def _wrapped(uv: Tensor, wrap: str) -> Tensor:
    """The point of [0, 1] that has the colour of `uv`."""
    if wrap == "repeat":
        return uv - uv.detach().floor()
    if wrap == "clamp":
        return uv.clamp(0.0, 1.0)
    return 1 - (1 - (uv - 2 * (uv.detach() / 2).floor())).abs()


def _nearest(textures: Tensor, local: Tensor) -> Tensor:
    height, width = textures.shape[-2:]
    column = (local[..., 0].detach() * width).long().clamp(max=width - 1)
    row = (local[..., 1].detach() * height).long().clamp(max=height - 1)
    texel = (row * width + column)[:, None].expand(-1, textures.shape[1], -1, -1)
    return textures.flatten(-2)[:, :, None].gather(-1, texel)


def _check(
    texture: Tensor,
    uv: Tensor,
    wrap: str,
    filtering: str,
    uv_dx: Tensor | None,
    uv_dy: Tensor | None,
) -> None:
    for name, tensor in {"texture": texture, "uv": uv, "uv_dx": uv_dx, "uv_dy": uv_dy}.items():
        check_is_tensor("sample_texture", name, tensor)
    if texture.dim() not in (3, 4) or 0 in texture.shape[-3:-1]:
        raise ValueError(
            "sample_texture: texture must be (H, W, C) or (N, H, W, C) with H and W at least 1, "
            f"got {tuple(texture.shape)}"
        )
    if texture.dtype not in (torch.float32, torch.float64):
        remedy = ""
        if texture.dtype == torch.uint8:
            remedy = "; an image's bytes become linear colours by linear_from_srgb(x.float() / 255)"
        raise ValueError(
            f"sample_texture: texture must be float32 or float64, got {texture.dtype}{remedy}"
        )
    if uv.dim() < 2 or uv.shape[-1] != 2:
        raise ValueError(f"sample_texture: uv must be (N, ..., 2), got {tuple(uv.shape)}")
    if texture.dim() == 4 and texture.shape[0] != uv.shape[0]:
        raise ValueError(
            f"sample_texture: texture holds {texture.shape[0]} views, uv {uv.shape[0]}"
        )
    check_lookup("sample_texture", wrap, filtering)
    for name, tensor in (("uv", uv), ("uv_dx", uv_dx), ("uv_dy", uv_dy)):
        if tensor is None:
            if filtering == "mipmap":
                raise ValueError(
                    f'sample_texture: filter="mipmap" needs {name}: fragment_derivatives() and '
                    "interpolate() make it"
                )
            continue
        if name != "uv" and filtering != "mipmap":
            raise ValueError(
                f'sample_texture: {name} is for filter="mipmap" and has no use for {filtering!r}'
            )
        if tensor.shape != uv.shape or tensor.dtype != texture.dtype:
            raise ValueError(
                f"sample_texture: {name} must be {texture.dtype} {tuple(uv.shape)}, got "
                f"{tensor.dtype} {tuple(tensor.shape)}"
            )
        if tensor.device != texture.device:
            raise ValueError(
                f"sample_texture: {name} is on {tensor.device}, texture on {texture.device}"
            )

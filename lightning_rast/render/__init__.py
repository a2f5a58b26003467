"""Images of meshes."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lightning_rast.render.paint import AssetColors as AssetColors
    from lightning_rast.render.paint import Paint as Paint
    from lightning_rast.render.paint import TextureMap as TextureMap
    from lightning_rast.render.pictures import save_gif as save_gif
    from lightning_rast.render.pictures import save_png as save_png
    from lightning_rast.render.pictures import shaded_preview as shaded_preview
    from lightning_rast.render.renderer import Renderer as Renderer
    from lightning_rast.render.renderer import Rendering as Rendering
    from lightning_rast.render.shading import Lights as Lights
    from lightning_rast.render.shading import linear_from_srgb as linear_from_srgb
    from lightning_rast.render.shading import srgb_from_linear as srgb_from_linear
    from lightning_rast.render.silhouette import CoverageModel as CoverageModel
    from lightning_rast.render.silhouette import coverage_model as coverage_model
    from lightning_rast.render.silhouette import render_silhouettes as render_silhouettes
    from lightning_rast.render.turntable import turntable_cameras as turntable_cameras

__all__ = [
    "AssetColors",
    "CoverageModel",
    "Lights",
    "Paint",
    "Renderer",
    "Rendering",
    "TextureMap",
    "coverage_model",
    "linear_from_srgb",
    "render_silhouettes",
    "save_gif",
    "save_png",
    "shaded_preview",
    "srgb_from_linear",
    "turntable_cameras",
]

# `python -m lightning_rast.render` imports this file first: with PyTorch, which takes seconds, even
# --help would be slow. So names are looked up when they are used.
_HOMES = {
    "AssetColors": "paint",
    "CoverageModel": "silhouette",
    "Lights": "shading",
    "Paint": "paint",
    "Renderer": "renderer",
    "Rendering": "renderer",
    "TextureMap": "paint",
    "coverage_model": "silhouette",
    "linear_from_srgb": "shading",
    "render_silhouettes": "silhouette",
    "save_gif": "pictures",
    "save_png": "pictures",
    "shaded_preview": "pictures",
    "srgb_from_linear": "shading",
    "turntable_cameras": "turntable",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})

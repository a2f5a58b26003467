"""Differentiable operators on tensors; one file per operator."""

# Have no names of their own to export, only kernels to register.
from lightning_rast.ops import antialias_cuda as antialias_cuda
from lightning_rast.ops import interpolate_cuda as interpolate_cuda
from lightning_rast.ops import rasterize_cuda as rasterize_cuda
from lightning_rast.ops import soft_colors_cuda as soft_colors_cuda
from lightning_rast.ops import soft_coverage_cuda as soft_coverage_cuda
from lightning_rast.ops import thin_parts_cuda as thin_parts_cuda
from lightning_rast.ops import transform_cuda as transform_cuda
from lightning_rast.ops._library import cpu_isa as cpu_isa
from lightning_rast.ops.advice import LightningRastWarning as LightningRastWarning
from lightning_rast.ops.advice import mark_antialiased as mark_antialiased
from lightning_rast.ops.antialias import antialias as antialias
from lightning_rast.ops.contour import contour_coverage as contour_coverage
from lightning_rast.ops.contour_cuda import ContourCapacityWarning as ContourCapacityWarning
from lightning_rast.ops.contour_cuda import contour_overflowed as contour_overflowed
from lightning_rast.ops.contour_cuda import reserve_contour_pieces as reserve_contour_pieces
from lightning_rast.ops.contour_pieces import ContourPieces as ContourPieces
from lightning_rast.ops.contour_pieces import contour_pieces as contour_pieces
from lightning_rast.ops.fragment_derivatives import fragment_derivatives as fragment_derivatives
from lightning_rast.ops.interpolate import interpolate as interpolate
from lightning_rast.ops.mask_distance import mask_distance as mask_distance
from lightning_rast.ops.rasterize import Fragments as Fragments
from lightning_rast.ops.rasterize import rasterize as rasterize
from lightning_rast.ops.soft_colors import SoftColors as SoftColors
from lightning_rast.ops.soft_colors import soft_colors as soft_colors
from lightning_rast.ops.soft_coverage import soft_coverage as soft_coverage
from lightning_rast.ops.texture import sample_texture as sample_texture
from lightning_rast.ops.thin_parts import fill_thin_parts as fill_thin_parts
from lightning_rast.ops.transform import transform_points as transform_points
from lightning_rast.ops.visible_faces import VisibleFaces as VisibleFaces
from lightning_rast.ops.visible_faces import visible_faces as visible_faces

__all__ = [
    "ContourCapacityWarning",
    "ContourPieces",
    "Fragments",
    "LightningRastWarning",
    "SoftColors",
    "VisibleFaces",
    "antialias",
    "contour_coverage",
    "contour_overflowed",
    "contour_pieces",
    "cpu_isa",
    "fill_thin_parts",
    "fragment_derivatives",
    "interpolate",
    "mark_antialiased",
    "mask_distance",
    "rasterize",
    "reserve_contour_pieces",
    "sample_texture",
    "soft_colors",
    "soft_coverage",
    "transform_points",
    "visible_faces",
]

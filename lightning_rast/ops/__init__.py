"""Differentiable operators on tensors; one file per operator."""

from lightning_rast.ops._library import cpu_isa as cpu_isa
from lightning_rast.ops.contour import contour_coverage as contour_coverage

"""Time of every operator of the rasterizer family, forward and backward, in ms for one view.

    python benchmarks/operators.py [--json docs/benchmarks/operators.json]

The deformed sphere of benchmarks/rasterizer.py fills most of the picture; images have three
channels, the texture 512 x 512 texels that go around the sphere once. Times are the best of several
runs. Backward is the gradient to all that has one, from random numbers in the place of a loss.
"""

import argparse
import json
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from scenes import cameras, smooth_sphere
from stopwatch import best_stages_ms, machine
from torch import Tensor

from lightning_rast.ops import (
    antialias,
    contour_coverage,
    fill_thin_parts,
    fragment_derivatives,
    interpolate,
    mark_antialiased,
    rasterize,
    sample_texture,
    soft_colors,
    soft_coverage,
    visible_faces,
)

CASES = ((4, 256), (5, 512))  # level of the sphere, pixels
TEXELS = 512

Outputs = tuple[Tensor, ...]


class Operator(NamedTuple):
    """What is timed: a function of tensors, of which those that need gradients get them."""

    name: str
    inputs: Outputs
    draw: Callable[..., Outputs]


def operators(level: int, size: int) -> list[Operator]:
    scene = smooth_sphere(level)
    camera = cameras(1, size)
    mesh, faces, topology = scene.mesh, scene.mesh.faces, scene.topology
    image_size = camera.image_size
    clip = camera.world_to_clip(mesh.verts).requires_grad_()
    attrs = torch.rand(mesh.num_verts, 3, generator=_generator()).requires_grad_()
    texture = torch.rand(TEXELS, TEXELS, 3, generator=_generator()).requires_grad_()
    uv = _around(mesh.verts[faces.long()])
    with torch.no_grad():
        fixed = rasterize(clip, faces, image_size)
        by_x, by_y = fragment_derivatives(clip, faces, fixed)
        at, at_dx, at_dy = (
            interpolate(uv, None, fixed._replace(bary=bary)) for bary in (fixed.bary, by_x, by_y)
        )
        image = interpolate(attrs, faces, fixed)
        coverage = contour_coverage(clip, topology, image_size)
    bary = fixed.bary.clone().requires_grad_()
    leaves = tuple(x.requires_grad_() for x in (at, at_dx, at_dy))
    image.requires_grad_()

    def visibility(clip: Tensor) -> Outputs:
        fragments = rasterize(clip, faces, image_size)
        mark_antialiased(fragments)  # no picture is fitted
        return fragments.bary, fragments.depth

    def levels(texture: Tensor, at: Tensor, at_dx: Tensor, at_dy: Tensor) -> Outputs:
        return (sample_texture(texture, at, filter="mipmap", uv_dx=at_dx, uv_dy=at_dy),)

    return [
        Operator("rasterize", (clip,), visibility),
        Operator("visible_faces", (clip.detach(),), lambda x: visible_faces(x, faces, image_size)),
        Operator(
            "interpolate",
            (attrs, bary),
            lambda attrs, bary: (interpolate(attrs, faces, fixed._replace(bary=bary)),),
        ),
        Operator(
            "fragment_derivatives",
            (clip, bary),
            lambda clip, bary: fragment_derivatives(clip, faces, fixed._replace(bary=bary)),
        ),
        Operator(
            "sample_texture, bilinear",
            (texture, at),
            lambda texture, at: (sample_texture(texture, at),),
        ),
        Operator("sample_texture, mipmap", (texture, *leaves), levels),
        Operator(
            "antialias",
            (image, clip),
            lambda image, clip: (antialias(image, fixed, clip, topology),),
        ),
        Operator(
            "fill_thin_parts",
            (clip.detach(),),
            lambda clip: fill_thin_parts(fixed, coverage, clip, topology),
        ),
        Operator(
            "contour_coverage",
            (clip,),
            lambda clip: (contour_coverage(clip, topology, image_size),),
        ),
        Operator(
            "soft_coverage, σ = 0.5 px",
            (clip,),
            lambda clip: (soft_coverage(clip, faces, image_size, sigma=0.5),),
        ),
        Operator(
            "soft_colors, σ = 0.5 px, γ = 0.01",
            (clip, attrs),
            lambda clip, attrs: tuple(
                soft_colors(clip, faces, attrs, image_size, sigma=0.5, gamma=0.01)
            ),
        ),
    ]


def _around(corners: Tensor) -> Tensor:
    """Longitude and latitude `(F, 3, 2)` as texture coordinates, without a jump within a face."""
    x, y, z = torch.nn.functional.normalize(corners, dim=-1).unbind(-1)
    u = torch.atan2(x, z) / (2 * math.pi)
    u = u - (u - u[:, :1]).round()
    return torch.stack((u, 0.5 - torch.asin(y) / math.pi), dim=-1)


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def measure(operator: Operator) -> dict[str, float]:
    """Best ms of the forward pass and, where there are gradients, of the backward pass."""
    leaves = [x for x in operator.inputs if x.requires_grad]
    outputs = [x for x in operator.draw(*operator.inputs) if x.requires_grad]
    grads = [torch.rand(x.shape, generator=_generator(), dtype=x.dtype) for x in outputs]

    def stages() -> Sequence[float]:
        start = time.perf_counter()
        outputs = [x for x in operator.draw(*operator.inputs) if x.requires_grad]
        middle = time.perf_counter()
        if not leaves:
            return [middle - start]
        torch.autograd.grad(outputs, leaves, grads)
        return [middle - start, time.perf_counter() - middle]

    times = best_stages_ms(stages, repeats=20, seconds=0.25)
    return dict(zip(("forward", "backward"), times, strict=False))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--json", type=Path, help="write all numbers to this file")
    options = parser.parse_args()
    where = machine()
    print(", ".join(f"{key} {value}" for key, value in where.items()))
    rows = []
    for level, size in CASES:
        for threads in options.threads:
            torch.set_num_threads(threads)
            for operator in operators(level, size):
                times = measure(operator)
                row = {"operator": operator.name, "faces": 20 * 4**level, "size": size}
                rows.append(row | {"threads": threads} | times)
                shown = ", ".join(f"{name} {ms:.3g} ms" for name, ms in times.items())
                print(f"{operator.name}: {row['faces']} faces, {size} px, {threads}: {shown}")
    if options.json is not None:
        options.json.write_text(json.dumps({"machine": where, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()

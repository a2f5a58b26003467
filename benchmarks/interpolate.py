"""Time of `interpolate` and its gradients beside a copy of as many bytes, and torch's indexing.

    python benchmarks/interpolate.py [--threads 1 2]

Times are the best of several runs, in ms for all views. `floor` is measured in the same run:
copying a block with as many bytes to read and write as each of the three passes has: face numbers,
weights and colours of all pixels.
"""

import argparse
import time
from collections.abc import Callable
from typing import NamedTuple

import torch
from scenes import Scene, cameras, smooth_sphere
from stopwatch import best_stages_ms, copy_ms, machine
from torch import Tensor

from lightning_rast.ops import rasterize
from lightning_rast.ops.rasterize import Fragments

CASES = [(3, 128), (4, 256), (4, 512), (6, 512), (6, 1024)]  # level of the sphere, pixels
NUM_CHANNELS = (1, 3, 4, 16)


class Times(NamedTuple):
    """ms for all views: the three passes, and the floor of each."""

    forward: float
    grad_attrs: float
    grad_bary: float
    floor: float


def measure(scene: Scene, size: int, num_channels: int, num_views: int = 1) -> Times:
    """Attributes of vertices, shared by all views, on torch's threads."""
    attrs, fragments, grad = problem(scene, size, num_channels, num_views)
    faces, ops = scene.mesh.faces, torch.ops.lightning_rast
    face_idx, bary = fragments.face_idx, fragments.bary

    def stages() -> tuple[float, ...]:
        return timed(
            lambda: ops.interpolate(attrs, faces, face_idx, bary),
            lambda: ops.interpolate_attrs_vjp(grad, faces, face_idx, bary, len(attrs), True),
            lambda: ops.interpolate_bary_vjp(grad, attrs, faces, face_idx),
        )

    floor = copy_ms(face_idx.nbytes + bary.nbytes + grad.nbytes)
    return Times(*best_stages_ms(stages, repeats=100), floor)


def measure_indexing(scene: Scene, size: int, num_channels: int, num_views: int = 1) -> float:
    """The same with torch alone, forward and both gradients."""
    attrs, fragments, grad = problem(scene, size, num_channels, num_views)
    faces, seen = scene.mesh.faces.long(), (fragments.face_idx >= 0)[..., None]
    leaves = attrs.requires_grad_(), fragments.bary.requires_grad_()

    def step() -> None:
        corners = leaves[0][faces[fragments.face_idx.clamp(min=0).long()]]
        out = (corners * leaves[1][..., None]).sum(dim=-2) * seen
        torch.autograd.grad(out, leaves, grad)

    return best_stages_ms(lambda: timed(step), repeats=20)[0]


def problem(
    scene: Scene, size: int, num_channels: int, num_views: int
) -> tuple[Tensor, Fragments, Tensor]:
    """Attributes, fragments and a gradient of the picture."""
    verts_clip = cameras(num_views, size).world_to_clip(scene.mesh.verts)
    fragments = rasterize(verts_clip, scene.mesh.faces, (size, size))
    attrs = torch.randn(scene.mesh.num_verts, num_channels, dtype=fragments.bary.dtype)
    return attrs, fragments, torch.randn(*fragments.face_idx.shape, num_channels, dtype=attrs.dtype)


def timed(*passes: Callable[[], object]) -> tuple[float, ...]:
    seconds = []
    for work in passes:
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return tuple(seconds)


def row(level: int, size: int, num_channels: int, threads: int) -> str:
    torch.set_num_threads(threads)
    scene = smooth_sphere(level)
    times = measure(scene, size, num_channels)
    total = times.forward + times.grad_attrs + times.grad_bary
    cells = [f"{x:.3f}" for x in times]
    cells += [f"{x / times.floor:.1f}" for x in times[:3]]
    cells += [f"{measure_indexing(scene, size, num_channels) / total:.0f}"]
    return " | ".join([str(20 * 4**level), str(size), str(num_channels), str(threads), *cells])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--channels", type=int, nargs="+", default=NUM_CHANNELS)
    options = parser.parse_args()
    print(", ".join(f"{key} {value}" for key, value in machine().items()) + "\n")
    header = ["faces", "pixels", "channels", "threads", "forward", "grad attrs", "grad bary"]
    header += ["floor", "forward / floor", "attrs / floor", "bary / floor", "torch / total"]
    print(f"| {' | '.join(header)} |\n|{'---|' * len(header)}")
    for threads in options.threads:
        for level, size in CASES:
            for num_channels in options.channels:
                print(f"| {row(level, size, num_channels, threads)} |", flush=True)


if __name__ == "__main__":
    main()

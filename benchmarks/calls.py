"""What a call costs beside its kernel: ctypes, torch's dispatcher, a thread that has to wake up.

    python benchmarks/calls.py

A picture small enough for that to count, forward and backward: straight to the kernel, through the
operator as it is registered, and through one of `torch.library.custom_op` around
the same functions. Best of many runs, in microseconds, one thread.
"""

import argparse
import ctypes
import functools
import os
import statistics
import threading
import time
from collections.abc import Callable
from unittest import mock

import torch
from coverage import table
from stopwatch import best_ms, machine
from torch import Tensor

from lightning_rast.ops import (
    _registry,
    antialias,
    contour,
    contour_coverage,
    rasterize,
    visible_faces,
)
from lightning_rast.ops._library import bind, core
from lightning_rast.scene import Camera, icosphere

LEVEL, SIZE, REPEATS = 2, (32, 32), 3000  # 320 faces

mesh = icosphere(LEVEL)
camera = Camera.look_at([[0.0, 1.0, 3.0]], fov_deg=40.0, image_size=SIZE)
verts_clip = camera.world_to_clip(mesh.verts).detach()


def coverage_and_gradient() -> None:
    verts = verts_clip.clone().requires_grad_()
    contour_coverage(verts, mesh.topology, SIZE).sum().backward()


def blended_and_gradient() -> None:
    verts = verts_clip.clone().requires_grad_()
    fragments = rasterize(verts_clip, mesh.faces, SIZE)
    antialias(torch.ones(1, *SIZE, 1), fragments, verts, mesh.topology).sum().backward()


def faces_alone() -> None:
    visible_faces(verts_clip, mesh.faces, SIZE)


def without_shortcut(work: Callable[[], None]) -> Callable[[], None]:
    """`work` as it is where torch lacks the functions that tell whether anybody listens."""

    def worked() -> None:
        with mock.patch.object(_registry, "_num_dispatch_modes", None):
            work()

    return worked


def by_custom_op() -> Callable[[], None]:
    """Coverage and its gradient, of the operator's own functions, registered by `custom_op`."""

    @torch.library.custom_op("lightning_rast_calls::coverage", mutates_args=())
    def coverage(
        verts: Tensor, a: Tensor, b: Tensor, c: Tensor, d: Tensor, e: Tensor
    ) -> list[Tensor]:
        return list(contour._forward_operator(verts, a, b, c, d, e, *SIZE, True))

    @torch.library.custom_op("lightning_rast_calls::coverage_backward", mutates_args=())
    def coverage_backward(grad: Tensor, tape: Tensor, tensors: list[Tensor]) -> Tensor:
        return contour._backward(grad, tape, *tensors)

    def keep(ctx, inputs, output) -> None:
        ctx.save_for_backward(output[1], *inputs)

    def backward(ctx, grads: list[Tensor]):
        tape, *inputs = ctx.saved_tensors
        return coverage_backward(grads[0], tape, inputs), *(None,) * 5

    coverage.register_autograd(backward, setup_context=keep)
    tables = contour._topology_tensors(mesh.topology)

    def worked() -> None:
        verts = verts_clip.clone().requires_grad_()
        coverage(verts, *tables)[0].sum().backward()

    return worked


def wake_up_us(times: int = 300) -> list[float]:
    """20-quantiles of the time from a write to a pipe until the thread that waits there goes on."""
    reading, writing = os.pipe()
    waits = []

    def sleeper() -> None:
        for _ in range(times):
            sent = int.from_bytes(os.read(reading, 8), "little")
            waits.append(time.monotonic_ns() - sent)

    thread = threading.Thread(target=sleeper)
    thread.start()
    for _ in range(times):
        time.sleep(0.003)
        os.write(writing, time.monotonic_ns().to_bytes(8, "little"))
    thread.join()
    os.close(reading)
    os.close(writing)
    return [1e-3 * each for each in statistics.quantiles(waits, n=20)]


def main() -> None:
    argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0]).parse_args()
    torch.set_num_threads(1)
    print(", ".join(f"{key} {value}" for key, value in machine().items()) + "\n")

    def us(work: Callable[[], object]) -> float:
        return 1e3 * best_ms(work, repeats=REPEATS)

    rows = []
    for name, work in (
        ("contour_coverage, forward + backward", coverage_and_gradient),
        ("rasterize, antialias, backward", blended_and_gradient),
        ("visible_faces", faces_alone),
    ):
        rows.append([name, us(work), us(without_shortcut(work)), "-"])
    rows[0][3] = us(by_custom_op())
    header = [f"{mesh.num_faces} faces, {SIZE[0]} x {SIZE[1]} px; us"]
    table([*header, "straight", "dispatcher", "custom_op"], rows)
    wakes = wake_up_us()
    patch = us(without_shortcut(lambda: None))
    # What is called returns at once; the arguments are what the operators have: pointers and sizes.
    arguments = [*[mesh.verts.data_ptr()] * 8, *[64] * 8]
    abi = functools.partial(bind(core(), "lrast_abi", *[ctypes.c_void_p] * 16), *arguments)
    table(
        ["beside that", "us"],
        [
            ["a call through ctypes, 16 arguments", us(abi)],
            ["taking the shortcut away (in `dispatcher`)", patch],
            ["a sleeping thread wakes up, median", wakes[9]],
            ["a sleeping thread wakes up, one of twenty takes longer", wakes[-1]],
        ],
    )


if __name__ == "__main__":
    main()

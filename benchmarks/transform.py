"""Time of `transform_points`, forward and backward, beside the same in torch's float64.

    python benchmarks/transform.py

Times are the best of several runs, in ms for all views. `floor` is measured in the same run:
copying a block with as many bytes to read and write as points, results and their gradients have.
"""

import argparse
import time

import torch
from stopwatch import best_stages_ms, copy_ms, machine
from torch import Tensor

from lightning_rast.ops import transform_points

CASES = [(1, 642), (20, 2_562), (20, 10_000), (4, 100_000)]


def in_torch(points: Tensor, matrices: Tensor) -> Tensor:
    result = points.double() @ matrices[:, :, :3].mT + matrices[:, None, :, 3]
    return result.to(points.dtype)


def stages(transform, inputs: tuple[Tensor, Tensor], wanted: list[Tensor], grad: Tensor):
    def run() -> tuple[float, float]:
        start = time.perf_counter()
        out = transform(*inputs)
        middle = time.perf_counter()
        torch.autograd.grad(out, wanted, grad)
        return middle - start, time.perf_counter() - middle

    return run


def row(num_views: int, num_verts: int, dtype: torch.dtype, threads: int, cameras: bool) -> str:
    torch.set_num_threads(threads)
    points = torch.randn(num_verts, 3, dtype=dtype).requires_grad_()
    matrices = torch.randn(num_views, 4, 4, dtype=torch.float64).requires_grad_(cameras)
    grad = torch.randn(num_views, num_verts, 4, dtype=dtype)
    wanted = [points, matrices] if cameras else [points]
    times = [
        best_stages_ms(stages(transform, (points, matrices), wanted, grad), repeats=100)
        for transform in (transform_points, in_torch)
    ]
    ours, torchs = map(sum, times)
    floor = copy_ms(2 * (grad.nbytes + points.nbytes))
    what = "points, matrices" if cameras else "points"
    cells = [f"{x:.3f}" for x in (*times[0], ours, torchs)]
    cells += [f"{torchs / ours:.1f}", f"{floor:.3f}", f"{ours / floor:.1f}"]
    return " | ".join([f"{num_views} x {num_verts}", str(dtype)[6:], what, str(threads), *cells])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    options = parser.parse_args()
    print(", ".join(f"{key} {value}" for key, value in machine().items()) + "\n")
    header = ["views x points", "dtype", "gradients", "threads", "forward", "backward", "total"]
    header += ["torch", "torch / total", "floor", "total / floor"]
    print(f"| {' | '.join(header)} |\n|{'---|' * len(header)}")
    for threads in options.threads:
        for num_views, num_verts in CASES:
            for cameras in (False, True):
                print(f"| {row(num_views, num_verts, torch.float32, threads, cameras)} |")
        print(f"| {row(20, 10_000, torch.float64, threads, False)} |", flush=True)


if __name__ == "__main__":
    main()

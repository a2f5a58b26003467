"""Time of `contour_coverage` on a GPU, forward and backward, eager and as a CUDA graph.

python benchmarks/gpu_coverage.py [--views 8] [--repeat 50]
"""

import argparse
import statistics
from collections.abc import Callable

import torch

from lightning_rast.ops import contour_coverage, contour_cuda
from lightning_rast.scene import Camera, Topology
from lightning_rast.scene.primitives import icosphere

_SCENES = [(4, 256), (5, 512), (6, 512), (8, 1024)]  # levels of subdivision, side of the image


def milliseconds(call: Callable[[], object], repeat: int) -> float:
    """Median time on the device."""
    times = []
    for _ in range(repeat):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        call()
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end))
    return statistics.median(times)


def bumpy(verts: torch.Tensor) -> torch.Tensor:
    return verts * (1 + 0.15 * torch.sin(5 * verts).prod(dim=1, keepdim=True))


def measure(level: int, side: int, num_views: int, repeat: int) -> str:
    mesh = icosphere(level)
    angle = torch.arange(num_views) * (2 * torch.pi / num_views)
    eyes = torch.stack([2.7 * angle.sin(), 0.5 + 0 * angle, 2.7 * angle.cos()], dim=1)
    camera = Camera.look_at(eyes, torch.zeros(3), fov_deg=45.0, image_size=(side, side))
    verts_clip = camera.world_to_clip(bumpy(mesh.verts.float())).cuda().requires_grad_()
    topology = Topology.from_faces(mesh.faces, len(mesh.verts)).to("cuda")
    grad = torch.rand(num_views, side, side, device="cuda")

    def forward() -> torch.Tensor:
        return contour_coverage(verts_clip, topology, (side, side))

    def both() -> torch.Tensor:
        return torch.autograd.grad(forward(), verts_clip, grad)[0]

    for _ in range(3):
        both()
    times = [milliseconds(forward, repeat), milliseconds(both, repeat)]
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    both()
    megabytes = (torch.cuda.max_memory_allocated() - before) / 2**20
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        both()
    times.append(milliseconds(graph.replay, repeat))
    cells = "".join(f"{time / num_views:>12.4f}" for time in times)
    return f"{len(mesh.faces):>9} {side:>6} {cells} {megabytes / num_views:>10.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--views", type=int, default=8)
    parser.add_argument("--repeat", type=int, default=50)
    options = parser.parse_args()
    if not torch.cuda.is_available():
        raise SystemExit("gpu_coverage: no CUDA device")
    print(f"{torch.cuda.get_device_name()}, {options.views} views, per view: ms on the device, MB")
    print(
        f"{'faces':>9} {'side':>6} {'forward':>12}{'and back':>12}{'as a graph':>12} {'memory':>10}"
    )
    for level, side in _SCENES:
        print(measure(level, side, options.views, options.repeat))
    if contour_cuda.contour_overflowed():
        raise SystemExit("gpu_coverage: pictures lacked edges, the times mean nothing")


if __name__ == "__main__":
    main()

"""Prints a hash of the op's outputs on several scenes; one process per instruction set runs it."""

import hashlib

import torch
from torch import Tensor

from lightning_rast.ops import contour_coverage
from lightning_rast.scene import Topology
from tests.ops.contour_meshes import ALL
from tests.ops.contour_soups import near_clipped_soup, tied_soup
from tests.ops.contour_views import seen_from
from tests.ops.one_thread import on_one_thread


def uneven_weights(count: int, dtype: torch.dtype) -> Tensor:
    """Numbers between -1 and 1, by integers: torch's sin() may round otherwise in a new process."""
    return (torch.arange(count) * 7919 % 2003).to(dtype) / 1001 - 1


def outputs(verts_clip: Tensor, topology: Topology, image_size: tuple[int, int]) -> list[Tensor]:
    """Coverage and the gradient of a weighted sum, in both precisions."""
    results = []
    for dtype in (torch.float32, torch.float64):
        verts = verts_clip.to(dtype).requires_grad_()
        coverage = contour_coverage(verts, topology, image_size)
        weights = uneven_weights(coverage.numel(), dtype).reshape(coverage.shape)
        (grad,) = torch.autograd.grad((coverage * weights).sum(), verts)
        results += [coverage.detach(), grad]
    return results


def all_scenes() -> list[tuple[Tensor, Topology, tuple[int, int]]]:
    scenes = []
    for make in ALL.values():
        mesh = make()
        eyes = [(1.1, 0.9, 2.4), (-2, 0.3, 1.5), (0.2, 0.5, 0.9)]
        verts_clip = torch.cat([seen_from(mesh.verts, eye=eye, near=0.3) for eye in eyes])
        scenes.append((verts_clip, mesh.topology, (61, 47)))
    for seed in range(60):
        soup = (tied_soup, near_clipped_soup)[seed % 2](seed)
        topology = Topology.from_faces(soup.faces, soup.verts_clip.shape[1])
        scenes.append((soup.verts_clip, topology, soup.image_size))
    return scenes


def all_outputs() -> list[Tensor]:
    return [result for scene in on_one_thread(all_scenes) for result in outputs(*scene)]


def fingerprint() -> str:
    digest = hashlib.sha256()
    for tensor in all_outputs():
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()


if __name__ == "__main__":
    print(fingerprint())

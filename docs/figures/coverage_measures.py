"""Measured tables of docs/coverage.md: accuracy against the references, and time by stage."""

import torch
from torch import Tensor

from lightning_rast.ops import contour_coverage
from lightning_rast.ops.contour import profile_contour_coverage
from lightning_rast.scene import Camera, Mesh, Topology
from tests.ops.contour_meshes import ALL
from tests.ops.contour_soups import near_clipped_soup, tied_soup
from tests.ops.contour_views import seen_from
from tests.reference.coverage import supersampled_coverage
from tests.reference.exact_area import exact_coverage

SAMPLES = (16, 64, 128)
WINDOW = 64
SOUPS = {"ties of all kinds": tied_soup, "cut by the near plane": near_clipped_soup}


def accuracy_table() -> list[list[object]]:
    """Against S x S samples per pixel: the difference is the reference's and falls with S."""
    rows: list[list[object]] = []
    for name, make in ALL.items():
        mesh = make()
        verts_clip = seen_from(mesh.verts).float()
        actual = contour_coverage(verts_clip, mesh.topology, (WINDOW, WINDOW)).double()
        edge = (actual > 0) & (actual < 1)
        cells: list[object] = []
        for samples in SAMPLES:
            expected = supersampled_coverage(verts_clip, mesh.faces, (WINDOW, WINDOW), samples)
            error = (actual - expected).abs()
            cells.append(f"{float(error[edge].mean()):.1e} ({float(error.max()):.0e})")
        rows.append([name, len(mesh.faces), int(edge.sum()), *cells])
    return rows


def soup_table(num_soups: int = 200) -> list[list[object]]:
    """Against areas computed exactly, by the largest difference over all pixels of all soups."""
    rows: list[list[object]] = []
    for name, make in SOUPS.items():
        worst = [0.0, 0.0, 0.0]
        for seed in range(num_soups):
            soup = make(seed)
            verts, single, size = soup.verts_clip, soup.verts_clip.float(), soup.image_size
            topology = Topology.from_faces(soup.faces, verts.shape[1])
            cases = ((verts, verts), (verts, sheared(verts, size)), (single, single))
            for i, (drawn, judged) in enumerate(cases):
                actual = contour_coverage(drawn, topology, size)
                expected = exact_coverage(judged, soup.faces, size)
                worst[i] = max(worst[i], float((actual - expected).abs().max()))
        rows.append([name, num_soups, *(f"{value:.0e}" for value in worst)])
    return rows


def sheared(verts_clip: Tensor, image_size: tuple[int, int]) -> Tensor:
    """Clip positions whose screen y is larger by 2^-30 of x, as the op's are (projection.h)."""
    height, width = image_size
    x, y, z, w = verts_clip.unbind(dim=-1)
    screen_x_times_w = (0.5 * x + 0.5 * w) * width
    return torch.stack([x, y - 2 / height * 2.0**-30 * screen_x_times_w, z, w], dim=-1)


def time_table(meshes: dict[str, Mesh], sizes: tuple[int, ...], repeats: int) -> list[list[object]]:
    """Milliseconds per stage of one forward pass of one view on one thread, best of `repeats`."""
    rows: list[list[object]] = []
    eye = torch.tensor([[1.1, 0.9, 2.4]], dtype=torch.float64)
    for name, mesh in meshes.items():
        for size in sizes:
            camera = Camera.look_at(eye, fov_deg=45.0, image_size=(size, size))
            verts_clip = camera.world_to_clip(mesh.verts).float()
            runs = [
                profile_contour_coverage(verts_clip, mesh.topology, (size, size))
                for _ in range(repeats)
            ]
            best = {stage: min(run[stage] for run in runs) for stage in runs[0]}
            cells = [f"{value:.3f}" for value in (*best.values(), sum(best.values()))]
            rows.append([name, len(mesh.faces), size, *cells])
    return rows

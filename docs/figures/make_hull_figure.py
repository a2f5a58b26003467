"""Draws the picture of the section "Visual hull" in docs/reconstruction.md.

python docs/figures/make_hull_figure.py
"""

import math
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import torch

from lightning_rast.ops import mask_distance
from lightning_rast.optim.carving import carved
from lightning_rast.render import render_silhouettes
from lightning_rast.scene import Camera, torus

IMAGE = Path(__file__).resolve().parents[1] / "images" / "reconstruction_hull.png"
CELLS = 160


def cameras(num_views: int) -> Camera:
    index = torch.arange(num_views) + 0.5
    height = 1 - 2 * index / num_views
    angle = index * math.pi * (3 - math.sqrt(5))
    ring = (1 - height**2).sqrt()
    eye = 5 * torch.stack((ring * angle.cos(), height, ring * angle.sin()), dim=1)
    return Camera.look_at(eye, fov_deg=40, image_size=(192, 192))


def main() -> None:
    half = 1.7
    cell = 2 * half / CELLS
    figure, axes = plt.subplots(2, 3, figsize=(9, 6.2), sharex=True, sharey=True)
    for row, (num_views, spoilt) in enumerate(((6, False), (16, True))):
        views = cameras(num_views)
        masks = render_silhouettes(torus(), views)
        if spoilt:
            masks[5, :, :96] = 0
        fields = carved(
            mask_distance(masks), views, origin=torch.tensor([-half, 0.0, -half]).double(),
            cell=cell, size=(CELLS + 1, 1, CELLS + 1), ks=(1, 3), least_seen=2,
        )  # fmt: skip
        for k, (axis, field) in enumerate(zip(axes[row], fields, strict=True), start=1):
            image = field[:, 0].T.numpy()
            extent = (-half, half, -half, half)
            axis.imshow(image.clip(-15, 15), cmap="RdBu", origin="lower", extent=extent)
            axis.contour(image, levels=[0], colors="black", linewidths=1.5, extent=extent)
            for radius in (0.6, 1.4):
                axis.add_patch(
                    plt.Circle((0, 0), radius, fill=False, ls="--", lw=1, ec="tab:green")
                )
            title = f"{num_views} views" + (", one mask half blank" if spoilt else "")
            axis.set_title(f"{title}, k = {k}", fontsize=9)
            axis.set_xticks([])
            axis.set_yticks([])
    figure.suptitle("Middle slice: distances in px, hull (black), the ring itself (green)")
    figure.tight_layout()
    figure.savefig(IMAGE, dpi=110)


if __name__ == "__main__":
    main()

"""Writes a COLMAP project of a mesh file, as if it had been photographed and masked.

    python docs/tutorials/make_colmap_project.py data/models/kettle.glb photos

makes photos/images, photos/masks and the model photos/sparse/0 in COLMAP's text format.
"""

import argparse
from pathlib import Path

import torch
from PIL import Image
from scipy.spatial.transform import Rotation

from lightning_rast.data import orbit_cameras, view_directions
from lightning_rast.render import Renderer
from lightning_rast.scene import Camera, load_mesh

NUM_VIEWS, SIZE = 24, 320


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("mesh", type=Path)
    parser.add_argument("folder", type=Path)
    args = parser.parse_args()
    mesh = load_mesh(args.mesh)
    cameras = orbit_cameras(mesh, view_directions("fibonacci", NUM_VIEWS), image_size=SIZE)
    names = [f"{view:03d}.png" for view in range(NUM_VIEWS)]
    with torch.no_grad():
        rendering = Renderer(outputs=("color", "coverage"))(mesh, cameras)
    assert rendering.color is not None
    assert rendering.coverage is not None
    save_all(args.folder / "images", names, rendering.color)
    save_all(args.folder / "masks", names, rendering.coverage)
    save_model(args.folder / "sparse" / "0", names, cameras)


def save_all(folder: Path, names: list[str], images: torch.Tensor) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    pixels = (255 * images.clamp(0, 1)).round().to(torch.uint8).numpy()
    for name, picture in zip(names, pixels, strict=True):
        Image.fromarray(picture).save(folder / name)


def save_model(folder: Path, names: list[str], cameras: Camera) -> None:
    """cameras.txt and images.txt: https://colmap.github.io/format.html."""
    folder.mkdir(parents=True, exist_ok=True)
    intrinsics, poses = [], []
    for number, name in enumerate(names, start=1):
        K, pose = cameras.K[number - 1].double(), cameras.world_to_view[number - 1].double()
        lens = [K[0, 0], K[1, 1], K[0, 2], K[1, 2]]
        intrinsics.append(f"{number} PINHOLE {SIZE} {SIZE} {numbers(lens)}\n")
        x, y, z, w = Rotation.from_matrix(pose[:3, :3].numpy()).as_quat()
        poses.append(f"{number} {numbers([w, x, y, z, *pose[:3, 3]])} {number} {name}\n\n")
    (folder / "cameras.txt").write_text("".join(intrinsics))
    (folder / "images.txt").write_text("".join(poses))
    (folder / "points3D.txt").write_text("")


def numbers(values: list) -> str:
    return " ".join(f"{float(value):.9g}" for value in values)


if __name__ == "__main__":
    main()

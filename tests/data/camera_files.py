"""One small scene, written as each format would have it, by formulas of its own.

`scene_cameras` have the package's convention, pixel centres at +0.5. What a writer makes of them is
what the format's own documentation says, so that reading it back tests the reader's convention.
"""

import json
import struct
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from lightning_rast.data import orbit_cameras, synthetic_views, view_directions
from lightning_rast.scene import Camera, Mesh, icosphere

HEIGHT, WIDTH = 36, 48
NUM_VIEWS = 5
SHIFT = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]])  # centres at +0.5 -> at integers


def scene_mesh() -> Mesh:
    mesh = icosphere(2)
    stretched = mesh.verts * torch.tensor([1.0, 0.6, 0.4]) + torch.tensor([0.3, -0.2, 0.1])
    return Mesh(stretched, mesh.faces)


def scene_cameras(*, skew: float = 0.0) -> Camera:
    """Two focal lengths and an off-centre principal point."""
    directions = view_directions("fibonacci", NUM_VIEWS)
    around = orbit_cameras(scene_mesh(), directions, image_size=64)
    K = torch.tensor([[52.0, skew, 25.5], [0.0, 55.0, 16.25], [0.0, 0.0, 1.0]]).double()
    return Camera(around.world_to_view, K.repeat(NUM_VIEWS, 1, 1), (HEIGHT, WIDTH))


def names() -> list[str]:
    return [f"{index:03d}" for index in range(NUM_VIEWS)]


def write_masks(folder: Path, *, suffix: str = ".png", cameras: Camera | None = None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    cameras = scene_cameras() if cameras is None else cameras
    coverage = synthetic_views(scene_mesh(), cameras).coverage
    for name, image in zip(names(), (coverage * 255).round().byte().numpy(), strict=True):
        Image.fromarray(image).save(folder / f"{name}{suffix}")


def matrices(cameras: Camera) -> np.ndarray:
    """(N, 3, 4) world to pixels, centres at integers."""
    return SHIFT @ (cameras.K @ cameras.world_to_view[:, :3]).numpy()


def write_cameras_json(folder: Path) -> None:
    cameras = scene_cameras()
    entries = [
        {
            "mask": f"masks/{name}.png",
            "K": K.tolist(),
            "R": view[:3, :3].tolist(),
            "t": view[:3, 3].tolist(),
        }
        for name, K, view in zip(names(), cameras.K, cameras.world_to_view, strict=True)
    ]
    text = json.dumps({"pixel_centers": "half", "views": entries})
    (folder / "cameras.json").write_text(text)


def transforms(cameras: Camera) -> dict:
    """As nerfstudio and instant-ngp: OpenGL poses, an image's corner is (0, 0)."""
    poses = cameras.to_opengl().numpy()
    frames = [
        {"file_path": f"images/{name}.png", "transform_matrix": pose.tolist()}
        for name, pose in zip(names(), poses, strict=True)
    ]
    K = cameras.K[0].tolist()
    return {
        "fl_x": K[0][0],
        "fl_y": K[1][1],
        "cx": K[0][2],
        "cy": K[1][2],
        "w": WIDTH,
        "h": HEIGHT,
        "frames": frames,
    }


def write_transforms(folder: Path) -> None:
    (folder / "transforms.json").write_text(json.dumps(transforms(scene_cameras())))


def quaternion(R: np.ndarray) -> np.ndarray:
    """(w, x, y, z), by the eigenvector of Bar-Itzhack's matrix."""
    xx, xy, xz, yx, yy, yz, zx, zy, zz = R.ravel()
    matrix = np.array(
        [
            [xx - yy - zz, 0, 0, 0],
            [yx + xy, yy - xx - zz, 0, 0],
            [zx + xz, zy + yz, zz - xx - yy, 0],
            [zy - yz, xz - zx, yx - xy, xx + yy + zz],
        ]
    )
    x, y, z, w = np.linalg.eigh(matrix, UPLO="L")[1][:, -1]
    return np.array([w, x, y, z])


def colmap_entries() -> list[tuple[str, list[float], list[float]]]:
    """Name, camera parameters (PINHOLE) and pose of each view."""
    cameras = scene_cameras()
    found = []
    for name, K, view in zip(names(), cameras.K, cameras.world_to_view, strict=True):
        pose = [*quaternion(view[:3, :3].numpy()).tolist(), *view[:3, 3].tolist()]
        params = [float(K[0, 0]), float(K[1, 1]), float(K[0, 2]), float(K[1, 2])]
        found.append((f"{name}.jpg", params, pose))
    return found


def write_colmap_text(folder: Path) -> None:
    model = folder / "sparse" / "0"
    model.mkdir(parents=True)
    cameras, images = ["# Camera list"], ["# Image list"]
    for index, (name, params, pose) in enumerate(colmap_entries(), start=1):
        cameras.append(f"{index} PINHOLE {WIDTH} {HEIGHT} {' '.join(map(repr, params))}")
        images += [f"{index} {' '.join(map(repr, pose))} {index} {name}", "1.5 2.5 -1 3.5 4.5 7"]
    (model / "cameras.txt").write_text("\n".join(cameras) + "\n")
    (model / "images.txt").write_text("\n".join(images) + "\n")


def write_colmap_binary(folder: Path) -> None:
    model = folder / "sparse" / "0"
    model.mkdir(parents=True)
    cameras = images = struct.pack("<Q", NUM_VIEWS)
    for index, (name, params, pose) in enumerate(colmap_entries(), start=1):
        cameras += struct.pack("<IiQQ4d", index, 1, WIDTH, HEIGHT, *params)
        images += struct.pack("<I7dI", index, *pose, index) + name.encode() + b"\0"
        images += struct.pack("<QddqddQ", 2, 1.5, 2.5, -1, 3.5, 4.5, 7)
    (model / "cameras.bin").write_bytes(cameras)
    (model / "images.bin").write_bytes(images)


def write_neus(folder: Path) -> None:
    """world_mat of a world twice as large and moved; scale_mat leads there from the scene."""
    scale = np.array([[2.0, 0, 0, 5], [0, 2, 0, -1], [0, 0, 2, 3], [0, 0, 0, 1]])
    arrays = {}
    for index, P in enumerate(matrices(scene_cameras())):
        world = np.vstack([P, [0, 0, 0, 1]]) @ np.linalg.inv(scale)
        arrays |= {f"world_mat_{index}": world, f"scale_mat_{index}": scale}
    np.savez(folder / "cameras_sphere.npz", **arrays)


def write_middlebury(folder: Path) -> None:
    cameras = scene_cameras()
    lines = [str(NUM_VIEWS)]
    for name, K, view in zip(names(), cameras.K, cameras.world_to_view, strict=True):
        values = [SHIFT @ K.numpy(), view[:3, :3].numpy(), view[:3, 3].numpy()]
        words = [repr(float(value)) for array in values for value in array.ravel()]
        lines.append(" ".join([f"{name}.png", *words]))
    (folder / "scene_par.txt").write_text("\n".join(lines) + "\n")


def write_matrices(folder: Path) -> None:
    np.save(folder / "P.npy", matrices(scene_cameras()))


WRITERS = {
    "cameras_json": write_cameras_json,
    "transforms": write_transforms,
    "colmap": write_colmap_text,
    "colmap binary": write_colmap_binary,
    "neus": write_neus,
    "middlebury": write_middlebury,
    "matrices": write_matrices,
}

"""Makes the README's gallery from real reconstructions of the sample meshes.

    python docs/figures/make_gallery.py                trains and paints, in about two minutes
    python docs/figures/make_gallery.py --runs logs    keeps the runs there, and uses those it finds

Writes docs/images/gallery_<name>.png (original and reconstruction from the same three cameras),
gallery_turntable.gif (both, turning) and gallery_training.png (silhouettes on the way).
"""

import argparse
import math
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from lightning_rast.callbacks.images import signed_difference
from lightning_rast.config_file import load_config
from lightning_rast.render import render_silhouettes, save_gif, shaded_preview
from lightning_rast.runs import checkpoint_step, checkpoints
from lightning_rast.scene import Camera, Mesh, load_mesh
from lightning_rast.training import build

ROOT = Path(__file__).resolve().parents[2]
IMAGES = ROOT / "docs" / "images"
# Where the still pictures are taken from: azimuth and elevation in degrees. The first shows what
# the shape is known by: the avocado's cut face, the kettle's handle and spout.
STILLS = {
    "avocado": [(20, 12), (110, 20), (215, 25)],
    "kettle": [(25, 18), (115, 10), (330, 40)],
    "tree": [(20, 8), (140, 15), (260, 35)],
}
STILL_SIZE = 300  # pixels, each
TURNING_SIZE = 190
NUM_FRAMES, FRAMES_PER_SECOND = 36, 12.0
# The hull, after the warm-up, after the first rung, and (-1) the end.
TRAINING_NAME, TRAINING_STEPS, TRAINING_VIEW = "kettle", (0, 4, 32, -1), 2
FILL = 0.86  # of the picture's side, by the object
FOV_DEG = 25.0
GAP = 8
INK = (70, 70, 70)
CLAY, BLUE_CLAY = (0.83, 0.68, 0.57), (0.55, 0.68, 0.80)  # original, reconstruction


def trained(name: str, root: Path) -> Path:
    """The folder of a finished run of `configs/<name>.yaml`, a checkpoint every 4 steps."""
    folder = root / name / "version_0"
    if not (folder / "metrics.json").is_file():
        settings = ["log.checkpoint_every_n_steps=4", "log.num_checkpoints=999"]
        config = ROOT / "configs" / f"{name}.yaml"
        command = [sys.executable, str(ROOT / "train.py"), "--config", str(config)]
        subprocess.run([*command, f"log.root={root}", *settings], check=True)
    return folder


def cameras_around(
    meshes: Sequence[Mesh], angles: Iterable[tuple[float, float]], image_size: int
) -> Camera:
    """Cameras at (azimuth, elevation) in degrees around the meshes, which fit into the pictures."""
    verts = torch.cat([mesh.verts for mesh in meshes]).double()
    low, high = verts.amin(dim=0), verts.amax(dim=0)
    center, radius = (low + high) / 2, float((high - low).norm()) / 2
    azimuth, elevation = torch.deg2rad(torch.tensor(list(angles), dtype=torch.float64)).unbind(1)
    direction = torch.stack(
        (elevation.cos() * azimuth.sin(), elevation.sin(), elevation.cos() * azimuth.cos()), dim=1
    )
    distance = radius / math.sin(math.radians(FOV_DEG) / 2)
    return Camera.look_at(
        center + distance * direction,
        center,
        fov_deg=FOV_DEG,
        image_size=(image_size, image_size),
    )


def filled_each(camera: Camera, meshes: Sequence[Mesh]) -> Camera:
    """The same cameras with the meshes in the middle of each picture, as large as it allows."""
    pixels = torch.cat([camera.project(mesh.verts.double()) for mesh in meshes], dim=1)
    low, high = pixels.amin(dim=1), pixels.amax(dim=1)
    return zoomed(camera, (low + high) / 2, FILL * camera.image_size[0] / (high - low).amax(dim=1))


def filled_together(camera: Camera, meshes: Sequence[Mesh]) -> Camera:
    """The same cameras zoomed alike, for a turntable: its axis stays in the middle."""
    pixels = torch.cat([camera.project(mesh.verts.double()) for mesh in meshes], dim=1)
    (left, top), (right, bottom) = pixels.amin(dim=(0, 1)), pixels.amax(dim=(0, 1))
    size = camera.image_size[0]
    width = 2 * torch.maximum(size / 2 - left, right - size / 2)
    middle = torch.stack((torch.full_like(top, size / 2), (top + bottom) / 2))
    factor = FILL * size / torch.maximum(width, bottom - top)
    return zoomed(camera, middle.expand(len(camera), 2), factor.expand(len(camera)))


def zoomed(camera: Camera, middle: Tensor, factor: Tensor) -> Camera:
    """The same view with pixel `middle` (N, 2) in the picture's centre, `factor` (N,) as large."""
    K = camera.K.clone()
    center = torch.tensor([camera.image_size[1], camera.image_size[0]], dtype=K.dtype) / 2
    K[:, :2, 2] -= middle
    K[:, :2] *= factor[:, None, None]
    K[:, :2, 2] += center
    return replace(camera, K=K)


def still_picture(
    original: Mesh, result: Mesh, angles: Iterable[tuple[float, float]]
) -> Image.Image:
    meshes = [original, result]
    cameras = filled_each(cameras_around(meshes, angles, STILL_SIZE), meshes)
    rows = [
        shaded_preview(original, cameras, color=CLAY),
        shaded_preview(result, cameras, color=BLUE_CLAY),
    ]
    return labelled_grid(rows, ["original", "reconstruction"])


def turntable(pairs: Sequence[tuple[Mesh, Mesh]]) -> list[Image.Image]:
    """Frames with a column for each pair, originals above."""
    angles = [(360 * index / NUM_FRAMES, 18.0) for index in range(NUM_FRAMES)]
    columns = []
    for original, result in pairs:
        cameras = filled_together(
            cameras_around([original, result], angles, TURNING_SIZE), [original, result]
        )
        columns.append(
            (
                shaded_preview(original, cameras, color=CLAY),
                shaded_preview(result, cameras, color=BLUE_CLAY),
            )
        )
    return [
        labelled_grid(
            [[column[row][frame] for column in columns] for row in (0, 1)],
            ["original", "reconstruction"],
        )
        for frame in range(NUM_FRAMES)
    ]


def training_picture(folder: Path) -> Image.Image:
    """A held-out view: what was seen, the silhouette at some steps, and what is wrong with it."""
    problem = build(load_config(folder / "config.yaml"))
    views = problem.datamodule.held_out_views
    assert views is not None
    camera = views[[TRAINING_VIEW]].cameras
    target = views.coverage[TRAINING_VIEW].numpy()
    meshes = [problem.module.mesh()]
    files = {checkpoint_step(path): path for path in checkpoints(folder)}
    steps = [max(files) if step < 0 else step for step in TRAINING_STEPS]
    for step in steps[1:]:
        state = torch.load(files[step], weights_only=True)["state_dict"]
        meshes.append(Mesh(state["verts"], state["faces"]))
    with torch.no_grad():
        silhouettes = [render_silhouettes(mesh, camera)[0].numpy() for mesh in meshes]
    shown = _box(np.max([target, *silhouettes], axis=0), margin=10)
    target, silhouettes = target[shown], [silhouette[shown] for silhouette in silhouettes]
    known = np.ones(target.shape, dtype=bool)
    above = [_grey(target), *map(_grey, silhouettes)]
    below = [
        np.full_like(above[0], 255),
        *(signed_difference(target, silhouette, known=known) for silhouette in silhouettes),
    ]
    headings = ["held-out view", "visual hull", *(f"step {step}" for step in steps[1:])]
    picture = labelled_grid([above, below], ["", ""], headings=headings)
    _write_legend(picture, (0, picture.height - target.shape[0]), target.shape)
    return picture


def _box(coverage: np.ndarray, *, margin: int) -> tuple[slice, slice]:
    """Rows and columns with something on them, and a margin."""
    row, column = (np.flatnonzero(coverage.max(axis=axis) > 0) for axis in (1, 0))
    rows, columns = (slice(max(0, i[0] - margin), i[-1] + 1 + margin) for i in (row, column))
    return rows, columns


def _write_legend(picture: Image.Image, corner: tuple[int, int], shape: tuple[int, ...]) -> None:
    height, width = shape
    font = _font(height / 14)
    draw = ImageDraw.Draw(picture)
    for line, (text, sign) in enumerate((("too much", 1.0), ("too little", 0.0))):
        # The colours of the panels beside it.
        one = np.array([[sign]])
        color = signed_difference(1 - one, one, known=np.ones((1, 1), dtype=bool))[0, 0]
        place = (corner[0] + width / 2, corner[1] + height / 2 + (line - 0.5) * 1.6 * font.size)
        draw.text(place, text, fill=tuple(color.tolist()), font=font, anchor="mm")


def _grey(coverage: np.ndarray) -> np.ndarray:
    return np.repeat((255 * (1 - 0.85 * coverage) + 0.5).astype(np.uint8)[..., None], 3, axis=2)


def labelled_grid(
    rows: Sequence[Sequence[np.ndarray] | np.ndarray],
    labels: Sequence[str],
    *,
    headings: Sequence[str] = (),
) -> Image.Image:
    """Pictures of one size in rows, with a label at the left edge of each and above columns."""
    height, width = rows[0][0].shape[:2]
    font = _font(height / 16)
    margin = int(font.size) + 2 * GAP
    left, top = (margin if any(labels) else 0), (margin if headings else 0)
    num_columns = len(rows[0])
    grid = Image.new("RGB", (left + num_columns * width, top + len(rows) * height), "white")
    for row, pictures in enumerate(rows):
        for column, picture in enumerate(pictures):
            grid.paste(Image.fromarray(picture), (left + column * width, top + row * height))
        if labels[row]:
            grid.paste(_upwards(labels[row], font, (margin, height)), (0, top + row * height))
    draw = ImageDraw.Draw(grid)
    for column, text in enumerate(headings):
        place = (left + (column + 0.5) * width, top / 2)
        draw.text(place, text, fill=INK, font=font, anchor="mm")
    return grid


def _font(size: float) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(max(12, round(size)))
    assert isinstance(font, ImageFont.FreeTypeFont)
    return font


def _upwards(text: str, font: ImageFont.FreeTypeFont, size: tuple[int, int]) -> Image.Image:
    label = Image.new("RGB", (size[1], size[0]), "white")
    place = (size[1] / 2, size[0] / 2)
    ImageDraw.Draw(label).text(place, text, fill=INK, font=font, anchor="mm")
    return label.transpose(Image.Transpose.ROTATE_90)


def save_png(name: str, picture: Image.Image) -> None:
    """With a palette: a third of the size, and clay has few colours."""
    path = IMAGES / name
    picture.quantize(200, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1000:.0f} kB")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=Path, help="folder of the runs")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        root = (options.runs or Path(temporary)).resolve()
        pairs = []
        for name, angles in STILLS.items():
            original = load_mesh(ROOT / "data" / "models" / f"{name}.glb")
            result = load_mesh(trained(name, root) / "mesh.ply")
            pairs.append((original, result))
            save_png(f"gallery_{name}.png", still_picture(original, result, angles))
        save_png("gallery_training.png", training_picture(root / TRAINING_NAME / "version_0"))
    path = IMAGES / "gallery_turntable.gif"
    frames = np.stack([np.asarray(frame) for frame in turntable(pairs)])
    save_gif(path, frames, frames_per_second=FRAMES_PER_SECOND)
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()

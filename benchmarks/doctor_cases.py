"""Good views, and ways to spoil them as people do."""

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from lightning_rast.data import Views, orbit_cameras, synthetic_views, view_directions
from lightning_rast.data.formats import load_views
from lightning_rast.data.synthetic import Layout
from lightning_rast.scene import load_mesh

_MODELS = Path(__file__).resolve().parents[1] / "data" / "models"
_SIZE = 512  # px


@dataclass(frozen=True)
class Break:
    """One mistake. spoil: makes it in good views. fixes: what undoes it; or pixel_centers.

    also: lists of fixes that undo the same, word for word, where the sizes of the images agree.
    """

    name: str
    spoil: Callable[[Views], Views]
    fixes: tuple[str, ...] = ()
    pixel_centers: str = ""
    also: tuple[tuple[str, ...], ...] = ()


def rendered_sets() -> Iterator[tuple[str, Views]]:
    """The sample models, seen from all sides and around their upright axis."""
    sets: tuple[tuple[str, Layout, int], ...] = (
        ("kettle", "fibonacci", 20),
        ("avocado", "fibonacci", 12),
        ("tree", "hemisphere", 24),
        ("kettle", "ring", 24),
    )
    for name, layout, count in sets:
        mesh = load_mesh(_MODELS / f"{name}.glb")
        directions = view_directions(layout, count)
        cameras = orbit_cameras(mesh, directions, image_size=_SIZE)
        yield f"{name}, {count} {layout}", synthetic_views(mesh, cameras)


def mask_sets(folders: Sequence[Path]) -> Iterator[tuple[str, Views]]:
    for folder in folders:
        yield folder.name, load_views(folder, format="cameras_json", max_image_size=_SIZE)


def breaks(views: Views) -> list[Break]:
    """All mistakes that can be made with these views."""
    height, width = views.image_size
    found = [
        Break("camera-to-world as world-to-camera", inverse, ("inverse_pose",)),
        Break("OpenGL axes", axes(1, -1, -1), ("opengl_axes",)),
        Break(
            "OpenGL camera-to-world",
            lambda v: inverse(axes(1, -1, -1)(v)),
            ("inverse_pose", "opengl_axes"),
        ),
        Break("PyTorch3D axes", axes(-1, -1, 1), ("pytorch3d_axes",), also=(("rotate_180",),)),
        Break("R transposed", transposed_rotation, ("transpose_rotation",)),
        Break("t is the camera's position", position_as_t, ("center_as_t",)),
        Break("images upside down", flipped(1), ("flip_y",), also=(("y_axis_up",),)),
        Break("camera y axis up", axis_up, ("y_axis_up",), also=(("flip_y",),)),
        Break("images mirrored", flipped(2), ("flip_x",)),
        Break("images transposed", turned(lambda m: m.mT), ("transpose_images",)),
        Break("images turned by 90", turned(lambda m: m.rot90(-1, (1, 2))), ("rotate_90",)),
        Break("images turned by -90", turned(lambda m: m.rot90(1, (1, 2))), ("rotate_270",)),
        Break(
            "images turned by 180",
            lambda v: flipped(1)(flipped(2)(v)),
            ("rotate_180",),
            also=(("pytorch3d_axes",),),
        ),
        Break("masks inverted", inverted, ("invert_masks",)),
        Break(
            "masks inverted, OpenGL axes",
            lambda v: inverted(axes(1, -1, -1)(v)),
            ("invert_masks", "opengl_axes"),
        ),
        Break("K of images twice as large", scaled_intrinsics, ("scale_intrinsics",)),
        Break("reversed order", in_order(lambda n: list(range(n))[::-1]), ("reverse_order",)),
        Break(
            "one view too early",
            in_order(lambda n: [(i - 1) % n for i in range(n)]),
            ("next_camera",),
        ),
        Break("half a pixel", half_pixel, pixel_centers="half"),
    ]
    if len(views) > 10:
        found.append(Break("order 1, 10, 2", in_text_order, ("order_as_numbers",)))
    K = views.cameras.K
    if float((K[:, 0, 2] - K[:, 1, 2]).abs().max()) > 0.02 * max(height, width):
        found.append(Break("fx, cx and fy, cy swapped", swapped_intrinsics, ("swap_intrinsics",)))
    return found


def native_px(views: Views) -> float:
    return 1.0 if views.sources is None else views.sources[0].scale[1]


def posed(views: Views, world_to_view: Tensor) -> Views:
    return replace(views, cameras=replace(views.cameras, world_to_view=world_to_view))


def inverse(views: Views) -> Views:
    return posed(views, torch.linalg.inv(views.cameras.world_to_view))


def axes(*signs: float) -> Callable[[Views], Views]:
    def spoil(views: Views) -> Views:
        flip = torch.diag(torch.tensor([*signs, 1.0], dtype=torch.float64))
        return posed(views, flip @ views.cameras.world_to_view)

    return spoil


def transposed_rotation(views: Views) -> Views:
    pose = views.cameras.world_to_view.clone()
    pose[:, :3, :3] = views.cameras.world_to_view[:, :3, :3].mT
    return posed(views, pose)


def position_as_t(views: Views) -> Views:
    pose = views.cameras.world_to_view.clone()
    pose[:, :3, 3] = views.cameras.center_world
    return posed(views, pose)


def with_images(views: Views, coverage: Tensor, known: Tensor | None) -> Views:
    """Other pictures for the same cameras; their files would have been turned alike."""
    size = (coverage.shape[1], coverage.shape[2])
    sources = views.sources
    if sources is not None and size != views.image_size:
        sources = tuple(
            replace(source, image_size=source.image_size[::-1], scale=source.scale[::-1])
            for source in sources
        )
    cameras = replace(views.cameras, image_size=size)
    return Views(cameras, coverage, views.names, known, sources)


def turned(change: Callable[[Tensor], Tensor]) -> Callable[[Views], Views]:
    def spoil(views: Views) -> Views:
        known = None if views.known is None else change(views.known)
        return with_images(views, change(views.coverage), known)

    return spoil


def flipped(axis: int) -> Callable[[Views], Views]:
    return turned(lambda images: images.flip(axis))


def axis_up(views: Views) -> Views:
    K = views.cameras.K.clone()
    K[:, :2, 1] = -K[:, :2, 1]
    return replace(views, cameras=replace(views.cameras, K=K))


def inverted(views: Views) -> Views:
    return with_images(views, 1 - views.coverage, views.known)


def scaled_intrinsics(views: Views) -> Views:
    K = torch.diag(torch.tensor([2.0, 2.0, 1.0], dtype=torch.float64)) @ views.cameras.K
    return replace(views, cameras=replace(views.cameras, K=K))


def swapped_intrinsics(views: Views) -> Views:
    K = views.cameras.K.clone()
    K[:, 0, 0], K[:, 1, 1] = views.cameras.K[:, 1, 1], views.cameras.K[:, 0, 0]
    K[:, 0, 2], K[:, 1, 2] = views.cameras.K[:, 1, 2], views.cameras.K[:, 0, 2]
    return replace(views, cameras=replace(views.cameras, K=K))


def in_order(order: Callable[[int], list[int]]) -> Callable[[Views], Views]:
    """Mask i gets the camera of another view."""

    def spoil(views: Views) -> Views:
        return replace(views, cameras=views.cameras[order(len(views))])

    return spoil


def in_text_order(views: Views) -> Views:
    """Masks 0.png, 1.png, 10.png, ... as a listing has them; cameras in the order of numbers."""
    names = [str(index) for index in range(len(views))]
    order = sorted(range(len(views)), key=lambda index: names[index])
    listed = views[order]
    return replace(listed, cameras=views.cameras, names=tuple(names[i] for i in order))


def half_pixel(views: Views) -> Views:
    """Of the image files: as "integer" where "half" is right."""
    K = views.cameras.K.clone()
    K[:, :2, 2] += 0.5 / native_px(views)
    return replace(views, cameras=replace(views.cameras, K=K))


def noisy_cameras(views: Views, *, pixels: float, seed: int = 0) -> Views:
    """Every camera turned about its own centre: points move by about so many pixels."""
    generator = torch.Generator().manual_seed(seed)
    axis = torch.randn(len(views), 3, generator=generator, dtype=torch.float64)
    angle = axis * (pixels / math.sqrt(2) / views.cameras.K[:, 1, 1].abs())[:, None]
    zero = torch.zeros(len(views), dtype=torch.float64)
    x, y, z = angle.unbind(dim=1)
    cross = torch.stack(
        (torch.stack((zero, -z, y)), torch.stack((z, zero, -x)), torch.stack((-y, x, zero)))
    ).permute(2, 0, 1)
    turn = torch.eye(4, dtype=torch.float64).repeat(len(views), 1, 1)
    turn[:, :3, :3] = torch.linalg.matrix_exp(cross)
    return posed(views, turn @ views.cameras.world_to_view)


def half_blank(views: Views, which: Sequence[int]) -> Views:
    """Masks whose left half, of the object, is missing."""
    coverage = views.coverage.clone()
    for view in which:
        columns = (coverage[view] > 0.5).any(dim=0).nonzero()[:, 0]
        middle = int(columns[0] + columns[-1]) // 2
        coverage[view, :, :middle] = 0
    return replace(views, coverage=coverage)


def saved(views: Views, folder: Path) -> Path:
    """As a folder with a `cameras.json`, to be read again."""
    from PIL import Image

    (folder / "masks").mkdir(parents=True)
    entries = []
    for index, name in enumerate(views.names):
        picture = (255 * views.coverage[index]).round().to(torch.uint8).numpy()
        Image.fromarray(picture).save(folder / "masks" / f"{name}.png")
        pose = views.cameras.world_to_view[index]
        entries.append(
            {
                "mask": f"masks/{name}.png",
                "K": views.cameras.K[index].tolist(),
                "R": pose[:3, :3].tolist(),
                "t": pose[:3, 3].tolist(),
            }
        )
    content = {"pixel_centers": "half", "views": entries}
    (folder / "cameras.json").write_text(json.dumps(content), encoding="utf-8")
    return folder

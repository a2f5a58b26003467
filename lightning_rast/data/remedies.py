"""What undoes the usual mistakes in cameras and masks: each a function from views to views.

`data.fix: [inverse_pose, opengl_axes]` in a config applies them in this order after loading;
`python -m lightning_rast.doctor` finds out which are needed. docs/doctor.md shows each mistake.

Where a mistake is in the pictures (rows upside down, turned by 90 degrees, files in another order)
the cameras are changed to fit them, so that images and files stay what they are.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from lightning_rast.data.fitted_sphere import seen_center
from lightning_rast.data.views import NEAR_OF_DISTANCE, Views, ViewsError
from lightning_rast.scene import Camera


@dataclass(frozen=True)
class Remedy:
    """apply: gets the views, and the images' sizes as they are after it, (N, 2), width and height,
    it, px. cause: what is wrong with data that it mends, as the end of a sentence "it seems
    that". turns: width and height were exchanged before it.
    """

    apply: Callable[[Views, Tensor], Views]
    cause: str
    turns: bool = False


def remedied(views: Views, fixes: Sequence[str]) -> Views:
    """The views after the named remedies of `REMEDIES`, in this order, with near planes to match.

    Raises:
        ViewsError: an unknown name, or a remedy that these views cannot take.
    """
    for name in fixes:
        if name not in REMEDIES:
            raise ViewsError(f"no fix is named {name!r}; there are {', '.join(REMEDIES)}")
    for place, name in enumerate(fixes):
        # The files are what all remedies lead to; what later ones turn is still to be turned.
        sizes, turns = image_sizes(views), [REMEDIES[later].turns for later in fixes[place + 1 :]]
        views = REMEDIES[name].apply(views, sizes.flip(1) if sum(turns) % 2 else sizes)
    return replace(views, cameras=_with_near_planes(views)) if fixes else views


# --- poses


def _inverse_pose(views: Views, _: Tensor) -> Views:
    return _posed(views, torch.linalg.inv(views.cameras.world_to_view))


def _transposed_rotation(views: Views, _: Tensor) -> Views:
    pose = views.cameras.world_to_view.clone()
    pose[:, :3, :3] = pose[:, :3, :3].mT.clone()
    return _posed(views, pose)


def _center_as_t(views: Views, _: Tensor) -> Views:
    """t := -R t: what was given for t is where the camera stands."""
    pose = views.cameras.world_to_view.clone()
    pose[:, :3, 3:] = -pose[:, :3, :3] @ pose[:, :3, 3:]
    return _posed(views, pose)


def _turned_axes(*signs: float) -> Callable[[Views, Tensor], Views]:
    def apply(views: Views, _: Tensor) -> Views:
        pose = views.cameras.world_to_view
        return _posed(views, pose.new_tensor([*signs, 1.0])[:, None] * pose)

    return apply


def _posed(views: Views, world_to_view: Tensor) -> Views:
    return replace(views, cameras=replace(views.cameras, world_to_view=world_to_view))


# --- intrinsics and pixels


def _y_axis_up(views: Views, _: Tensor) -> Views:
    """fy := -fy, about the principal point."""
    K = views.cameras.K.clone()
    K[:, :2, 1] *= -1
    return replace(views, cameras=replace(views.cameras, K=K))


def _swapped_intrinsics(views: Views, _: Tensor) -> Views:
    K = views.cameras.K.clone()
    K[:, 0, 0], K[:, 1, 1] = views.cameras.K[:, 1, 1], views.cameras.K[:, 0, 0]
    K[:, 0, 2], K[:, 1, 2] = views.cameras.K[:, 1, 2], views.cameras.K[:, 0, 2]
    return replace(views, cameras=replace(views.cameras, K=K))


def _scaled_intrinsics(views: Views, sizes: Tensor) -> Views:
    """By the power of two that brings the principal points nearest to the images' middles."""
    width, height = sizes.unbind(dim=1)
    K = views.cameras.K
    ratio = torch.stack((width / (2 * K[:, 0, 2]), height / (2 * K[:, 1, 2])))
    typical = float(ratio.median())
    if not typical > 0:
        raise ViewsError("scale_intrinsics: the principal points are not inside of any image")
    factor = 2.0 ** round(torch.log2(torch.tensor(typical)).item())
    scale = K.new_tensor([factor, factor, 1.0])
    return replace(views, cameras=replace(views.cameras, K=scale[:, None] * K))


def _pictured(*rows: Sequence[float]) -> Callable[[Views, Tensor], Views]:
    """Pixels moved to where the stored image has them.

    rows: of a 2 x 4 matrix on (x, y, width, height), the sizes being the image's afterwards.
    """

    def apply(views: Views, sizes: Tensor) -> Views:
        matrix = torch.tensor(rows, dtype=torch.float64)
        move = torch.eye(3, dtype=torch.float64).repeat(len(views), 1, 1)
        move[:, :2, :2] = matrix[:, :2]
        move[:, :2, 2] = sizes @ matrix[:, 2:].T
        return replace(views, cameras=_moved(views.cameras, move))

    return apply


def _moved(cameras: Camera, move: Float[Tensor, "N 3 3"]) -> Camera:
    """The cameras followed by an affine map of pixels; K stays upper triangular, R a rotation."""
    K = move.to(cameras.K) @ cameras.K
    if bool((K[:, 1, 0] == 0).all()):
        return replace(cameras, K=K)
    if cameras.orthographic:
        raise ViewsError("images of parallel cameras cannot be turned by 90 degrees")
    turned = Camera.from_projection_matrix(
        K @ cameras.world_to_view[:, :3], cameras.image_size, pixel_centers="half"
    )
    return replace(cameras, K=turned.K, world_to_view=turned.world_to_view)


def image_sizes(views: Views) -> Float[Tensor, "N 2"]:
    """Width and height of each image without its padding, px."""
    height, width = views.image_size
    if views.sources is not None:
        sizes = [
            (source.image_size[1] / source.scale[1], source.image_size[0] / source.scale[0])
            for source in views.sources
        ]
        return torch.tensor(sizes, dtype=torch.float64)
    if views.known is None:
        return torch.tensor([[width, height]], dtype=torch.float64).repeat(len(views), 1)
    known = views.known
    sides = known.any(dim=1).sum(dim=1), known.any(dim=2).sum(dim=1)
    return torch.stack(sides, dim=1).double().cpu()


# --- masks


def _inverted_masks(views: Views, _: Tensor) -> Views:
    coverage = 1 - views.coverage
    if views.known is not None:
        coverage = coverage * views.known
    sources = views.sources
    if sources is not None:
        sources = tuple(
            replace(source, how=replace(source.how, inverted=not source.how.inverted))
            for source in sources
        )
    return replace(views, coverage=coverage, sources=sources)


# --- order


def _numbered(names: Sequence[str]) -> list[tuple[int, ...]]:
    """The numbers in each name, to sort by; those of the file's last part count last."""
    numbers = [tuple(int(digits) for digits in re.findall(r"\d+", name)) for name in names]
    return numbers if all(numbers) and len(set(numbers)) == len(names) else []


def _ranks(keys: Sequence[object]) -> list[int]:
    """For each item, its place after sorting."""
    order = sorted(range(len(keys)), key=lambda index: keys[index])  # type: ignore[reportArgumentType]
    ranks = [0] * len(keys)
    for rank, index in enumerate(order):
        ranks[index] = rank
    return ranks


def _ordered(camera_of: Callable[[Sequence[str]], list[int]]) -> Callable[[Views, Tensor], Views]:
    """Camera of each view, from the views' names."""

    def apply(views: Views, _: Tensor) -> Views:
        return replace(views, cameras=views.cameras[camera_of(views.names)])

    return apply


def _as_numbers(names: Sequence[str]) -> list[int]:
    return _ranks(_numbers(names))


def _as_text(names: Sequence[str]) -> list[int]:
    return _ranks(_texts(names))


def _renumbered(names: Sequence[str]) -> list[int]:
    """Masks that were given new numbers when sorted as text: the n-th is the one whose number, as
    text, comes n-th."""
    text_rank = _ranks(_texts(names))
    number_rank = _ranks(_numbers(names))
    number_rank_of_text = dict(zip(text_rank, number_rank, strict=True))
    return [number_rank_of_text[rank] for rank in number_rank]


def _numbers(names: Sequence[str]) -> list[tuple[int, ...]]:
    numbers = _numbered(names)
    if not numbers:
        raise ViewsError("the views' names hold no numbers that they could be ordered by")
    return numbers


def _texts(names: Sequence[str]) -> list[list[str]]:
    """As the names would sort as text if their numbers were written without leading zeros."""
    return [[str(number) for number in numbers] for numbers in _numbers(names)]


def _reversed(names: Sequence[str]) -> list[int]:
    return list(range(len(names)))[::-1]


def _shifted(by: int) -> Callable[[Sequence[str]], list[int]]:
    return lambda names: [(index + by) % len(names) for index in range(len(names))]


def _with_near_planes(views: Views) -> Camera:
    cameras = views.cameras
    distances = (cameras.center_world - seen_center(views)).norm(dim=1)
    nearest, farthest = float(distances.min()), float(distances.max())
    if not nearest > 0:
        return cameras
    return replace(cameras, near=NEAR_OF_DISTANCE * nearest, far=farthest / NEAR_OF_DISTANCE)


# Likelier ones first: of several that mend the same data, the doctor names the first.
REMEDIES: dict[str, Remedy] = {
    "invert_masks": Remedy(_inverted_masks, "the masks are inverted: the object is black"),
    "inverse_pose": Remedy(
        _inverse_pose, "poses lead the other way: from camera to world where world to camera is due"
    ),
    "opengl_axes": Remedy(
        _turned_axes(1.0, -1.0, -1.0),
        "the cameras have OpenGL's or Blender's axes (y up, z backward) where OpenCV's are due, or"
        " the reverse",
    ),
    "pytorch3d_axes": Remedy(
        _turned_axes(-1.0, -1.0, 1.0),
        "the cameras have PyTorch3D's axes (x left, y up, z forward) where OpenCV's are due",
    ),
    "transpose_rotation": Remedy(
        _transposed_rotation, "R is transposed (row against column order), while t is right"
    ),
    "center_as_t": Remedy(_center_as_t, "t holds the cameras' positions instead of -R position"),
    "flip_y": Remedy(
        _pictured((1, 0, 0, 0), (0, -1, 0, 1)),
        "y is flipped: rows of the images run upwards, or the cameras' y does",
    ),
    "y_axis_up": Remedy(
        _y_axis_up, "the cameras' y axis points up (x right, y up, z forward: a left-handed frame)"
    ),
    "flip_x": Remedy(_pictured((-1, 0, 1, 0), (0, 1, 0, 0)), "the images are mirrored"),
    "transpose_images": Remedy(
        _pictured((0, 1, 0, 0), (1, 0, 0, 0)),
        "rows and columns are swapped: the images are transposed, or pixels are (row, column)",
        turns=True,
    ),
    "swap_intrinsics": Remedy(
        _swapped_intrinsics, "fx, cx and fy, cy are swapped: K was written for (row, column)"
    ),
    "rotate_90": Remedy(
        _pictured((0, -1, 1, 0), (1, 0, 0, 0)),
        "the images are turned clockwise by 90 degrees",
        turns=True,
    ),
    "rotate_270": Remedy(
        _pictured((0, 1, 0, 0), (-1, 0, 0, 1)),
        "the images are turned counter-clockwise by 90 degrees",
        turns=True,
    ),
    "rotate_180": Remedy(
        _pictured((-1, 0, 1, 0), (0, -1, 0, 1)), "the images are turned by 180 degrees"
    ),
    "scale_intrinsics": Remedy(
        _scaled_intrinsics, "K is for images of another size: focal length and centre do not fit"
    ),
    "order_as_numbers": Remedy(
        _ordered(_as_numbers),
        "masks are in the order of their names as text (1, 10, 2), cameras in that of the numbers",
    ),
    "order_as_text": Remedy(
        _ordered(_as_text),
        "cameras are in the order of the masks' names as text (1, 10, 2), masks in that of the"
        " numbers",
    ),
    "renumber_from_text": Remedy(
        _ordered(_renumbered),
        "the masks were numbered anew when they were sorted as text (1, 10, 2)",
    ),
    "reverse_order": Remedy(
        _ordered(_reversed), "masks and cameras are listed in opposite directions"
    ),
    "next_camera": Remedy(_ordered(_shifted(1)), "each mask has the camera of the view before it"),
    "previous_camera": Remedy(
        _ordered(_shifted(-1)), "each mask has the camera of the view after it"
    ),
}

# What undoes a remedy; of those that are missing here, nothing does.
INVERSE: dict[str, str] = {
    "invert_masks": "invert_masks",
    "inverse_pose": "inverse_pose",
    "opengl_axes": "opengl_axes",
    "pytorch3d_axes": "pytorch3d_axes",
    "transpose_rotation": "transpose_rotation",
    "flip_y": "flip_y",
    "y_axis_up": "y_axis_up",
    "flip_x": "flip_x",
    "transpose_images": "transpose_images",
    "swap_intrinsics": "swap_intrinsics",
    "rotate_90": "rotate_270",
    "rotate_270": "rotate_90",
    "rotate_180": "rotate_180",
    "reverse_order": "reverse_order",
    "next_camera": "previous_camera",
    "previous_camera": "next_camera",
}

"""What the reconstruction benchmark reconstructs: rendered shapes, and masks of photographs."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lightning_rast.data import (
    Views,
    load_mask_views,
    orbit_cameras,
    split_held_out,
    synthetic_views,
    view_directions,
)
from lightning_rast.scene import Mesh, load_mesh, torus

_MODELS = Path(__file__).resolve().parents[1] / "data" / "models"
_NUM_HELD_OUT = 8
_MAX_IMAGE_SIZE = 512  # px: the longer side of masks that are trained on
# Shape -> genus where its surface is closed.
MODELS = {"avocado": "avocado.glb", "kettle": "kettle.glb", "tree": "tree.glb"}
SCANS = {
    "spot": "spot/cow.obj",
    "bob": "bob/bob_tri.obj",
    "teapot": "teapot/teapot.obj",
    "cow": "cow.obj",
    "suzanne": "suzanne.obj",
    "rocker-arm": "rocker-arm.obj",
}


@dataclass(frozen=True, kw_only=True)
class Case:
    """One set of views.

    kind: "shape" (rendered) or "masks". reference: the true surface, if it is known, in a frame
        that `to_reference` (4, 4) leads to from that of the views. fold: which views are held out,
        where that changes.
    """

    kind: str
    name: str
    train: Views
    held_out: Views
    reference: Mesh | None = None
    to_reference: Tensor | None = None
    fold: int | None = None

    @property
    def key(self) -> str:
        """Names it in a record; of masks the number of views says nothing new."""
        if self.kind == "masks":
            return self.name if self.fold is None else f"{self.name}, fold {self.fold}"
        return f"{self.name}, {len(self.train)} views, {self.train.image_size[0]} px"


def shape_names() -> list[str]:
    return [*MODELS, "torus", "rings", *SCANS]


def shape_cases(
    names: Sequence[str], meshes: Path | None, num_views: Sequence[int], sizes: Sequence[int]
) -> Iterator[Case]:
    """Shapes seen from evenly spread directions; those whose file is not there are skipped."""
    for name in names:
        mesh = _shape(name, meshes)
        if mesh is None:
            continue
        for count in num_views:
            for size in sizes:
                yield Case(
                    kind="shape",
                    name=name,
                    train=_rendered(mesh, count, size, between=False),
                    held_out=_rendered(mesh, _NUM_HELD_OUT, size, between=True),
                    reference=mesh,
                )


def mask_cases(
    folders: Sequence[Path], reference: Sequence[str], *, num_folds: int = 0
) -> Iterator[Case]:
    """Folders of masks, every fifth view held out from the third on.

    reference: `NAME=MESH[,FRAME.npz]` for folders of that name; the npz's scale_mat_0 leads from
        the masks' frame to the mesh's.
    num_folds: each set so many times, each num_folds-th view held out in turn; 0 = once.
    """
    known = dict(each.split("=", 1) for each in reference)
    for folder in folders:
        if not (folder / "cameras.json").is_file():
            print(f"{folder.name} is skipped: no {folder / 'cameras.json'}", file=sys.stderr)
            continue
        views = load_mask_views(folder, max_image_size=_MAX_IMAGE_SIZE)
        surface, frame = None, None
        if folder.name in known:
            mesh_path, _, frame_path = known[folder.name].partition(",")
            surface = load_mesh(mesh_path)
            if frame_path:
                with np.load(frame_path) as content:
                    frame = torch.from_numpy(content["scale_mat_0"]).double()
        for fold in range(num_folds) if num_folds else [None]:
            every, offset = (5, 2) if fold is None else (num_folds, fold)
            train, held_out = split_held_out(views, every=every, offset=offset)
            assert held_out is not None
            yield Case(
                kind="masks",
                name=folder.name,
                train=train,
                held_out=held_out,
                reference=surface,
                to_reference=frame,
                fold=fold,
            )


def linked_rings() -> Mesh:
    """Two rings through each other's hole."""
    flat = torus(64, 24, radius=1.0, tube_radius=0.22)
    turned = flat.verts[:, [0, 2, 1]] * torch.tensor([1.0, 1.0, -1.0])  # about x, a quarter
    verts = torch.cat((flat.verts, turned + torch.tensor([1.0, 0.0, 0.0])))
    return Mesh(verts, torch.cat((flat.faces, flat.faces + flat.num_verts)))


def _shape(name: str, meshes: Path | None) -> Mesh | None:
    if name == "torus":
        return torus(96, 48)
    if name == "rings":
        return linked_rings()
    if name in MODELS:
        return load_mesh(_MODELS / MODELS[name])
    path = None if meshes is None else meshes / SCANS[name]
    if path is None or not path.is_file():
        where = "give --meshes DIR" if path is None else f"no {path}"
        print(f"{name} is skipped: {where}", file=sys.stderr)
        return None
    return load_mesh(path)


def _rendered(mesh: Mesh, num_views: int, size: int, *, between: bool) -> Views:
    directions = view_directions("fibonacci", num_views, between=between)
    return synthetic_views(mesh, orbit_cameras(mesh, directions, image_size=size))

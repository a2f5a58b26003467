"""Damaged files: a reader gives a surface, or views, or its own error; nothing else, and at once.

The slow test reads 10,000 files; `LRAST_FUZZ_SEED` chooses others.
"""

import os
import random
import shutil
import time
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from lightning_rast.data import ViewsError
from lightning_rast.data.formats import load_views
from lightning_rast.scene import MeshFileError, load_asset, load_mesh
from tests.data import camera_files
from tests.robust.bounds import TooSlowError, bounded_memory, bounded_time
from tests.robust.mesh_files import write_mesh_files
from tests.robust.mutation import mutated, mutated_glb, mutated_json

SEED = int(os.environ.get("LRAST_FUZZ_SEED", "0"))
MESH_KINDS = (
    "obj", "mtl", "ply text", "ply binary", "stl text", "stl binary", "off", "gltf", "glb"
)  # fmt: skip
VIEW_KINDS: dict[str, Callable[[Path], None]] = {
    "cameras.json": camera_files.write_cameras_json,
    "transforms.json": camera_files.write_transforms,
    "colmap text": camera_files.write_colmap_text,
    "colmap binary": camera_files.write_colmap_binary,
    "neus": camera_files.write_neus,
    "middlebury": camera_files.write_middlebury,
    "matrices": camera_files.write_matrices,
}
FAST, MESHES_EACH, VIEWS_EACH = 40, 900, 272
MUTATORS = {".json": mutated_json, ".gltf": mutated_json, ".glb": mutated_glb}

pytestmark = pytest.mark.usefixtures("unchecked")


class Outcomes(Counter[str]):
    """How many files were read and how many refused; slowest: the most that one took of the
    processor, in s."""

    slowest = 0.0

    def add(
        self, read: Callable[[], object], refusal: type[Exception], content: bytes, kept: Path
    ) -> None:
        start = time.process_time()
        self[attempt(read, refusal, content, kept)] += 1
        self.slowest = max(self.slowest, time.process_time() - start)


def attempt(
    read: Callable[[], object], refusal: type[Exception], content: bytes, kept: Path
) -> str:
    """ "read" or "refused"; everything else is a failure, whose input is kept."""
    try:
        with warnings.catch_warnings(), bounded_time():
            # A user could do nothing with what numpy says of absurd numbers.
            warnings.simplefilter("error" if refusal is MeshFileError else "ignore", RuntimeWarning)
            read()
    except refusal as error:
        if "does not fit into memory" not in str(error):
            return "refused"
        reason = f"says {error}"
    except (Exception, TooSlowError) as error:
        reason = f"{type(error).__name__}: {error}"
    else:
        return "read"
    kept.write_bytes(content)
    pytest.fail(f"{reason} (input kept in {kept})")


def read_mesh(path: Path) -> None:
    asset = load_asset(path)
    mesh = asset.mesh
    assert mesh.num_faces > 0
    assert bool(mesh.verts.isfinite().all())
    assert 0 <= int(mesh.faces.min()) <= int(mesh.faces.max()) == mesh.num_verts - 1
    assert torch.equal(load_mesh(path).faces, mesh.faces)
    if asset.colors is not None:
        assert 0 <= float(asset.colors.min()) <= float(asset.colors.max()) <= 1
    if asset.material_idx is not None:
        assert int(asset.material_idx.min()) >= 0
        assert int(asset.material_idx.max()) < len(asset.materials)


def fuzz_meshes(folder: Path, kind: str, count: int) -> Outcomes:
    files = write_mesh_files(folder)
    # Of the material file, what is read is the OBJ that names it.
    subject = files["obj" if kind == "mtl" else kind]
    changed = folder / "seed.mtl" if kind == "mtl" else subject
    seed = changed.read_bytes()
    mutator = MUTATORS.get(changed.suffix, mutated)
    found = Outcomes()
    for number in range(count):
        content = mutator(seed, random.Random(f"{SEED} {kind} {number}"))
        changed.write_bytes(content)
        kept = folder / f"failed{changed.suffix}"
        found.add(lambda: read_mesh(subject), MeshFileError, content, kept)
    return found


def fuzz_views(folder: Path, kind: str, count: int) -> Outcomes:
    camera_files.write_masks(folder / "masks")
    VIEW_KINDS[kind](folder)
    load_views(folder)
    seeds = {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
    cameras = [path for path in seeds if path.suffix not in {".png", ".jpg"}]
    images = [path for path in seeds if path not in cameras]
    found = Outcomes()
    for number in range(count):
        generator = random.Random(f"{SEED} {kind} {number}")
        path = generator.choice(images if images and generator.random() < 0.15 else cameras)
        content = MUTATORS.get(path.suffix, mutated)(seeds[path], generator)
        path.write_bytes(content)
        kept = folder.with_name(f"failed{path.suffix}")
        found.add(lambda: load_views(folder), ViewsError, content, kept)
        path.write_bytes(seeds[path])
    return found


@pytest.mark.parametrize("kind", MESH_KINDS)
def test_damaged_mesh_files_are_read_or_refused(tmp_path: Path, kind: str):
    found = fuzz_meshes(tmp_path, kind, FAST)
    assert found["refused"] > 0 or kind == "mtl"


@pytest.mark.parametrize("kind", VIEW_KINDS)
def test_damaged_views_are_read_or_refused(tmp_path: Path, kind: str):
    assert fuzz_views(tmp_path, kind, FAST // 4).total() == FAST // 4


@pytest.mark.slow
def test_ten_thousand_damaged_files_are_read_or_refused(tmp_path: Path):
    counts = {}
    with bounded_memory():
        for kinds, fuzz, count in (
            (MESH_KINDS, fuzz_meshes, MESHES_EACH),
            (VIEW_KINDS, fuzz_views, VIEWS_EACH),
        ):
            for kind in kinds:
                folder = tmp_path / kind
                folder.mkdir()
                counts[kind] = fuzz(folder, kind, count)
                shutil.rmtree(folder)
    for kind, found in counts.items():
        print(
            f"{kind}: {found['read']} read, {found['refused']} refused, the slowest took"
            f" {found.slowest:.2f} s"
        )
    assert sum(found.total() for found in counts.values()) >= 10_000

"""Draws the pictures of docs/doctor.md, and prints what the command says there.

python docs/figures/make_doctor_figures.py
"""

import sys
import tempfile
from dataclasses import replace
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY))

from PIL import Image  # noqa: E402

from benchmarks.doctor_cases import axes, half_blank, saved  # noqa: E402
from lightning_rast.data import Views, orbit_cameras, synthetic_views, view_directions  # noqa: E402
from lightning_rast.doctor.command import main as doctor  # noqa: E402
from lightning_rast.doctor.diagnosis import diagnose  # noqa: E402
from lightning_rast.doctor.rig import rig_picture  # noqa: E402
from lightning_rast.doctor.sheet import contact_sheet  # noqa: E402
from lightning_rast.scene import load_mesh  # noqa: E402

_IMAGES = REPOSITORY / "docs" / "images"


def main() -> None:
    views = kettle_views()
    order = list(range(len(views)))
    order[3], order[8] = 8, 3
    some_bad = half_blank(replace(views, coverage=views.coverage[order]), [5])
    found = diagnose(some_bad)
    odd = [view.index for view in found.odd]
    sheet = contact_sheet(found.views, found.mesh, found.ious.tolist(), odd)
    _save(sheet.picture, "doctor_sheet.png", 1000)
    _save(rig_picture(found.views, found.mesh, odd), "doctor_rig.png", 1000)
    with tempfile.TemporaryDirectory() as folder:
        broken = saved(axes(1, -1, -1)(views), Path(folder) / "kettle")
        doctor([str(broken), "--no-pictures"])


def kettle_views() -> Views:
    """12 silhouettes of the sample kettle."""
    mesh = load_mesh(REPOSITORY / "data" / "models" / "kettle.glb")
    return synthetic_views(
        mesh, orbit_cameras(mesh, view_directions("fibonacci", 12), image_size=256)
    )


def _save(picture: Image.Image, name: str, width: int) -> None:
    height = round(picture.height * width / picture.width)
    small = picture.resize((width, height), Image.Resampling.LANCZOS)
    small.quantize(128).save(_IMAGES / name, optimize=True)


if __name__ == "__main__":
    main()

"""Makes the pictures of docs/tensorboard.md: real runs of the kettle, photographed in TensorBoard.

    python docs/figures/make_tensorboard_figures.py                trains, in about a minute
    python docs/figures/make_tensorboard_figures.py --runs logs    keeps the runs there, and uses
                                                                   those it finds

Writes docs/images/tensorboard_<tab>.png. Needs Chromium or Chrome.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from tensorboard_pages import photograph, served, tab_address

ROOT = Path(__file__).resolve().parents[2]
IMAGES = ROOT / "docs" / "images"
# The first run is shown alone in all tabs but HParams.
RUNS = {
    "kettle": [],
    "kettle_fast": ["preset=fast"],
    "kettle_sphere": ["preset=sphere"],
    "kettle_8_views": ["data.num_views=8"],
}
# Tab -> window's width and height, and the part of it that is kept (left, top, right, bottom).
TABS = {
    "custom_scalars": ((1250, 1300), (0, 0, 1250, 1240)),
    "images": ((1250, 1300), (0, 0, 1250, 1240)),
    "mesh": ((1250, 1300), (0, 0, 1250, 1240)),
    "hparams": ((1900, 600), (0, 0, 1900, 400)),
}
NAMES = {"custom_scalars": "scalars"}
COLORS = 224  # of a screenshot's palette


def trained(name: str, settings: list[str], root: Path) -> None:
    if not (root / name / "version_0" / "metrics.json").is_file():
        command = [sys.executable, str(ROOT / "train.py"), "--quiet", "--config"]
        config = str(ROOT / "configs" / "kettle.yaml")
        subprocess.run(
            [*command, config, f"name={name}", f"log.root={root}", *settings], check=True
        )


def save_figure(tab: str, address: str, folder: Path) -> None:
    size, kept = TABS[tab]
    path = folder / f"{tab}.png"
    photograph(tab_address(address, tab), path, size=size)
    picture = Image.open(path).convert("RGB").crop(kept)
    target = IMAGES / f"tensorboard_{NAMES.get(tab, tab)}.png"
    picture.quantize(COLORS, dither=Image.Dither.NONE).save(target, optimize=True)
    print(target.relative_to(ROOT))


def make_all(root: Path) -> None:
    for name, settings in RUNS.items():
        trained(name, settings, root)
    alone = root / next(iter(RUNS))
    with tempfile.TemporaryDirectory() as folder:
        with served(alone) as address:
            for tab in ("custom_scalars", "images", "mesh"):
                save_figure(tab, address, Path(folder))
        with served(root) as address:
            save_figure("hparams", address, Path(folder))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=Path, help="keep the runs in this folder")
    runs = parser.parse_args().runs
    if runs is not None:
        make_all(runs.resolve())
    else:
        with tempfile.TemporaryDirectory() as folder:
            make_all(Path(folder) / "logs")


if __name__ == "__main__":
    main()

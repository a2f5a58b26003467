"""Makes the pictures of docs/report.md from a real run of the kettle.

    python docs/figures/make_report_figures.py                 trains twice, in about two minutes
    python docs/figures/make_report_figures.py --run RUN       of a run that is there, no live view

Writes docs/images/report.png (the page, wide and light), report_dark.png (a telephone that likes it
dark) and viewer.png (the live view, paused on its way). Needs Chromium and viser.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from docs.figures.browser_tab import Tab, free_port  # noqa: E402 (found by the line above)

IMAGES = ROOT / "docs" / "images"
WIDE, NARROW, LIVE = (1400, 1000), (390, 844), (1200, 760)
NUM_SCREENS = 3  # of the telephone, side by side


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path)
    run = parser.parse_args().run
    with tempfile.TemporaryDirectory() as folder:
        if run is None:
            photograph_live(Path(folder))
            train(Path(folder))  # without pauses
            run = Path(folder) / "kettle" / "version_1"
        page = Path(folder) / "report.html"
        command = [sys.executable, "-m", "lightning_rast.report", str(run), "--out", str(page)]
        subprocess.run(command, check=True, cwd=ROOT)
        photograph_page(page)


def train(root: Path) -> None:
    config = ROOT / "configs" / "kettle.yaml"
    command = [sys.executable, str(ROOT / "train.py"), "--config", str(config)]
    subprocess.run([*command, f"log.root={root}"], check=True)


def photograph_page(page: Path) -> None:
    tab = Tab(page.as_uri(), size=WIDE)
    try:
        tab.wait_for(lambda: tab.run("document.getElementById('viewer')?.dataset.state") == "ready")
        tab.shape((WIDE[0], height_of(tab, WIDE)))
        time.sleep(2)
        save(tab.picture(), "report.png")
        tab.shape(NARROW, dark=True, scale=1.5)
        time.sleep(1)
        screens = []
        for title in ("kettle", "Target against", "On the way"):
            tab.run(
                "[...document.querySelectorAll('h1, h2')].find((each) =>"
                f" each.innerText.includes('{title}')).scrollIntoView(); scrollBy(0, -24)"
            )
            time.sleep(1)
            screens.append(tab.picture())
        save(side_by_side(screens[:NUM_SCREENS]), "report_dark.png")
    finally:
        tab.close()


def height_of(tab: Tab, size: tuple[int, int]) -> int:
    tab.shape(size)
    return int(tab.run("document.documentElement.scrollHeight"))


def photograph_live(root: Path) -> None:
    """Trains the kettle with its live view, and takes its picture in a pause on the way."""
    port = free_port()
    settings = [f"log.root={root}", "viewer.enabled=true", f"viewer.port={port}"]
    settings += ["viewer.start_paused=true", "viewer.every_n_steps=1"]
    config = ROOT / "configs" / "kettle.yaml"
    training = subprocess.Popen(
        [sys.executable, str(ROOT / "train.py"), "--config", str(config), *settings]
    )
    while not is_served(port):
        if training.poll() is not None:
            raise RuntimeError("the training did not start")
        time.sleep(0.2)
    tab = Tab(f"http://127.0.0.1:{port}", size=LIVE)
    try:
        tab.wait_for(lambda: "Continue" in tab.text())
        time.sleep(4)
        tab.press("Continue")
        tab.wait_for(lambda: "rung" in tab.text())
        tab.press("Pause")
        tab.wait_for(lambda: "paused" in tab.text())
        time.sleep(4)
        tab.run("document.querySelector('.mantine-Notification-closeButton')?.click()")
        time.sleep(1)
        save(tab.picture(), "viewer.png")
        tab.press("Continue")
        if training.wait():
            raise RuntimeError("the training failed")
    finally:
        tab.close()
        training.terminate()


def is_served(port: int) -> bool:
    import urllib.request

    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}"):
            return True
    except OSError:
        return False


def side_by_side(pictures: list[Image.Image], gap: int = 24) -> Image.Image:
    width = sum(picture.width for picture in pictures) + gap * (len(pictures) - 1)
    sheet = Image.new("RGB", (width, pictures[0].height), "white")
    x = 0
    for picture in pictures:
        sheet.paste(picture, (x, 0))
        x += picture.width + gap
    return sheet


def save(picture: Image.Image, name: str) -> None:
    picture.save(IMAGES / name, optimize=True)
    print(IMAGES / name)


if __name__ == "__main__":
    main()

"""TensorBoard's pages as a browser draws them.

Needs Chromium or Chrome; `browser()` is None where neither is installed.
"""

import contextlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
]
PATIENCE = 600  # seconds, against waiting for ever


def browser() -> str | None:
    """The program's path."""
    return next(filter(None, map(shutil.which, _NAMES)), None)


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a TensorBoard that shows the runs below a folder."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", folder.name]
    # So that no event of a short run is left out.
    options = ["--samples_per_plugin", "scalars=10000,images=100,meshes=100"]
    server = subprocess.Popen(
        [*command, *options, "--host", "127.0.0.1", "--port", str(port)],
        cwd=folder.parent,  # the pages show the path as it is given
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}/"
    try:
        deadline = time.monotonic() + PATIENCE
        while not _has_runs(address):
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"TensorBoard does not show {folder}")
            time.sleep(0.2)
        yield address
    finally:
        server.terminate()
        server.wait()


def photograph(
    address: str, picture: Path, *, size: tuple[int, int] = (1200, 900), seconds: float = 20
) -> None:
    """A screenshot of a page, as it is after `seconds` of its own time; size is (width, height)."""
    program = browser()
    if program is None:
        raise RuntimeError(f"a browser is needed: none of {', '.join(_NAMES)} is installed")
    with tempfile.TemporaryDirectory() as profile:
        subprocess.run(
            [
                *(program, *_FLAGS, f"--user-data-dir={profile}"),
                f"--window-size={size[0]},{size[1]}",
                f"--virtual-time-budget={round(1000 * seconds)}",
                *(f"--screenshot={picture}", address),
            ],
            check=True,
            timeout=PATIENCE,
            capture_output=True,
        )


def tab_address(address: str, tab: str, query: str = "") -> str:
    """tab: as in TensorBoard's own links: timeseries, custom_scalars, images, mesh, hparams."""
    return f"{address}?darkMode=false{query}#{tab}"


def _has_runs(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}data/runs") as answer:
            return answer.read() != b"[]"
    except OSError:
        return False

"""The threads of the CPU kernels: csrc/kernels/crew.h."""

import platform
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch

from lightning_rast.ops import contour_coverage
from lightning_rast.scene import Camera, icosphere
from tests.patience import PATIENCE

ROOT = Path(__file__).parents[2]

IN_A_CHILD = """
import os, sys
import torch
from lightning_rast.ops import contour_coverage
from lightning_rast.scene import Camera, icosphere

torch.set_num_threads(2)
sphere = icosphere(3)
eyes = torch.tensor([[0.0, 0, 3], [0, 1, 3], [1, 0, 3], [1, 1, 3]])
camera = Camera.look_at(eyes, fov_deg=45.0, image_size=(64, 64))
verts_clip = camera.world_to_clip(sphere.verts)
before = contour_coverage(verts_clip, sphere.topology, (64, 64))
child = os.fork()
if child == 0:
    for _ in range(3):
        same = before.equal(contour_coverage(verts_clip, sphere.topology, (64, 64)))
        if not same:
            os._exit(3)
    # A call that found nobody would be right too, but alone.
    os._exit(0 if len(os.listdir("/proc/self/task")) > 1 else 4)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts threads as Linux does")
def test_a_forked_child_computes_with_threads_of_its_own():
    subprocess.run([sys.executable, "-c", IN_A_CHILD], check=True, cwd=ROOT, timeout=PATIENCE)


def test_calls_from_several_python_threads_at_once_give_the_bits_of_one():
    sphere = icosphere(3)
    eyes = torch.randn(6, 3, generator=torch.Generator().manual_seed(1))
    camera = Camera.look_at(
        3 * eyes / eyes.norm(dim=1, keepdim=True), fov_deg=45.0, image_size=(48, 48)
    )
    verts_clip = camera.world_to_clip(sphere.verts)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    expected = contour_coverage(verts_clip, sphere.topology, (48, 48))
    found: list[torch.Tensor] = []

    def work() -> None:
        torch.set_num_threads(3)
        found.extend(contour_coverage(verts_clip, sphere.topology, (48, 48)) for _ in range(25))

    try:
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        torch.set_num_threads(before)
    assert len(found) == 100
    assert all(image.equal(expected) for image in found)


@pytest.mark.slow
@pytest.mark.parametrize("sanitizer", ["thread", "address,undefined"])
def test_the_crew_does_every_task_once_and_without_a_data_race(tmp_path: Path, sanitizer: str):
    compiler = shutil.which("g++")
    if platform.system() != "Linux" or compiler is None:
        pytest.skip("needs g++ on Linux, whose sanitizers this uses")
    program = tmp_path / "crew_stress"
    sources = [ROOT / "tests/ops/crew_stress.cpp", ROOT / "csrc/kernels/crew.cpp"]
    flags = ["-std=c++17", "-O1", "-g", f"-fsanitize={sanitizer}", "-pthread"]
    built = subprocess.run(
        [compiler, *flags, f"-I{ROOT / 'csrc'}", *map(str, sources), "-o", str(program)],
        capture_output=True,
        text=True,
        check=False,
    )
    if "cannot find" in built.stderr:
        pytest.skip(f"g++ lacks the runtime of -fsanitize={sanitizer}")
    assert built.returncode == 0, built.stderr
    # A memory layout that changes from run to run is more than older thread sanitizers bear.
    steady = ["setarch", "-R"] if shutil.which("setarch") else []
    run = subprocess.run(
        [*steady, str(program)], capture_output=True, text=True, check=False, timeout=PATIENCE
    )
    assert run.stdout == "every task was done once\n", run.stdout + run.stderr
    assert run.stderr == ""

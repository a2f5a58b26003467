"""`benchmarks/gpu_check.py` without a GPU: it says so; one part that fails does not stop others."""

import os
import select
import shlex
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

ROOT = Path(__file__).resolve().parent.parent.parent
OPERATORS = ("antialias", "contour", "interpolate", "rasterize", "soft_colors", "soft_coverage")


@pytest.fixture
def gpu_check(monkeypatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import gpu_check

    return gpu_check


def part_of(gpu_check, name: str, program: str, limit_s: int = 20):
    return gpu_check.Part(name, [sys.executable, "-c", program], limit_s)


def is_ready(pipe: int, event: int, seconds: float = 0.0) -> bool:
    poll = select.poll()
    poll.register(pipe, event)
    return any(seen & event for _, seen in poll.poll(1000 * seconds))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_a_gpu_it_says_so_and_ends_with_status_2(tmp_path):
    program = [sys.executable, str(ROOT / "benchmarks" / "gpu_check.py"), "--out", str(tmp_path)]
    done = subprocess.run(program, capture_output=True, text=True)
    assert done.returncode == 2
    assert "there is no GPU" in done.stderr
    assert torch.__version__ in done.stdout


def test_a_part_that_fails_is_told_and_leaves_its_log(gpu_check, tmp_path):
    part = part_of(gpu_check, "tests", "print('before'); raise SystemExit(3)")
    gpu_check.run(part, tmp_path, dict(os.environ))
    assert part.status == "failed with status 3"
    assert "before" in (tmp_path / "tests.log").read_text()


def test_a_part_that_hangs_is_stopped_with_its_children(gpu_check, tmp_path):
    # The child holds the only end of a pipe that can be written to, and says so.
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    program = f"(echo started; exec sleep 600) > {shlex.quote(str(pipe))} & wait"
    limits = iter((1, 10, 60))  # a busy machine may take a while to start it
    while not is_ready(reader, select.POLLIN):
        part = gpu_check.Part("tests", ["sh", "-c", program], next(limits))
        gpu_check.run(part, tmp_path, dict(os.environ))
        assert part.status == f"stopped after {part.limit_s} s"
    assert os.read(reader, 100) == b"started\n"
    assert is_ready(reader, select.POLLHUP, seconds=10)
    os.close(reader)


def test_a_part_that_cannot_run_says_why(gpu_check, tmp_path):
    part = gpu_check.Part("memcheck", ["nothing"], 1, missing="no compute-sanitizer")
    gpu_check.run(part, tmp_path, {})
    assert part.status == "skipped: no compute-sanitizer"


def test_a_machine_without_nvcc_uses_the_libraries_that_are_there(gpu_check, tmp_path, monkeypatch):
    monkeypatch.setattr(gpu_check, "ROOT", tmp_path)
    (tmp_path / "lightning_rast").mkdir()
    for stem in ("_core", "_cuda"):
        (tmp_path / "lightning_rast" / f"{stem}.so").touch()
    parts = gpu_check.build_parts({"cmake": "", "nvcc": "no nvcc"}, tmp_path)
    assert all("that are there are used" in part.missing for part in parts)


def test_all_parts_after_the_build_keep_within_ten_minutes(gpu_check, tmp_path):
    nothing_missing = dict.fromkeys(("torch", "packages", "cmake", "nvcc"), "") | {"sanitizer": "x"}
    checks = gpu_check.check_parts(nothing_missing, tmp_path, pretend=False)
    assert sum(part.limit_s for part in checks) <= 600


@pytest.mark.slow
def test_the_sanitizers_look_at_every_operator(gpu_check):
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-m", "cuda"]
    command += ["-k", gpu_check.FEW_TESTS, *gpu_check.GPU_TESTS]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout
    assert all(f"test_{name}_cuda.py::" in told for name in OPERATORS), told

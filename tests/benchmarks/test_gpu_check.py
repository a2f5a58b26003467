"""`benchmarks/gpu_check.py` without a GPU: it says so; one part that fails does not stop others."""

import os
import subprocess
import sys
import time
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
    child = "import time; open('child', 'w').close(); time.sleep(2); open('late', 'w').close()"
    program = f"import os, subprocess, sys; os.chdir({str(tmp_path)!r}); "
    program += f"subprocess.run([sys.executable, '-c', {child!r}])"
    part = part_of(gpu_check, "tests", program, limit_s=1)
    gpu_check.run(part, tmp_path, dict(os.environ))
    assert part.status == "stopped after 1 s"
    time.sleep(1.5)
    assert not (tmp_path / "late").exists()


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


def test_all_parts_together_keep_within_their_limits(gpu_check, tmp_path):
    nothing_missing = dict.fromkeys(("torch", "packages", "cmake", "nvcc"), "") | {"sanitizer": "x"}
    checks = gpu_check.check_parts(nothing_missing, tmp_path, pretend=False)
    assert sum(part.limit_s for part in checks) <= 600


@pytest.mark.slow
def test_the_sanitizers_look_at_every_operator(gpu_check):
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-m", "cuda"]
    command += ["-k", gpu_check.FEW_TESTS, *gpu_check.GPU_TESTS]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout
    assert all(f"test_{name}_cuda.py::" in told for name in OPERATORS), told

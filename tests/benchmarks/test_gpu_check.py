"""`benchmarks/gpu_check.py` without a GPU: it says so; one part that fails does not stop others."""

import math
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
OPERATORS += ("thin_parts", "transform")


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
    assert "before" in (tmp_path / "log.txt").read_text()
    assert "before" in gpu_check.summary([part], "here")


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
    parts = gpu_check.build_parts({"cmake": "", "nvcc": "no nvcc"}, dict(os.environ))
    assert all("that are there are used" in part.missing for part in parts)


def test_tests_that_would_all_be_skipped_do_not_pass(gpu_check, tmp_path, monkeypatch):
    monkeypatch.setattr(gpu_check, "ROOT", tmp_path)
    nothing_missing = dict.fromkeys(("torch", "packages", "cmake", "nvcc", "sanitizer"), "")
    checks = gpu_check.check_parts(nothing_missing, tmp_path, pretend=False)
    assert all("no compiled libraries" in part.missing for part in checks)


def test_tests_and_times_keep_within_ten_minutes_and_so_do_the_sanitizers(gpu_check, tmp_path):
    nothing_missing = dict.fromkeys(("torch", "packages", "cmake", "nvcc"), "") | {"sanitizer": "x"}
    checks = list(gpu_check.check_parts(nothing_missing, tmp_path, pretend=False))
    watched = sum(part.limit_s for part in checks if part.name in gpu_check.SANITIZERS)
    assert watched <= 600
    assert sum(part.limit_s for part in checks) - watched <= 600


def test_the_limits_of_all_parts_sum_to_what_the_program_says(gpu_check, tmp_path):
    nothing_missing = dict.fromkeys(("torch", "packages", "cmake", "nvcc", "sanitizer"), "")
    parts = [gpu_check.unpacked(tmp_path, tmp_path), *gpu_check.build_parts(nothing_missing, {})]
    parts += gpu_check.check_parts(nothing_missing, tmp_path, pretend=False)
    minutes = math.ceil(sum(part.limit_s for part in parts) / 60)
    assert f"limits sum to {minutes} minutes" in gpu_check.__doc__


def test_no_more_processes_test_than_there_are_cores(gpu_check, tmp_path, monkeypatch):
    monkeypatch.setattr(gpu_check.os, "cpu_count", lambda: 2)
    monkeypatch.setattr(gpu_check.importlib.util, "find_spec", lambda _: True)
    nothing_missing = dict.fromkeys(("torch", "packages", "cmake", "nvcc", "sanitizer"), "")
    tests = next(gpu_check.check_parts(nothing_missing, tmp_path, pretend=False)).command
    assert tests[tests.index("-n") + 1] == "2"


def test_the_help_of_make_names_every_part_and_pretending(gpu_check):
    told = (ROOT / "Makefile").read_text().partition("\nsetup:")[0]
    assert all(name in told for name in (*gpu_check.PREPARATIONS, *gpu_check.CHECKS))
    assert "PRETEND=1" in told


def test_parts_end_with_the_minutes_and_the_summary_is_there_before(tmp_path):
    program = """
import sys, time, gpu_check
def parts(*_, **__):
    yield gpu_check.Part("first", ["true"], 30)
    yield gpu_check.Part("second", ["sleep", "600"], 600)
    assert "| first |" in (gpu_check.Path(sys.argv[2]) / "summary.md").read_text()
    yield gpu_check.Part("third", ["sleep", "600"], 600)
gpu_check.check_parts = parts
gpu_check.machine = lambda _: ("here", False)
gpu_check.find_obstacles = lambda _: {}
gpu_check.main()
"""
    command = [sys.executable, "-c", program, "--out", str(tmp_path), "--pretend"]
    done = subprocess.run(
        [*command, "--minutes", "0.15"],
        env=os.environ | {"PYTHONPATH": str(ROOT / "benchmarks")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, done.stderr
    told = (tmp_path / "summary.md").read_text()
    assert "| third | 0 | skipped: no time is left |" in told
    assert "stopped after" in told


def test_a_part_that_there_is_not_is_refused_and_the_others_are_named(tmp_path):
    program = [sys.executable, str(ROOT / "benchmarks" / "gpu_check.py"), "--pretend"]
    program += ["--out", str(tmp_path / "out"), "--only", "tets"]
    done = subprocess.run(program, capture_output=True, text=True)
    assert done.returncode == 2
    assert "invalid choice: 'tets'" in done.stderr
    assert "racecheck" in done.stderr
    assert not (tmp_path / "out").exists()


def test_help_names_every_part(gpu_check, tmp_path):
    program = [sys.executable, str(ROOT / "benchmarks" / "gpu_check.py"), "--help"]
    told = subprocess.run(program, capture_output=True, text=True).stdout
    nothing_missing = dict.fromkeys(("torch", "packages", "cmake", "nvcc", "sanitizer"), "")
    names = [part.name for part in gpu_check.check_parts(nothing_missing, tmp_path, pretend=False)]
    assert all(name in told for name in ("packages", "configure", "build", *names))


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ({"build": "passed", "tests": "passed", "memcheck": "skipped: no sanitizer"}, 0),
        ({"configure": "passed", "build": "passed"}, 0),
        ({"tests": "passed", "memcheck": "failed with status 9"}, 1),
        ({"tests": "stopped after 9 s", "memcheck": "skipped: no time is left"}, 1),
        ({"tests": "passed", "memcheck": "skipped: no time is left"}, 3),
        ({"build": "passed", "tests": "skipped: packages are missing"}, 3),
        ({"configure": "skipped: no CMake"}, 3),
        ({}, 3),
    ],
)
def test_only_what_was_checked_to_the_end_counts_as_passed(gpu_check, statuses, expected):
    parts = [
        gpu_check.Part(name, [], 1, status.partition("skipped: ")[2], status=status)
        for name, status in statuses.items()
    ]
    assert gpu_check.exit_status(parts) == expected


def test_wheels_of_packages_that_are_there_stay_packed(gpu_check, tmp_path):
    (tmp_path / "numpy-9.9.9-py3-none-any.whl").touch()
    (tmp_path / "no_such_package-1.0-py3-none-any.whl").touch()
    command = gpu_check.unpacked(tmp_path, tmp_path / "site").command
    assert [Path(part).name for part in command if part.endswith(".whl")] == [
        "no_such_package-1.0-py3-none-any.whl"
    ]


def test_wheels_to_fetch_are_of_pinned_versions(gpu_check, tmp_path, monkeypatch):
    lines = []

    def run(command, **_):
        lines.extend(Path(command[-1]).read_text().splitlines())
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(gpu_check.subprocess, "run", run)
    assert gpu_check.fetch(tmp_path, "3.12", ["trimesh", "beartype"]) == 0
    assert [line.partition("==")[0] for line in lines] == ["beartype", "trimesh"]


@pytest.mark.slow
def test_what_it_asks_for_is_all_that_its_parts_import(gpu_check):
    # Packages of the project that the parts must do without.
    program = """
import importlib.metadata, re, sys
import pytest
sys.path.insert(0, "benchmarks")
import gpu_check
names = set(re.findall('"([A-Za-z0-9-]+)>=', gpu_check.ROOT.joinpath("pyproject.toml").read_text()))
# matplotlib is used by another package where it is installed.
absent = names - set(gpu_check.MODULES.values()) - {"torch", "matplotlib"}
owners = importlib.metadata.packages_distributions().items()
absent = {module for module, names in owners if absent & {n.replace("_", "-") for n in names}}
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in absent:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
assert {"ruff", "viser"} <= absent, absent
sys.meta_path.insert(0, Absent())
import gpu
options = ["--collect-only", "-q", "-m", "cuda", "-p", "no:xdist", "-p", "no:cacheprovider"]
sys.exit(pytest.main([*options, *gpu_check.GPU_TESTS]))
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr


@pytest.mark.slow
def test_the_sanitizers_look_at_every_operator(gpu_check):
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-m", "cuda"]
    command += ["-k", gpu_check.FEW_TESTS, *gpu_check.GPU_TESTS]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout
    assert all(f"test_{name}_cuda.py::" in told for name in OPERATORS), told

"""Timing on a shared machine: the best of several runs, what memory allows, and where it was."""

import datetime
import os
import platform
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

import lightning_rast

_WARM_UP_SECONDS = 0.4


def best_ms(work: Callable[[], object], *, repeats: int, seconds: float = 2.0) -> float:
    """Shortest of at most `repeats` runs, in ms; stops when `seconds` are spent.

    The best, not the mean: what other processes take on a shared machine only ever adds.
    """
    return best_stages_ms(lambda: [_timed(work)], repeats=repeats, seconds=seconds)[0]


def best_stages_ms(
    stages: Callable[[], Sequence[float]], *, repeats: int, seconds: float = 2.0
) -> list[float]:
    """Shortest time of each stage over runs of `stages`, which returns seconds per stage."""
    # Builds caches, faults pages in: of a virtual machine's memory some calls touch new pages until
    # the same ones come back.
    end = time.perf_counter() + _WARM_UP_SECONDS
    stages()
    while time.perf_counter() < end:
        stages()
    end = time.perf_counter() + seconds
    runs: list[Sequence[float]] = []
    while len(runs) < repeats and (len(runs) < 3 or time.perf_counter() < end):
        runs.append(stages())
    return (1e3 * np.min(np.array(runs), axis=0)).tolist()


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def copy_ms(num_bytes: int) -> float:
    """Copying a block on torch's threads such that `num_bytes` are read and written in all."""
    source = torch.ones(num_bytes // 2, dtype=torch.uint8)
    target = torch.empty_like(source)
    return best_ms(lambda: target.copy_(source), repeats=30, seconds=0.3)


def best_device_ms(
    work: Callable[[], object], *, calls: int = 20, repeats: int = 7, seconds: float = 1.0
) -> float:
    """Time of one call on the current CUDA device: `calls` are queued before anyone waits.

    Fewer calls and repeats, at least one and three, where those would take longer than `seconds`.
    """
    work()
    one = _device_ms(work, 1)
    calls = max(1, min(calls, int(1e3 * seconds / repeats / max(one, 1e-3))))
    repeats = max(3, min(repeats, int(1e3 * seconds / calls / max(one, 1e-3))))
    return min(_device_ms(work, calls) for _ in range(repeats))


def _device_ms(work: Callable[[], object], calls: int) -> float:
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    for _ in range(calls):
        work()
    end.record()
    end.synchronize()
    return start.elapsed_time(end) / calls


def device_copy_ms(num_bytes: int) -> float:
    """Copying a block on the current CUDA device such that `num_bytes` are read and written."""
    source = torch.ones(max(1, num_bytes // 2), dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    return best_device_ms(lambda: target.copy_(source))


def machine() -> dict[str, str]:
    """What a table must say to be compared with another one."""
    return {
        "cpu": _cpu_name(),
        "cores": str(len(_allowed_cores())),
        "system": platform.platform(terse=True),
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"),
        "lightning_rast": f"{lightning_rast.__version__} {_commit()}".strip(),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    names = [
        line.split(":", 1)[1].strip()
        for line in (info.read_text().splitlines() if info.is_file() else [])
        if line.startswith("model name")
    ]
    return names[0] if names else platform.processor() or platform.machine()


def _allowed_cores() -> set[int]:
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


def product_commit() -> str:
    """The last commit that changed what is measured; with a "+" if files have changed since."""
    root, folders = Path(__file__).parents[1], ("lightning_rast", "csrc")
    last = _git(root, "log", "-1", "--format=%h", "--", *folders)
    return last + ("+" if _git(root, "status", "--porcelain", "--", *folders) else "")


def _commit() -> str:
    return _git(Path(__file__).parent, "describe", "--always", "--dirty")


def _git(folder: Path, *arguments: str) -> str:
    try:
        run = subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, text=True, check=False
        )
    except OSError:  # a machine without git, or a copy without its history
        return ""
    return run.stdout.strip()

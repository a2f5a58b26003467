"""Compiles the CUDA kernels for every architecture, warnings being errors, and lists their cost.

Needs nvcc, not a GPU. Run by `make cuda-check`.
"""

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent.parent
BUILD = REPOSITORY / "build" / "cuda-check"


@dataclass
class KernelCost:
    kernel: str
    architecture: str
    registers: int
    spilled_bytes: int
    stack_bytes: int  # local arrays included; a GPU reserves it for all threads that it can hold
    shared_bytes: int = 0


def kernel_costs(log: str) -> list[KernelCost]:
    """Reads what `ptxas -v` printed."""
    costs = []
    kernel = architecture = ""
    spilled_bytes = stack_bytes = 0
    for line in log.splitlines():
        if entry := re.search(r"Compiling entry function '(\w+)' for 'sm_(\w+)'", line):
            kernel, architecture = entry.groups()
        elif spills := re.search(
            r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", line
        ):
            stack_bytes, spilled_bytes = int(spills[1]), int(spills[2]) + int(spills[3])
        elif (used := re.search(r"Used (\d+) registers", line)) and kernel:
            shared = re.search(r"(\d+) bytes smem", line)
            shared_bytes = int(shared[1]) if shared else 0
            costs.append(
                KernelCost(
                    kernel, architecture, int(used[1]), spilled_bytes, stack_bytes, shared_bytes
                )
            )
            kernel, spilled_bytes, stack_bytes = "", 0, 0
    return costs


def print_table(costs: list[KernelCost]) -> None:
    architectures = sorted({cost.architecture for cost in costs}, key=int)
    cells = {
        (cost.kernel, cost.architecture): f"{cost.registers}"
        + (f"/{cost.stack_bytes}" if cost.stack_bytes else "")
        + (f"+{cost.spilled_bytes}" if cost.spilled_bytes else "")
        for cost in costs
    }
    print("registers per thread / bytes of stack + bytes spilled")
    print("".join(f"{'sm_' + name:>14}" for name in architectures) + "  kernel")
    for kernel in dict.fromkeys(cost.kernel for cost in costs):
        row = (cells.get((kernel, name), "-") for name in architectures)
        print("".join(f"{cell:>14}" for cell in row) + f"  {demangled(kernel)}")


def demangled(name: str) -> str:
    if not shutil.which("c++filt"):
        return name
    long_name = subprocess.run(["c++filt", name], capture_output=True, text=True, check=True).stdout
    return re.sub(r"\(.*|^void ", "", long_name.strip().replace("(anonymous namespace)::", ""))


def cmake(*arguments: str) -> str:
    """Runs the `cmake` command; on failure prints its output and ends the program."""
    done = subprocess.run(
        [sys.executable, "-m", "cmake", *arguments],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        print(done.stdout)
        sys.exit(f"cuda-check: cmake {' '.join(arguments)} failed")
    return done.stdout


def compiled_log(*settings: str) -> tuple[str, str]:
    """What configuring printed, and building; the latter is empty where there is no nvcc."""
    shutil.rmtree(BUILD, ignore_errors=True)
    always = ["-DCMAKE_BUILD_TYPE=Release", "-DLRAST_WERROR=ON", "-DLRAST_PTXAS_REPORT=ON"]
    configured = cmake("-S", ".", "-B", str(BUILD), *always, *settings)
    if "building without CUDA" in configured:
        return configured, ""
    return configured, cmake("--build", str(BUILD), "--target", "_cuda", "--verbose")


def main() -> None:
    configured, log = compiled_log()
    if without := re.search(r"building without CUDA, (.*)", configured):
        print(f"cuda-check: skipped, {without[1]}")
        return
    print_table(kernel_costs(log))
    print("cuda-check: no warnings")


if __name__ == "__main__":
    main()

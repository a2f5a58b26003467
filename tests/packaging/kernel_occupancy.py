"""How many threads of each CUDA kernel an H200 holds at a time, from what the compiler says.

    python tests/packaging/kernel_occupancy.py            compiles for sm_90, prints the table
    python tests/packaging/kernel_occupancy.py --page     writes docs/benchmarks/cuda_kernels.md

Needs nvcc, not a GPU.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))  # as a program it has only its own folder

from tests.packaging.cuda_check import KernelCost, compiled_log, demangled, kernel_costs  # noqa: E402

KERNELS = ROOT / "csrc" / "kernels"
PAGE = ROOT / "docs" / "benchmarks" / "cuda_kernels.md"
DEFAULT_THREADS = "kBlock"  # of kernels that do not say

# Of a multiprocessor of compute capability 9.0, and how many of them an H200 has.
REGISTERS, MOST_WARPS, MOST_BLOCKS, SHARED_BYTES = 65536, 64, 32, 227 * 1024
SHARED_BYTES_PER_BLOCK = 1024  # that the system takes
MULTIPROCESSORS = 132

TEXT = """# CUDA kernels: registers, stack and occupancy

`python tests/packaging/kernel_occupancy.py --page` writes this page from what nvcc's assembler says
about sm_90 ({compiler}).
`make cuda-check` lists registers, stack and spills for all architectures.

Occupancy is the share of an H200's 64 warps per multiprocessor that find room, by registers, shared
memory and blocks. It is an upper bound, known without a GPU; how fast a kernel is only a GPU tells.
`spilled` counts stores and loads in the code, not how often they run.

**Stack is memory.** It holds arrays with computed indices: the pieces of a pixel, the faces along a
line between two pixels. A GPU reserves the largest stack of all kernels that have run for every
thread that it can hold at a time: on an H200 {reserved:.0f} MB, elsewhere in proportion to the
threads that the GPU can hold. The largest are those of `antialias` (`find_crossing_of_pair`, 64
faces in both directions). torch's figures do not show it. It is reserved when such a kernel first
runs: one reason to run a step before capturing a graph.

**What is low on purpose.** `scan_*` is one block: prefix sums of one number per tile. `draw_*`
holds its threads' faces in registers, and in shared memory for the warp that draws them. The soft
kernels hold a row of pixels and its sums; for float they are told to leave registers for two
blocks, since one alone would leave the multiprocessor idle at each barrier. For double, which is
there for proofs, that would spill.

| kernel | threads | registers | shared | stack | spilled | occupancy |
|---|---|---|---|---|---|---|
"""


@dataclass
class Occupancy:
    cost: KernelCost
    threads: int

    @property
    def name(self) -> str:
        """With the type of its arguments: some kernels have the same name."""
        return f"{kernel_of(self.cost)}({argument_of(self.cost.kernel)})"

    @property
    def percent(self) -> float:
        warps = self.threads // 32
        per_warp = -(-self.cost.registers // 8) * 8 * 32
        by_registers = REGISTERS // per_warp // warps
        by_shared = SHARED_BYTES // (self.cost.shared_bytes + SHARED_BYTES_PER_BLOCK)
        blocks = min(by_registers, by_shared, MOST_BLOCKS, MOST_WARPS // warps)
        return 100 * blocks * warps / MOST_WARPS


def block_sizes(sources: Path) -> dict[str, int]:
    """Threads per block of each kernel, read from the sources: `__launch_bounds__` names them."""
    constants: dict[str, str] = {}
    bounds: dict[str, str] = {}
    for path in sorted(sources.glob("*.cu*")):
        text = path.read_text()
        constants |= dict(re.findall(r"constexpr int (k\w+) = (\d+);", text))
        for head in re.split(r"__global__\s+void\s+", text)[1:]:
            if found := re.match(r"(?:__launch_bounds__\((\w+)[^)]*\)\s+)?(\w+)\(", head):
                bounds[found[2]] = found[1] or DEFAULT_THREADS
    return {kernel: int(constants[name]) for kernel, name in bounds.items()}


def kernel_of(cost: KernelCost) -> str:
    return demangled(cost.kernel).rpartition("::")[2].partition("<")[0]


def argument_of(symbol: str) -> str:
    """`Work<float>` of a kernel `void lrast::cuda::k<float>(lrast::cuda::Work<float>)`."""
    long_name = subprocess.run(["c++filt", symbol], capture_output=True, text=True, check=True)
    argument = re.sub(r"(\(anonymous namespace\)|lrast|cuda)::", "", long_name.stdout.strip())
    return argument.partition("(")[2].removesuffix(")")


def occupancies(log: str) -> Iterator[Occupancy]:
    sizes = block_sizes(KERNELS)
    for cost in kernel_costs(log):
        yield Occupancy(cost, sizes[kernel_of(cost)])


def table(rows: list[Occupancy]) -> str:
    lines = []
    for row in sorted(rows, key=lambda row: row.name):
        cost = row.cost
        numbers = (row.threads, cost.registers, cost.shared_bytes, cost.stack_bytes)
        cells = (f"`{row.name}`", *numbers, cost.spilled_bytes, f"{row.percent:.3g} %")
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines) + "\n"


def page(rows: list[Occupancy], compiler: str) -> str:
    largest = max(row.cost.stack_bytes for row in rows)
    reserved = largest * MULTIPROCESSORS * MOST_WARPS * 32 / 1e6
    return TEXT.format(compiler=compiler, reserved=reserved) + table(rows)


def main() -> None:
    configured, log = compiled_log("-DLRAST_CUDA=ON", "-DLRAST_CUDA_ARCHITECTURES=90")
    compiler = re.search(r"CUDA compiler identification is (.*)", configured)
    text = page(list(occupancies(log)), compiler[1] if compiler else "nvcc")
    if "--page" in sys.argv[1:]:
        PAGE.write_text(text)
    else:
        print(text)


if __name__ == "__main__":
    main()

"""Reading the compiler's report on the CUDA kernels."""

import pytest

from tests.packaging.cuda_check import KernelCost, kernel_costs
from tests.packaging.kernel_occupancy import KERNELS, Occupancy, block_sizes

REPORT = """
ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function '_Z5scale' for 'sm_75'
ptxas info    : Function properties for _Z5scale
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 8 registers, used 0 barriers, 368 bytes cmem[0]
ptxas info    : Compiling entry function '_Z5sweep' for 'sm_120'
ptxas info    : Function properties for _Z5sweep
    16 bytes stack frame, 12 bytes spill stores, 20 bytes spill loads
ptxas info    : Used 255 registers, used 1 barriers, 16 bytes cumulative stack size, 1024 bytes smem
"""


def test_registers_and_spills_are_read_per_kernel_and_architecture():
    assert kernel_costs(REPORT) == [
        KernelCost("_Z5scale", "75", registers=8, spilled_bytes=0, stack_bytes=0),
        KernelCost(
            "_Z5sweep", "120", registers=255, spilled_bytes=32, stack_bytes=16, shared_bytes=1024
        ),
    ]


def test_block_sizes_are_read_from_the_sources(tmp_path):
    (tmp_path / "some.cuh").write_text(
        """constexpr int kBlock = 256;  // threads
constexpr int kDraw = 128;
template <typename T>
__global__ void __launch_bounds__(kDraw, 4) draw(const __grid_constant__ Work<T> work) {}
template <typename T>
__global__ void __launch_bounds__(kDraw, kBlocks<T>)
    sum(const Work<T> work) {}
template <typename T> __global__ void plain(Args<T> args) {}
"""
    )
    assert block_sizes(tmp_path) == {"draw": 128, "sum": 128, "plain": 256}


def test_every_kernel_has_a_block_size():
    sizes = block_sizes(KERNELS)
    assert {"draw_faces": 128, "scan_rows": 1024, "sum_gradients": 256}.items() <= sizes.items()


@pytest.mark.parametrize(
    ("registers", "shared_bytes", "threads", "percent"),
    [
        (32, 0, 256, 100.0),
        (33, 0, 256, 75.0),  # registers go in steps of eight
        (255, 0, 256, 12.5),
        (128, 25_000, 128, 25.0),
        (16, 113_000, 128, 12.5),  # two blocks by shared memory
        (16, 0, 32, 50.0),  # no more than 32 blocks
    ],
)
def test_occupancy_is_that_of_nvidias_tables(registers, shared_bytes, threads, percent):
    cost = KernelCost("k", "90", registers, 0, 0, shared_bytes)
    assert Occupancy(cost, threads).percent == percent

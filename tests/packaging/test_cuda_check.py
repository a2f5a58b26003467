"""Reading the compiler's report on the CUDA kernels."""

from tests.packaging.cuda_check import KernelCost, kernel_costs

REPORT = """
ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function '_Z5scale' for 'sm_75'
ptxas info    : Function properties for _Z5scale
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 8 registers, used 0 barriers, 368 bytes cmem[0]
ptxas info    : Compiling entry function '_Z5sweep' for 'sm_120'
ptxas info    : Function properties for _Z5sweep
    16 bytes stack frame, 12 bytes spill stores, 20 bytes spill loads
ptxas info    : Used 255 registers, used 1 barriers
"""


def test_registers_and_spills_are_read_per_kernel_and_architecture():
    assert kernel_costs(REPORT) == [
        KernelCost("_Z5scale", "75", registers=8, spilled_bytes=0, stack_bytes=0),
        KernelCost("_Z5sweep", "120", registers=255, spilled_bytes=32, stack_bytes=16),
    ]

"""Sums in fixed point: the same bits in any order, close to the true sum, NaN where one term is."""

import ctypes
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.cuda_shim.build import compiled

FORWARD, REVERSE, SHUFFLED = range(3)
_P, _I64, _I32 = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int32

Sum = Callable[[Tensor, Tensor, int, torch.dtype], Tensor]


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> ctypes.CDLL:
    source = Path(__file__).parent / "fixed_sum_probe.cu"
    return compiled([source], tmp_path_factory.mktemp("shim") / "fixed_sum.so")


def make_sum(library: ctypes.CDLL, *, by_warp: bool) -> Sum:
    """Adds `values` into `targets`; warps first sum up what they have for one target, or not."""

    def fixed_sum(values: Tensor, targets: Tensor, num_targets: int, dtype: torch.dtype) -> Tensor:
        values, targets = values.double().contiguous(), targets.int().contiguous()
        out = torch.full((num_targets,), 123.0, dtype=dtype)
        function = library.sum_f64 if dtype == torch.float64 else library.sum_f32
        function.argtypes = (_P, _P, _I64, _I64, _I32, _P)
        inputs = (values.data_ptr(), targets.data_ptr(), len(values), num_targets)
        function(*inputs, by_warp, out.data_ptr())
        return out

    return fixed_sum


@pytest.fixture(params=[False, True], ids=["each", "by_warp"])
def fixed_sum(library, request) -> Sum:
    return make_sum(library, by_warp=request.param)


def terms(count: int, num_targets: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Terms of very different sizes, in runs for one target as pixels of a face are."""
    generator = torch.Generator().manual_seed(seed)
    size = 10 ** (16 * torch.rand(count, generator=generator, dtype=torch.float64) - 8)
    values = size * torch.randn(count, generator=generator, dtype=torch.float64)
    runs = torch.randint(num_targets, (count // 4 + 1,), generator=generator)
    return values, runs.repeat_interleave(4)[:count]


def exact(values: Tensor, targets: Tensor, num_targets: int) -> tuple[Tensor, Tensor]:
    """Sum of each target, rounded once, and its largest term."""
    lists = [values[targets == target].tolist() for target in range(num_targets)]
    sums = torch.tensor([math.fsum(terms) for terms in lists], dtype=torch.float64)
    largest = torch.tensor([max(map(abs, terms), default=0.0) for terms in lists])
    return sums, largest.double()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["f32", "f64"])
def test_the_order_of_threads_does_not_show(library, fixed_sum, dtype):
    values, targets = terms(1500, 7)
    results = []
    for order, seed in ((FORWARD, 0), (REVERSE, 0), (SHUFFLED, 1), (SHUFFLED, 2)):
        library.cuda_shim_order(order, seed)
        results.append(fixed_sum(values, targets, 7, dtype))
    assert all(torch.equal(result, results[0]) for result in results)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["f32", "f64"])
def test_the_order_of_terms_does_not_show(library, dtype):
    fixed_sum = make_sum(library, by_warp=False)
    library.cuda_shim_order(FORWARD, 0)
    values, targets = terms(1500, 7)
    expected = fixed_sum(values, targets, 7, dtype)
    for seed in range(5):
        order = torch.randperm(1500, generator=torch.Generator().manual_seed(seed))
        assert torch.equal(fixed_sum(values[order], targets[order], 7, dtype), expected)


@pytest.mark.parametrize("count", [1, 31, 1024, 5000])
@pytest.mark.parametrize("num_targets", [1, 40])
def test_double_sums_are_as_good_as_floating_point(fixed_sum, count, num_targets):
    values, targets = terms(count, num_targets, seed=count)
    expected, largest = exact(values, targets, num_targets)
    error = (fixed_sum(values, targets, num_targets, torch.float64) - expected).abs()
    assert (error <= 2**-50 * largest).all()


@pytest.mark.parametrize("count", [1, 31, 1024, 5000])
@pytest.mark.parametrize("num_targets", [1, 40])
def test_float_sums_are_rounded_once(fixed_sum, count, num_targets):
    values, targets = terms(count, num_targets, seed=count)
    expected, largest = exact(values, targets, num_targets)
    error = (fixed_sum(values, targets, num_targets, torch.float32).double() - expected).abs()
    terms_bits = math.ceil(math.log2(count))
    assert (error <= 2**-24 * expected.abs() + count * 2.0 ** (terms_bits - 62) * largest).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["f32", "f64"])
def test_a_large_term_does_not_spoil_another_target(fixed_sum, dtype):
    values = torch.tensor([1e30, 1e-20, 2e-20, -1e30, 3.0])
    targets = torch.tensor([0, 1, 1, 0, 2])
    sums = fixed_sum(values, targets, 3, dtype)
    torch.testing.assert_close(
        sums, torch.tensor([0.0, 3e-20, 3.0], dtype=dtype), atol=0, rtol=1e-7
    )


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_term_that_is_not_finite_makes_its_target_nan(fixed_sum, bad):
    values = torch.tensor([1.0, bad, 2.0, 4.0])
    sums = fixed_sum(values, torch.tensor([0, 1, 1, 0]), 3, torch.float32)
    torch.testing.assert_close(sums, torch.tensor([5.0, math.nan, 0.0]), equal_nan=True)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["f32", "f64"])
def test_sums_of_zeros_and_of_nothing_are_zero(fixed_sum, dtype):
    sums = fixed_sum(torch.tensor([0.0, -0.0, 0.0]), torch.tensor([0, 0, 2]), 4, dtype)
    assert torch.equal(sums, torch.zeros(4, dtype=dtype))


@pytest.mark.parametrize("size", [1e308, 5e-324, 1e-310, 1e-200])
def test_terms_at_the_ends_of_the_range(fixed_sum, size):
    values = torch.tensor([size, size / 2], dtype=torch.float64)
    sums = fixed_sum(values, torch.tensor([0, 0]), 1, torch.float64)
    torch.testing.assert_close(sums, 1.5 * values[:1], rtol=1e-15, atol=1e-260)


@pytest.mark.parametrize("pattern", range(6))
def test_warps_sum_any_pattern_of_targets(library, fixed_sum, pattern):
    generator = torch.Generator().manual_seed(pattern)
    targets = torch.randint(1 + 7 * pattern, (32 * 9,), generator=generator)
    values = torch.randint(-1000, 1000, (32 * 9,), generator=generator).double()
    expected = torch.zeros(36).double().index_add(0, targets, values)
    library.cuda_shim_order(SHUFFLED, pattern)
    assert torch.equal(fixed_sum(values, targets, 36, torch.float64), expected)

"""`benchmarks/gpu.py` without a GPU: what it would measure runs, and the program says why not."""

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

BENCHMARKS = Path(__file__).resolve().parent.parent.parent / "benchmarks"


@pytest.fixture
def gpu_cases(monkeypatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import gpu_cases

    return gpu_cases


@pytest.fixture
def scene_and_camera(gpu_cases):
    from scenes import cameras, smooth_sphere

    return smooth_sphere(2), cameras(2, 32)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_a_gpu_it_says_so_and_fails():
    program = [sys.executable, str(BENCHMARKS / "gpu.py")]
    environment = {"PYTHONPATH": str(BENCHMARKS.parent)}
    done = subprocess.run(program, capture_output=True, text=True, env=environment)
    assert done.returncode == 2
    assert done.stderr.startswith("gpu: nothing to measure")


def test_operators_have_gradients_to_be_timed(gpu_cases, scene_and_camera):
    for name, make in gpu_cases.OPERATORS.items():
        case = make(*scene_and_camera)
        assert all(grad.abs().sum() > 0 for grad in case.both()), name


def test_bytes_moved_count_operands_and_results(gpu_cases):
    leaf = torch.zeros(5, requires_grad=True)
    index = torch.zeros(3, dtype=torch.int32)
    case = gpu_cases.Case(lambda: (leaf.double() * 2,), (leaf,), (index,))
    # Both operands twice, the result, its gradient and that of the leaf.
    assert case.bytes_moved() == 2 * (20 + 12) + 40 + 40 + 20


def test_the_training_step_lowers_its_loss(gpu_cases, scene_and_camera):
    from scenes import disc

    scene, camera = scene_and_camera
    step = gpu_cases.training_step(scene, camera, disc(32), lr=0.01)
    first = step()
    for _ in range(5):
        last = step()
    assert last < first


def test_our_rasterizer_is_among_those_compared(gpu_cases, scene_and_camera):
    from visibility_peers import visibility_peers

    scene, camera = scene_and_camera
    fragments = visibility_peers(scene, camera)["lightning_rast"](scene.mesh.verts.float())
    assert 0.3 < (fragments.face_idx >= 0).double().mean() < 0.9


def test_the_dispatcher_tells_which_operators_run_on_a_gpu(gpu_cases):
    assert gpu_cases.has_cuda_kernel("contour_coverage")
    assert not gpu_cases.has_cuda_kernel("no_such_operator")

"""The pretended GPU refuses what makes a host wait, and its graphs repeat what was captured."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
# In a process of its own: the pretence lasts until its end.
PROGRAM = """
import torch
import tests.cuda_shim.pretended_gpu
from tests.cuda_shim.pretended_graphs import HostWaitsError

def refused(call):
    try:
        call()
    except HostWaitsError:
        return True
    return False

x = torch.arange(6.0, device="cuda")
on_the_host = torch.arange(6.0)
"""
WAITING = {
    "reading a number": "float(x.sum())",
    "asking a condition": "bool((x > 2).any())",
    "a mask as an index": "x[x > 2]",
    "a mask as a place to write": "x.__setitem__(x > 2, on_the_gpu)",
    "places of what is not zero": "x.nonzero()",
    "comparing tensors": "torch.equal(x, x)",
    "distinct values": "torch.unique(x)",
    "a copy to the host": "x.cpu()",
    "a copy to the GPU": "on_the_host.cuda()",
    "numbers from Python": "torch.tensor([1.0, 2.0], device='cuda')",
    "a matrix that may be singular": "torch.linalg.inv(x[:4].reshape(2, 2) + 1)",
}


def answers(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM + program], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_what_makes_the_host_wait_is_refused_where_a_gpu_refuses_it():
    lines = ["on_the_gpu = torch.ones(3, device='cuda')", "torch.cuda.set_sync_debug_mode('error')"]
    lines += [f"print(refused(lambda: {call}))" for call in WAITING.values()]
    told = answers("\n".join(lines)).splitlines()
    assert dict(zip(WAITING, told, strict=True)) == dict.fromkeys(WAITING, "True")


@pytest.mark.parametrize(
    "call",
    ["2 * x + on_the_host.sum().item()", "x[torch.ones(2, device='cuda').long()]", "x.to(x.dtype)"],
)
def test_what_does_not_is_not(call):
    lines = f"torch.cuda.set_sync_debug_mode('error')\nprint(refused(lambda: {call}))"
    assert answers(lines) == "False"


def test_waiting_is_allowed_otherwise():
    lines = "torch.cuda.set_sync_debug_mode('error')\ntorch.cuda.set_sync_debug_mode('default')"
    assert answers(lines + "\nprint(refused(lambda: float(x.sum())))") == "False"


def test_a_graph_follows_its_input_and_not_what_python_counts():
    program = """
steps = 0
def step():
    global steps
    steps += 1
    total = torch.zeros(6, device="cuda")
    total.add_(x)
    return total * steps

graph = torch.cuda.CUDAGraph()
with torch.cuda.graph(graph):
    out = step()
x.copy_(torch.full((6,), 7.0, device="cuda"))
graph.replay()
graph.replay()
print(out.tolist())
"""
    assert answers(program) == str([7.0] * 6)


def test_a_graph_takes_gradients_along():
    program = """
leaf = x.clone().requires_grad_()
graph = torch.cuda.CUDAGraph()
with torch.cuda.graph(graph):
    (grad,) = torch.autograd.grad((leaf**3).sum(), leaf)
with torch.no_grad():
    leaf.copy_(torch.full((6,), 2.0, device="cuda"))
graph.replay()
print(grad.tolist())
"""
    assert answers(program) == str([12.0] * 6)


def test_nothing_that_makes_the_host_wait_can_be_captured():
    program = """
def capture():
    with torch.cuda.graph(torch.cuda.CUDAGraph()):
        return x * x.sum().item()
print(refused(capture))
"""
    assert answers(program) == "True"

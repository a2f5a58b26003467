"""AdamUniform: its rule, its symmetries, and its state."""

import copy

import pytest
import torch

from lightning_rast.optim import AdamUniform, Smoother
from lightning_rast.scene import icosphere


def unsmoothed(values):
    return values


def run(verts, grads, smoother=unsmoothed, lr=0.1, betas=(0.9, 0.95)):
    verts = verts.clone().requires_grad_()
    optimizer = AdamUniform([verts], lr=lr, betas=betas, smoother=smoother)
    for grad in grads:
        verts.grad = grad.clone()
        optimizer.step()
    return verts.detach(), optimizer


def test_it_follows_its_rule():
    smoother = Smoother(icosphere(1).topology, 4.0)
    verts, grads = torch.rand(42, 3).double(), torch.randn(5, 42, 3).double()
    expected, moment, square = verts.clone(), torch.zeros(42, 3).double(), 0.0
    for step, grad in enumerate(grads, start=1):
        smooth = smoother(grad)
        moment = 0.9 * moment + 0.1 * smooth
        square = 0.95 * square + 0.05 * smooth.square().sum(1).mean()
        ratio = moment / (1 - 0.9**step) / (square / (1 - 0.95**step)).sqrt()
        expected = expected - 0.1 * smoother(ratio)
    torch.testing.assert_close(run(verts, grads, smoother)[0], expected)


def test_the_size_of_the_gradient_does_not_matter():
    verts, grads = torch.rand(6, 3), torch.randn(4, 6, 3)
    for factor in (1e-6, 1e6):
        torch.testing.assert_close(run(verts, grads)[0], run(verts, grads * factor)[0])


def test_turning_the_problem_turns_the_answer():
    verts, grads = torch.rand(6, 3).double(), torch.randn(4, 6, 3).double()
    turn = torch.linalg.qr(torch.randn(3, 3).double())[0]
    torch.testing.assert_close(run(verts @ turn, grads @ turn)[0], run(verts, grads)[0] @ turn)


def test_no_gradient_moves_nothing():
    verts = torch.rand(6, 3)
    assert torch.equal(run(verts, torch.zeros(3, 6, 3))[0], verts)


def test_it_minimises():
    target = icosphere(1).verts
    verts = torch.zeros_like(target).requires_grad_()
    optimizer = AdamUniform([verts], lr=0.1, smoother=Smoother(icosphere(1).topology, 1.0))
    for step in range(300):
        optimizer.param_groups[0]["lr"] = 0.1 * 0.98**step
        optimizer.zero_grad()
        (verts - target).square().sum().backward()
        optimizer.step()
    assert (verts - target).abs().max() < 0.01


def test_a_restored_state_continues_with_the_same_bits():
    smoother = Smoother(icosphere(1).topology, 4.0)
    verts, grads = torch.rand(42, 3), torch.randn(8, 42, 3)
    whole, _ = run(verts, grads, smoother)
    half, stopped = run(verts, grads[:4], smoother)
    resumed = half.clone().requires_grad_()
    optimizer = AdamUniform([resumed], lr=0.7, smoother=smoother)
    optimizer.load_state_dict(copy.deepcopy(stopped.state_dict()))
    for grad in grads[4:]:
        resumed.grad = grad.clone()
        optimizer.step()
    assert torch.equal(resumed.detach(), whole)


def test_the_state_is_tensors_only():
    # Checkpoints are read with weights_only=True.
    _, optimizer = run(torch.rand(6, 3), torch.randn(1, 6, 3))
    state = optimizer.state_dict()["state"][0]
    assert {name: tuple(value.shape) for name, value in state.items()} == {
        "step": (),
        "exp_avg": (6, 3),
        "exp_avg_sq": (),
    }


@pytest.mark.parametrize(
    ("options", "name"), [({"lr": -1.0}, "lr"), ({"lr": 1.0, "betas": (0.9, 1.0)}, "betas")]
)
def test_impossible_options_are_refused(options, name):
    with pytest.raises(ValueError, match=name):
        AdamUniform([torch.zeros(2, 3)], smoother=unsmoothed, **options)

"""Adam with one step size for all vertices, between two passes of a smoother."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from lightning_rast.ops.steady_sum import steady_sum


class AdamUniform(torch.optim.Optimizer):
    """Adam whose second moment is one number per parameter, so directions are never distorted.

    Each step: `g = S grad`, first moment of g per vertex, second moment of the mean squared |g|
    over the vertices, and `verts -= lr * S m / sqrt(s)`, both moments without their start-up bias.
    With S = (I + lambda L)^-1 this is gradient descent in Large Steps' coordinates (Nicolet et
    al. 2021), without their variables, so vertices may be added between steps. S is the
    attribute `smoother`, not a part of the state; replace it when the mesh or lambda changes.

    Args:
        params: tensors (V, C), one row per vertex.
        lr: world units; about how far the typical vertex moves in a step.
        betas: decay of the first and of the second moment.
        smoother: a symmetric linear map of (V, C) tensors.
        smooths_steps: False leaves out the second S, where the first alone makes a gradient a
            direction to go, as the inverse of a Hessian does.
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        *,
        lr: float,
        betas: tuple[float, float] = (0.9, 0.95),
        smoother: Callable[[Tensor], Tensor],
        smooths_steps: bool = True,
    ) -> None:
        if not lr >= 0:
            raise ValueError(f"AdamUniform: lr must be 0 or more, got {lr}")
        if not all(0 <= beta < 1 for beta in betas):
            raise ValueError(f"AdamUniform: betas must lie in [0, 1), got {tuple(betas)}")
        super().__init__(params, {"lr": lr, "betas": tuple(betas)})
        self.smoother = smoother
        self.smooths_steps = smooths_steps

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for verts in group["params"]:
                if verts.grad is not None and len(verts):
                    self._update(verts, verts.grad, group["lr"], *group["betas"])
        return loss

    def _update(self, verts: Tensor, grad: Tensor, lr: float, beta1: float, beta2: float) -> None:
        state = self.state[verts]
        if not state:
            state["step"] = torch.zeros((), dtype=torch.float32)
            state["exp_avg"] = torch.zeros_like(verts)
            state["exp_avg_sq"] = verts.new_zeros(())
        state["step"] += 1
        step = int(state["step"])
        grad = self.smoother(grad)
        state["exp_avg"].lerp_(grad, 1 - beta1)
        state["exp_avg_sq"].lerp_(steady_sum(grad.square()) / len(grad), 1 - beta2)
        # No gradient at all leaves 0 / tiny, that is no step.
        length = (state["exp_avg_sq"] / (1 - beta2**step)).sqrt()
        length = length.clamp(min=torch.finfo(verts.dtype).tiny)
        direction = state["exp_avg"] / (length * (1 - beta1**step))
        verts.sub_(self.smoother(direction) if self.smooths_steps else direction, alpha=lr)

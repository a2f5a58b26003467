"""The product of a camera's matrices is kept, and made anew when they change."""

import torch

from lightning_rast.scene import Camera

POINTS = torch.tensor([[0.1, 0.2, 0.3], [-0.3, 0.1, 0.0]])


def camera() -> Camera:
    return Camera.look_at([[0.0, 0.0, 3.0]], fov_deg=45.0, image_size=(8, 8))


def test_a_matrix_that_was_written_to_counts():
    kept, fresh = camera(), camera()
    kept.world_to_clip(POINTS)
    for changed in (kept, fresh):
        changed.K[:, 0, 2] += 1.5
    assert torch.equal(kept.world_to_clip(POINTS), fresh.world_to_clip(POINTS))


def test_gradients_reach_matrices_that_want_them_after_a_call_without():
    seen = camera()
    seen.world_to_clip(POINTS)
    seen.world_to_view.requires_grad_()
    (grad,) = torch.autograd.grad(seen.world_to_clip(POINTS).sum(), seen.world_to_view)
    assert grad.abs().sum() > 0


def test_what_was_made_in_inference_mode_serves_no_training():
    seen, points = camera(), POINTS.clone().requires_grad_()
    with torch.inference_mode():
        seen.world_to_clip(POINTS)
    seen.world_to_clip(points).sum().backward()
    assert points.grad is not None

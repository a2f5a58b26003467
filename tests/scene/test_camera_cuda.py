"""Cameras on a GPU."""

import pytest
import torch

from lightning_rast.scene import Camera

pytestmark = pytest.mark.cuda


@pytest.mark.parametrize("orthographic", [False, True])
def test_points_are_projected_without_waiting_for_the_device(never_waiting, orthographic):
    torch.cuda.set_sync_debug_mode("default")  # copies to the device are no part of the claim
    make = Camera.orthographic_look_at if orthographic else Camera.look_at
    size = {"height": 2.0} if orthographic else {"fov_deg": 40.0}
    camera = make(torch.tensor([[0.0, 1.0, 3.0]]), image_size=(8, 8), **size).to("cuda")
    points = torch.rand(5, 3, device="cuda")
    torch.cuda.set_sync_debug_mode("error")
    camera.world_to_clip(points)

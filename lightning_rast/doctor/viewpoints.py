"""Where the cameras look from."""

import torch

from lightning_rast.data.fitted_sphere import seen_center
from lightning_rast.data.views import Views


def spread_deg(views: Views) -> float:
    """The largest angle between two views' lines of sight to the object, 0 to 90 degrees.

    Lines, not rays: two cameras on opposite sides see the same outline and measure no depth.
    """
    if len(views) < 2:
        return 0.0
    center = seen_center(views)
    direction = views.cameras.center_world.cpu() - center
    if views.cameras.orthographic:
        direction = views.cameras.look_direction.cpu()
    direction = torch.nn.functional.normalize(direction, dim=1)
    cosine = (direction @ direction.T).abs().clamp(max=1.0).min()
    return float(torch.rad2deg(torch.arccos(cosine)))

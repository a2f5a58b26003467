"""visual_hull on real masks; skipped where they are not."""

import pytest

from lightning_rast.data.masks import load_mask_views
from lightning_rast.data.views import split_held_out
from lightning_rast.losses import box_iou
from lightning_rast.optim import visual_hull
from lightning_rast.render import render_silhouettes

# Mean IoU on held-out views of a hull with 96 cells, less than .005 below what is reached.
FLOORS = {
    "vgg_dino": (0.950, 1),
    "forbes_elephant": (0.902, 0),
    "tsinghua_wd2": (0.935, 0),
    "nerf_lego_synthetic": (0.967, 0),
    "middlebury_dinoSparseRing": (0.960, 0),
    "colmap_silhouettes": (0.984, 0),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", FLOORS)
def test_the_hull_of_real_masks_predicts_views_that_were_held_out(shared_data, name):
    training, held_out = split_held_out(load_mask_views(shared_data / name), every=5, offset=2)
    assert held_out is not None
    hull = visual_hull(training.coverage, training.cameras, known=training.known)
    rendered = render_silhouettes(hull.mesh, held_out.cameras)
    floor, num_disagreeing = FLOORS[name]
    assert float(box_iou(rendered, held_out.coverage, held_out.known).mean()) > floor
    assert hull.num_disagreeing == num_disagreeing
    assert hull.mesh.topology.is_closed
    assert hull.mesh.topology.is_manifold

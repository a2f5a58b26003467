"""What a fit minimises: image terms, regularizers, and their weighted sum by name."""

from lightning_rast.losses.image import silhouette_l1 as silhouette_l1
from lightning_rast.losses.image import silhouette_l2 as silhouette_l2
from lightning_rast.losses.metrics import box_iou as box_iou
from lightning_rast.losses.objective import Objective as Objective
from lightning_rast.losses.regularizers import Regularizers as Regularizers

__all__ = [
    "Objective",
    "Regularizers",
    "box_iou",
    "silhouette_l1",
    "silhouette_l2",
]

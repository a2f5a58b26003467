"""How good a result is, as plain functions of meshes and views; docs/evaluation.md says what each
score means."""

from lightning_rast.evaluation.hulls import better_hull as better_hull
from lightning_rast.evaluation.scores import Scores as Scores
from lightning_rast.evaluation.scores import Spread as Spread
from lightning_rast.evaluation.scores import score_mesh as score_mesh
from lightning_rast.evaluation.scores import spreads as spreads
from lightning_rast.evaluation.seen import times_seen as times_seen
from lightning_rast.evaluation.silhouettes import folds as folds
from lightning_rast.evaluation.silhouettes import native_ious as native_ious
from lightning_rast.evaluation.silhouettes import silhouettes_of as silhouettes_of
from lightning_rast.evaluation.silhouettes import view_ious as view_ious
from lightning_rast.evaluation.surfaces import SeenScores as SeenScores
from lightning_rast.evaluation.surfaces import SurfaceScores as SurfaceScores
from lightning_rast.evaluation.surfaces import chamfer_l1 as chamfer_l1
from lightning_rast.evaluation.surfaces import compare_seen as compare_seen
from lightning_rast.evaluation.surfaces import compare_surfaces as compare_surfaces
from lightning_rast.evaluation.surfaces import distances_to_surface as distances_to_surface
from lightning_rast.evaluation.surfaces import surface_samples as surface_samples
from lightning_rast.evaluation.volumes import volume_iou as volume_iou

__all__ = [
    "Scores",
    "SeenScores",
    "Spread",
    "SurfaceScores",
    "better_hull",
    "chamfer_l1",
    "compare_seen",
    "compare_surfaces",
    "distances_to_surface",
    "folds",
    "native_ious",
    "score_mesh",
    "silhouettes_of",
    "spreads",
    "surface_samples",
    "times_seen",
    "view_ious",
    "volume_iou",
]

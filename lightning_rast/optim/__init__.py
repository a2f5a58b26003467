"""How the vertices move: schedule, optimizer, smoothing, remeshing."""

from lightning_rast.optim.adam_uniform import AdamUniform as AdamUniform
from lightning_rast.optim.outline_newton import OutlineRows as OutlineRows
from lightning_rast.optim.outline_newton import OutlineStep as OutlineStep
from lightning_rast.optim.outline_newton import disagreeing_views as disagreeing_views
from lightning_rast.optim.outline_newton import outline_rows as outline_rows
from lightning_rast.optim.outline_newton import outline_step as outline_step
from lightning_rast.optim.outline_newton import view_weights as view_weights
from lightning_rast.optim.islands import drop_islands as drop_islands
from lightning_rast.optim.remesh import Remeshed as Remeshed
from lightning_rast.optim.remesh import RemeshReport as RemeshReport
from lightning_rast.optim.remesh import SurfacePoints as SurfacePoints
from lightning_rast.optim.remesh import remesh as remesh
from lightning_rast.optim.schedule import Schedule as Schedule
from lightning_rast.optim.schedule import Stage as Stage
from lightning_rast.optim.schedule import views_of_step as views_of_step
from lightning_rast.optim.smoothing import Smoother as Smoother
from lightning_rast.optim.visual_hull import HullError as HullError
from lightning_rast.optim.visual_hull import VisualHull as VisualHull
from lightning_rast.optim.visual_hull import view_bounds as view_bounds
from lightning_rast.optim.visual_hull import visual_hull as visual_hull
from lightning_rast.optim.voxels import extract_surface as extract_surface
from lightning_rast.optim.thickness import graded as graded
from lightning_rast.optim.thickness import local_thickness as local_thickness
from lightning_rast.optim.thickness import pixel_footprint as pixel_footprint
from lightning_rast.optim.thickness import target_edges as target_edges
from lightning_rast.optim.voxels import voxelize as voxelize

"""How the vertices move: schedule, optimizer, smoothing."""

from lightning_rast.optim.adam_uniform import AdamUniform as AdamUniform
from lightning_rast.optim.schedule import Schedule as Schedule
from lightning_rast.optim.schedule import Stage as Stage
from lightning_rast.optim.schedule import views_of_step as views_of_step
from lightning_rast.optim.smoothing import Smoother as Smoother
from lightning_rast.optim.visual_hull import HullError as HullError
from lightning_rast.optim.visual_hull import VisualHull as VisualHull
from lightning_rast.optim.visual_hull import view_bounds as view_bounds
from lightning_rast.optim.visual_hull import visual_hull as visual_hull
from lightning_rast.optim.voxels import extract_surface as extract_surface
from lightning_rast.optim.voxels import voxelize as voxelize

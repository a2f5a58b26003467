"""How the vertices move: schedule, optimizer, smoothing, remeshing."""

from lightning_rast.optim.adam_uniform import AdamUniform as AdamUniform
from lightning_rast.optim.islands import drop_islands as drop_islands
from lightning_rast.optim.remesh import Remeshed as Remeshed
from lightning_rast.optim.remesh import RemeshReport as RemeshReport
from lightning_rast.optim.remesh import SurfacePoints as SurfacePoints
from lightning_rast.optim.remesh import remesh as remesh
from lightning_rast.optim.schedule import Schedule as Schedule
from lightning_rast.optim.schedule import Stage as Stage
from lightning_rast.optim.schedule import views_of_step as views_of_step
from lightning_rast.optim.smoothing import Smoother as Smoother
from lightning_rast.optim.thickness import graded as graded
from lightning_rast.optim.thickness import local_thickness as local_thickness
from lightning_rast.optim.thickness import pixel_footprint as pixel_footprint
from lightning_rast.optim.thickness import target_edges as target_edges

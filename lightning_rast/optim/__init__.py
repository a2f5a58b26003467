"""How the vertices move: schedule, optimizer, smoothing, remeshing."""

from lightning_rast.optim.adam_uniform import AdamUniform as AdamUniform
from lightning_rast.optim.agreement import Targets as Targets
from lightning_rast.optim.agreement import agreement as agreement
from lightning_rast.optim.camera_refinement import CameraRefinement as CameraRefinement
from lightning_rast.optim.camera_refinement import refine_cameras as refine_cameras
from lightning_rast.optim.crossings import without_new_crossings as without_new_crossings
from lightning_rast.optim.image_topology import image_topology as image_topology
from lightning_rast.optim.outline_newton import OutlineRows as OutlineRows
from lightning_rast.optim.outline_newton import OutlineStep as OutlineStep
from lightning_rast.optim.outline_newton import disagreeing_views as disagreeing_views
from lightning_rast.optim.outline_newton import outline_rows as outline_rows
from lightning_rast.optim.outline_newton import outline_step as outline_step
from lightning_rast.optim.outline_newton import view_weights as view_weights
from lightning_rast.optim.remesh import Remeshed as Remeshed
from lightning_rast.optim.remesh import RemeshReport as RemeshReport
from lightning_rast.optim.remesh import SurfacePoints as SurfacePoints
from lightning_rast.optim.remesh import remesh as remesh
from lightning_rast.optim.revoxelize import other_topology as other_topology
from lightning_rast.optim.revoxelize import retopologized as retopologized
from lightning_rast.optim.revoxelize import revoxelized as revoxelized
from lightning_rast.optim.schedule import Schedule as Schedule
from lightning_rast.optim.schedule import Stage as Stage
from lightning_rast.optim.schedule import views_of_step as views_of_step
from lightning_rast.optim.smoothing import Smoother as Smoother
from lightning_rast.optim.thickness import graded as graded
from lightning_rast.optim.thickness import local_thickness as local_thickness
from lightning_rast.optim.thickness import pixel_footprint as pixel_footprint
from lightning_rast.optim.thickness import target_edges as target_edges
from lightning_rast.optim.topology import TopologyComparison as TopologyComparison
from lightning_rast.optim.topology import compare_topology as compare_topology
from lightning_rast.optim.topology import judge as judge
from lightning_rast.optim.topology import needs_revoxelizing as needs_revoxelizing
from lightning_rast.optim.topology import part_genus as part_genus
from lightning_rast.optim.visual_hull import HullError as HullError
from lightning_rast.optim.visual_hull import VisualHull as VisualHull
from lightning_rast.optim.visual_hull import view_bounds as view_bounds
from lightning_rast.optim.visual_hull import visual_hull as visual_hull
from lightning_rast.optim.voxels import extract_surface as extract_surface
from lightning_rast.optim.voxels import voxelize as voxelize

__all__ = [
    "AdamUniform",
    "CameraRefinement",
    "HullError",
    "OutlineRows",
    "OutlineStep",
    "RemeshReport",
    "Remeshed",
    "Schedule",
    "Smoother",
    "Stage",
    "SurfacePoints",
    "Targets",
    "TopologyComparison",
    "VisualHull",
    "agreement",
    "compare_topology",
    "disagreeing_views",
    "extract_surface",
    "graded",
    "image_topology",
    "judge",
    "local_thickness",
    "needs_revoxelizing",
    "other_topology",
    "outline_rows",
    "outline_step",
    "part_genus",
    "pixel_footprint",
    "refine_cameras",
    "remesh",
    "retopologized",
    "revoxelized",
    "target_edges",
    "view_bounds",
    "view_weights",
    "views_of_step",
    "visual_hull",
    "voxelize",
    "without_new_crossings",
]

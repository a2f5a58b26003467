"""What is looked at and what looks: meshes and their topology, cameras, primitives, mesh files."""

from lightning_rast.scene.appearance import with_vertex_colors as with_vertex_colors
from lightning_rast.scene.asset import Asset as Asset
from lightning_rast.scene.asset import Material as Material
from lightning_rast.scene.asset import Texture as Texture
from lightning_rast.scene.camera import Camera as Camera
from lightning_rast.scene.camera import PixelCenters as PixelCenters
from lightning_rast.scene.cutting import cut_apart as cut_apart
from lightning_rast.scene.export import Exported as Exported
from lightning_rast.scene.export import export_mesh as export_mesh
from lightning_rast.scene.export import save_mesh as save_mesh
from lightning_rast.scene.intersections import (
    count_self_intersections as count_self_intersections,
)
from lightning_rast.scene.intersections import flipped_faces as flipped_faces
from lightning_rast.scene.intersections import self_intersections as self_intersections
from lightning_rast.scene.io import MeshFileError as MeshFileError
from lightning_rast.scene.io import load_asset as load_asset
from lightning_rast.scene.io import load_mesh as load_mesh
from lightning_rast.scene.mesh import Mesh as Mesh
from lightning_rast.scene.primitives import cube as cube
from lightning_rast.scene.primitives import cylinder as cylinder
from lightning_rast.scene.primitives import grid as grid
from lightning_rast.scene.primitives import icosphere as icosphere
from lightning_rast.scene.primitives import quad as quad
from lightning_rast.scene.primitives import torus as torus
from lightning_rast.scene.projection import screen_from_ndc as screen_from_ndc
from lightning_rast.scene.report import ComponentReport as ComponentReport
from lightning_rast.scene.report import MeshReport as MeshReport
from lightning_rast.scene.report import mesh_report as mesh_report
from lightning_rast.scene.topology import Topology as Topology
from lightning_rast.scene.topology_report import TopologyReport as TopologyReport

__all__ = [
    "Asset",
    "Camera",
    "ComponentReport",
    "Exported",
    "Material",
    "Mesh",
    "MeshFileError",
    "MeshReport",
    "PixelCenters",
    "Texture",
    "Topology",
    "TopologyReport",
    "count_self_intersections",
    "cube",
    "cut_apart",
    "cylinder",
    "export_mesh",
    "flipped_faces",
    "grid",
    "icosphere",
    "load_asset",
    "load_mesh",
    "mesh_report",
    "quad",
    "save_mesh",
    "screen_from_ndc",
    "self_intersections",
    "torus",
    "with_vertex_colors",
]

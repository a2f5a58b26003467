"""Views of an object: from mask images, or rendered from a mesh.

`ViewsDataModule` is in `lightning_rast.data.datamodule`, since importing Lightning takes seconds.
"""

from lightning_rast.data.errors import ViewsError as ViewsError
from lightning_rast.data.fitted_sphere import fitted_sphere as fitted_sphere
from lightning_rast.data.formats import load_views as load_views
from lightning_rast.data.formats import read_calibration as read_calibration
from lightning_rast.data.formats import recognise as recognise
from lightning_rast.data.masks import load_mask_views as load_mask_views
from lightning_rast.data.synthetic import orbit_cameras as orbit_cameras
from lightning_rast.data.synthetic import synthetic_views as synthetic_views
from lightning_rast.data.synthetic import view_directions as view_directions
from lightning_rast.data.views import Views as Views
from lightning_rast.data.views import split_held_out as split_held_out

__all__ = [
    "Views",
    "ViewsError",
    "fitted_sphere",
    "load_mask_views",
    "load_views",
    "orbit_cameras",
    "read_calibration",
    "recognise",
    "split_held_out",
    "synthetic_views",
    "view_directions",
]

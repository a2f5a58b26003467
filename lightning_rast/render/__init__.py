"""Images of meshes."""

from lightning_rast.render.preview import save_gif as save_gif
from lightning_rast.render.preview import shaded_preview as shaded_preview
from lightning_rast.render.preview import turntable_cameras as turntable_cameras
from lightning_rast.render.silhouette import render_silhouettes as render_silhouettes

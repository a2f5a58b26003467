"""The mesh, to be turned around in TensorBoard's Mesh tab."""

import json
from collections.abc import Sequence

import numpy as np
import pytorch_lightning as pl
from tensorboard.compat.proto.summary_pb2 import (
    Summary,  # pyright: ignore[reportAttributeAccessIssue] (made at import time)
)
from tensorboard.plugins.mesh import metadata
from tensorboard.plugins.mesh.plugin_data_pb2 import (
    MeshPluginData,  # pyright: ignore[reportAttributeAccessIssue] (made at import time)
)
from tensorboard.util.tensor_util import make_tensor_proto

from lightning_rast.callbacks.clustering import clustered
from lightning_rast.callbacks.evaluation import parts
from lightning_rast.callbacks.event_file import add_summary, event_writer
from lightning_rast.callbacks.moments import is_due
from lightning_rast.callbacks.write_failure import outlives_write_failure
from lightning_rast.scene import Mesh
from lightning_rast.scene.upwards import turn_from_y, upwards

# The viewer keeps vertex numbers in 16 bits: beyond that it connects the wrong vertices.
MAX_VERTS = 65_536
_TAG = "mesh/result"
_CLAY = "#856c5b"  # dark, because the lights below are bright


class MeshLog(pl.Callback):
    """The 3D mesh: at the start, every n steps, and at the end.

    Every event holds all vertices and faces (1 MB for 41,000 vertices), so n should be large.
    What the viewer cannot show is logged as a coarser copy. It takes y for up: what is up in most
    of the training images is turned there, in what is logged alone.
    """

    def __init__(self, *, every_n_steps: int) -> None:
        self.every_n_steps = every_n_steps

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.global_step == 0:
            self._write(trainer, pl_module)

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: object,
        batch: object,
        batch_idx: int,
    ) -> None:
        if is_due(trainer, self.every_n_steps):
            self._write(trainer, pl_module)

    @outlives_write_failure
    def _write(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        writer = event_writer(trainer)
        module, datamodule = parts(trainer, pl_module)
        if writer is None or len(module.faces) == 0:
            return
        mesh = module.mesh()
        shown = clustered(mesh, max_verts=MAX_VERTS)
        text = description(mesh, shown)
        up = upwards(datamodule.train_views.cameras.to_opengl())
        add_summary(writer, _summary(_upright(shown, up), text), step=trainer.global_step)
        if shown.num_faces != mesh.num_faces:  # the Mesh tab shows no descriptions
            writer.add_text(_TAG, text, trainer.global_step)


def _upright(mesh: Mesh, up: Sequence[float]) -> Mesh:
    """What has `up` upwards, turned so that y is."""
    return mesh.with_verts((mesh.verts.double() @ turn_from_y(up)).to(mesh.verts.dtype))


def description(mesh: Mesh, shown: Mesh) -> str:
    """What is seen, in Markdown."""
    text = f"The mesh being fitted: {mesh.num_verts:,} vertices, {mesh.num_faces:,} faces."
    if shown.num_faces != mesh.num_faces:
        text += (
            f" **Shown coarser than it is**, with {shown.num_verts:,} vertices: the viewer cannot"
            f" show more than {MAX_VERTS:,}. The exported mesh files have all of them."
        )
    return text


def _summary(mesh: Mesh, text: str) -> Summary:
    """What the viewer reads, in half of the bytes of `SummaryWriter.add_mesh`: vertex numbers in
    the 16 bits that it gives them, and one colour for all vertices."""
    tensors = {
        MeshPluginData.VERTEX: mesh.verts.numpy().astype(np.float32)[None],
        MeshPluginData.FACE: mesh.faces.numpy().astype(np.uint16)[None],
    }
    components = metadata.get_components_bitmask(list(tensors))
    settings = json.dumps(_viewer_settings(mesh), sort_keys=True)
    return Summary(
        value=[
            Summary.Value(
                tag=metadata.get_instance_name(_TAG, kind),
                tensor=make_tensor_proto(values),
                metadata=metadata.create_summary_metadata(
                    _TAG, "", kind, components, values.shape, text, json_config=settings
                ),
            )
            for kind, values in tensors.items()
        ]
    )


def _viewer_settings(mesh: Mesh) -> dict[str, object]:
    # The viewer's own near and far planes fit objects of about unit size only, and its light
    # comes from below.
    size = max(float((mesh.bounds[1] - mesh.bounds[0]).norm()), 1e-12)
    directions = ((-0.6, 1.0, 0.8), (0.8, -0.3, -0.8))
    lights = [
        {"cls": "DirectionalLight", "color": "#ffffff", "intensity": intensity, "position": place}
        for intensity, place in zip((1.15, 0.5), directions, strict=True)
    ]
    return {
        "camera": {"cls": "PerspectiveCamera", "fov": 45, "near": 1e-3 * size, "far": 1e2 * size},
        "lights": [{"cls": "AmbientLight", "color": "#ffffff", "intensity": 0.65}, *lights],
        # Both sides (2 in three.js): open sheets and faces turned over would show as holes.
        "material": {
            "cls": "MeshStandardMaterial",
            "color": _CLAY,
            "roughness": 0.9,
            "metalness": 0,
            "side": 2,
        },
    }

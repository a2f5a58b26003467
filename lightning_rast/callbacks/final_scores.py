"""What `trainer.test` logs beside the IoU of held-out views."""

import pytorch_lightning as pl

from lightning_rast.callbacks.evaluation import parts
from lightning_rast.evaluation import compare_surfaces, volume_iou
from lightning_rast.scene import Mesh, mesh_report


class FinalScores(pl.Callback):
    """The mesh's state, and its distance to the true surface if that is known, as `test/...`.

    The names are those of `MeshReport` and `SurfaceScores`; `test/volume_iou` is left out where
    one of the two meshes is open, `test/genus` where the mesh is.
    """

    def __init__(self, reference: Mesh | None = None) -> None:
        self.reference = reference

    def on_test_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        module, _ = parts(trainer, pl_module)
        mesh = module.mesh()
        mesh = mesh.with_verts(mesh.verts.detach()).to("cpu")
        report = mesh_report(mesh)
        found: dict[str, float] = {
            "is_sound": float(report.is_sound),
            "num_components": float(report.num_components),
            "num_degenerate_faces": float(report.num_degenerate_faces),
            "num_self_intersections": float(report.num_self_intersections),
            "num_folded_edges": float(report.num_folded_edges),
        }
        if report.genus is not None:
            found["genus"] = float(report.genus)
        if self.reference is not None:
            found |= vars(compare_surfaces(mesh, self.reference))
            if report.is_watertight and self.reference.topology.is_closed:
                found["volume_iou"] = volume_iou(mesh, self.reference)
        pl_module.log_dict({f"test/{name}": value for name, value in found.items()})

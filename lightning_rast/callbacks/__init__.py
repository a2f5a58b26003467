"""What happens around the training steps; each may be left out without changing the result."""

from lightning_rast.callbacks.checkpoint import AtomicCheckpointIO as AtomicCheckpointIO
from lightning_rast.callbacks.checkpoint import CheckpointSaver as CheckpointSaver
from lightning_rast.callbacks.completion import Completion as Completion
from lightning_rast.callbacks.divergence import Divergence as Divergence
from lightning_rast.callbacks.evaluation import Evaluation as Evaluation
from lightning_rast.callbacks.event_file import opened_logger as opened_logger
from lightning_rast.callbacks.export import MeshExport as MeshExport
from lightning_rast.callbacks.final_scores import FinalScores as FinalScores
from lightning_rast.callbacks.images import Images as Images
from lightning_rast.callbacks.mesh_log import MeshLog as MeshLog
from lightning_rast.callbacks.metrics import Metrics as Metrics
from lightning_rast.callbacks.progress import ProgressDisplay as ProgressDisplay
from lightning_rast.callbacks.report_page import ReportPage as ReportPage
from lightning_rast.callbacks.run_text import RunText as RunText
from lightning_rast.callbacks.scalar_layout import ScalarLayout as ScalarLayout
from lightning_rast.callbacks.scalars import Scalars as Scalars
from lightning_rast.callbacks.turntable import Turntable as Turntable
from lightning_rast.callbacks.viewer import Viewer as Viewer

__all__ = [
    "AtomicCheckpointIO",
    "CheckpointSaver",
    "Completion",
    "Divergence",
    "Evaluation",
    "FinalScores",
    "Images",
    "MeshExport",
    "MeshLog",
    "Metrics",
    "ProgressDisplay",
    "ReportPage",
    "RunText",
    "ScalarLayout",
    "Scalars",
    "Turntable",
    "Viewer",
    "opened_logger",
]

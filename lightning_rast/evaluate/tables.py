"""The scores as tables for people and as JSON for programs."""

import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from lightning_rast.evaluate.evaluation import Evaluation
from lightning_rast.evaluation import Scores, Spread

_WIDTH_OF_A_FILE = 160

_Cell = Callable[[Scores], float | int | str | None]

_FITS: dict[str, _Cell] = {
    "held-out IoU, mean": lambda scores: scores.held_out_iou_mean,
    "held-out IoU, least": lambda scores: scores.held_out_iou_min,
    "training IoU, mean": lambda scores: scores.train_iou_mean,
    "training IoU, least": lambda scores: scores.train_iou_min,
}
_SURFACES: dict[str, _Cell] = {
    "volume IoU": lambda scores: scores.volume_iou,
    "Chamfer-L1, half-extents": lambda scores: scores.surface and scores.surface.chamfer_l1,
    "Chamfer-L1, world units": lambda scores: scores.surface and scores.surface.chamfer_world,
    "F-score at 0.5 %": lambda scores: scores.surface and scores.surface.f_score_fine,
    "F-score at 1 %": lambda scores: scores.surface and scores.surface.f_score,
    "normal consistency": lambda scores: scores.surface and scores.surface.normal_consistency,
}
_SEEN: dict[str, _Cell] = {
    "Chamfer-L1 where seen, half-extents": lambda scores: scores.seen and scores.seen.chamfer_l1,
    "Chamfer-L1 where seen, world units": lambda scores: scores.seen and scores.seen.chamfer_world,
    "share of the true surface seen": lambda scores: scores.seen and scores.seen.share,
}
_MESHES: dict[str, _Cell] = {
    "faces": lambda scores: scores.mesh.num_faces,
    "components": lambda scores: scores.mesh.num_components,
    "genus": lambda scores: scores.mesh.genus,
    "watertight": lambda scores: _yes(scores.mesh.is_watertight),
    "manifold": lambda scores: _yes(scores.mesh.is_edge_manifold and scores.mesh.is_vert_manifold),
    "oriented outwards": lambda scores: _yes(
        scores.mesh.is_oriented and not scores.mesh.is_inside_out
    ),
    "degenerate faces": lambda scores: scores.mesh.num_degenerate_faces,
    "self-intersections": lambda scores: scores.mesh.num_self_intersections,
    "folded edges": lambda scores: scores.mesh.num_folded_edges,
}


def print_tables(evaluation: Evaluation, console: Console | None = None) -> None:
    """What was scored side by side, and the spread over trainings from anew."""
    # A pipe or a file has no width that a table would have to be cut to.
    console = console or Console(width=None if sys.stdout.isatty() else _WIDTH_OF_A_FILE)
    title = f"{evaluation.num_train_views} training views, {evaluation.num_held_out_views} held out"
    if evaluation.num_corrected:
        title += f"; the result with {evaluation.num_corrected} cameras as its run corrected them"
    if evaluation.reference is not None:
        title += f"; true surface {evaluation.reference}"
    console.print(title, soft_wrap=True, highlight=False)
    groups = [_FITS]
    if evaluation.reference is not None:
        groups.append(_SURFACES)
    if any(scores.seen for scores in evaluation.scores.values()):
        groups.append(_SEEN)
    groups.append(_MESHES)
    table = Table()
    table.add_column("")
    for name in evaluation.scores:
        table.add_column(name, justify="right")
    for group in groups:
        for label, cell in group.items():
            table.add_row(label, *(_text(cell(scores)) for scores in evaluation.scores.values()))
        table.add_section()
    console.print(table)
    if evaluation.spread:
        console.print(_spread_table(evaluation))


def as_json(evaluation: Evaluation) -> dict[str, Any]:
    """Everything that was measured."""
    return asdict(evaluation)


def _spread_table(evaluation: Evaluation) -> Table:
    table = Table(title=f"{len(evaluation.repeated)} trainings from anew")
    for name in ("", "mean", "std", "lowest", "highest"):
        table.add_column(name, justify="right" if name else "left")
    for name, spread in evaluation.spread.items():
        table.add_row(name, *(_text(value) for value in _values(spread)))
    return table


def _values(spread: Spread) -> tuple[float, float, float, float]:
    return spread.mean, spread.std, spread.lowest, spread.highest


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _text(value: float | int | str | None) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4f}" if abs(value) < 100 else f"{value:.4g}"
    return str(value)

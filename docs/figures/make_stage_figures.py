"""Makes the pictures of docs/reconstruction.md that show what the ladder's stages do.

    python docs/figures/make_stage_figures.py            all, in about a minute
    python docs/figures/make_stage_figures.py ladder     or polish, topology, cameras, robust

Writes docs/images/reconstruction_<name>.png and prints the numbers in it. Needs matplotlib.
"""

import sys
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import matplotlib  # noqa: E402

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402
import torch  # noqa: E402
from coverage_scenes import BLUE, GOLD, GREY, INK, RED  # noqa: E402
from make_outline_figures import turned  # noqa: E402
from matplotlib.cm import ScalarMappable  # noqa: E402
from matplotlib.colors import Normalize  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402
from PIL import Image  # noqa: E402
from reconstruction_stages import (  # noqa: E402
    BLUE_CLAY,
    CLAY,
    Fit,
    camera_at,
    clean,
    fitted,
    iou,
    render,
    views_of,
)
from torch import Tensor  # noqa: E402

from benchmarks.reconstruction_cases import linked_rings  # noqa: E402
from lightning_rast.data import Views  # noqa: E402
from lightning_rast.evaluation.volumes import volume_iou  # noqa: E402
from lightning_rast.ladder_stages import outline_targets, outlines_of  # noqa: E402
from lightning_rast.optim import Targets, part_genus, retopologized  # noqa: E402
from lightning_rast.render import render_silhouettes  # noqa: E402
from lightning_rast.scene import Mesh, load_mesh  # noqa: E402

WIDTH = 9.0  # inches; 1170 px


def sample(name: str) -> Mesh:
    return load_mesh(ROOT / "data" / "models" / f"{name}.glb")


def ladder() -> Figure:
    """The tree at some rungs, IoU at all of them, and what the last length alone makes of it."""
    truth = sample("tree")
    views, held_out = views_of(truth, 10), views_of(truth, 20, between=True)
    settings = ["name=ladder", "topology.enabled=false"]
    fit = fitted(views, settings)
    alone = fitted(views, [*settings, "ladder.bending=[0.005]"]).mesh
    rungs = [stage for stage in fit.stages if stage.kind == "polish"]
    camera = camera_at(truth, 20, 8)
    panels = [("visual hull", fit.start)]
    panels += [(f"after ℓ = {rungs[i].bending:g}", rungs[i].mesh) for i in (0, 3, -1)]
    figure = plt.figure(figsize=(WIDTH, 3.9), layout="constrained")
    grid = figure.add_gridspec(2, 6, height_ratios=(1, 1.2))
    places = [grid[0, i] for i in range(len(panels))] + [grid[0, 4]]
    for place, (title, mesh) in zip(places, [*panels, ("ℓ = 0.005 alone", alone)], strict=True):
        render(figure.add_subplot(place), mesh, camera, title)
    render(figure.add_subplot(grid[0, 5]), truth, camera, "truth", color=CLAY)
    axes = figure.add_subplot(grid[1, :])
    names = ["hull", *(f"{stage.bending:g}" for stage in rungs)]
    meshes = [fit.start, *(stage.mesh for stage in rungs)]
    for label, each, color in (("training", views, GREY), ("held-out", held_out, BLUE)):
        scores = [iou(mesh, each) for mesh in meshes]
        print(f"ladder, {label}:", [f"{score:.4f}" for score in scores], f"{iou(alone, each):.4f}")
        axes.plot(names, scores, "o-", color=color, label=f"{label} views", markersize=4)
    axes.axhline(iou(alone, held_out), color=RED, ls="--", lw=1, label="held out, 0.005 alone")
    axes.set_xlabel("after the rung of bending length ℓ", fontsize=9)
    axes.set_ylabel("mean IoU", fontsize=9)
    axes.legend(fontsize=9)
    axes.grid(alpha=0.3)
    return figure


def polish() -> Figure:
    """What is left of the masks after Gauss-Newton steps alone, and with the polish."""
    truth = sample("tree")
    views, held_out = views_of(truth, 10), views_of(truth, 20, between=True)
    settings = ["name=polish", "topology.enabled=false"]
    fits = {
        "Gauss-Newton alone": fitted(views, [*settings, "ladder.polish_steps=0"]),
        "with the polish": fitted(views, settings),
    }
    figure = plt.figure(figsize=(WIDTH, 3.2), layout="constrained")
    grid = figure.add_gridspec(1, 4, width_ratios=(1, 1, 0.06, 1.25))
    chart = figure.add_subplot(grid[3])
    scale = ScalarMappable(Normalize(-0.2, 0.2), "RdBu_r")
    view, rows, columns = where_most_is_left(differences(fits["Gauss-Newton alone"].mesh, views))
    for place, (name, fit) in enumerate(fits.items()):
        score = iou(fit.mesh, held_out)
        left = differences(fit.mesh, views)
        print(f"polish, {name}: rms {rms(left):.5f}, held-out IoU {score:.4f}")
        axes = figure.add_subplot(grid[place])
        axes.imshow(scale.to_rgba(left[view, rows, columns].numpy()))
        clean(axes, f"{name}\nheld-out IoU {score:.4f}")
        last = {stage.bending: stage.mesh for stage in fit.stages}
        names = [f"{bending:g}" for bending in last]
        values = [rms(differences(mesh, views)) for mesh in last.values()]
        chart.semilogy(names, values, "o-", color=(GOLD, BLUE)[place], label=name, markersize=4)
    bar = figure.colorbar(scale, cax=figure.add_subplot(grid[2]))
    bar.set_label("coverage: mesh − mask", fontsize=9)
    chart.set_xlabel("bending length ℓ", fontsize=9)
    chart.set_title("rms over all pixels and training views", fontsize=9)
    chart.legend(fontsize=9)
    chart.grid(alpha=0.3, which="both")
    return figure


def where_most_is_left(values: Tensor, side: int = 56) -> tuple[int, slice, slice]:
    """Which of the images (N, H, W), and a square in it."""
    inside = torch.nn.functional.avg_pool2d(values.square()[:, None], side, stride=1)[:, 0]
    view, row, column = (int(i[0]) for i in torch.where(inside == inside.max()))
    return view, slice(row, row + side), slice(column, column + side)


def topology() -> Figure:
    """Linked rings: the hull, the fit of its topology, the mesh made anew, and the end."""
    truth = linked_rings()
    views = views_of(truth, 8)
    first = fitted(views, ["name=first", "topology.enabled=false"])
    targets = Targets.of(views.coverage, views.cameras)
    made = retopologized(first.mesh, targets, num_disagreeing=first.module.num_disagreeing)
    whole = fitted(views, ["name=whole"])
    print("topology:", whole.module.messages)
    camera = camera_at(truth, 35, 40)
    panels = {
        "visual hull": first.start,
        "down the ladder": first.mesh,
        "made anew from voxels": made,
        "down the ladder again": whole.module.mesh(),
        "truth": truth,
    }
    figure, all_axes = plt.subplots(1, len(panels), figsize=(WIDTH, 1.9), layout="constrained")
    for axes, (name, mesh) in zip(all_axes, panels.items(), strict=True):
        mesh = mesh.with_verts(mesh.verts.detach())
        genus = part_genus(mesh)
        what = f"parts: {len(genus)}, handles: {sum(genus)}"
        print(f"topology, {name}: {what}, volume IoU {volume_iou(mesh, truth):.3f}")
        color = CLAY if name == "truth" else BLUE_CLAY
        render(axes, mesh, camera, f"{name}\n{what}", color=color)
    return figure


def cameras() -> Figure:
    """Cameras that look .6 degrees past the object: what the masks still ask for, in each view."""
    truth = sample("kettle")
    views = views_of(truth, 16)
    off = replace(views, cameras=turned(views.cameras, 0.6))
    panels = {}
    for name, setting in (("cameras as given", "false"), ("refined", "true")):
        fit = fitted(off, ["name=cameras", "topology.enabled=false", f"cameras.enabled={setting}"])
        print("cameras:", fit.module.report().get("cameras"))
        panels[name] = fit
    again = replace(off, cameras=panels["refined"].views.cameras)
    panels["again, from the hull"] = fitted(again, ["name=cameras", "topology.enabled=false"])
    figure = plt.figure(figsize=(WIDTH, 4.4), layout="constrained")
    grid = figure.add_gridspec(2, 4, height_ratios=(1.25, 1))
    axes = figure.add_subplot(grid[1, :])
    for place, (name, fit) in enumerate(panels.items()):
        score = f"volume IoU {volume_iou(fit.mesh, truth):.3f}"
        print(f"cameras, {name}: {score}")
        panel = figure.add_subplot(grid[0, place])
        render(panel, fit.mesh, camera_at(truth, 25, 18), f"{name}\n{score}")
        residuals = residuals_px(fit)
        color = (RED, GOLD, BLUE)[place]
        at = torch.arange(len(residuals)) + (place - 1) * 0.27
        axes.bar(at, residuals, width=0.26, color=color, label=name)
    render(figure.add_subplot(grid[0, 3]), truth, camera_at(truth, 25, 18), "truth\n", color=CLAY)
    axes.set_xlabel("view", fontsize=9)
    axes.set_ylabel("outline residual, px", fontsize=9)
    axes.set_xticks(range(len(views)))
    axes.legend(fontsize=9, ncols=3)
    return figure


def residuals_px(fit: Fit) -> list[float]:
    """Root mean square over the outline of each view."""
    rows, _ = outlines_of(fit.mesh, outline_targets(fit.views), fit.module.config.newton)
    each = (rows.residual[rows.view == view] for view in range(len(fit.views)))
    return [rms(residuals) for residuals in each]


def robust() -> Figure:
    """One mask of twelve half blank: what it looks like, the views' say, and the results."""
    truth, bad = sample("kettle"), 3
    views = views_of(truth, 12)
    coverage = views.coverage.clone()
    coverage[bad, :, coverage.shape[2] // 2 :] = 0
    spoilt = replace(views, coverage=coverage)
    # Without the weights the whole fit would be stopped early, as of masks that contradict.
    settings = ["name=robust", "topology.enabled=false", "ladder.least_fall=0"]
    even = fitted(spoilt, [*settings, "newton.robust_views=false"])
    weighted = fitted(spoilt, settings)
    targets = outline_targets(spoilt)
    weights = outlines_of(weighted.mesh, targets, weighted.module.config.newton)[1]
    print("robust, weights:", [f"{weight:.3f}" for weight in weights.tolist()])
    figure, all_axes = plt.subplots(1, 5, figsize=(WIDTH, 2.3), layout="constrained")
    picture = torch.stack((views.coverage[bad], coverage[bad]))
    all_axes[0].imshow(1 - 0.25 * picture[0] - 0.6 * picture[1], cmap="gray", vmin=0, vmax=1)
    clean(all_axes[0], f"view {bad}: its mask (black)\nand the object (grey)")
    colors = [RED if i == bad else GREY for i in range(len(views))]
    all_axes[1].bar(range(len(views)), weights, color=colors)
    all_axes[1].text(bad, 0.02, f"{float(weights[bad]):.3f}", rotation=90, ha="center", color=RED)
    all_axes[1].set_title("weight of each view,\nat the end", fontsize=9)
    all_axes[1].set_xticks([0, bad, len(views) - 1])
    all_axes[1].set_yticks([0, 1])
    camera = camera_at(truth, 25, 18)
    for axes, name, fit in (
        (all_axes[2], "all views equal", even),
        (all_axes[3], "weighted", weighted),
    ):
        score = f"volume IoU {volume_iou(fit.mesh, truth):.3f}"
        print(f"robust, {name}: {score}")
        render(axes, fit.mesh, camera, f"{name}\n{score}")
    render(all_axes[4], truth, camera, "truth\n", color=CLAY)
    return figure


def differences(mesh: Mesh, views: Views) -> Tensor:
    return render_silhouettes(mesh, views.cameras) - views.coverage


def rms(values: Tensor) -> float:
    return float(values.square().mean().sqrt())


FIGURES = {each.__name__: each for each in (ladder, polish, topology, cameras, robust)}


def main() -> None:
    plt.rcParams.update({"font.size": 9, "text.color": INK})
    for name in sys.argv[1:] or FIGURES:
        path = ROOT / "docs" / "images" / f"reconstruction_{name}.png"
        FIGURES[name]().savefig(path, dpi=130)
        picture = Image.open(path).convert("RGB").quantize(256, dither=Image.Dither.NONE)
        picture.save(path, optimize=True)
        print(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()

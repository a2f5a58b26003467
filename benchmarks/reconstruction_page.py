"""The reconstruction benchmark's record as a page of markdown and as a figure."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from math import exp, log
from pathlib import Path
from statistics import median
from typing import Any

Result = dict[str, Any]
_ORDER = ("hull", "sphere", "fast", "best", "DEODR", "DRTK", "PyTorch3D")

_TEXT = """\
# Reconstruction

The same settings for every object; made by `benchmarks/reconstruction.py`, whose record is
[reconstruction.json](reconstruction.json). [Evaluation](../evaluation.md) says what the scores
mean.
{machine}.

- `hull`: the signed-distance visual hull of the training views with 256 cells a side, the better of
  k = 1 and k = 2 on the held-out views. `sphere`, `fast`, `best`: the presets. `DEODR` (and DRTK,
  PyTorch3D where installed): the loop of PyTorch3D's mesh fitting tutorial around that rasterizer's
  silhouettes: an icosphere, 1,000 steps of SGD on two views each, its weights of edge, normal and
  Laplacian terms.
- Shapes are rendered from evenly spread directions; 8 views between them are held out. Of
  photographs' masks every fifth is held out (index % 5 == 2); training sees them at 512 pixels at
  most, held-out IoU is at the resolution of the files.
- Core-seconds are the processor's time from the views in memory to the mesh, over all threads;
  imports are not counted. Other work on the machine, of which there was much, makes them longer by
  tens of percent. Seconds by a clock are in [Time](#time), measured with nothing else running.
- Runs are of these states of the library: {commits}.

## Rendered shapes

![What is missing to a volume IoU of 1 over core-seconds](../images/reconstruction_benchmark.png)

*Dots are shapes at 128 pixels that hull, fast and best have all done, large marks the geometric
mean of a method.*

{shapes}

Genus and components right of those that are known, and sound meshes (closed, manifold, turned
outwards), over all shapes:

{topology}

{each_shape}

### Surfaces that enclose nothing

Where the true surface is open there is no volume to compare. Chamfer-L1 is then taken over what at
least two training views see of either surface (in half extents), beside the scores over all of it.

{open}

## Masks of photographs and others

{masks}

Every fifth view held out in turn: mean and spread over five trainings.

{folds}

## Time

Median core-seconds by number of views (rendered shapes), and the shares of stages of `best`:

{seconds}

{stages}

Seconds by the clock, nothing else running:

{alone}
{failures}"""


def page(record: dict[str, Any]) -> str:
    """The whole text, from a record of anything."""
    results = [each for each in record["results"].values() if "error" not in each]
    shapes = [each for each in results if each["kind"] == "shape"]
    masks = [each for each in results if each["kind"] == "masks"]
    where = record.get("machine", {})
    failed = [
        f"- {key}: {each['error']}" for key, each in record["results"].items() if "error" in each
    ]
    return _TEXT.format(
        machine=", ".join(f"{key} {value}" for key, value in where.items()),
        commits=_commits(results),
        shapes=_against_hull(shapes),
        topology=_topology(shapes),
        each_shape=_volumes(shapes),
        open=_open(shapes),
        masks=_masks([each for each in masks if "fold" not in each]),
        folds=_folds([each for each in masks if "fold" in each]),
        seconds=_seconds(shapes),
        stages=_stages(results),
        alone=_alone(results),
        failures="\n## Failures\n\n" + "\n".join(failed) + "\n" if failed else "",
    )


def draw(record: dict[str, Any], path: Path) -> None:
    """What is missing to a volume IoU of 1 over core-seconds: a dot per shape of 128 pixels that
    all presets have done, the geometric mean of a method as a large marker; a panel per number of
    views."""
    import matplotlib.pyplot as plt

    shapes = [each for each in record["results"].values() if each["kind"] == "shape"]
    shapes = [each for each in shapes if "volume_iou" in each.get("scores", {})]
    shapes = [each for each in shapes if "core_seconds" in each and each["image_size"][0] == 128]
    groups = _grouped(_complete(shapes), lambda each: each["views"])
    figure, panels = plt.subplots(
        1, len(groups), figsize=(3.2 * len(groups) + 1, 4), sharex=True, sharey=True, squeeze=False
    )
    markers = dict(zip(_ORDER, "sovD^<>", strict=True))
    for axes, (views, group) in zip(panels[0], groups, strict=True):
        for name, of in _grouped(group, lambda each: each["method"]):
            color = f"C{_ORDER.index(name)}"
            points = [(each["core_seconds"], 1 - _volume(each)) for each in of]
            axes.plot(*zip(*points, strict=True), ".", color=color, alpha=0.6, markersize=5)
            middle = [
                exp(_mean(log(value) for value in each)) for each in zip(*points, strict=True)
            ]
            axes.plot(*middle, markers[name], color=color, markersize=9, label=name)
        count = len({each["name"] for each in group})
        axes.set_title(f"{views} views, {count} shape{'s' if count > 1 else ''}")
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel("core-seconds")
        axes.grid(alpha=0.3, which="both")
    panels[0][0].set_ylabel("1 - volume IoU (less is better)")
    for axes in panels[0]:
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter("{x:g}")
        axes.tick_params(axis="x", which="both", labelsize=7)
    known = {
        name: mark
        for axes in panels[0]
        for mark, name in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(known.values(), known.keys(), loc="center right", fontsize=8)
    figure.tight_layout(rect=(0, 0, 0.93, 1))
    figure.savefig(path, dpi=120)


def _against_hull(shapes: Sequence[Result]) -> str:
    rows = []
    for (views, size), group in _grouped(shapes, _setting):
        group = _complete(group)
        hull = {each["name"]: _volume(each) for each in group if each["method"] == "hull"}
        for method, of in _grouped(group, lambda each: each["method"]):
            gains = [_volume(each) - hull[each["name"]] for each in of if each["name"] in hull]
            worst = min(of, key=lambda each: _volume(each) - hull.get(each["name"], 0))
            rows.append(
                [
                    f"{views}, {size} px",
                    method,
                    str(len(of)),
                    f"{_mean(_volume(each) for each in of):.4f}",
                    f"{_mean(gains):+.4f}" if gains and method != "hull" else "",
                    f"{min(gains):+.4f} ({worst['name']})" if gains and method != "hull" else "",
                    f"{_mean(each['scores']['held_out_iou_mean'] for each in of):.4f}",
                    f"{_mean(each['scores']['chamfer_l1'] for each in of):.5f}",
                    f"{_mean(each['scores']['f_score_fine'] for each in of):.4f}",
                    f"{_mean(each['scores']['f_score'] for each in of):.4f}",
                    f"{_mean(each['scores']['normal_consistency'] for each in of):.4f}",
                    _core_seconds(_mean(_core_times(of))),
                ]
            )
    return _table(
        ["views, image", "method", "shapes", "volume IoU", "over hull", "least", "held-out IoU",
         "Chamfer-L1", "F at 0.5 %", "F at 1 %", "normals", "core-s"], rows,
    )  # fmt: skip


def _topology(shapes: Sequence[Result]) -> str:
    rows = []
    for method, of in _grouped(shapes, lambda each: each["method"]):
        known = [each for each in of if each["reference"]["genus"] is not None]
        right = [each for each in known if _shape_of(each["mesh"]) == _shape_of(each["reference"])]
        wrong = [
            f"{each['name']} {each['views']} ({each['mesh']['genus']}, "
            f"{each['mesh']['components']} component(s))"
            for each in known
            if each not in right
        ]
        sound = sum(each["mesh"]["is_sound"] for each in of)
        shown = "; ".join(sorted(set(wrong))[:12]) + ("; ..." if len(set(wrong)) > 12 else "")
        rows.append([method, f"{len(right)} / {len(known)}", f"{sound} / {len(of)}", shown])
    return _table(["method", "genus and components right", "sound", "not right (views)"], rows)


def _volumes(shapes: Sequence[Result]) -> str:
    """Volume IoU and held-out IoU of every shape."""
    parts = []
    for (views, size), group in _grouped(shapes, _setting):
        present = _methods_of(group)
        rows = []
        for name, of in _grouped(group, lambda each: each["name"]):
            by_method = {each["method"]: each for each in of}
            genus = of[0]["reference"]["genus"]
            cells = [_cell(by_method.get(method)) for method in present]
            rows.append([name, "-" if genus is None else str(genus), *cells])
        heads = ["shape", "genus", *present]
        parts.append(
            f"### {views} views, {size} x {size}\n\nVolume IoU / held-out IoU, genus of the result"
            f" in brackets; -: the true surface is no closed manifold.\n\n{_table(heads, rows)}"
        )
    return "\n\n".join(parts)


def _cell(result: Result | None) -> str:
    if result is None:
        return ""
    scores = result["scores"]
    volume = f"{scores['volume_iou']:.4f}" if "volume_iou" in scores else "-"
    genus = result["mesh"]["genus"]
    return f"{volume} / {scores['held_out_iou_mean']:.4f} ({'-' if genus is None else genus})"


def _masks(masks: Sequence[Result]) -> str:
    rows = []
    for each in sorted(masks, key=lambda each: (each["name"], _ORDER.index(each["method"]))):
        scores, mesh = each["scores"], each["mesh"]
        chamfer = f"{scores['chamfer_world']:.4g}" if "chamfer_world" in scores else ""
        if "seen" in each:
            chamfer += f", {each['seen']['chamfer_world']:.4g} where seen"
        genus = "-" if mesh["genus"] is None else str(mesh["genus"])
        rows.append(
            [
                each["name"],
                f"{each['views']}, {each['held_out']}",
                each["method"],
                f"{scores['held_out_iou_mean']:.4f}",
                f"{scores['held_out_iou_min']:.4f}",
                f"{scores['train_iou_mean']:.4f}",
                chamfer,
                f"{genus}, {mesh['components']}",
                _core_seconds(each.get("core_seconds")),
            ]
        )
    return _table(
        ["set", "views, held out", "method", "held-out IoU mean", "min", "training IoU",
         "Chamfer, world units", "genus, components", "core-s"], rows,
    )  # fmt: skip


def _seconds(shapes: Sequence[Result]) -> str:
    present = _methods_of(shapes)
    rows = []
    for (views, size), group in _grouped(shapes, _setting):
        by_method = dict(_grouped(group, lambda each: each["method"]))
        cells = [
            f"{median(_core_times(by_method[method])):.1f}"
            if _core_times(by_method.get(method, []))
            else ""
            for method in present
        ]
        rows.append([f"{views}, {size} px", *cells])
    return _table(["views, image", *present], rows)


def _stages(results: Sequence[Result]) -> str:
    total: dict[str, float] = defaultdict(float)
    for each in results:
        if each["method"] == "best":
            for stage, seconds in each.get("seconds_of_stages", {}).items():
                total[stage] += seconds
    whole = sum(total.values())
    rows = [[stage, f"{100 * seconds / whole:.0f} %"] for stage, seconds in total.items()]
    return _table(["stage", "share of the time"], rows)


def _open(shapes: Sequence[Result]) -> str:
    rows = []
    for each in sorted(shapes, key=lambda each: (each["name"], *_setting(each), _rank(each))):
        if "volume_iou" in each["scores"] or "seen" not in each:
            continue
        scores, seen = each["scores"], each["seen"]
        rows.append(
            [
                f"{each['name']}, {each['views']} views, {each['image_size'][0]} px",
                each["method"],
                f"{scores['held_out_iou_mean']:.4f}",
                f"{seen['chamfer_l1']:.5f} ({100 * seen['share']:.0f} % of it)",
                f"{scores['chamfer_l1']:.5f}",
                f"{scores['f_score']:.4f}",
                f"{scores['normal_consistency']:.4f}",
            ]
        )
    return _table(
        ["shape", "method", "held-out IoU", "Chamfer-L1 where seen", "Chamfer-L1", "F at 1 %",
         "normals"], rows,
    )  # fmt: skip


def _folds(masks: Sequence[Result]) -> str:
    rows = []
    for name, group in _grouped(masks, lambda each: each["name"]):
        for method, of in _grouped(group, lambda each: each["method"]):
            found = [each["scores"]["held_out_iou_mean"] for each in of]
            worst = min(each["scores"]["held_out_iou_min"] for each in of)
            mean = _mean(found)
            spread = (sum((value - mean) ** 2 for value in found) / max(len(of) - 1, 1)) ** 0.5
            rows.append(
                [name, str(len(of)), method, f"{mean:.4f}", f"{spread:.4f}", f"{worst:.4f}"]
            )
    return _table(["set", "folds", "method", "held-out IoU", "spread", "worst view of all"], rows)


def _alone(results: Sequence[Result]) -> str:
    rows = []
    for each in results:
        if "alone" in each:
            alone = each["alone"]
            size = "x".join(map(str, each["image_size"]))
            where = f"{each['name']}, {each['views']} views, {size} px"
            rows.append([where, each["method"], str(alone["threads"]), f"{alone['seconds']:.2f}"])
    return _table(["views", "method", "threads", "s"], rows)


def _commits(results: Sequence[Result]) -> str:
    groups = _grouped(results, lambda each: each.get("commit", "unknown"))
    return ", ".join(f"{state} ({', '.join(_methods_of(of))}: {len(of)})" for state, of in groups)


def _core_times(results: Sequence[Result]) -> list[float]:
    return [each["core_seconds"] for each in results if "core_seconds" in each]


def _core_seconds(value: float | None) -> str:
    return "" if value is None or value != value else f"{value:.1f}"


def _rank(result: Result) -> int:
    return _ORDER.index(result["method"])


def _methods_of(results: Iterable[Result]) -> list[str]:
    found = {each["method"] for each in results}
    return [method for method in _ORDER if method in found]


def _complete(results: Sequence[Result]) -> list[Result]:
    """Of the closed shapes, those that every method here has done."""
    closed = [each for each in results if "volume_iou" in each["scores"]]
    present = set(_methods_of(closed)) & {"hull", "fast", "best"}
    done: dict[Any, set[str]] = defaultdict(set)
    for each in closed:
        done[_case(each)].add(each["method"])
    return [each for each in closed if present <= done[_case(each)]]


def _setting(result: Result) -> tuple[int, int]:
    return result["views"], result["image_size"][0]


def _case(result: Result) -> tuple[str, tuple[int, int]]:
    return result["name"], _setting(result)


def _shape_of(mesh: Result) -> tuple[Any, Any]:
    return mesh["genus"], mesh["components"]


def _volume(result: Result) -> float:
    return result["scores"]["volume_iou"]


def _grouped(
    results: Iterable[Result], key: Callable[[Result], Any]
) -> list[tuple[Any, list[Result]]]:
    groups: dict[Any, list[Result]] = defaultdict(list)
    for each in results:
        groups[key(each)].append(each)

    def rank(name: Any) -> Any:
        return _ORDER.index(name) if name in _ORDER else name

    return sorted(groups.items(), key=lambda group: rank(group[0]))


def _mean(values: Iterable[float]) -> float:
    values = list(values)
    return sum(values) / len(values) if values else float("nan")


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return "Not run."
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)

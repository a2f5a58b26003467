"""The reconstruction benchmark's record as a page of markdown and as a figure."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
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
- Seconds are from the views in memory to the mesh; imports are not counted. {load}

## Rendered shapes

{shapes}

Genus and components right of those that are known, and sound meshes (closed, manifold, turned
outwards), over all shapes:

{topology}

{each_shape}

## Masks of photographs and others

{masks}

## Time

Median seconds by number of views (rendered shapes), and the shares of stages of `best`:

{seconds}

{stages}
{failures}"""


def page(record: dict[str, Any]) -> str:
    """The whole text, from a record of anything."""
    results = [each for each in record["results"].values() if "error" not in each]
    shapes = [each for each in results if each["kind"] == "shape"]
    masks = [each for each in results if each["kind"] == "masks"]
    loads = sorted(each["load"] for each in results if "load" in each)
    load = (
        f"The system's load average was {loads[0]} to {loads[-1]} (other work was going on: read"
        " ratios)."
        if loads and loads[-1] > 2.5
        else ""
    )
    where = record.get("machine", {})
    failed = [
        f"- {key}: {each['error']}" for key, each in record["results"].items() if "error" in each
    ]
    return _TEXT.format(
        machine=", ".join(f"{key} {value}" for key, value in where.items()),
        load=load,
        shapes=_against_hull(shapes),
        topology=_topology(shapes),
        each_shape=_volumes(shapes),
        masks=_masks(masks),
        seconds=_seconds(shapes),
        stages=_stages(results),
        failures="\n## Failures\n\n" + "\n".join(failed) + "\n" if failed else "",
    )


def draw(record: dict[str, Any], path: Path) -> None:
    """Mean volume IoU over the median of seconds, a colour per number of views."""
    import matplotlib.pyplot as plt

    shapes = [each for each in record["results"].values() if each["kind"] == "shape"]
    shapes = [each for each in shapes if "volume_iou" in each.get("scores", {})]
    figure, axes = plt.subplots(figsize=(7, 4.5))
    markers = dict(zip(_ORDER, "sovD^<>", strict=True))
    for views, group in _grouped(_complete(shapes), lambda each: each["views"]):
        points = [
            (name, median(each["seconds"] for each in of), _mean(_volume(each) for each in of))
            for name, of in _grouped(group, lambda each: each["method"])
        ]
        (color,) = (line.get_color() for line in axes.plot([], [], "-", label=f"{views} views"))
        for name, seconds, volume in points:
            axes.plot(seconds, volume, markers[name], color=color)
            axes.annotate(name, (seconds, volume), textcoords="offset points", xytext=(5, 4))
    axes.set_xscale("log")
    axes.set_xlabel("seconds")
    axes.set_ylabel("mean volume IoU")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.tight_layout()
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
                    f"{_mean(each['seconds'] for each in of):.1f}",
                ]
            )
    return _table(
        ["views, image", "method", "shapes", "volume IoU", "over hull", "least", "held-out IoU",
         "Chamfer-L1", "F at 0.5 %", "F at 1 %", "normals", "s"], rows,
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
    """Volume IoU (held-out IoU where the shape is open) of every shape."""
    parts = []
    for (views, size), group in _grouped(shapes, _setting):
        present = _methods_of(group)
        rows = []
        for name, of in _grouped(group, lambda each: each["name"]):
            by_method = {each["method"]: each for each in of}
            genus = of[0]["reference"]["genus"]
            cells = [_cell(by_method.get(method)) for method in present]
            rows.append([name, "open" if genus is None else str(genus), *cells])
        heads = ["shape", "genus", *present]
        parts.append(
            f"### {views} views, {size} x {size}\n\nVolume IoU / held-out IoU, genus of the result"
            f" in brackets.\n\n{_table(heads, rows)}"
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
                f"{each['seconds']:.1f}",
            ]
        )
    return _table(
        ["set", "views, held out", "method", "held-out IoU mean", "min", "training IoU",
         "Chamfer, world units", "genus, components", "s"], rows,
    )  # fmt: skip


def _seconds(shapes: Sequence[Result]) -> str:
    present = _methods_of(shapes)
    rows = []
    for (views, size), group in _grouped(shapes, _setting):
        by_method = dict(_grouped(group, lambda each: each["method"]))
        cells = [
            f"{median(each['seconds'] for each in by_method[method]):.1f}"
            if method in by_method
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

"""The parts of the page, from its heading to its small print, each a function of the facts."""

from collections.abc import Mapping, Sequence
from typing import Any

from lightning_rast.page.facts import Facts
from lightning_rast.page.markup import Markup, element
from lightning_rast.page.numbers import count, in_words, percent, score, seconds
from lightning_rast.page.paths import short_path
from lightning_rast.page.pictures import data_url


def heading(facts: Facts) -> Markup:
    metrics = facts.metrics
    is_finished = bool(metrics.get("finished"))
    status = "finished" if is_finished else "stopped early"
    told = [f"{metrics['steps']} steps"] if "steps" in metrics else []
    for group in sorted(facts.scored, key=lambda each: each.is_held_out):
        kind = "held out" if group.is_held_out else "training views"
        told.append(f"{len(group.ious)} {kind}")
    if facts.scored:
        height, width = facts.scored[0].views.image_size
        told.append(f"{width} × {height} px")
    if device := metrics.get("device"):
        told.append(str(device))
    return element(
        "header",
        element("h1", facts.name),
        element(
            "p",
            element("span", status, class_=f"pill {'good' if is_finished else 'warn'}"),
            *(element("span", text) for text in told),
            class_="facts-line",
        ),
    )


def cards(facts: Facts) -> Markup:
    """The few numbers that one asks for first."""
    metrics = facts.metrics
    found: list[Markup] = []
    baseline = facts.baselines[0] if facts.baselines else None
    for key, title in (("iou", "Held-out IoU"), ("train_iou", "Training IoU")):
        mean, least = metrics.get(f"{key}_mean"), metrics.get(f"{key}_min")
        if mean is None:
            continue
        notes = [f"least {score(least)}"]
        before = baseline and getattr(
            baseline, ("held_out_" if key == "iou" else "") + f"{key}_mean"
        )
        if baseline and before is not None:
            notes.append(f"{baseline.name} {score(before)}")
        found.append(_card(title, score(mean), notes))
    if (chamfer := metrics.get("chamfer")) is not None:
        found.append(
            _card("Chamfer distance", f"{chamfer:.5f}", ["to the true surface, in half-extents"])
        )
    if state := facts.state:
        notes = ["watertight" if state.is_watertight else "open"]
        if state.genus is not None:
            notes.append(f"genus {state.genus}")
        notes.append(in_words(state.num_components, "component"))
        found.append(_card("Faces", count(state.num_faces), notes))
    if spent := metrics.get("seconds"):
        notes = [f"training {seconds(spent['training'])}"]
        found.append(_card("Time", seconds(spent["total"]), notes))
    return element("div", found, class_="cards")


def warnings_box(facts: Facts) -> Markup | None:
    if not facts.warnings:
        return None
    items = [element("li", text) for text in facts.warnings]
    title = in_words(len(items), "thing") + " to look at"
    return element("section", element("h2", title), element("ul", items), class_="warnings")


def result(facts: Facts) -> Markup:
    """The mesh in 3D beside its turntable."""
    buttons = [
        element("button", "Edges", type="button", id="show-edges", aria_pressed="false"),
        element("button", "Cameras", type="button", id="show-cameras", aria_pressed="false"),
        element("button", "Reset view", type="button", id="reset-view"),
        element("button", "Save GLB", type="button", id="save-mesh"),
    ]
    viewer = element(
        "div",
        element("p", id="viewer-note", hidden=True),
        id="viewer",
        data_name=facts.name.replace("/", "_"),
        tabindex="0",
        role="application",
        aria_label="The result in 3D: drag to turn, scroll to zoom",
    )
    turning = None
    if facts.turntable is not None:
        picture = element(
            "img",
            src=data_url("image/gif", facts.turntable),
            alt="The result, turning",
            class_="turntable",
        )
        turning = element("figure", picture, class_="turntable-frame")
    hint = (
        "Drag to turn, right-drag to move, scroll to zoom. Cameras: training views blue, held-out"
        " ones orange."
    )
    if facts.coarser:
        total = count(facts.mesh.num_faces)
        hint += f" Shown coarser than it is: {count(facts.coarser)} of {total} faces."
    return element(
        "section",
        element(
            "div",
            element("h2", "Result"),
            element("div", buttons, class_="tools"),
            class_="bar-line",
        ),
        element("div", viewer, turning, class_="result"),
        element("p", hint, class_="note"),
    )


def scores(facts: Facts) -> Markup:
    """The result's scores with those of what it is compared with beside them."""
    metrics = facts.metrics
    columns: list[tuple[str, Mapping[str, Any]]] = [
        (
            "result",
            {
                "held_out_iou_mean": metrics.get("iou_mean"),
                "held_out_iou_min": metrics.get("iou_min"),
                "train_iou_mean": metrics.get("train_iou_mean"),
                "train_iou_min": metrics.get("train_iou_min"),
                "chamfer": metrics.get("chamfer"),
            },
        ),
        *((baseline.name, vars(baseline)) for baseline in facts.baselines),
    ]
    rows = []
    for key, label in (
        ("held_out_iou_mean", "Held-out IoU, mean"),
        ("held_out_iou_min", "Held-out IoU, least"),
        ("train_iou_mean", "Training IoU, mean"),
        ("train_iou_min", "Training IoU, least"),
        ("chamfer", "Chamfer, half-extents"),
    ):
        values = [values.get(key) for _, values in columns]
        if any(value is not None for value in values):
            rows.append(element("tr", _row_head(label), [element("td", score(v)) for v in values]))
    head = element(
        "tr", element("th", ""), [element("th", name, scope="col") for name, _ in columns]
    )
    table = element("table", element("thead", head), element("tbody", rows))
    return element(
        "section", element("h2", "Scores"), element("div", table, class_="scroll"), _gain(facts)
    )


def mesh_state(facts: Facts) -> Markup | None:
    state = facts.state
    if state is None:
        return None
    is_manifold = state.is_edge_manifold and state.is_vert_manifold
    is_outwards = state.is_oriented and not state.is_inside_out
    low, high = state.bounds
    lengths = state.edge_lengths
    extent = f"{lengths.shortest:.2g} to {lengths.longest:.2g}"
    crossing, flat = state.num_self_intersections, state.num_degenerate_faces
    # Text, and whether it is as one wants it.
    rows: dict[str, tuple[str, bool]] = {
        "Watertight": (_yes(state.is_watertight), state.is_watertight),
        "Manifold": (_yes(is_manifold), is_manifold),
        "Turned outwards": (_yes(is_outwards), is_outwards),
        "Components": (count(state.num_components), True),
        "Genus (handles)": ("–" if state.genus is None else str(state.genus), True),
        "Self-intersections": (count(crossing), crossing == 0),
        "Degenerate faces": (count(flat), flat == 0),
        "Folded edges": (count(state.num_folded_edges), True),
        "Vertices, faces": (f"{count(state.num_verts)}, {count(state.num_faces)}", True),
        "Size, world units": (
            " × ".join(f"{b - a:.4g}" for a, b in zip(low, high, strict=True)),
            True,
        ),
        "Area": (f"{state.area:.4g}", True),
        "Volume": ("–" if state.volume is None else f"{state.volume:.4g}", True),
        "Edge length, median": (f"{lengths.median:.3g} ({extent})", True),
    }
    body = [
        element("tr", _row_head(label), element("td", text, class_=None if is_good else "bad"))
        for label, (text, is_good) in rows.items()
    ]
    return element("section", element("h2", "Mesh"), element("table", element("tbody", body)))


def config(facts: Facts) -> Markup | None:
    if not facts.config_yaml:
        return None
    rows = [
        element(
            "tr",
            _row_head(element("code", key)),
            element("td", element("code", _plain(facts.config[key]))),
        )
        for key in facts.changed
    ]
    changed = element("table", element("tbody", rows), class_="settings")
    everything = element(
        "details", element("summary", "Every setting"), element("pre", facts.config_yaml)
    )
    return element(
        "section",
        element("h2", "Settings"),
        element("p", "What differs from the defaults:" if rows else "All defaults.", class_="note"),
        changed if rows else None,
        everything,
    )


def small_print(facts: Facts) -> Markup:
    versions = ", ".join(
        f"{name} {value}" for name, value in facts.metrics.get("versions", {}).items()
    )
    protocol = facts.metrics.get("iou_protocol")
    resolution = facts.metrics.get("iou_resolution")
    told = [
        f"IoU {protocol}; held-out views at {resolution}." if protocol and resolution else None,
        versions or None,
    ]
    licence = "3D view: three.js, MIT licence, © three.js authors."
    return element("footer", [element("p", text) for text in (*told, licence) if text])


def _card(title: str, value: str, notes: Sequence[str]) -> Markup:
    return element(
        "div",
        element("h3", title),
        element("p", value, class_="value"),
        element("p", " · ".join(notes), class_="note"),
        class_="card",
    )


def _gain(facts: Facts) -> Markup | None:
    """How much of the error of what it is compared with is gone."""
    key, words = (
        ("iou_mean", "held-out")
        if facts.metrics.get("iou_mean") is not None
        else ("train_iou_mean", "training")
    )
    after = facts.metrics.get(key)
    if after is None or not facts.baselines:
        return None
    baseline = facts.baselines[0]
    before = baseline.held_out_iou_mean if key == "iou_mean" else baseline.train_iou_mean
    if before is None or before >= 1 or after is None:
        return None
    change = (1 - after) / (1 - before) - 1
    direction = "less" if change < 0 else "more"
    text = (
        f"The {words} views' error (1 − IoU) is {percent(abs(change))} {direction} than that of:"
        f" {baseline.name}."
    )
    return element("p", text, class_="note")


def _row_head(*content: str) -> Markup:
    return element("th", content, scope="row")


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _plain(value: Any) -> str:
    """A setting's value; of a long path its end."""
    return short_path(value) if isinstance(value, str) and value else repr(value)

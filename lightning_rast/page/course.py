"""How the run went: curves over the steps, and where the time went."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lightning_rast.page.charts import Band, Series, line_chart, stacked_bar
from lightning_rast.page.facts import Facts
from lightning_rast.page.markup import Markup, element
from lightning_rast.page.numbers import percent, seconds

_KINDS = {
    "start": "start mesh",
    "newton": "Gauss-Newton",
    "polish": "polish",
    "remesh": "remeshing",
    "cameras": "cameras",
    "topology": "topology",
}


def curves(facts: Facts) -> Markup:
    bands = list(rungs(facts.metrics.get("stages", ())))
    of = facts.curves.of
    figures = [
        line_chart(
            "IoU",
            [
                Series("held out, mean", of("heldout/iou_mean"), "c2"),
                Series("held out, least", of("heldout/iou_min"), "c2", dashed=True),
                Series("training, mean", of("train/iou_mean"), "c1"),
                Series("training, least", of("train/iou_min"), "c1", dashed=True),
            ],
            y_label="IoU",
            highest=1.0,
            bands=bands,
        ),
        line_chart(
            "Loss",
            [
                Series("silhouettes", of("train/silhouette"), "c1"),
                Series("bending", of("train/bending"), "c4"),
                Series("outlines (Gauss-Newton)", of("train/outline"), "c3", dashed=True),
                *(
                    Series(name.replace("_", " "), of(f"train/{name}"), color)
                    for name, color in _OTHER_TERMS.items()
                ),
            ],
            y_label="weighted terms, log",
            log=True,
            bands=bands,
        ),
    ]
    drawn = [figure for figure in figures if figure is not None]
    if not drawn:
        note = "The run has no TensorBoard events, so that its curves are not known."
        return element("section", element("h2", "On the way"), element("p", note, class_="note"))
    note = "Bands: rungs of the ladder of bending lengths, numbered." if bands else None
    return element(
        "section",
        element("h2", "On the way"),
        element("div", drawn, class_="charts"),
        element("p", note, class_="note") if note else None,
    )


_OTHER_TERMS = {
    "silhouette_l2": "c1",
    "silhouette_l1": "c3",
    "laplacian": "c4",
    "normal_consistency": "c5",
    "edge_length": "c6",
}


def rungs(stages: Sequence[Mapping[str, Any]]) -> Iterator[Band]:
    """The steps of each rung, as `metrics.json` lists the stages; rungs that are gone through
    again after a change of topology follow on their own."""
    step, begun, current = 0, 0, ""
    for stage in stages:
        words = str(stage.get("name", "")).split()
        rung = words[1] if len(words) > 1 and words[0] == "rung" else ""
        if rung != current:
            if current and step > begun:
                yield Band(begun, step, current)
            begun, current = step, rung
        step += int(stage.get("steps", 0))
    if current and step > begun:
        yield Band(begun, step, current)


def timings(facts: Facts) -> Markup | None:
    spent: Mapping[str, float] = facts.metrics.get("seconds", {})
    if not spent:
        return None
    of_kind = facts.metrics.get("seconds_of_stages", {})
    parts = [(_KINDS.get(kind) or str(kind), float(value)) for kind, value in of_kind.items()]
    # The start mesh is made in setup, the other stages in training.
    rest_of_setup = spent["setup"] - of_kind.get("start", 0.0)
    rest_of_training = spent["training"] - sum(
        value for kind, value in of_kind.items() if kind != "start"
    )
    parts += [
        ("start-up, loading and rendering views", max(0.0, rest_of_setup)),
        ("logging, pictures, checkpoints" if of_kind else "training", max(0.0, rest_of_training)),
        (
            "scores and files at the end",
            max(0.0, spent["total"] - spent["setup"] - spent["training"]),
        ),
    ]
    total = sum(value for _, value in parts) or 1.0
    rows = [
        element(
            "tr",
            element("th", element("i", class_=f"swatch c{index}"), name, scope="row"),
            element("td", seconds(value)),
            element("td", percent(value / total)),
        )
        for index, (name, value) in enumerate(parts, start=1)
    ]
    return element(
        "section",
        element("h2", "Time"),
        stacked_bar(parts),
        element("table", element("tbody", rows)),
    )

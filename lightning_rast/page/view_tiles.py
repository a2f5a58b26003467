"""The views as tiles: the mesh over its targets, worst ones findable, each of them large."""

from collections.abc import Iterator, Sequence

from lightning_rast.page.facts import Facts, ScoredViews
from lightning_rast.page.markup import Markup, element
from lightning_rast.page.numbers import score
from lightning_rast.page.pictures import view_picture

# Pictures of more views than this would make the page heavy; the others are in the table only.
_MOST_PICTURES = 64


def views(facts: Facts) -> Markup | None:
    if not facts.scored:
        return None
    tiles, left_out = [], 0
    first_camera = 0
    for group in facts.scored:
        shown = set(_worth_showing(group, facts.scored))
        left_out += len(group.ious) - len(shown)
        held_out = group.is_held_out
        of_view = facts.metrics.get("iou_of_view", {}).get("held_out" if held_out else "train", {})
        for index in sorted(shown):
            name = group.views.names[index]
            iou = of_view.get(name) or group.ious[index]
            camera = None if group.views.cameras.orthographic else first_camera + index
            tiles.append(_tile(group, index, name, iou, camera, name in facts.disagreeing))
        first_camera += 0 if group.views.cameras.orthographic else len(group.ious)
    legend = [
        element("span", element("i", class_=f"swatch {color}"), text)
        for color, text in (
            ("agreed", "target and mesh agree"),
            ("too-much", "mesh only: too much"),
            ("too-little", "target only: too little"),
            *([("unknown", "not measured")] if _has_unknown(facts.scored) else []),
        )
    ]
    orders = element(
        "div",
        element("button", "As numbered", type="button", data_order="given", aria_pressed="true"),
        element("button", "Worst first", type="button", data_order="worst", aria_pressed="false"),
        class_="tools",
    )
    note = (
        f"{left_out} more views have no picture here; the worst are among those shown."
        if left_out
        else None
    )
    return element(
        "section",
        element(
            "div", element("h2", "Target against mesh, view by view"), orders, class_="bar-line"
        ),
        element("p", legend, class_="legend"),
        element("ul", tiles, id="views"),
        element("p", note, class_="note") if note else None,
        _dialog(),
    )


def _tile(
    group: ScoredViews, index: int, name: str, iou: float, camera: int | None, disagrees: bool
) -> Markup:
    kind = "held out" if group.is_held_out else "training"
    badges = [element("span", "held out", class_="pill held-out")] if group.is_held_out else []
    if disagrees:
        badges.append(element("span", "disagrees", class_="pill warn"))
    picture = element(
        "img", src=view_picture(group, index), alt=f"{name}: target against mesh", loading="lazy"
    )
    facts_text = f"IoU {score(iou)} · {kind}" + (
        " · disagrees with the others" if disagrees else ""
    )
    return element(
        "li",
        element("button", picture, type="button", aria_label=f"{name}, {facts_text}: show larger"),
        element("div", element("span", score(iou), class_="iou"), badges),
        element("div", name, class_="name", title=name),
        element("span", facts_text, class_="facts", hidden=True),
        data_iou=f"{iou:.6f}",
        data_camera=camera,
        class_="view",
    )


def _dialog() -> Markup:
    return element(
        "dialog",
        element(
            "div",
            element("h3", ""),
            element("button", "×", type="button", id="view-close", aria_label="Close"),
            class_="bar-line",
        ),
        element("img", alt=""),
        element("p", "", class_="note"),
        element(
            "div",
            element("button", "← before", type="button", id="view-before"),
            element("button", "Look from here in 3D", type="button", id="from-here"),
            element("button", "next →", type="button", id="view-after"),
            class_="tools",
        ),
        id="view-dialog",
    )


def _worth_showing(group: ScoredViews, all_groups: Sequence[ScoredViews]) -> Iterator[int]:
    """All, or where they are many the worst half of what there is room for, and others evenly."""
    total = sum(len(each.ious) for each in all_groups)
    room = len(group.ious)
    if total > _MOST_PICTURES:
        room = max(1, _MOST_PICTURES * len(group.ious) // total)
    if room == len(group.ious):
        yield from range(room)
        return
    by_iou = sorted(range(len(group.ious)), key=lambda index: group.ious[index])
    worst, rest = by_iou[: room // 2], sorted(by_iou[room // 2 :])
    yield from worst
    others = room - len(worst)
    yield from (rest[index * len(rest) // others] for index in range(others))


def _has_unknown(groups: Sequence[ScoredViews]) -> bool:
    return any(group.views.known is not None for group in groups)

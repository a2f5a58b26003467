"""The views as tiles: the mesh over its targets, worst ones findable, each of them large."""

from collections.abc import Iterator, Sequence

from lightning_rast.page.facts import Facts, ScoredViews
from lightning_rast.page.markup import Markup, element
from lightning_rast.page.numbers import score
from lightning_rast.page.paths import paths_among
from lightning_rast.page.photographs import photographs
from lightning_rast.page.pictures import view_picture

# Pictures of more views than this would make the page heavy; the others are in the table only.
_MOST_PICTURES = 64


def views(facts: Facts, *, room: int) -> Markup | None:
    """room: characters that the page may still have; without it there are no photographs."""
    if not facts.scored:
        return None
    shown = [
        (group, index)
        for group in facts.scored
        for index in sorted(set(_worth_showing(group, facts.scored)))
    ]
    left_out = sum(len(group.ious) for group in facts.scored) - len(shown)
    pictures = [view_picture(group, index) for group, index in shown]
    room -= sum(len(url) for url in pictures)
    behind, notes = photographs(
        shown, room, paths_among(facts.config, [group.views for group in facts.scored])
    )
    if left_out:
        more = f"{left_out} more views have no picture here; the worst are among those shown."
        notes = [more, *notes]
    tiles = [
        _tile(facts, group, index, picture, photograph)
        for (group, index), picture, photograph in zip(shown, pictures, behind, strict=True)
    ]
    legend = [
        element("span", element("i", class_=f"swatch {color}"), text)
        for color, text in (
            ("agreed", "target and mesh agree"),
            ("too-much", "mesh only: too much"),
            ("too-little", "target only: too little"),
            *([("unknown", "not measured")] if _has_unknown(facts.scored) else []),
        )
    ]
    if any(behind):
        outline = (element("i", class_="swatch outline"), "outline of the mesh")
        legend.append(element("span", outline, class_="of-photographs"))
    tools = [
        element("button", "As numbered", type="button", data_order="given", aria_pressed="true"),
        element("button", "Worst first", type="button", data_order="worst", aria_pressed="false"),
    ]
    if any(behind):
        over = element(
            "button", "Photographs", type="button", id="show-photographs", aria_pressed="true"
        )
        tools = [over, *tools]
    return element(
        "section",
        element(
            "div",
            element("h2", "Target against mesh, view by view"),
            element("div", tools, class_="tools"),
            class_="bar-line",
        ),
        element("p", legend, class_="legend"),
        element("ul", tiles, id="views", class_="over-photographs" if any(behind) else None),
        [element("p", note, class_="note") for note in notes],
        _dialog(),
    )


def _tile(
    facts: Facts, group: ScoredViews, index: int, picture: str, photograph: str | None
) -> Markup:
    name = group.views.names[index]
    of_view = facts.metrics.get("iou_of_view", {})
    of_view = of_view.get("held_out" if group.is_held_out else "train", {})
    iou = of_view.get(name) or group.ious[index]
    kind = "held out" if group.is_held_out else "training"
    badges = [element("span", "held out", class_="pill held-out")] if group.is_held_out else []
    disagrees = name in facts.disagreeing
    if disagrees:
        badges.append(element("span", "disagrees", class_="pill warn"))
    images = [element("img", src=picture, alt=f"{name}: target against mesh", loading="lazy")]
    if photograph is not None:
        alt = f"{name}: the mesh's outline over the photograph"
        images.append(element("img", src=photograph, alt=alt, loading="lazy", class_="photograph"))
    facts_text = f"IoU {score(iou)} · {kind}" + (
        " · disagrees with the others" if disagrees else ""
    )
    return element(
        "li",
        element("button", images, type="button", aria_label=f"{name}, {facts_text}: show larger"),
        element("div", element("span", score(iou), class_="iou"), badges),
        element("div", name, class_="name", title=name),
        element("span", facts_text, class_="facts", hidden=True),
        data_iou=f"{iou:.6f}",
        data_camera=_camera(facts, group, index),
        class_="view" if photograph is None else "view photographed",
    )


def _camera(facts: Facts, group: ScoredViews, index: int) -> int | None:
    """Its place among those of `cameras_block`, which has no parallel ones."""
    if group.views.cameras.orthographic:
        return None
    before = facts.scored[: next(i for i, each in enumerate(facts.scored) if each is group)]
    return index + sum(len(each.ious) for each in before if not each.views.cameras.orthographic)


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

"""Line charts as inline SVG; colours come from the page's style sheet (`c1`, `c2`, ...)."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from lightning_rast.page.curves import Points
from lightning_rast.page.markup import Markup, element, joined

_WIDTH, _HEIGHT = 480.0, 270.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 62.0, 12.0, 22.0, 40.0


@dataclass(frozen=True)
class Series:
    """points: (step, value); color: a class of the style sheet; dashed: drawn so."""

    name: str
    points: Points
    color: str
    dashed: bool = False


@dataclass(frozen=True)
class Band:
    """A part of the steps with a name that fits above it."""

    first: float
    last: float
    name: str


def line_chart(
    title: str,
    series: Sequence[Series],
    *,
    y_label: str,
    log: bool = False,
    highest: float = math.inf,
    bands: Sequence[Band] = (),
) -> Markup | None:
    """A figure with axes and a legend; None if there is nothing to draw.

    log: a logarithmic y axis; values that it has no place for are left out. highest: where the
        axis ends at the latest.
    """
    kept = [
        Series(each.name, usable, each.color, each.dashed)
        for each in series
        if (usable := [(x, y) for x, y in each.points if math.isfinite(y) and (y > 0 or not log)])
    ]
    if not kept:
        return None
    axes = _Axes.around(kept, log=log, highest=highest)
    drawing = element(
        "svg",
        _bands(axes, bands),
        _grid(axes, y_label),
        [_line(axes, each) for each in kept],
        viewBox=f"0 0 {_WIDTH:g} {_HEIGHT:g}",
        role="img",
        aria_label=f"{title}: {', '.join(each.name for each in kept)}",
        class_="chart",
    )
    legend = element(
        "figcaption",
        element("strong", title),
        [
            element("span", element("i", class_=f"swatch {s.color}" + " dashed" * s.dashed), s.name)
            for s in kept
        ],
    )
    return element("figure", legend, drawing)


def stacked_bar(parts: Sequence[tuple[str, float]]) -> Markup:
    """Shares of a whole side by side, coloured c1, c2, ... in this order."""
    total = sum(value for _, value in parts) or 1.0
    pieces, x = [], 0.0
    for index, (name, value) in enumerate(parts, start=1):
        width = 100 * value / total
        label = element("title", f"{name}: {value:.2f} s")
        pieces.append(
            element(
                "g",
                label,
                element("rect", x=x, y=0, width=width, height=10),
                class_=f"c{index} fill",
            )
        )
        x += width
    return element(
        "svg",
        pieces,
        viewBox="0 0 100 10",
        preserveAspectRatio="none",
        class_="bar",
        aria_hidden="true",
    )


def ticks(low: float, high: float, *, most: int = 7) -> list[float]:
    """Round numbers (1, 2, 5 times a power of ten) from low to high, `most` steps apart at most."""
    step = 10 ** math.floor(math.log10((high - low) / most))
    step *= min((m for m in (1, 2, 5, 10) if (high - low) / (m * step) <= most), default=10)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [index * step for index in range(first, last + 1)]


@dataclass(frozen=True)
class _Axes:
    x_range: tuple[float, float]
    y_range: tuple[float, float]  # logarithms to base ten if log
    log: bool

    @staticmethod
    def around(series: Sequence[Series], *, log: bool, highest: float) -> "_Axes":
        xs = [x for each in series for x, _ in each.points]
        ys = [math.log10(y) if log else y for each in series for _, y in each.points]
        low, high = min(ys), max(ys)
        pad = 0.06 * (high - low) or 0.05 * (abs(high) or 1.0)
        return _Axes(
            (min(0, *xs), max(*xs, 1)), (low - pad, min(high + pad, max(highest, high))), log
        )

    def x(self, value: float) -> float:
        low, high = self.x_range
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * (value - low) / (high - low)

    def y(self, value: float) -> float:
        low, high = self.y_range
        value = math.log10(value) if self.log else value
        return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * (value - low) / (high - low)

    def y_ticks(self) -> list[float]:
        low, high = self.y_range
        if not self.log:
            return ticks(low, high)
        powers = range(math.floor(low), math.ceil(high) + 1)
        steps = (1,) if high - low > 2.5 else (1, 2, 5)
        every = max(1, math.ceil((high - low) / 6))
        found = [m * 10.0**p for p in powers if p % every == 0 for m in steps]
        return [value for value in found if low <= math.log10(value) <= high]


def _grid(axes: _Axes, y_label: str) -> Markup:
    left, right, bottom = _LEFT, _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    y_ticks = axes.y_ticks()
    digits = _digits(y_ticks)
    parts: list[Markup] = []
    for value in y_ticks:
        y = axes.y(value)
        text = f"{value:.0e}" if axes.log else f"{value:.{digits}f}"
        if axes.log and 1e-3 <= value < 1e5:
            text = f"{value:g}"
        parts.append(element("line", x1=left, x2=right, y1=y, y2=y, class_="grid"))
        parts.append(element("text", text, x=left - 7, y=y + 4, text_anchor="end"))
    for value in ticks(*axes.x_range):
        x = axes.x(value)
        parts.append(element("line", x1=x, x2=x, y1=bottom, y2=bottom + 4, class_="axis"))
        parts.append(element("text", f"{value:g}", x=x, y=bottom + 18, text_anchor="middle"))
    parts.append(element("line", x1=left, x2=right, y1=bottom, y2=bottom, class_="axis"))
    middle = (_TOP + bottom) / 2
    parts.append(element("text", "step", x=(left + right) / 2, y=_HEIGHT - 4, text_anchor="middle"))
    parts.append(
        element(
            "text",
            y_label,
            x=12.0,
            y=middle,
            text_anchor="middle",
            transform=f"rotate(-90 12 {middle:g})",
        )
    )
    return joined(parts)


def _bands(axes: _Axes, bands: Sequence[Band]) -> Markup:
    parts: list[Markup] = []
    for index, band in enumerate(bands):
        x, width = axes.x(band.first), axes.x(band.last) - axes.x(band.first)
        height = _HEIGHT - _BOTTOM - _TOP
        if index % 2 == 0:
            parts.append(element("rect", x=x, y=_TOP, width=width, height=height, class_="band"))
        if width > 7 * len(band.name):
            parts.append(
                element(
                    "text",
                    band.name,
                    x=x + width / 2,
                    y=_TOP - 7,
                    text_anchor="middle",
                    class_="faint",
                )
            )
    return joined(parts)


def _line(axes: _Axes, series: Series) -> Markup:
    places = [(axes.x(x), axes.y(y)) for x, y in series.points]
    dots = [
        element("circle", element("title", f"{series.name}, step {x}: {y:.5g}"), cx=cx, cy=cy, r=3)
        for (x, y), (cx, cy) in zip(series.points, places, strict=True)
        if len(places) <= 60
    ]
    line = element(
        "polyline",
        points=" ".join(f"{x:.1f},{y:.1f}" for x, y in places),
        class_="dashed" if series.dashed else None,
    )
    return element("g", line, dots, class_=series.color)


def _digits(values: Sequence[float]) -> int:
    """Behind the point, so that neighbours differ."""
    gaps = [b - a for a, b in itertools.pairwise(values)]
    return max(0, -math.floor(math.log10(min(gaps)) + 1e-9)) if gaps else 3

"""Numbers as people read them."""


def score(value: float | None) -> str:
    """An IoU or a distance: four digits behind the point or three of its own, – for none."""
    if value is None:
        return "–"
    return f"{value:.4f}" if value >= 0.1 or value == 0 else f"{value:.3g}"


def count(value: int) -> str:
    """15080 as 15,080."""
    return f"{value:,}"


def percent(part: float) -> str:
    return f"{100 * part:.0f} %"


def seconds(value: float) -> str:
    """As 0.48 s, 12 s, 2 min 5 s or 1 h 2 min."""
    if value < 10:
        return f"{value:.2f} s"
    whole = round(value)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


def in_words(number: int, noun: str) -> str:
    """1 thing, 2 things."""
    return f"{number} {noun}" + ("" if number == 1 else "s")

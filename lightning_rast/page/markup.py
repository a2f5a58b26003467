"""HTML that is safe by construction: plain text is escaped, markup has a type of its own."""

import html
from collections.abc import Iterable
from typing import Any

_VOID = {"img", "meta", "link", "br", "path", "rect", "line", "polyline"}


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def element(name: str, /, *children: str | Iterable[str] | None, **attributes: Any) -> Markup:
    """`element("p", "a < b", class_="note")` is `<p class="note">a &lt; b</p>`.

    Children are text, `Markup`, iterables of these, or None (nothing). Of attributes, an ending
    underscore is dropped and others become hyphens; False and None leave one out, True needs no
    value.
    """
    written = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in _VOID:
        return Markup(
            f"<{name}{written}>" if name in ("img", "meta", "link", "br") else f"<{name}{written}/>"
        )
    return Markup(f"<{name}{written}>{joined(children)}</{name}>")


def joined(children: Iterable[str | Iterable[str] | None]) -> Markup:
    """The children one after the other, text escaped."""
    return Markup("".join(_child(child) for child in children))


def _child(child: str | Iterable[str] | None) -> str:
    if child is None:
        return ""
    if isinstance(child, Markup):
        return child
    if isinstance(child, str):
        return html.escape(child, quote=False)
    return joined(child)


def _attribute(key: str, value: Any) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    if value is True:
        return f" {name}"
    if isinstance(value, float):
        value = f"{value:.6g}"
    return f' {name}="{html.escape(str(value))}"'

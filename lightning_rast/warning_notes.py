"""Keeps what was warned of, so that it can be told again where the result is looked at."""

import contextlib
import warnings
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def noted_warnings(notes: list[str] | None = None) -> Iterator[list[str]]:
    """The texts of all warnings that are shown meanwhile, added to `notes`; they are shown as
    they would be without it."""
    kept: list[str] = [] if notes is None else notes
    show = warnings.showwarning

    def note(message: Warning | str, *args: Any, **kwargs: Any) -> None:
        kept.append(str(message))
        show(message, *args, **kwargs)

    warnings.showwarning = note
    try:
        yield kept
    finally:
        warnings.showwarning = show

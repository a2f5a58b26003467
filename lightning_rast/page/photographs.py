"""The photographs behind the views, in what room a page has for them."""

from collections.abc import Iterator, Sequence

from PIL import Image

from lightning_rast.data.errors import ViewsError
from lightning_rast.page.facts import ScoredViews
from lightning_rast.page.paths import with_short_paths_in
from lightning_rast.page.pictures import photograph_picture, small_photograph

_SIDES = (320, 240, 190, 150)  # px; below, nothing can be recognised


def photographs(
    shown: Sequence[tuple[ScoredViews, int]], room: int, known_paths: Sequence[str] = ()
) -> tuple[list[str | None], list[str]]:
    """Of each (views, index) the photograph with the mesh's outline as a `data:` URL, where there
    is one; smaller where `room`, in characters, asks for it. And sentences on what is missing,
    with the ends of paths alone; known_paths: that they may be in."""
    failures: list[str] = []
    pictures = [_picture(group, index, failures) for group, index in shown]
    notes = list(_unreadable([with_short_paths_in(text, known_paths) for text in failures]))
    for side in _SIDES if any(pictures) else ():
        urls = [None if each is None else small_photograph(each, side) for each in pictures]
        if sum(len(url or "") for url in urls) <= room:
            return urls, notes
    if any(pictures):
        notes.append("The photographs are left out: with them, the page would be too large.")
    return [None] * len(shown), notes


def _picture(group: ScoredViews, index: int, failures: list[str]) -> Image.Image | None:
    try:
        return photograph_picture(group, index)
    except ViewsError as error:
        failures.append(str(error))
        return None


def _unreadable(failures: Sequence[str]) -> Iterator[str]:
    if failures:
        more = f", and {len(failures) - 1} more likewise" if len(failures) > 1 else ""
        yield f"Not shown: {failures[0]}{more}."

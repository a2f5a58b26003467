"""Paths as a page shows them: it goes to people whom the folders above are no concern of."""

import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from lightning_rast.config import Config
from lightning_rast.data.views import Views

_SETTINGS = ("data.mesh", "data.folder", "data.masks", "start.mesh", "log.root")

_MOST_PARTS = 3
_HOME_PARTS = 3  # of /home/somebody, C:/Users/somebody or //server/share
# A name of several words, that another part of the path follows; "to masks/3.png" is none.
_HOME_WITH_SPACES = r"[^\s'\"`,:;()<>|/\\]+(?: [^\W_a-z][^\s'\"`,:;()<>|/\\]*){1,3}(?=[/\\])"
_SEPARATORS = re.compile(r"[/\\]+")  # several where a message shows a string with its escapes
_FILE_URL = re.compile(r"\bfile:/*(?=/|[A-Za-z]:)")
# Of a rooted path two parts at least: there are no folders in "px /s".
_IN_TEXT = re.compile(
    r"(?<![\w./\\:…)\]}])(?:"
    rf"(?:/(?:home|Users|media|mnt)/|[A-Za-z]:[/\\]+Users[/\\]+){_HOME_WITH_SPACES}"
    r"|[A-Za-z]:[/\\]|\.\./|(?:/|[/\\]{2,})(?=[^\s'\"`,:;()<>|/\\]+[/\\]))"
    r"[^\s'\"`,:;()<>|]*[\w})\]]"
)


def short_path(path: str) -> str:
    """The end of a long path, and of an absolute one what is below somebody's home."""
    parts = _SEPARATORS.split(path)
    if parts[0] == "" or parts[0].endswith(":"):
        kept = max(1, min(_MOST_PARTS, len(parts) - _HOME_PARTS))
    elif len(parts) > _MOST_PARTS + 1:
        kept = _MOST_PARTS
    else:
        return path
    return "…/" + "/".join(parts[-kept:])


def with_short_paths_in(text: str, known: Sequence[str] = ()) -> str:
    """A sentence whose absolute paths, and those that lead upwards, are `short_path`s.

    known: files and folders that it may speak of. Nothing else tells where a path with spaces
    ends.
    """
    text = _FILE_URL.sub("", text)
    shown = {path: short_path(path) for name in known for path in _spellings(name)}
    shown[str(Path.home()).rstrip("/\\")] = "/home/somebody"
    for path in sorted(shown, key=len, reverse=True):  # what is inside of another one first
        parts = _SEPARATORS.split(path)
        if len(parts) > 1:
            spelt = r"[/\\]+".join(re.escape(part) for part in parts)
            text = re.sub(rf"(?<![\w./\\…]){spelt}(?!\w)", lambda _, to=shown[path]: to, text)
    return _IN_TEXT.sub(lambda found: short_path(found[0]), text)


def _spellings(path: str) -> set[str]:
    if not path:
        return set()
    return {path.rstrip("/\\"), str(Path(path).absolute()), str(Path(path).resolve())}


def paths_among(settings: Mapping[str, Any], views: Sequence[Views] = ()) -> list[str]:
    """The files and folders in a config's settings by their full keys, and those of the views."""
    of_views = [
        str(path)
        for each in views
        for source in each.sources or ()
        for path in (source.path, source.photograph)
        if path is not None
    ]
    return list(dict.fromkeys([*filter(None, map(settings.get, _SETTINGS)), *of_views]))


def with_short_paths(config: Config) -> Config:
    """A copy whose files and folders are `short_path`s."""
    config = deepcopy(config)
    for key in _SETTINGS:
        part, name = key.split(".")
        if path := getattr(getattr(config, part), name):
            setattr(getattr(config, part), name, short_path(path))
    return config

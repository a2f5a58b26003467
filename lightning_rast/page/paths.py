"""Paths as a page shows them: it goes to people whom the folders above are no concern of."""

import re
from copy import deepcopy
from pathlib import Path

from lightning_rast.config import Config

_MOST_PARTS = 3
_HOME_PARTS = 3  # of /home/somebody or C:/Users/somebody
_IN_TEXT = re.compile(r"(?<![\w./\\:…])(?:[A-Za-z]:[/\\]|\.\./|/)[^\s'\"`,:;()<>|]*[\w})\]]")


def short_path(path: str) -> str:
    """The end of a long path, and of an absolute one what is below somebody's home."""
    parts = path.replace("\\", "/").split("/")
    if parts[0] == "" or parts[0].endswith(":"):
        kept = max(1, min(_MOST_PARTS, len(parts) - _HOME_PARTS))
    elif len(parts) > _MOST_PARTS + 1:
        kept = _MOST_PARTS
    else:
        return path
    return "…/" + "/".join(parts[-kept:])


def with_short_paths_in(text: str) -> str:
    """A sentence whose absolute paths, and those that lead upwards, are `short_path`s."""
    home = str(Path.home())
    if len(home) > 1:  # it may have a space, where no pattern ends rightly
        text = text.replace(home + "/", "/home/somebody/")
    return _IN_TEXT.sub(lambda found: short_path(found[0]), text)


def with_short_paths(config: Config) -> Config:
    """A copy whose files and folders are `short_path`s."""
    config = deepcopy(config)
    for part, names in (
        (config.data, ("mesh", "folder", "masks")),
        (config.start, ("mesh",)),
        (config.log, ("root",)),
    ):
        for name in names:
            if path := getattr(part, name):
                setattr(part, name, short_path(path))
    return config

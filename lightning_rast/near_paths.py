"""Files and folders that a mistyped path may have meant."""

import difflib
from pathlib import Path

_MOST = 3


def did_you_mean(path: str | Path, *, suffix: str = "") -> str:
    """`. Did you mean ...?` with paths that exist and differ in one name; empty if there is none.

    The first name of `path` that does not exist is the one that is taken for a mistake; what
    follows it must exist in its stead. A path without an ending, as in `kettle`, means a folder.
    suffix: means a file that ends so.
    """
    near = _near(Path(path))
    if suffix:
        near = [found for found in near if found.name.endswith(suffix)]
    elif not Path(path).suffix:
        near = [found for found in near if found.is_dir()]
    near = [str(found) for found in near[:_MOST]]
    return f". Did you mean {' or '.join(near)}?" if near else ""


def _near(path: Path) -> list[Path]:
    """The likeliest first."""
    try:
        folder = path.parent
        while not folder.exists():
            folder = folder.parent
        wrong, *rest = path.relative_to(folder).parts
        present = [entry.name for entry in sorted(folder.iterdir())]
    except (OSError, ValueError):  # nothing that can be looked into, or not even a name
        return []
    if not wrong.startswith("."):
        present = [name for name in present if not name.startswith(".")]
    by_lower_case: dict[str, list[str]] = {}
    for name in present:
        by_lower_case.setdefault(name.lower(), []).append(name)
    close = difflib.get_close_matches(wrong.lower(), by_lower_case, n=len(by_lower_case) or 1)
    found = [folder.joinpath(name, *rest) for lower in close for name in by_lower_case[lower]]
    return [candidate for candidate in found if candidate.exists()]

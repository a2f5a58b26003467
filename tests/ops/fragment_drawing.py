"""Pictures of face numbers as text: a dot for the background, else the last digit."""

import textwrap

from torch import Tensor


def draw(face_idx: Tensor) -> str:
    """One `(H, W)` picture, a line per row."""
    rows = ["".join("." if f < 0 else str(f % 10) for f in row) for row in face_idx.tolist()]
    return "\n".join(rows)


def drawn(picture: str) -> str:
    return textwrap.dedent(picture).strip()

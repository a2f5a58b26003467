"""The robustness benchmark's record as a page of markdown."""

from collections.abc import Sequence
from typing import Any

Row = dict[str, Any]
GOOD = "none"
# Ways to fit, behind the name of the damage.
FOLLOWED, CORRECTED = ", ladder.least_fall=0", ", cameras.enabled=true"

_HEADS = (
    *("damage", "hull", "fit", "against good views", "views named", "genus (1 is right)"),
    *("`left`", "`ladder.least_fall=0`", "`cameras.enabled=true`"),
)
_TEXT = """\
# Wrong views

16 views of the kettle at 96 x 96, damaged as `benchmarks/robustness_cases.py` says, preset `fast`;
made by `benchmarks/robustness.py`, whose record is [robustness.json](robustness.json). What each
may cost is held by `tests/robust`.
{machine}. Rows are of these states of the library: {commits}.

Volume IoU with the true surface. The hull is the one that the fit starts from, with the k that it
chose; `against good views` is the loss of the fit.

{damages}

One wrong view is found, named and left out. Errors of every view show in the outlines' residual,
which does not fall down the ladder; from there on the fit stays stiff and takes large residuals
lightly (`ladder.noise_px`, `ladder.least_fall`). With `ladder.least_fall=0` it follows every
outline instead; where the residual fell, nothing differs, and the column is empty.
`cameras.enabled=true` lets every camera turn and move a little, and keeps that only where the
outlines then agree much better.

## Where the line is

`left` is the residual at half of the longest bending length, of its highest until then. Where it
is .85 or more (**bold**), and the residual above {noise_px:g} px, masks are taken to contradict
each other. Of sets of photographs, and of masks that others rendered (training views, at most
512 px):

{sets}
"""


def page(record: dict[str, Any], *, noise_px: float) -> str:
    """The whole text, from a record of any rows. noise_px: as in the config."""
    results = record["results"]
    return _TEXT.format(
        machine=", ".join(f"{key} {value}" for key, value in record["machine"].items()),
        commits=", ".join(sorted({row["commit"] for row in results.values()})),
        damages=_damages({key: row for key, row in results.items() if "volume_iou" in row}),
        noise_px=noise_px,
        sets=_sets({key: row for key, row in results.items() if "volume_iou" not in row}),
    )


def _damages(rows: dict[str, Row]) -> str:
    good = rows.get(GOOD, {}).get("volume_iou")
    lines: list[Sequence[str]] = [_HEADS]
    for name, row in rows.items():
        if name.endswith((FOLLOWED, CORRECTED)):
            continue
        followed, corrected = rows.get(name + FOLLOWED), rows.get(name + CORRECTED)
        loss = "" if good is None or name == GOOD else _signed(row["volume_iou"] - good)
        lines.append(
            (
                name,
                f"{_score(row['hull_iou'])} (k = {row['k']})",
                _score(row["volume_iou"]),
                loss,
                ", ".join(row["disagreeing_views"]) or "none",
                str(row["genus"]) + ("" if row["is_closed_solid"] else ", no closed solid"),
                _left(row),
                _score(followed["volume_iou"]) if followed and row["noise_px"] else "",
                "" if corrected is None else _score(corrected["volume_iou"]),
            )
        )
    return _table(lines)


def _sets(rows: dict[str, Row]) -> str:
    lines: list[Sequence[str]] = [("set", "views", "preset", "residual there, px", "`left`")]
    for key, row in rows.items():
        name, _, preset = key.rpartition(", ")
        lines.append((name, str(row["views"]), preset, f"{row['judged_px']:.2f}", _left(row)))
    return _table(lines)


def _left(row: Row) -> str:
    return f"**{row['left']:.2f}**" if row["noise_px"] else f"{row['left']:.2f}"


def _score(value: float) -> str:
    return f"{value:.4f}".removeprefix("0")


def _signed(value: float) -> str:
    return f"{value:+.4f}".replace("0.", ".", 1)


def _table(lines: Sequence[Sequence[str]]) -> str:
    head, *body = lines
    return "\n".join("| " + " | ".join(line) + " |" for line in (head, ["---"] * len(head), *body))

"""Reads views, has them diagnosed, tells the result and writes the pictures."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lightning_rast.config import DataConfig
from lightning_rast.data.calibration import PixelCenters
from lightning_rast.data.formats import load_views, read_calibration, recognise
from lightning_rast.data.remedies import INVERSE, REMEDIES
from lightning_rast.data.views import Views
from lightning_rast.doctor.diagnosis import Diagnosis, diagnose
from lightning_rast.doctor.rig import rig_picture
from lightning_rast.doctor.sheet import contact_sheet
from lightning_rast.render.pictures import save_png

SHEET, RIG = "sheet.png", "rig.png"
_MOST_ROWS = 60
_PAGE_COLUMNS = 96  # characters
_ONE_TOO_MANY = "data.fix has one remedy too many: {}"
_BAD = "cameras and masks do not agree: their hull matches the masks with an IoU of {:.3f}"


@dataclass(frozen=True, eq=False)
class Examination:
    """A diagnosis of the views that a config names, as they were read.

    settings: lines of a config that mend them.
    """

    data: DataConfig
    views: Views
    diagnosis: Diagnosis
    pictures: tuple[Path, ...]

    @property
    def settings(self) -> tuple[str, ...]:
        """What to change in the config, as `data.key=value`."""
        found = self.diagnosis
        lines = []
        if "invert_masks" in self.fixes:
            lines.append(f"data.invert_masks={str(not self.data.invert_masks).lower()}")
        left, _ = appended(self.data.fix, self.fixes)
        if left != self.data.fix:
            lines.append(f"data.fix=[{','.join(left)}]")
        if found.pixel_centers:
            lines.append(f"data.pixel_centers={found.pixel_centers}")
        return tuple(lines)

    @property
    def fixes(self) -> tuple[str, ...]:
        """What mends the views; of those that do so equally well, what leaves the shortest
        `data.fix`, where something of it is undone."""
        given, found = self.data.fix, self.diagnosis
        undoing = [fixes for fixes in (found.fixes, *found.equal) if appended(given, fixes)[1]]
        return min(undoing, key=lambda f: len(appended(given, f)[0]), default=found.fixes)

    @property
    def causes(self) -> tuple[str, ...]:
        """What is wrong, a sentence's end each."""
        _, superfluous = appended(self.data.fix, self.fixes)
        return tuple(
            _ONE_TOO_MANY.format(INVERSE[name]) if name in superfluous else REMEDIES[name].cause
            for name in self.fixes
        )

    @property
    def verdict(self) -> tuple[str, ...]:
        """Lines for people."""
        return tuple(_verdict(self))

    @property
    def faults(self) -> tuple[str, ...]:
        """The part of the verdict that says what is wrong; empty where nothing is."""
        return tuple(_odd_views(self.diagnosis)) if self.diagnosis.agree else self.verdict

    @property
    def as_json(self) -> dict[str, Any]:
        """All that was found, for other programs."""
        found, shift = self.diagnosis, self.diagnosis.shift
        return {
            "agree": found.agree,
            "mean_iou": float(found.ious.mean()),
            "mended_mean_iou": float(found.mended_ious.mean()),
            "causes": list(self.causes),
            "fixes": list(found.fixes),
            "equal_fixes": [list(fixes) for fixes in found.equal],
            "settings": list(self.settings),
            "pixel_shift": None if shift is None else {"x": shift.x, "y": shift.y},
            "spread_deg": found.spread_deg,
            "notes": list(found.notes),
            "views": [
                {"name": name, "iou": iou, "mended_iou": mended}
                for name, iou, mended in zip(
                    self.views.names, found.ious.tolist(), found.mended_ious.tolist(), strict=True
                )
            ],
            "odd_views": [{"name": odd.name, "reason": odd.reason} for odd in found.odd],
            "trials": [
                {"fixes": list(trial.fixes), "score": trial.score, "checked": trial.checked}
                for trial in found.trials
            ],
            "pictures": [str(path) for path in self.pictures],
        }


def appended(given: Sequence[str], found: Sequence[str]) -> tuple[list[str], list[str]]:
    """`data.fix` with what was found behind it; and which of those found undo what was there.

    Then the config is at fault, not the data: the remedy that is undone is left out.
    """
    left, superfluous = list(given), []
    for name in found:
        if name == "invert_masks":  # has a key of its own
            continue
        if left and left[-1] == INVERSE.get(name):
            left.pop()
            superfluous.append(name)
        else:
            left.append(name)
    return left, superfluous


def examine(data: DataConfig, folder: Path | None) -> Examination:
    """Print what is found about the views of `data`, and write pictures into the folder, if any.

    Raises:
        ViewsError: they cannot be read, or are fewer than two.
        OSError: the pictures cannot be written.
    """
    views = load_views(
        data.folder,
        format=data.format,
        masks=data.masks,
        max_image_size=data.max_image_size,
        pixel_centers=data.pixel_centers,
        background_threshold=data.background_threshold,
        invert_masks=data.invert_masks,
    )
    height, width = views.image_size
    count = "1 view" if len(views) == 1 else f"{len(views)} views"
    kind = recognise(data.folder) if data.format == "auto" else data.format
    print(f"{data.folder}: {count} of {width} x {height} px ({kind})", flush=True)
    diagnosis = diagnose(views, given=data.fix, pixel_centers=centers_of(data))
    pictures: list[Path] = []
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        odd = [view.index for view in diagnosis.odd]
        ious = diagnosis.mended_ious.tolist()
        sheet = contact_sheet(diagnosis.views, diagnosis.mesh, ious, odd)
        save_png(folder / SHEET, sheet.picture)
        save_png(folder / RIG, rig_picture(diagnosis.views, diagnosis.mesh, odd))
        pictures = [folder / SHEET, folder / RIG]
        diagnosis = replace(diagnosis, notes=(*diagnosis.notes, *sheet.notes))
    examination = Examination(data, views, diagnosis, tuple(pictures))
    print("\n".join([*_table(examination), "", *examination.verdict]))
    return examination


def centers_of(data: DataConfig) -> PixelCenters:
    """What the pixel coordinates are taken for, where the config leaves it to the format."""
    if data.pixel_centers != "auto":
        return data.pixel_centers

    def first(pixel_centers: PixelCenters | None) -> float:
        calibration = read_calibration(
            data.folder, format=data.format, pixel_centers=pixel_centers or "auto"
        )
        return float(calibration.views[0].camera.K[0, 0, 2])

    offset = first(None) - first("half")
    return "integer" if offset > 0.25 else "matlab" if offset < -0.25 else "half"


def _table(examination: Examination) -> Iterator[str]:
    """IoU of each view, in as many columns as fit."""
    found = examination.diagnosis
    rows = list(zip(examination.views.names, found.ious, found.mended_ious, strict=True))
    shown = range(len(rows))
    if len(rows) > _MOST_ROWS:
        shown = sorted(shown, key=lambda view: float(rows[view][2]))[:_MOST_ROWS]
        shown = sorted(shown)
        yield f"the {_MOST_ROWS} of {len(rows)} views that fit worst:"
    odd = {view.index for view in found.odd}
    name_width = max(len(rows[view][0]) for view in shown)
    is_mended = bool(found.fixes)
    cells = []
    for view in shown:
        name, before, after = rows[view]
        numbers = f"{before:.3f} -> {after:.3f}" if is_mended else f"{before:.3f}"
        cells.append(f"{name:<{name_width}}  {numbers}{' !' if view in odd else '  '}")
    columns = max(1, _PAGE_COLUMNS // (len(cells[0]) + 3))
    height = -(-len(cells) // columns)
    yield "IoU of the mask and the hull of all views" + (
        ", as they are and mended:" if is_mended else ":"
    )
    for row in range(height):
        yield "  " + "   ".join(cells[row::height]).rstrip()


def _verdict(examination: Examination) -> Iterator[str]:
    found = examination.diagnosis
    mean, mended = float(found.ious.mean()), float(found.mended_ious.mean())
    names = examination.views.names
    worst = int(found.mended_ious.argmin())
    if found.fixes:
        yield _BAD.format(mean)
        for cause in examination.causes:
            yield f"cause: {cause}"
        yield f"mended, the IoU is {mended:.3f}"
    elif found.mesh is not None and found.agree:
        yield (
            f"cameras and masks agree: mean IoU {mean:.3f}, least {found.mended_ious[worst]:.3f}"
            f" ({names[worst]})"
        )
    elif found.pixel_centers:
        yield f"cameras and masks agree, mean IoU {mean:.3f}, but for half a pixel"
    else:
        yield from _unexplained(found, mean)
    if found.pixel_centers and found.shift is not None:
        told = [
            f"{at:+.2f} in {axis}"
            for axis, at in zip("xy", (found.shift.x, found.shift.y), strict=True)
            if at is not None
        ]
        yield (
            f"cause: pixel coordinates are off by {' and '.join(told)} pixels, as where another"
            " convention of pixel centres is meant"
        )
    if examination.settings:
        yield "write into the config, or behind the command:"
        yield from (f"    {line}" for line in examination.settings)
    for fixes in found.equal if examination.fixes == found.fixes else ():
        yield f"[{','.join(fixes)}] fits as well: {'; '.join(REMEDIES[n].cause for n in fixes)}"
    yield from _odd_views(found)
    yield from (f"note: {note}" for note in found.notes)
    for path in examination.pictures:
        yield f"wrote {path}"


def _odd_views(found: Diagnosis) -> Iterator[str]:
    if found.odd:
        yield (
            "views that disagree with the others:"
            if len(found.odd) > 1
            else "a view that disagrees with the others:"
        )
    for view in found.odd:
        yield f"    {view.name}: its mask {view.reason} (IoU {view.iou:.2f})"


def _unexplained(found: Diagnosis, mean: float) -> Iterator[str]:
    if found.mesh is None:
        yield "cameras and masks do not agree: nothing in space is inside of all masks"
    else:
        yield _BAD.format(mean)
    tried = [trial for trial in found.trials if trial.fixes]
    best = max(tried, key=lambda trial: trial.score, default=None)
    text = f"none of the usual mistakes explains it; {len(tried)} remedies were tried"
    if best is not None and best.score > 0.3:
        text += f", the best, [{','.join(best.fixes)}], reaches {best.score:.2f}"
    yield text
    yield (
        "check: do masks and cameras belong to the same images, in the same order? are the poses in"
        " one common frame? is the focal length in pixels of these images?"
    )

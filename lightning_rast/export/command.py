"""The command line: `lightning-rast export RUN_OR_MESH OUT`.

`python -m lightning_rast.export` is the same command. Exit codes are those of `terminal.py`.
"""

import argparse
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from lightning_rast.near_paths import did_you_mean
from lightning_rast.runs import CONFIG_NAME
from lightning_rast.terminal import (
    STOPPED,
    OutputError,
    Parser,
    add_output_options,
    refused,
    telling,
)

# Of a run, the first that is there: PLY keeps every bit of the positions.
_MESHES_OF_RUN = ("mesh.ply", "mesh.glb", "mesh.obj")
_FORMATS = ("obj", "ply", "glb", "stl")
_UNITS = ("m", "cm", "mm", "km", "in", "ft")

_EXAMPLES = """\
examples:
  lightning-rast export logs/kettle/version_0 kettle.glb
      the mesh of a run, for viewers, game engines and the web; its state in kettle.glb.report.json
  lightning-rast export scan.ply scan.glb --up z --units mm
      a scan in millimetres whose z axis points up, as glTF wants it: in metres, y up
  lightning-rast export part.glb part.stl --units m:mm --up y:z
      for a 3D printer: STL in millimetres, z up
  lightning-rast export logs/dino/version_0 dino.glb --mirror x
      the mirror image, where training said that the cameras mirror the world
  lightning-rast export cow.glb cow.obj
      cow.obj, cow.mtl and its texture beside it
  lightning-rast export --report cow.obj
      writes nothing, says whether it is watertight, manifold, passes through itself, ...
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    args = _parser().parse_args(argv)
    if args.out is None and not args.report:
        return refused("name a file to write, or give --report; --help shows examples")
    try:
        source = _source(args.source)
        file_format = "" if args.out is None else _format(args.out, args.format)
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        # PyTorch takes seconds to import; everything above is checked first.
        from lightning_rast.export.exporting import ExportError, export

        with telling(args) as write_json:
            try:
                done = export(
                    source,
                    args.out,
                    file_format=file_format,
                    scale=args.scale,
                    units=args.units,
                    up=args.up,
                    smooth=args.source.is_dir() if args.smooth is None else args.smooth,
                    mirror=args.mirror,
                    with_report=not args.no_report or args.report or args.json is not None,
                )
            except ExportError as error:
                return refused(str(error))
            for note in done.notes:
                print(f"note: {note}", file=sys.stderr)
            for path in done.written:
                print(f"wrote {path}")
            if done.page:
                print(done.page)
            if args.json is not None:
                write_json({**done.report, "written": [str(path) for path in done.written]})
    except (_CommandError, OutputError) as error:
        return refused(str(error))
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return STOPPED
    return 0


class _CommandError(Exception):
    """What the command names cannot be used."""


def _source(path: Path) -> Path:
    """The mesh file that is meant."""
    if not path.is_dir():
        if not path.exists():
            raise _CommandError(f"{path}: no such file or folder{did_you_mean(path)}")
        return path
    for name in _MESHES_OF_RUN:
        if (path / name).is_file():
            return path / name
    if (path / CONFIG_NAME).is_file():
        raise _CommandError(
            f"{path}: this run has no mesh yet; it writes one while it trains (log.mesh_every_n_"
            "steps) and at its end: wait, or continue it with train.py --resume"
        )
    raise _CommandError(
        f"{path}: a folder without {', '.join(_MESHES_OF_RUN)}; name a mesh file or a run's folder "
        "such as logs/kettle/version_0"
    )


def _format(out: Path, file_format: str | None) -> str:
    if not out.parent.is_dir():
        raise _CommandError(f"{out.parent}: no such folder; make it first")
    if out.is_dir():
        raise _CommandError(f"{out}: is a folder; name a file in it, such as {out / 'mesh.glb'}")
    suffix = file_format or out.suffix.lower().removeprefix(".")
    if suffix not in _FORMATS:
        known = ", ".join(f".{name}" for name in _FORMATS)
        ending = f"ends in {out.suffix}" if out.suffix else "has no ending"
        raise _CommandError(f"{out}: {ending}; it must be one of {known}, or give --format")
    return suffix


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="lightning-rast export",
        description="Write a run's mesh, or any mesh file, as OBJ, PLY, GLB or STL, and say what "
        "state it is in.",
        epilog=_EXAMPLES,
    )
    parser.add_argument(
        "source", type=Path, metavar="RUN_OR_MESH", help="a run's folder, or a mesh file"
    )
    parser.add_argument(
        "out", type=Path, nargs="?", metavar="OUT", help="the file to write: .obj .ply .glb .stl"
    )
    parser.add_argument(
        "--format", choices=_FORMATS, help="what to write, where the ending does not say it"
    )
    parser.add_argument(
        "--units",
        type=_units,
        metavar="FROM[:TO]",
        help=f"the unit of the mesh and of the file, of {' '.join(_UNITS)}; without TO metres, "
        "which glTF counts in. By default numbers stay as they are",
    )
    parser.add_argument(
        "--scale", type=_positive, default=1.0, metavar="FACTOR", help="of all positions (1)"
    )
    parser.add_argument(
        "--up",
        type=_up,
        default=("y", "y"),
        metavar="FROM[:TO]",
        help="the axis, y or z, that points up in the mesh and in the file; without TO y, as glTF "
        "wants it. By default nothing is turned",
    )
    parser.add_argument(
        "--mirror",
        nargs="?",
        const="x",
        choices=("x", "y", "z"),
        help="the mirror image, along this axis of the mesh (x): for runs whose cameras mirror the "
        "world. Faces stay outward, colours and textures where they are",
    )
    parser.add_argument(
        "--smooth",
        action=argparse.BooleanOptionalAction,
        help="GLB: with or without normals, to be shaded as a curved surface or as flat faces "
        "(a run: with, a mesh file: without)",
    )
    report = parser.add_argument_group("report")
    report.add_argument(
        "--report", action="store_true", help="say what state the mesh is in; OUT may be left out"
    )
    report.add_argument(
        "--no-report", action="store_true", help="do not look at the mesh's state, only write"
    )
    add_output_options(parser)
    return parser


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"must be a positive number, got {text!r}")
    return value


def _pair(text: str, known: tuple[str, ...], default: str) -> tuple[str, str]:
    before, _, after = text.partition(":")
    after = after or default
    for word in (before, after):
        if word not in known:
            raise argparse.ArgumentTypeError(
                f"must be one of {', '.join(known)}, or two of them as in {known[0]}:{known[1]}; "
                f"got {text!r}"
            )
    return before, after


def _up(text: str) -> tuple[str, str]:
    return _pair(text, ("y", "z"), "y")


def _units(text: str) -> tuple[str, str]:
    return _pair(text, _UNITS, "m")

"""The command line: `lightning-rast doctor DATA`; `python -m lightning_rast.doctor` is the same.

Exit codes are those of `terminal.py`, and 3: cameras and masks do not agree.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from lightning_rast.config import DataConfig
from lightning_rast.config_file import ConfigError, load_config
from lightning_rast.terminal import (
    STOPPED,
    OutputError,
    Parser,
    add_output_options,
    refused,
    telling,
)

DISAGREE = 3

_EXAMPLES = """\
examples:
  lightning-rast doctor photos/dino
      do its cameras and masks agree? pictures in doctor/dino/: sheet.png, rig.png
  lightning-rast doctor dino.yaml
      the data of a config, read as its `data` section says
  lightning-rast doctor photos/dino data.masks=background data.fix=[opengl_axes]
      settings as for training; a remedy is tried
  lightning-rast doctor photos/dino --json --no-pictures
      numbers for other programs, on stdout

It carves a rough hull from all masks and paints it back. Where that fails it tries the usual
mistakes (poses the wrong way round, OpenGL's axes, transposed or upside-down images, inverted
masks, half pixels, another order of the views, ...) and names the line of the config that mends it.

exit code 3: cameras and masks do not agree, whether or not a remedy was found
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    args = _parser().parse_intermixed_args(argv)
    try:
        data = _data_config(args.data, args.overrides)
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        # PyTorch takes seconds to import; everything above is checked first.
        from lightning_rast.data.errors import ViewsError
        from lightning_rast.doctor.examination import examine

        with telling(args) as write_json:
            try:
                folder = None if args.no_pictures else args.out or Path("doctor") / _name(args.data)
                found = examine(data, folder)
            except ViewsError as error:
                return refused(str(error))
            except OSError as error:
                return refused(f"the pictures cannot be written: {error}")
            if args.quiet and found.faults:
                print("\n".join(found.faults), file=sys.stderr)
            if args.json is not None:
                write_json(found.as_json)
        return 0 if found.diagnosis.agree else DISAGREE
    except (ConfigError, OutputError) as error:
        return refused(str(error))
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return STOPPED


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="lightning-rast doctor",
        description="Say whether cameras and masks agree, and if not, why.",
        epilog=_EXAMPLES,
    )
    parser.add_argument("data", type=Path, help="a folder, a camera file, or a config (.yaml)")
    parser.add_argument(
        "overrides", nargs="*", metavar="data.key=value", help="settings, as for training"
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="folder for the pictures (doctor/NAME)"
    )
    parser.add_argument("--no-pictures", action="store_true", help="write no pictures")
    add_output_options(parser)
    return parser


def _data_config(path: Path, overrides: Sequence[str]) -> DataConfig:
    """Raises: ConfigError."""
    if path.suffix in (".yaml", ".yml"):
        data = load_config(path, overrides, complete=False).data
        if data.kind != "masks" or not data.folder:
            raise ConfigError(
                f"{path} has no data.folder: views that are rendered from a mesh always agree"
            )
        return data
    given = ["data.kind=masks", *overrides]
    data = load_config(None, given, complete=False).data
    data.folder = str(path)
    return data


def _name(path: Path) -> str:
    path = path.resolve()
    return path.name if path.is_dir() else path.stem

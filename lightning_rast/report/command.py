"""The command line: `python -m lightning_rast.report RUN`.

Exit codes: 0 written (or help), 1 an unexpected error, 2 something that the message names, 130
stopped by Ctrl-C.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from lightning_rast.config_file import ConfigError
from lightning_rast.runs import CONFIG_NAME, RunError, write_atomically

_USER_ERROR = 2
_FILE = "report.html"

_EXAMPLES = """\
examples:
  python -m lightning_rast.report logs/kettle/version_0
      writes logs/kettle/version_0/report.html; open it in a browser, or send it to somebody
  python -m lightning_rast.report logs/kettle/version_0 --out kettle.html --no-hull
      to another file, without the seconds that it takes to carve a fine hull to compare with
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    args = _parser().parse_args(argv)
    try:
        run: Path = args.run
        out: Path = args.out if args.out is not None else run / _FILE
        _check(run, out)
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        # PyTorch takes seconds to import; everything above is checked first.
        from lightning_rast.report.reading import report_of

        page = report_of(run, with_hull=args.hull).encode()
        try:
            write_atomically(out, page)
        except OSError as error:
            raise RunError(f"cannot write {out}: {error.strerror or error}") from None
    except (ConfigError, RunError) as error:
        return _refused(str(error))
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    print(f"{out} ({len(page) / 1e6:.1f} MB)")
    return 0


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(_refused(f"{message}; --help shows examples"))


def _refused(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return _USER_ERROR


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m lightning_rast.report",
        description="Write a page about a finished or stopped run: one HTML file, for offline use.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "run", type=Path, metavar="RUN", help="a run folder, logs/<name>/version_<n>"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help=f"instead of RUN/{_FILE}")
    parser.add_argument(
        "--no-hull",
        dest="hull",
        action="store_false",
        help="do not carve a 256^3 hull to compare with",
    )
    return parser


def _check(run: Path, out: Path) -> None:
    """Refuse early what is no run, and a place that cannot be written to."""
    if not run.exists():
        raise RunError(f"{run}: no such run folder")
    if not (run / CONFIG_NAME).is_file():
        inside = sorted(run.glob(f"version_*/{CONFIG_NAME}")) if run.is_dir() else []
        hint = f"; did you mean {inside[-1].parent}?" if inside else ""
        raise RunError(f"{run} is no run folder: it has no {CONFIG_NAME}{hint}")
    if out.is_dir():
        raise RunError(f"--out {out} is a folder; give a file, such as {out / _FILE}")
    if not out.parent.is_dir():
        raise RunError(f"--out {out}: there is no folder {out.parent}")

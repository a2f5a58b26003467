"""The command line: `lightning-rast report RUN`.

`python -m lightning_rast.report` is the same command. Exit codes are those of `terminal.py`.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from lightning_rast.config_file import ConfigError
from lightning_rast.near_paths import did_you_mean
from lightning_rast.runs import RunError, config_of_run, write_atomically
from lightning_rast.terminal import (
    STOPPED,
    OutputError,
    Parser,
    add_output_options,
    refused,
    telling,
)

_FILE = "report.html"

_EXAMPLES = """\
examples:
  lightning-rast report logs/kettle/version_0
      writes logs/kettle/version_0/report.html; open it in a browser, or send it to somebody
  lightning-rast report logs/kettle/version_0 --out kettle.html --no-hull
      to another file, without the seconds that it takes to carve a fine hull to compare with
  lightning-rast report logs/photos/version_3 --json
      also prints what there is to look at, and the hull's scores
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

        with telling(args) as write_json:
            facts, page = report_of(run, with_hull=args.hull)
            try:
                write_atomically(out, page.encode())
            except OSError as error:
                raise RunError(f"cannot write {out}: {error.strerror or error}") from None
            for warning in facts.warnings:
                print(f"note: {warning}")
            print(f"{out} ({len(page.encode()) / 1e6:.1f} MB)")
            if args.json is not None:
                write_json(
                    {
                        "page": str(out),
                        "warnings": list(facts.warnings),
                        "baselines": {each.name: vars(each) for each in facts.baselines},
                    }
                )
    except (ConfigError, RunError, OutputError) as error:
        return refused(str(error))
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return STOPPED
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="lightning-rast report",
        description="Write a page about a finished or stopped run: one HTML file, for offline use.",
        epilog=_EXAMPLES,
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="a folder logs/<name>/version_<n>")
    parser.add_argument("--out", type=Path, metavar="FILE", help=f"instead of RUN/{_FILE}")
    parser.add_argument(
        "--no-hull",
        dest="hull",
        action="store_false",
        help="do not carve a 256^3 hull to compare with",
    )
    add_output_options(parser)
    return parser


def _check(run: Path, out: Path) -> None:
    """Refuse early what is no run, and a place that cannot be written to."""
    if not run.exists():
        raise RunError(f"{run}: no such run folder{did_you_mean(run)}")
    config_of_run(run)
    if out.is_dir():
        raise RunError(f"--out {out} is a folder; give a file, such as {out / _FILE}")
    if not out.parent.is_dir():
        raise RunError(f"--out {out}: there is no folder {out.parent}")

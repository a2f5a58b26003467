"""What all commands have in common at a terminal: exit codes, errors in one screen, quiet and JSON.

Exit codes of every command:
    0    done, or help printed
    1    an unexpected error; the message names a file with the whole traceback
    2    something that the message names and that can be mended: in the command, a config or data
    3    of `doctor` alone: cameras and masks do not agree
    128 + n    ended by signal n: 130 Ctrl-C, 143 SIGTERM, 141 nobody reads the output any more
"""

import argparse
import contextlib
import json
import os
import re
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

USER_ERROR = 2
STOPPED = 130
EXIT_CODES = """\
exit codes:
  0 done, 1 unexpected error, 2 something to mend that the message names, 130 Ctrl-C, 143 SIGTERM,
  3 (doctor) cameras and masks do not agree
"""
_BROKEN_PIPE = 141
_JSON_OPTION = "--json"
# The first key of every file that --json writes; no other file is overwritten.
_WRITTEN_BY = "written_by"


class OutputError(Exception):
    """The file that `--json` names cannot be written; the message says why."""


class Parser(argparse.ArgumentParser):
    """Shows examples as they were written, and says what is wrong in one line.

    `--json` takes a file only if the next word ends in .json or is "-", so that it can stand before
    any other argument.
    """

    def __init__(self, **settings: Any) -> None:
        epilog = f"{settings.pop('epilog', '')}\n{EXIT_CODES}".lstrip()
        layout = argparse.RawDescriptionHelpFormatter
        # Abbreviations would change their meaning whenever an option is added.
        super().__init__(epilog=epilog, formatter_class=layout, allow_abbrev=False, **settings)

    def parse_known_args(  # pyright: ignore[reportIncompatibleMethodOverride] (it is overloaded)
        self, args: Any = None, namespace: Any = None
    ) -> Any:
        words = list(sys.argv[1:] if args is None else args)
        return super().parse_known_args(list(_with_json_file(words)), namespace)

    def error(self, message: str) -> NoReturn:
        self.exit(refused(f"{' '.join(message.split())}; --help shows examples"))


def add_output_options(parser: argparse.ArgumentParser) -> None:
    """`--quiet` and `--json`, for `telling`."""
    output = parser.add_argument_group("output")
    output.add_argument(
        "--quiet", action="store_true", help="print warnings and errors only, to stderr"
    )
    output.add_argument(
        _JSON_OPTION,
        type=_json_target,
        metavar="FILE.json",
        help="write the numbers as JSON to a file; without a file, or with -, to stdout, and"
        " everything else to stderr",
    )


@contextlib.contextmanager
def telling(args: argparse.Namespace) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Sends what is printed inside where `--quiet` and `--json` say; gives a function that writes
    the JSON.

    Raises:
        OutputError: at once where the file's folder cannot be written to, not after an hour.
    """
    stdout = sys.stdout
    path = None if args.json in (None, "-") else Path(args.json)
    if path is not None:
        _check_writable(path)

    def write_json(content: dict[str, Any]) -> None:
        marked = {_WRITTEN_BY: "lightning-rast", **content}
        text = json.dumps(marked, indent=2, allow_nan=False) + "\n"
        if path is None:
            stdout.write(text)
            stdout.flush()
            return
        try:
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise OutputError(f"cannot write {path}: {error.strerror}") from None

    with contextlib.ExitStack() as stack:
        if args.quiet:
            nowhere = stack.enter_context(Path(os.devnull).open("w"))
            stack.enter_context(contextlib.redirect_stdout(nowhere))
        elif args.json == "-":
            stack.enter_context(contextlib.redirect_stdout(sys.stderr))
        yield write_json


def refused(message: str) -> int:
    """Print an error that the user can mend, and return its exit code."""
    print(f"error: {message}", file=sys.stderr)
    return USER_ERROR


def guarded(main: Callable[[], int]) -> int:
    """The exit code of a command; an error that it does not know becomes one screen of text, and
    a warning of this package one line without the place in its code."""
    written = warnings.formatwarning

    def format_warning(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        line: str | None = None,
    ) -> str:
        package = Path(__file__).parent
        is_ours = category.__module__.startswith("lightning_rast")
        if is_ours or Path(filename).is_relative_to(package):
            return f"warning: {message}\n"
        return written(message, category, filename, lineno, line)

    warnings.formatwarning = format_warning
    try:
        code = main()
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return STOPPED
    except BrokenPipeError:
        # Python flushes stdout once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _BROKEN_PIPE
    except Exception as error:
        return _unexpected(error)
    finally:
        warnings.formatwarning = written


def _unexpected(error: Exception) -> int:
    text = "".join(traceback.format_exception(error))
    said = (str(error).strip().splitlines() or [""])[0]
    frame = traceback.extract_tb(error.__traceback__)[-1]
    print(f"unexpected error: {type(error).__name__}: {said[:500]}", file=sys.stderr)
    print(f"  in {frame.name}, {frame.filename}, line {frame.lineno}", file=sys.stderr)
    try:
        number, name = tempfile.mkstemp(prefix="lightning-rast-error-", suffix=".txt", text=True)
        with open(number, "w", encoding="utf-8") as file:  # noqa: PTH123 (a descriptor)
            file.write(f"{sys.argv}\n{text}")
        print(
            f"This should not happen; please report it with the traceback in {name}",
            file=sys.stderr,
        )
    except OSError:
        print(text, file=sys.stderr)
    return 1


def _json_target(name: str) -> str:
    """The name, unless it is of a file that --json did not write, such as the cameras of a scene.

    Raises:
        ArgumentTypeError
    """
    path = Path(name)
    if name == "-" or not path.is_file() or not path.stat().st_size:
        return name
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        content = None
    if not isinstance(content, dict) or _WRITTEN_BY not in content:
        raise argparse.ArgumentTypeError(
            f"{name} would be overwritten, and it is no output of --json; where it is an input,"
            " put it before --json, or write --json -"
        )
    return name


def _check_writable(path: Path) -> None:
    if path.is_dir():
        raise OutputError(f"cannot write {path}: it is a folder")
    if not path.parent.is_dir():
        raise OutputError(f"cannot write {path}: there is no folder {path.parent}")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise OutputError(f"cannot write {path}: permission denied")


def _with_json_file(words: Sequence[str]) -> Iterator[str]:
    """The words with "-" after each `--json` that no file follows."""
    for index, word in enumerate(words):
        yield word
        if word == _JSON_OPTION:
            following = words[index + 1] if index + 1 < len(words) else ""
            if not re.fullmatch(r"-|.*\.json", following, re.IGNORECASE):
                yield "-"

"""The command line: `lightning-rast train --config configs/kettle.yaml [key=value ...]`.

`python train.py` is the same command. Exit codes are those of `terminal.py`; 2 is also a training
that diverged and no room for a checkpoint, 130 and 143 come after saving a checkpoint.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lightning_rast.config import Config
from lightning_rast.config_file import (
    ConfigError,
    changed_keys,
    config_yaml,
    flat_values,
    load_config,
    settings_without_effect,
)
from lightning_rast.runs import (
    CONFIG_NAME,
    METRICS_NAME,
    Run,
    RunError,
    continued,
    last_run,
    lock_run,
    new_run,
    run_of_path,
    save_config,
)
from lightning_rast.terminal import (
    STOPPED,
    OutputError,
    Parser,
    add_output_options,
    refused,
    telling,
)

_EXAMPLES = """\
examples:
  lightning-rast train --config configs/kettle.yaml
      about ten seconds; mesh.glb, .obj, .ply, turntable.gif, metrics.json in logs/kettle/version_0
  lightning-rast train data.mesh=rocket.obj
      a mesh of yours: rendered from 20 sides, and found again from the silhouettes
  lightning-rast train data.folder=photos/dino
      masks and cameras of yours (docs/data_formats.md), to logs/dino
  lightning-rast train --config configs/kettle.yaml preset=fast data.image_size=512 device=cpu
      other settings for this run
  lightning-rast train --config configs/kettle.yaml --print-config
      every setting with its value
  lightning-rast train --config configs/kettle.yaml --resume last
      go on with the newest run, whatever ended it
  lightning-rast train --config configs/kettle.yaml --json | jq .iou_mean
      the scores, for a program; its progress goes to stderr, with --quiet nowhere

`python train.py` is the same command.
"""

# Settings whose moments are fractions of the whole run.
_SHIFTS = (
    "schedule.steps",
    "schedule.pyramid",
    "schedule.pyramid_at",
    "schedule.subdivide_at",
)
# Settings that the place of a ladder's run is counted by, or that set others.
_FIXED = (
    "preset",
    "data.kind",
    "schedule.kind",
    "newton.warmup_steps",
    "newton.steps",
    "remesh.enabled",
    "ladder.bending",
    "ladder.bending_from_sphere",
    "ladder.polish_steps",
    "cameras.enabled",
    "cameras.bending",
    "topology.enabled",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    started = time.perf_counter()
    args = _parser().parse_intermixed_args(argv)
    try:
        if args.print_config:
            print(config_yaml(_asked_config(args)), end="")
            return 0
        with telling(args) as write_json:
            code, run = _trained(args, started)
            if args.json is not None:
                write_json(_numbers(run))
            return code
    except (ConfigError, RunError, OutputError) as error:
        return refused(str(error))
    except KeyboardInterrupt:
        print("stopped before training began; nothing to save", file=sys.stderr)
        return STOPPED


def _trained(args: argparse.Namespace, started: float) -> tuple[int, Run]:
    """Exit code, and the run that was made, continued or found to be finished."""
    config, run, notes = _resumed(args) if args.resume else (_asked_config(args), None, [])
    path = None if args.resume else args.config
    for text in settings_without_effect(config, path, args.overrides):
        print(f"note: {text}", file=sys.stderr)
    # Read when OpenMP starts. Its threads wait for work by spinning otherwise, and where
    # another process wants the same cores a step then takes ten times as long.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # PyTorch and Lightning take seconds to import; everything above is checked first.
    from lightning_rast.training import build, check_checkpoint, fit, is_complete

    if run is not None and run.checkpoint is not None:
        check_checkpoint(run.checkpoint)
        if is_complete(config, run):
            print(f"already finished after {run.step} steps: {run.folder}")
            return 0, run
    problem = build(config, None if run is None else run.checkpoint)
    # Only now, so that data which cannot be used leaves no empty run behind.
    run = _opened(config, run, notes)
    with lock_run(run.folder):
        save_config(run.folder, config_yaml(config))
        return fit(config, problem, run, started=started), run


def _numbers(run: Run) -> dict[str, Any]:
    """What `--json` tells: the run's folder and its metrics.json.

    Raises:
        RunError: the run was stopped before it could write them.
    """
    path = run.folder / METRICS_NAME
    try:
        return {"run": str(run.folder), **json.loads(path.read_text(encoding="utf-8"))}
    except (OSError, ValueError) as error:
        raise RunError(f"no numbers for --json: cannot read {path}: {error}") from None


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="lightning-rast train",
        description="Reconstruct a mesh from silhouettes. Files go to logs/<name>/version_<n>/.",
        epilog=_EXAMPLES,
    )
    parser.add_argument(
        "--config",
        metavar="FILE",
        help="a YAML file; without one, the keys below say all that is not default",
    )
    parser.add_argument(
        "overrides", nargs="*", metavar="key=value", help="e.g. preset=fast device=cpu"
    )
    parser.add_argument(
        "--resume",
        metavar="last|PATH",
        help="continue the newest run of this config, or a run folder, or from a checkpoint file",
    )
    parser.add_argument(
        "--print-config", action="store_true", help="print the whole config as YAML and stop"
    )
    add_output_options(parser)
    return parser


def _asked_config(args: argparse.Namespace, *, complete: bool = True) -> Config:
    _refuse_bare_paths(args.overrides)
    if args.config is None:
        if not args.overrides:
            raise ConfigError(
                "what to fit? --config FILE is needed, e.g. --config configs/kettle.yaml,"
                " or data: data.folder=DIR (masks) or data.mesh=FILE"
            )
        return load_config(None, [*_implied(args.overrides), *args.overrides], complete=complete)
    return load_config(args.config, args.overrides, complete=complete)


def _refuse_bare_paths(words: Sequence[str]) -> None:
    """A file or folder without a key, which is what people try first."""
    for word in words:
        if "=" in word:
            continue
        if word.endswith((".yaml", ".yml")):
            raise ConfigError(f"{word}: a config file goes after --config")
        path = Path(word)
        if path.is_dir() and (path / CONFIG_NAME).is_file():
            raise ConfigError(f"{word} is a run: --resume {word} continues it")
        if path.is_dir():
            raise ConfigError(f"{word}: masks and cameras go as data.folder={word}")
        if path.is_file():
            raise ConfigError(f"{word}: a mesh to render and find again goes as data.mesh={word}")


def _implied(overrides: Sequence[str]) -> Iterator[str]:
    """What overrides alone, without a config file, say of a run's name and of where views come
    from."""
    given: dict[str, str] = {}
    for text in overrides:
        key, _, given[key] = text.partition("=")
    source = given.get("data.folder") or given.get("data.mesh") or ""
    if "data.folder" in given:
        yield "data.kind=masks"
    if source:
        yield f"name={Path(source).resolve().stem}"


def _resumed(args: argparse.Namespace) -> tuple[Config, Run, list[str]]:
    """The run to continue, with its own config: a run keeps its settings, whatever has become
    of the file it came from; overrides given now are applied on top. And what to tell of them."""
    asked = None
    if args.config is not None or args.resume == "last":
        # A run knows its own mesh or masks; only its name is needed here.
        asked = _asked_config(args, complete=False)
    if args.resume == "last":
        assert asked is not None
        run, damaged = last_run(asked.log.root, asked.name)
    else:
        run, damaged = run_of_path(args.resume)
    for path in damaged:
        print(f"warning: {path} is damaged, using the one before it", file=sys.stderr)
    saved_path = run.folder / CONFIG_NAME
    config = load_config(saved_path, args.overrides)
    notes: list[str] = []
    if asked is not None:
        given = flat_values(asked)
        ignored = [key for key in changed_keys(config, asked) if given[key] != ""]
        if ignored:
            names = ", ".join(ignored)
            notes.append(f"note: the run keeps its own settings; {args.config} differs in {names}")
    changed = changed_keys(load_config(saved_path), config)
    if changed:
        notes.append(f"note: from here on the run has a new {', '.join(changed)}")
    if run.checkpoint is not None:
        notes += _consequences(changed, config, run)
    return config, run, notes


def _consequences(changed: Sequence[str], config: Config, run: Run) -> Iterator[str]:
    """Warnings of changes that the steps already done do not fit.

    Raises:
        RunError: a change that cannot be made any more.
    """
    steps = config.schedule.steps
    is_late = steps < run.step or (steps == run.step and "schedule.steps" in changed)
    if config.schedule.kind == "pyramid" and is_late:
        raise RunError(
            f"schedule.steps is {steps}, but the run has done {run.step} already;"
            " give more, or resume from an earlier checkpoint with --resume PATH"
        )
    for key in changed:
        if key.startswith("start.") or key in _FIXED:
            raise RunError(
                f"{key} cannot change any more: the run is at step {run.step}; start a new one"
            )
        if key == "seed" or key.startswith("data."):
            yield f"warning: {key}: the steps before this one were made with other views"
        elif key in _SHIFTS:
            yield (
                f"warning: {key} also moves what lies before step {run.step}: image size, step"
                " size and smoothness may jump, and the result is not that of a run which had"
                " this setting from the start"
            )


def _opened(config: Config, run: Run | None, notes: Sequence[str]) -> Run:
    """The run, with a folder of its own that nothing is lost in."""
    if run is None:
        run = new_run(config.log.root, config.name, config_yaml(config))
        print(f"writing to {run.folder}")
        return run
    for note in notes:
        print(note, file=sys.stderr if note.startswith("warning") else sys.stdout)
    run = continued(run, config_yaml(config))
    where = f"step {run.step}" if run.checkpoint else "the start (no checkpoint was written yet)"
    print(f"resuming in {run.folder} from {where}")
    return run

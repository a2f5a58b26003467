"""The command line: `lightning-rast evaluate RUN_OR_MESH`.

`python -m lightning_rast.evaluate` is the same command. Exit codes are those of `terminal.py`.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from lightning_rast.config import Config
from lightning_rast.config_file import ConfigError, load_config
from lightning_rast.near_paths import did_you_mean
from lightning_rast.runs import METRICS_NAME, RunError, config_of_run
from lightning_rast.terminal import (
    STOPPED,
    OutputError,
    Parser,
    add_output_options,
    refused,
    telling,
)

_MESH_NAME = "mesh.ply"

_EXAMPLES = """\
examples:
  lightning-rast evaluate logs/kettle/version_0
      the mesh of a run, on the views that its config names
  lightning-rast evaluate logs/kettle/version_0 --hull --json scores.json
      beside it the visual hull of the same training views; all numbers as JSON
  lightning-rast evaluate mine.obj --data photos --reference scan.ply
      any mesh on a folder of masks, and its distance to the true surface
  lightning-rast evaluate mine.obj --config configs/kettle.yaml data.num_views=8
      any mesh on the views of a config
  lightning-rast evaluate logs/photos/version_0 --folds 5 --seeds 2
      train again, each fifth of the views held out in turn, with two seeds: mean and spread
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    args = _parser().parse_intermixed_args(argv)
    try:
        config, mesh = _subject(args)
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        # PyTorch and Lightning take seconds to import; everything above is checked first.
        from lightning_rast.evaluate.evaluation import Request, evaluate
        from lightning_rast.evaluate.tables import as_json, print_tables

        request = Request(
            mesh=mesh,
            metrics=args.subject / METRICS_NAME if args.subject.is_dir() else None,
            reference=args.reference,
            reference_frame=args.reference_frame,
            with_hull=args.hull,
            seen_by=args.seen_by,
            num_folds=args.folds,
            num_seeds=args.seeds,
        )
        with telling(args) as write_json:
            evaluation = evaluate(config, request)
            print_tables(evaluation)
            if args.json is not None:
                write_json(as_json(evaluation))
    except (ConfigError, RunError, OutputError) as error:
        return refused(str(error))
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return STOPPED
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="lightning-rast evaluate",
        description="Score a reconstruction: on views, against a true surface, and as a mesh.",
        epilog=_EXAMPLES,
    )
    parser.add_argument(
        "subject", type=Path, metavar="RUN_OR_MESH", help="a run folder, or a mesh file"
    )
    views = parser.add_mutually_exclusive_group()
    views.add_argument(
        "--config", metavar="FILE", help="whose views to use (a run: its own config)"
    )
    views.add_argument(
        "--data",
        type=Path,
        metavar="PATH",
        help="a folder of masks with cameras, or its camera file",
    )
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="on top of the config")
    parser.add_argument(
        "--reference",
        type=Path,
        metavar="MESH",
        help="the true surface (views rendered from a mesh: that mesh)",
    )
    parser.add_argument(
        "--reference-frame",
        type=Path,
        metavar="FILE.npz",
        help="its scale_mat_0 (4, 4) takes the views' frame to the reference's (DTU, IDR, NeuS)",
    )
    parser.add_argument(
        "--seen-by",
        type=int,
        default=0,
        metavar="N",
        help="the distance to the true surface also over what at least N training views see",
    )
    parser.add_argument(
        "--hull", action="store_true", help="also the visual hull of the training views, 256^3"
    )
    parser.add_argument(
        "--folds", type=int, default=0, metavar="K", help="train again with each K-th view held out"
    )
    parser.add_argument(
        "--seeds", type=int, default=0, metavar="N", help="train again with N seeds"
    )
    add_output_options(parser)
    return parser


def _subject(args: argparse.Namespace) -> tuple[Config, Path]:
    """The config that names the views, and the mesh file.

    Raises:
        RunError, ConfigError: there are none such.
    """
    path: Path = args.subject
    for name in ("folds", "seeds"):
        if getattr(args, name) < 0 or (name == "folds" and args.folds == 1):
            raise RunError(f"--{name} must be 2 or more, got {getattr(args, name)}")
    if args.reference_frame is not None and args.reference is None:
        raise RunError("--reference-frame needs --reference")
    if args.seen_by < 0:
        raise RunError(f"--seen-by must be 1 or more, got {args.seen_by}")
    overrides = list(args.overrides)
    if path.is_dir():
        own_config = config_of_run(path)
        if not (path / _MESH_NAME).is_file():
            raise RunError(f"{path} has no {_MESH_NAME} yet: the run has not finished")
        mesh = path / _MESH_NAME
        config_file = args.config or own_config
    elif path.is_file():
        mesh, config_file = path, args.config
    else:
        raise RunError(f"{path}: no such run folder or mesh file{did_you_mean(path)}")
    if args.data is not None:
        if not args.data.exists():
            near = did_you_mean(args.data)
            raise RunError(f"--data {args.data}: no such folder or camera file{near}")
        overrides = ["data.kind=masks", f"data.folder={args.data}", *overrides]
        if not path.is_dir():
            return load_config(None, ["name=evaluation", *overrides]), mesh
    if config_file is None:
        raise RunError(f"which views? {path} is a mesh: give --data FOLDER or --config FILE")
    return load_config(config_file, overrides), mesh

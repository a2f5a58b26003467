"""The command `lightning-rast`: `lightning-rast train --config configs/kettle.yaml`.

Also `python -m lightning_rast`. Exit codes: see `terminal.py`.
"""

import difflib
import importlib
import sys
from collections.abc import Sequence

from lightning_rast import __version__
from lightning_rast.terminal import EXIT_CODES, guarded, refused

# Name -> module with `main(argv) -> int`, and what it is for. A module is imported only when its
# command is given: --help must not wait for PyTorch.
COMMANDS = {
    "train": ("lightning_rast.cli", "reconstruct a mesh from silhouettes"),
    "render": ("lightning_rast.render.command", "pictures of a mesh file from all sides"),
    "evaluate": ("lightning_rast.evaluate.command", "scores of a run or of any mesh"),
    "doctor": ("lightning_rast.doctor.command", "do cameras and masks agree, and if not, why"),
    "export": ("lightning_rast.export.command", "a mesh as OBJ, PLY, GLB or STL, with its state"),
    "report": ("lightning_rast.report.command", "the page of a run, one HTML file"),
}

_EXAMPLES = """\
examples:
  lightning-rast train --config configs/kettle.yaml
      reconstruct the sample kettle: logs/kettle/version_0/mesh.glb, .obj and .ply
  lightning-rast train data.mesh=rocket.obj
      render a mesh of yours, forget it, and find it again from the silhouettes
  lightning-rast train data.folder=photos/dino
      a mesh from your masks and cameras
  lightning-rast evaluate logs/dino/version_0 --hull
      how good it is, beside the visual hull of the same views
  lightning-rast report logs/dino/version_0
      one page with its 3D model, views, curves and scores
  lightning-rast export logs/dino/version_0 dino.stl --up y:z
      for a printer, and whether it is watertight

lightning-rast COMMAND --help has the options and more examples.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code. Options without a command are those of `train`."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ("-h", "--help", "help"):
        print(_help(), end="")
        return 0
    if words[0] == "--version":
        print(f"lightning-rast {__version__}")
        return 0
    if words[0].startswith("-"):
        return run("train", words)
    name, *rest = words
    if name not in COMMANDS:
        return refused(_unknown(name))
    return run(name, rest)


def run(name: str, argv: Sequence[str]) -> int:
    """One command, of `COMMANDS`, in this process."""
    return guarded(lambda: importlib.import_module(COMMANDS[name][0]).main(list(argv)))


def _help() -> str:
    rows = "\n".join(f"  {name:<10}{text}" for name, (_, text) in COMMANDS.items())
    return (
        "usage: lightning-rast COMMAND [options]\n\n"
        "Meshes from silhouettes, with exact gradients.\n\n"
        f"commands:\n{rows}\n\n{_EXAMPLES}\n{EXIT_CODES}"
    )


def _unknown(name: str) -> str:
    if name.endswith((".yaml", ".yml")):
        return f"a config file goes after a command: lightning-rast train --config {name}"
    near = difflib.get_close_matches(name, COMMANDS, n=1)
    guess = f"did you mean {near[0]}? " if near else ""
    return f"no command {name!r}; {guess}there are {', '.join(COMMANDS)}"

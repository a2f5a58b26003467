"""Builds the API reference from the docstrings: `make docs`, then open build/api/index.html.

One page a package, with the names that it exports. Anything that pdoc warns about (a docstring that
does not parse, an annotation that does not resolve) is an error.
"""

import argparse
import importlib
import inspect
import sys
import warnings
from pathlib import Path
from types import ModuleType

import pdoc
import pdoc.doc
import pdoc.render

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("ops", "scene", "render", "losses", "optim", "data", "evaluation", "page", "callbacks")
# Not exported by a package, since importing Lightning takes seconds.
MODULES = ("data.datamodule", "module", "ladder_module", "config", "runs", "training")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "api")
    out = parser.parse_args().out
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        build(out)
    print(f"open {out / 'index.html'}")
    return 0


def build(out: Path) -> None:
    """Writes the pages of all packages below `out`."""
    packages, modules = ([f"lightning_rast.{name}" for name in n] for n in (PACKAGES, MODULES))
    for name in packages + modules:
        module = importlib.import_module(name)
        module.__all__ = exported(module)  # pyright: ignore[reportAttributeAccessIssue]
    pdoc.render.configure(docformat="google", show_source=False, footer_text="lightning_rast")
    # pdoc adds a package's modules; their names are on the package's page already.
    without_files = r"!lightning_rast\.\w+\..+"
    pdoc.pdoc(*packages, without_files, *modules, output_directory=out)


def exported(module: ModuleType) -> list[str]:
    """Public functions and classes of a module; of a package those that its __init__ imports."""
    home = module.__name__
    named = {name: getattr(module, name) for name in dir(module) if not name.startswith("_")}
    return [
        name
        for name, thing in named.items()
        if (inspect.isclass(thing) or inspect.isfunction(thing))
        and (thing.__module__ == home or thing.__module__.startswith(home + "."))
    ]


if __name__ == "__main__":
    sys.exit(main())

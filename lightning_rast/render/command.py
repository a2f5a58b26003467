"""The command line: `lightning-rast render mesh.glb --out DIR`.

`python -m lightning_rast.render` is the same command. Exit codes are those of `terminal.py`.
"""

import argparse
import math
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, get_args

from lightning_rast.render.options import CLAY, Color, TurntableOptions, UpAxis
from lightning_rast.terminal import (
    STOPPED,
    OutputError,
    Parser,
    add_output_options,
    refused,
    telling,
)

_OUTPUTS = ("color", "normals", "depth", "coverage", "face_idx")
_COLOR_NAMES = {"white": "ffffff", "black": "000000", "grey": "808080"}
_MOST_PIXELS = 8192  # of a side

_EXAMPLES = """\
examples:
  lightning-rast render kettle.glb --out kettle
      8 views around the kettle: kettle/color/000.png to 007.png, side by side in kettle/sheet.png
  lightning-rast render kettle.glb --out kettle --views 36 --gif
      the same from 36 sides, and turning in kettle/turntable.gif
  lightning-rast render scan.ply --out scan --up z --outputs color,normals,depth
      a scan whose z axis points up; depth as 16 bit PNG, its unit is in scan/cameras.json
  lightning-rast render part.obj --out part --views 4 --elevation 0 --orthographic \\
      --size 1920x1080 --shading flat --background transparent
      four side views without perspective, as images with an alpha channel
  lightning-rast render rocket.obj --out views --views 20 --outputs coverage
      masks with cameras, to train on: lightning-rast train data.folder=views
"""


_MOST_SAMPLES = 2**27  # per view; the images of so many take some 10 GB


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    args = _parser().parse_args(argv)
    samples = args.size[0] * args.size[1] * args.supersampling**2
    if samples > _MOST_SAMPLES:
        return refused(
            f"--size and --supersampling: {samples} samples per view would not fit in memory, "
            f"at most {_MOST_SAMPLES} do; lower one of them"
        )
    options = TurntableOptions(
        outputs=args.outputs,
        num_views=args.views,
        image_size=args.size,
        fov_deg=None if args.orthographic else args.fov,
        elevation_deg=args.elevation,
        up=args.up,
        shading=args.shading,
        color=args.color,
        background=args.background,
        supersampling=args.supersampling,
        gif=args.gif,
        device=args.device,
    )
    try:
        if not args.mesh.is_file():
            return refused(f"{args.mesh}: no such file; give the path of an OBJ, PLY, GLB or STL")
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        # PyTorch takes seconds to import; everything above is checked first.
        from lightning_rast.render.turntable_files import RenderError, write_turntable

        try:
            with telling(args) as write_json:
                lines = []
                for line in write_turntable(args.mesh, args.out, options):
                    print(line, flush=True)
                    lines.append(line)
                if args.json is not None:
                    write_json(_numbers(args.mesh, args.out, options, lines))
        except (RenderError, OutputError) as error:
            return refused(" ".join(str(error).split()))
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return STOPPED
    return 0


def _numbers(
    mesh: Path, folder: Path, options: TurntableOptions, lines: Sequence[str]
) -> dict[str, Any]:
    """What `--json` tells: where the pictures are, and what was said of the mesh."""
    height, width = options.image_size
    files = {"sheet": "sheet.png", "cameras": "cameras.json"}
    if options.gif:
        files["gif"] = "turntable.gif"
    return {
        "mesh": str(mesh),
        "folder": str(folder),
        "views": options.num_views,
        "width": width,
        "height": height,
        "pictures": {name: f"{folder / name}/%03d.png" for name in options.outputs},
        **{key: str(folder / name) for key, name in files.items()},
        "messages": list(lines),
    }


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="lightning-rast render",
        description="Render pictures of a mesh file from all sides, in its own colours and textures"
        " (opaque) or, where it has none, as a model of clay.",
        epilog=_EXAMPLES,
    )
    parser.add_argument("mesh", type=Path, help="OBJ, PLY, GLB, glTF, STL or OFF")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder for the pictures; is made"
    )
    views = parser.add_argument_group("views")
    views.add_argument(
        "--views", type=_whole(1, 3600), default=8, metavar="N", help="how many around it (8)"
    )
    views.add_argument(
        "--size",
        type=_size,
        default=(512, 512),
        metavar="N|WxH",
        help="of a picture in pixels (512)",
    )
    views.add_argument(
        "--elevation",
        type=_number(-90, 90),
        default=20.0,
        metavar="DEG",
        help="of the cameras above the horizon (20)",
    )
    views.add_argument(
        "--up",
        choices=get_args(UpAxis),
        default="y",
        help="axis of the file that points up (y); --up=-y where y points down",
    )
    lens = views.add_mutually_exclusive_group()
    lens.add_argument(
        "--fov",
        type=_number(1, 170),
        default=30.0,
        metavar="DEG",
        help="vertical field of view (30)",
    )
    lens.add_argument("--orthographic", action="store_true", help="parallel rays, no perspective")
    look = parser.add_argument_group("pictures")
    look.add_argument(
        "--outputs",
        type=_outputs,
        default=("color",),
        metavar="LIST",
        help=f"some of {','.join(_OUTPUTS)} (color)",
    )
    look.add_argument(
        "--shading",
        choices=("creased", "smooth", "flat"),
        default="creased",
        help="smooth but at edges over 40 degrees (default), all over, or not at all",
    )
    look.add_argument(
        "--color",
        type=lambda text: None if text == "file" else _color(text),
        default=None,
        metavar="COLOR",
        help="of the whole surface: clay, white, black, grey, #rrggbb, or file (default): its own"
        " colours, clay where it has none",
    )
    look.add_argument(
        "--background",
        type=lambda text: None if text == "transparent" else _color(text),
        default=_color("white"),
        metavar="COLOR",
        help="transparent, white (default), black, grey or #rrggbb",
    )
    look.add_argument(
        "--supersampling",
        type=_whole(1, 8),
        default=2,
        metavar="N",
        help="N x N samples per pixel (2): 1 is faster, 4 finer on detail below a pixel",
    )
    look.add_argument("--gif", action="store_true", help="an animation, too: DIR/turntable.gif")
    parser.add_argument(
        "--device", choices=("cpu", "cuda"), default="cpu", help="where to compute (cpu)"
    )
    add_output_options(parser)
    return parser


def _whole(low: int, high: int) -> Callable[[str], int]:
    def parsed(text: str) -> int:
        if not re.fullmatch(r"\d+", text) or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(
                f"must be a whole number from {low} to {high}, got {text!r}"
            )
        return int(text)

    return parsed


def _number(low: float, high: float) -> Callable[[str], float]:
    def parsed(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"must be a number from {low} to {high}, got {text!r}")
        return value

    return parsed


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d+)(?:[xX](\d+))?", text)
    width, height = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if not (1 <= width <= _MOST_PIXELS and 1 <= height <= _MOST_PIXELS):
        raise argparse.ArgumentTypeError(
            f"must be pixels as in 512 or 1920x1080, up to {_MOST_PIXELS}, got {text!r}"
        )
    return height, width


def _outputs(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    unknown = [name for name in names if name not in _OUTPUTS]
    if unknown:
        raise argparse.ArgumentTypeError(
            f"must be some of {','.join(_OUTPUTS)}, got {unknown[0]!r}"
        )
    return names


def _color(text: str) -> Color:
    if text == "clay":
        return CLAY
    digits = _COLOR_NAMES.get(text, text.removeprefix("#"))
    if not re.fullmatch("[0-9a-fA-F]{6}", digits):
        names = ", ".join((*_COLOR_NAMES, "clay"))
        raise argparse.ArgumentTypeError(f"must be #rrggbb or one of {names}; got {text!r}")
    red, green, blue = (int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4))
    return red, green, blue

"""Throws damaged camera files and masks at `load_views`; anything but Views or ViewsError counts.

    python -m tests.data.fuzz_readers --inputs 5000 --seed 1

Runs with a limit on memory, and on what each input takes of the processor. Exit code 1 when
something was found, with the input in the folder that it names.
"""

import argparse
import json
import random
import resource
import shutil
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import scipy.io

from lightning_rast.data import ViewsError, load_views
from tests.data import camera_files
from tests.robust.bounds import bounded_time

MOST_BYTES = 3 * 2**30  # over what the process has when the first input comes
NUMBERS = [0, -1, 1, 2**31, 2**63, -(2**64), 1e-300, 1e300, -1e38, 0.5, float("nan"), float("inf")]
VALUES = [*NUMBERS, None, True, "", "x", "\0", "a" * 5000, [], {}, [[]], [[[1]]], "../..", "masks"]
WORDS = [*map(str, NUMBERS), "", "x", "\0", "nan", "1e999", "9" * 400, "PINHOLE", "#", "é"]


def write_mat(folder: Path) -> None:
    matrices = camera_files.matrices(camera_files.scene_cameras())
    cells = np.empty((1, len(matrices)), dtype=object)
    for index, matrix in enumerate(matrices):
        cells[0, index] = matrix
    scipy.io.savemat(folder / "P.mat", {"P": cells})


def write_compressed_mat(folder: Path) -> None:
    matrices = camera_files.matrices(camera_files.scene_cameras())
    content = {"P": np.moveaxis(matrices, 0, 2)}
    scipy.io.savemat(folder / "P.mat", content, do_compression=True)


def write_text(folder: Path) -> None:
    matrices = camera_files.matrices(camera_files.scene_cameras())
    np.savetxt(folder / "P.txt", matrices.reshape(-1, 4))


WRITERS: dict[str, Callable[[Path], None]] = {
    **camera_files.WRITERS,
    "mat": write_mat,
    "compressed mat": write_compressed_mat,
    "txt": write_text,
    "masks": camera_files.write_cameras_json,
}


def mutated_bytes(content: bytes, rng: random.Random) -> bytes:
    """Bits, bytes and stretches changed, removed, repeated or exchanged."""
    data = bytearray(content)
    for _ in range(rng.choice([1, 1, 2, 5, 20])):
        if not data:
            break
        start = rng.randrange(len(data))
        length = rng.choice([1, 1, 2, 4, 8, 64, 500])
        kind = rng.randrange(7)
        if kind == 0:
            data[start] ^= 1 << rng.randrange(8)
        elif kind == 1:
            data[start : start + length] = rng.randbytes(length)
        elif kind == 2:
            del data[start : start + length]
        elif kind == 3:
            data[start:start] = data[start : start + length] * rng.choice([1, 3, 50])
        elif kind == 4:
            del data[start:]
        elif kind == 5:
            data[start : start + 8] = rng.choice([b"\xff" * 8, b"\0" * 8, b"\xff\xff\xff\x7f"])
        else:
            other = rng.randrange(len(data))
            data[start : start + length] = data[other : other + length]
    return bytes(data)


def mutated_words(content: bytes, rng: random.Random) -> bytes:
    """Words and lines of a text changed, removed or repeated."""
    lines = content.decode("utf-8", errors="replace").split("\n")
    for _ in range(rng.choice([1, 1, 2, 5])):
        index = rng.randrange(len(lines))
        words = lines[index].split(" ")
        kind = rng.randrange(5)
        if kind == 0:
            words[rng.randrange(len(words))] = rng.choice(WORDS)
        elif kind == 1:
            del words[rng.randrange(len(words))]
        elif kind == 2:
            words.insert(rng.randrange(len(words) + 1), rng.choice(WORDS))
        elif kind == 3:
            lines.insert(index, lines[rng.randrange(len(lines))])
        else:
            words = []
        lines[index] = " ".join(words)
    return "\n".join(lines).encode()


def mutated_json(content: bytes, rng: random.Random) -> bytes:
    """Values anywhere in the tree replaced, removed, repeated or moved."""
    tree = json.loads(content)
    for _ in range(rng.choice([1, 1, 2, 5])):
        node, key = random_place(tree, rng)
        kind = rng.randrange(5)
        if kind < 3:
            node[key] = rng.choice(VALUES)
        elif kind == 3:
            del node[key]
        elif isinstance(node, list):
            node.append(node[key])
        else:
            extra = ["k1", "k4", "is_fisheye", "mask_path", "camera_model", "distortion", "w", "P"]
            node[rng.choice(extra)] = rng.choice(VALUES)
        if not tree:
            break
    return json.dumps(tree).encode()


def random_place(tree, rng: random.Random):
    """A container in the tree and a key of it."""
    places, waiting = [], [tree]
    while waiting:
        node = waiting.pop()
        for key in list(node) if isinstance(node, dict) else range(len(node)):
            places.append((node, key))
            if isinstance(node[key], dict | list):
                waiting.append(node[key])
    return rng.choice(places)


def damage(folder: Path, kind: str, rng: random.Random) -> None:
    """One file of the folder, and now and then a mask."""
    files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    masks = [file for file in files if file.parent.name == "masks"]
    cameras = [file for file in files if file not in masks]
    target = rng.choice(masks if kind == "masks" or rng.random() < 0.05 else cameras)
    content = target.read_bytes()
    ways = [mutated_bytes]
    if target.suffix == ".json":
        ways = [mutated_json, mutated_json, mutated_json, mutated_bytes]
    elif target.suffix == ".txt":
        ways = [mutated_words, mutated_words, mutated_bytes]
    target.write_bytes(rng.choice(ways)(content, rng))


def run(num_inputs: int, seed: int, kinds: list[str], *, verbose: bool = False) -> int:
    """Number of findings; prints counts by kind."""
    rng = random.Random(seed)
    counts: Counter[str] = Counter()
    findings = 0
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as place:
        sound = Path(place) / "sound"
        for kind in kinds:
            camera_files.write_masks(sound / kind / "masks")
            WRITERS[kind](sound / kind)
            load_views(sound / kind)
        allow_no_more_than(MOST_BYTES)
        for kind in kinds:  # the limits themselves refuse nothing
            load_views(sound / kind)
        for index in range(num_inputs):
            kind = kinds[index % len(kinds)]
            folder = Path(place) / "input"
            shutil.copytree(sound / kind, folder)
            damage(folder, kind, rng)
            cameras = [file for file in folder.iterdir() if file.is_file()]
            path = cameras[0] if cameras and rng.random() < 0.5 else folder
            try:
                with bounded_time():
                    load_views(path, max_image_size=512)
                counts[f"{kind}: read"] += 1
            except ViewsError as error:
                counts[f"{kind}: refused"] += 1
                if verbose:
                    print(f"{kind}: {error}")
                if len(str(error)) > 8000:
                    raise RuntimeError("a message of more than 8,000 letters") from None
            except BaseException as error:
                findings += 1
                kept = Path(tempfile.mkdtemp(prefix="fuzz_")) / "input"
                shutil.copytree(folder, kept)
                print(f"{kind}, input {index}: {type(error).__name__}: {error}\n    {kept}"[:2000])
            finally:
                shutil.rmtree(folder)
    for key in sorted(counts):
        print(f"{key} {counts[key]}")
    print(f"{num_inputs} inputs, {findings} findings")
    return findings


def allow_no_more_than(num_bytes: int) -> None:
    """More address space than the process has now."""
    status = Path("/proc/self/status")
    if status.is_file():
        size = next(line for line in status.read_text().splitlines() if line.startswith("VmSize"))
        limit = 1024 * int(size.split()[1]) + num_bytes
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--inputs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="*", default=list(WRITERS), choices=list(WRITERS))
    parser.add_argument("--verbose", action="store_true", help="print every refusal")
    args = parser.parse_args()
    sys.exit(1 if run(args.inputs, args.seed, args.kinds, verbose=args.verbose) else 0)

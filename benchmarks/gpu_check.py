"""Everything that wants a GPU, once: a build, then ten minutes of tests, sanitizers, times.

    python benchmarks/gpu_check.py --out FOLDER      all parts
    python benchmarks/gpu_check.py --out FOLDER --only tests racecheck
    python benchmarks/gpu_check.py --out FOLDER --wheels WHEELS
        first unpacks what Python lacks from a folder of wheel files
    python benchmarks/gpu_check.py --out FOLDER --pretend
        what can run without a GPU, on kernels compiled for the CPU: tries this program

The Python that runs this is the one that is checked: it needs torch with CUDA, and takes the other
packages from itself or from `--wheels`, a folder of wheel files (`pip download -r requirements.lock
--no-deps --only-binary=:all: --python-version 3.12 -d WHEELS`, without torch). Nothing is
downloaded. A machine without nvcc or CMake uses the compiled libraries that are there; they fit any
Python and torch of the same processor.

Every part has a limit of time and a log in FOLDER; after a part that fails the next one runs. At
the end a table says how each went, also in FOLDER/summary.md. Status 0: all passed; 1: some failed;
2: there is no GPU.
"""

import argparse
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Modules to import and the packages that have them; what the parts below cannot do without.
MODULES = {"pytest": "pytest", "hypothesis": "hypothesis", "jaxtyping": "jaxtyping"}
MODULES |= {"beartype": "beartype", "trimesh": "trimesh", "scipy": "scipy", "numpy": "numpy"}
MODULES |= {"rich": "rich", "PIL": "pillow"}
# Small pictures that go through every kernel: a sanitizer makes them a hundred times slower.
FEW_TESTS = (
    "(test_meshes and torus and (dtype0 or image_size0-f32)) or (test_meshes and crossing-f32)"
    " or (test_as_on_the_cpu and (shape3-1-vertex-shared-f32 or 1-1-shared-f32))"
    " or (test_scenes and cut and f32)"
)
GPU_TESTS = ("tests/ops", "tests/scene/test_camera_cuda.py")


@dataclass
class Part:
    name: str
    command: list[str]
    limit_s: int
    missing: str = ""  # why it cannot run here
    status: str = ""
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        return self.status == "passed"


def run(part: Part, out: Path, environment: dict[str, str]) -> None:
    """Runs one part into its log; it and all its children end at its limit."""
    if part.missing:
        part.status = f"skipped: {part.missing}"
        return
    start = time.monotonic()
    with (out / f"{part.name}.log").open("w") as log:
        print(f"+ {' '.join(part.command)}", file=log, flush=True)
        process = subprocess.Popen(
            part.command,
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = process.wait(part.limit_s)
            part.status = "passed" if code == 0 else f"failed with status {code}"
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            part.status = f"stopped after {part.limit_s} s"
    part.seconds = time.monotonic() - start


def unpacked(wheels: Path, site: Path) -> Part:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
    files = sorted(map(str, wheels.glob("*.whl")))
    missing = "" if files else f"no wheel files in {wheels}"
    command = [*pip, "--no-compile", "--upgrade", "--target", str(site), *files]
    return Part("packages", command, 120, missing)


def find_obstacles(environment: dict[str, str]) -> dict[str, str]:
    """What is not here: packages, CMake, nvcc; and where the sanitizer is."""
    look = "import importlib.util, sys; print(*filter(lambda m: not importlib.util.find_spec(m), "
    look += "sys.argv[1:]))"
    modules = [*MODULES, "cmake", "ninja", "torch"]
    absent = set(_output([sys.executable, "-c", look, *modules], environment).split())
    toolkit = Path(environment.get("CUDA_HOME", "/usr/local/cuda")) / "bin"
    path = f"{environment.get('PATH', '')}{os.pathsep}{toolkit}"
    packages = [MODULES[name] for name in MODULES if name in absent]
    return {
        "torch": "torch is not installed" if "torch" in absent else "",
        "packages": f"packages are missing: {' '.join(packages)}" if packages else "",
        "cmake": "" if shutil.which("cmake") or "cmake" not in absent else "no CMake",
        "nvcc": "" if shutil.which("nvcc", path=path) else "no nvcc",
        "sanitizer": shutil.which("compute-sanitizer", path=path) or "",
    }


def _output(command: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    return done.stdout.strip()


def build_parts(lacks: dict[str, str], out: Path) -> Iterator[Part]:
    built = [(ROOT / "lightning_rast" / f"{stem}.so").is_file() for stem in ("_core", "_cuda")]
    missing = lacks["cmake"] or lacks["nvcc"]
    if missing and all(built):
        missing += "; the compiled libraries that are there are used"
    cmake = [sys.executable, "-m", "cmake"] if importlib.util.find_spec("cmake") else ["cmake"]
    folder = str(out / "build")
    options = ["-DCMAKE_BUILD_TYPE=Release", "-DLRAST_CUDA=ON", "-DSKBUILD_STATE=editable"]
    yield Part("configure", [*cmake, "-S", ".", "-B", folder, *options], 60, missing)
    jobs = str(os.cpu_count() or 1)
    yield Part("build", [*cmake, "--build", folder, "--parallel", jobs], 300, missing)


def check_parts(lacks: dict[str, str], out: Path, *, pretend: bool) -> Iterator[Part]:
    """The parts that use the GPU."""
    test = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "cuda"]
    few = [*test, "-x", "-k", FEW_TESTS, *GPU_TESTS]
    missing = lacks["torch"] or lacks["packages"]
    if pretend:
        yield Part("tests", [*few, "-p", "tests.cuda_shim.pretended_gpu"], 400, missing)
        # A scene that fibers of the CPU, too, draw in no time.
        program = "import tests.cuda_shim.pretended_gpu, sys; sys.path.insert(0, 'benchmarks'); "
        program += "import gpu; gpu.SCENES = [(2, 32)]; gpu.main()"
        times = [sys.executable, "-c", program, "--only", "operators", "--views", "1"]
    else:
        report = ["--durations=10", f"--junitxml={out / 'tests.xml'}"]
        yield Part("tests", [*test, *report, *GPU_TESTS], 200, missing)
        times = [sys.executable, str(ROOT / "benchmarks" / "gpu.py")]
    for tool in ("memcheck", "racecheck", "synccheck"):
        absent = "" if lacks["sanitizer"] else "no compute-sanitizer"
        absent = "a pretended GPU has nothing to look at" if pretend else absent
        watch = [lacks["sanitizer"], "--tool", tool, "--error-exitcode", "9", *few]
        yield Part(tool, watch, 60, missing or absent)
    yield Part("times", [*times, "--json", str(out / "gpu.json")], 180, missing)


def summary(parts: list[Part], where: str) -> str:
    rows = [f"| {part.name} | {part.seconds:.0f} | {part.status} |" for part in parts]
    return "\n".join([where, "", "| part | seconds | |", "|---|---|---|", *rows, ""])


def machine(environment: dict[str, str]) -> tuple[str, bool]:
    """What must stand beside results, and whether torch finds a GPU."""
    gpu = "no nvidia-smi"
    if shutil.which("nvidia-smi"):
        query = "--query-gpu=name,driver_version,memory.total"
        gpu = _output(["nvidia-smi", query, "--format=csv,noheader"], environment)
    program = (
        "import torch; print(torch.cuda.is_available(), torch.__version__, torch.version.cuda)"
    )
    seen, _, versions = _output([sys.executable, "-c", program], environment).partition(" ")
    versions = "no torch" if not seen else f"torch {versions.replace(' ', ', CUDA ')}"
    python = f"Python {sys.version.split()[0]}"
    return f"{gpu}; {versions}; {python}; {os.cpu_count()} cores", seen == "True"


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="folder for logs and results")
    parser.add_argument("--wheels", type=Path, help="folder of wheel files to take packages from")
    parser.add_argument("--only", nargs="+", metavar="PART", help="parts to run")
    parser.add_argument("--pretend", action="store_true", help="run without a GPU what can be")
    return parser.parse_args()


def main() -> None:
    options = parsed()
    out = options.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    site = out / "site"
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    path = [str(ROOT), str(site), environment.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(part for part in path if part)
    parts: list[Part] = []

    def go_on(part: Part) -> None:
        if options.only and part.name not in options.only:
            return
        run(part, out, environment)
        parts.append(part)
        print(f"gpu-check: {part.name}: {part.status} ({part.seconds:.0f} s)", flush=True)

    if options.wheels:
        go_on(unpacked(options.wheels.resolve(), site))
    where, has_gpu = machine(environment)
    print(f"gpu-check: {where}", flush=True)
    if not (has_gpu or options.pretend):
        print("gpu-check: there is no GPU that this Python's torch can use", file=sys.stderr)
        sys.exit(2)
    lacks = find_obstacles(environment)
    if options.pretend:
        print("gpu-check: no GPU is used: kernels run on the CPU, times mean nothing", flush=True)
    else:
        for part in build_parts(lacks, out):
            go_on(part)
    for part in check_parts(lacks, out, pretend=options.pretend):
        go_on(part)
    text = summary(parts, where)
    (out / "summary.md").write_text(text)
    print(f"\n{text}")
    sys.exit(0 if all(part.passed or part.missing for part in parts) else 1)


if __name__ == "__main__":
    main()

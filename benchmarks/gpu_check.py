"""Everything that wants a GPU, once: a build, tests, times, then NVIDIA's sanitizers.

    python benchmarks/gpu_check.py --out FOLDER
        all parts; their limits sum to 27 minutes
    python benchmarks/gpu_check.py --out FOLDER --only configure build tests operators --minutes 9
        some of them, in less than so many minutes: what finds no time left is skipped
    python benchmarks/gpu_check.py --fetch WHEELS --python-version 3.12 --packages trimesh beartype
        elsewhere, with a network: wheel files for a machine without, of the versions that
        requirements.lock pins (without --packages all that are needed, 60 MB)
    python benchmarks/gpu_check.py --out FOLDER --wheels WHEELS
        first unpacks what Python lacks from a folder of wheel files
    python benchmarks/gpu_check.py --out FOLDER --pretend
        what can run without a GPU, on kernels compiled for the CPU: tries this program

The Python that runs this is the one that is checked: it needs torch with CUDA, and takes the other
packages from itself or from `--wheels`. Only `--fetch` downloads. Machine code is made for the GPU
that is there. A machine without nvcc or CMake, or where the build fails, uses the compiled
libraries that are there; they fit any Python and torch of the same processor.

Every part has a limit of time; after a part that fails the next one runs. FOLDER gets log.txt with
what all parts print, a JSON file for each table of times, and summary.md with how each part went,
these tables, and the last lines of what failed. They are kept up to date, should this be ended.
Status 0: all passed; 1: some failed; 2: there is no GPU, or no such option or part; 3: what ran has
passed, but nothing was checked, or no time was left for some.
"""

import argparse
import importlib.metadata
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Modules to import and the packages that have them; what the parts below cannot do without.
MODULES = {"pytest": "pytest", "hypothesis": "hypothesis", "jaxtyping": "jaxtyping"}
MODULES |= {"beartype": "beartype", "trimesh": "trimesh", "scipy": "scipy", "numpy": "numpy"}
MODULES |= {"rich": "rich", "PIL": "pillow", "cholespy": "cholespy"}
MODULES |= {"mapbox_earcut": "mapbox-earcut", "omegaconf": "omegaconf", "yaml": "pyyaml"}
MODULES |= {"pytorch_lightning": "pytorch-lightning", "tensorboard": "tensorboard"}
PLATFORMS = ("manylinux_2_28", "manylinux_2_27", "manylinux_2_17", "manylinux2014")
# Small pictures that go through every kernel: a sanitizer makes them a hundred times slower.
FEW_TESTS = (
    "(test_meshes and torus and (dtype0 or image_size0-f32)) or (test_meshes and crossing-f32)"
    " or (test_as_on_the_cpu and (shape3-1-vertex-shared-f32 or 1-1-shared-f32 or near))"
    " or (test_scenes and cut and f32)"
)
# Files with nothing else, and some of those in which one test or other takes a device.
CUDA_TESTS = tuple(str(path.relative_to(ROOT)) for path in ROOT.glob("tests/*/test_*_cuda.py"))
GPU_TESTS = (
    *sorted(CUDA_TESTS),
    *("tests/scene/test_normals.py", "tests/scene/test_topology.py", "tests/test_determinism.py"),
    *("tests/scene/test_laplacian.py", "tests/optim/test_smoothing.py"),
    *("tests/optim/test_bending.py", "tests/render/test_renderer.py"),
)
# Tables of gpu.py and seconds for each, in processes of their own.
TIMES = {"operators": 150, "training": 60, "peers": 60}
SANITIZERS = ("memcheck", "racecheck", "synccheck", "initcheck")
BUILD = ROOT / "build" / "gpu-check-build"
PREPARATIONS = ("packages", "configure", "build")
CHECKS = ("tests", *TIMES, *SANITIZERS)
NO_TIME = "no time is left"
LAST_LINES = 40  # of a part that failed, in the summary


@dataclass
class Part:
    name: str
    command: list[str]
    limit_s: float
    missing: str = ""  # why it cannot run here
    environment: dict[str, str] = field(default_factory=dict)
    status: str = ""
    seconds: float = 0.0
    printed: str = ""

    @property
    def passed(self) -> bool:
        return self.status == "passed"


def run(part: Part, out: Path, environment: dict[str, str]) -> None:
    """Runs one part, adding to the log; it and all its children end at its limit."""
    if part.missing:
        part.status = f"skipped: {part.missing}"
        return
    start = time.monotonic()
    with (out / "log.txt").open("a") as log:
        print(f"\n===== {part.name}\n+ {' '.join(part.command)}", file=log, flush=True)
        first = log.tell()
        process = subprocess.Popen(
            part.command,
            cwd=ROOT,
            env=environment | part.environment,
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
            part.status = f"stopped after {part.limit_s:.0f} s"
    part.seconds = time.monotonic() - start
    with (out / "log.txt").open("rb") as written:
        written.seek(first)
        part.printed = written.read().decode(errors="replace")


def wheel_package(wheel: Path) -> str:
    return re.sub(r"[-_.]+", "-", wheel.name.split("-")[0]).lower()


def is_installed(package: str) -> bool:
    try:
        importlib.metadata.distribution(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def unpacked(wheels: Path, site: Path) -> Part:
    """What this Python has stays as it is: another numpy than torch's would ask for trouble."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
    found = sorted(wheels.glob("*.whl"))
    files = [str(wheel) for wheel in found if not is_installed(wheel_package(wheel))]
    missing = "" if files else f"no wheel files in {wheels}"
    missing = "nothing is lacking" if found and not files else missing
    command = [*pip, "--no-compile", "--upgrade", "--target", str(site), *files]
    return Part("packages", command, 120, missing)


def fetch(wheels: Path, python_version: str, packages: list[str]) -> int:
    """Downloads wheel files of pinned versions; those for this Python where versions differ."""
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    pinned = [line for line in lines if line.partition("==")[0] in packages]
    if absent := set(packages) - {line.partition("==")[0] for line in pinned}:
        sys.exit(f"gpu-check: requirements.lock does not have {', '.join(sorted(absent))}")
    platforms = [part for name in PLATFORMS for part in ("--platform", f"{name}_x86_64")]
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    pip += ["--implementation", "cp", "--python-version", python_version, *platforms]
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as wanted:
        wanted.write("\n".join(pinned))
        wanted.flush()
        return subprocess.run([*pip, "--dest", str(wheels), "-r", wanted.name]).returncode


def find_obstacles(environment: dict[str, str]) -> dict[str, str]:
    """What is not here: packages, CMake, nvcc; and where the sanitizer is."""
    look = "import importlib.util, sys; print(*filter(lambda m: not importlib.util.find_spec(m), "
    look += "sys.argv[1:]))"
    modules = [*MODULES, "cmake", "torch"]
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


def is_built() -> bool:
    return all((ROOT / "lightning_rast" / f"{stem}.so").is_file() for stem in ("_core", "_cuda"))


def build_parts(lacks: dict[str, str], environment: dict[str, str]) -> Iterator[Part]:
    missing = lacks["cmake"] or lacks["nvcc"]
    if missing and is_built():
        missing += "; the compiled libraries that are there are used"
    cmake = [sys.executable, "-m", "cmake"] if importlib.util.find_spec("cmake") else ["cmake"]
    options = ["-DCMAKE_BUILD_TYPE=Release", "-DLRAST_CUDA=ON", "-DSKBUILD_STATE=editable"]
    if shutil.which("ninja", path=environment.get("PATH")):
        options += ["-G", "Ninja"]
    ask = "import torch; print('%d%d' % torch.cuda.get_device_capability())"
    if capability := "" if missing else _output([sys.executable, "-c", ask], environment):
        options.append(f"-DLRAST_CUDA_ARCHITECTURES={capability}")
    # Whatever an earlier one has found, such as another generator.
    fresh = ["-S", ".", "-B", str(BUILD), "--fresh"]
    yield Part("configure", [*cmake, *fresh, *options], 90, missing)
    jobs = str(os.cpu_count() or 1)
    yield Part("build", [*cmake, "--build", str(BUILD), "--parallel", jobs], 300, missing)


def check_parts(lacks: dict[str, str], out: Path, *, pretend: bool) -> Iterator[Part]:
    """The parts that use the GPU, the most telling ones first."""
    test = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "cuda"]
    # A module that cannot be imported must not cost the tests of the others.
    test.append("--continue-on-collection-errors")
    few = [*test, "-k", FEW_TESTS, *sorted(CUDA_TESTS)]
    missing = lacks["torch"] or lacks["packages"]
    if not (missing or pretend or is_built()):
        missing = "there are no compiled libraries"  # without them tests are skipped, and pass
    if pretend:
        yield Part("tests", [*few, "-p", "tests.cuda_shim.pretended_gpu"], 400, missing)
        # A scene that fibers of the CPU, too, draw in no time.
        program = "import tests.cuda_shim.pretended_gpu, sys; sys.path.insert(0, 'benchmarks'); "
        program += "import gpu; gpu.SCENES = [(2, 32)]; gpu.WARM_UP_STEPS = 2; gpu.main()"
        times = [sys.executable, "-c", program, "--views", "1"]
    else:
        # A file to a process: after a kernel's bad access nothing else works in its process.
        if importlib.util.find_spec("xdist"):
            test += ["-n", str(min(12, os.cpu_count() or 1)), "--dist", "loadfile"]
        yield Part("tests", [*test, "--durations=10", *GPU_TESTS], 240, missing)
        times = [sys.executable, str(ROOT / "benchmarks" / "gpu.py")]
    for name, limit_s in TIMES.items():
        command = [*times, "--only", name, "--json", str(out / f"{name}.json")]
        yield Part(name, command, limit_s, missing)
    for tool in SANITIZERS:
        absent = "" if lacks["sanitizer"] else "no compute-sanitizer"
        absent = "a pretended GPU has nothing to look at" if pretend else absent
        watch = [lacks["sanitizer"], "--tool", tool, "--error-exitcode", "9", *few]
        # Each tensor by itself: what reads beyond one must not find another one there.
        alone = {"PYTORCH_NO_CUDA_MEMORY_CACHING": "1"}
        yield Part(tool, watch, 150, missing or absent, alone)


def summary(parts: list[Part], where: str) -> str:
    rows = [f"| {part.name} | {part.seconds:.0f} | {part.status} |" for part in parts]
    text = ["# GPU check", "", where, "", "| part | seconds | |", "|---|---|---|", *rows, ""]
    for part in parts:
        lines = part.printed.strip().splitlines()
        if part.name in TIMES:
            text += [*lines, ""]
        elif lines and not part.passed:
            text += [f"## {part.name}", "", "```", *lines[-LAST_LINES:], "```", ""]
    return "\n".join(text)


def exit_status(parts: list[Part]) -> int:
    """What is skipped because a machine cannot do it is no failure, unless that leaves nothing."""
    if not all(part.passed or part.missing for part in parts):
        return 1
    wanted = [part for part in parts if part.name in CHECKS] or parts
    has_checked = any(part.passed for part in wanted)
    return 0 if has_checked and all(part.missing != NO_TIME for part in parts) else 3


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
    parser.add_argument("--out", type=Path, help="folder for log and results")
    parser.add_argument("--wheels", type=Path, help="folder of wheel files to take packages from")
    parts = (*PREPARATIONS, *CHECKS)
    told = f"parts to run, of: {', '.join(parts)}"
    parser.add_argument("--only", nargs="+", choices=parts, metavar="PART", help=told)
    parser.add_argument("--minutes", type=float, default=60.0, help="end before so many are over")
    parser.add_argument("--pretend", action="store_true", help="run without a GPU what can be")
    parser.add_argument("--fetch", type=Path, metavar="WHEELS", help="download wheels, no more")
    parser.add_argument("--python-version", default=f"3.{sys.version_info.minor}")
    parser.add_argument("--packages", nargs="+", default=sorted(MODULES.values()))
    options = parser.parse_args()
    if options.out is None and options.fetch is None:
        parser.error("--out is missing")
    return options


def main() -> None:
    options = parsed()
    if options.fetch:
        sys.exit(fetch(options.fetch, options.python_version, options.packages))
    end = time.monotonic() + 60 * options.minutes
    out = options.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    (out / "log.txt").unlink(missing_ok=True)
    site = ROOT / "build" / "gpu-check-site"
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    path = [str(ROOT), str(site), environment.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(part for part in path if part)
    # Commands of packages, such as ninja, where the environment of this Python is not active.
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', '')}"
    parts: list[Part] = []
    where = ""

    def go_on(part: Part) -> None:
        if options.only and part.name not in options.only:
            return
        left = end - time.monotonic()
        part.limit_s = min(part.limit_s, left)
        if left < 5 and not part.missing:
            part.missing = NO_TIME
        run(part, out, environment)
        parts.append(part)
        (out / "summary.md").write_text(summary(parts, where))
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
        for part in build_parts(lacks, environment):
            go_on(part)
    for part in check_parts(lacks, out, pretend=options.pretend):
        go_on(part)
    print(f"\n{summary(parts, where)}")
    status = exit_status(parts)
    if status == 3:
        print("gpu-check: nothing was checked, or no time was left for some", file=sys.stderr)
    sys.exit(status)


if __name__ == "__main__":
    main()

"""Run folders and the checkpoints in them: `<root>/<name>/version_<n>/`.

Knows files, not tensors, so that the command line can refuse a resume before it loads PyTorch.
"""

import contextlib
import os
import shutil
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from lightning_rast.near_paths import did_you_mean

try:
    import fcntl
except ImportError:  # Windows: two processes in one run folder go unnoticed there
    fcntl = None

CONFIG_NAME = "config.yaml"
METRICS_NAME = "metrics.json"
CHECKPOINT_FOLDER = "checkpoints"


class RunError(ValueError):
    """A run that cannot be started or resumed."""


@dataclass(frozen=True)
class Run:
    """A run folder, the checkpoint to continue from (None = from the start) and its step."""

    folder: Path
    checkpoint: Path | None = None

    @property
    def step(self) -> int:
        return 0 if self.checkpoint is None else checkpoint_step(self.checkpoint)


def new_run(root: str | Path, name: str, config_text: str) -> Run:
    """Create the next version folder, with its config in it from the first moment on."""
    parent = Path(root) / name
    try:
        parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".new-", dir=parent))
        draft.chmod(0o755)
        (draft / CONFIG_NAME).write_text(config_text, encoding="utf-8")
    except OSError as error:
        raise RunError(f"cannot write to {parent}: {error}") from None
    version = max((_version(folder) for folder in parent.iterdir()), default=-1) + 1
    while True:
        folder = parent / f"version_{version}"
        try:
            # A folder that is not empty is never replaced: a run that starts at the same
            # moment and takes this number first makes this one take the next.
            draft.rename(folder)
            return Run(folder)
        except OSError:
            if not folder.exists():
                shutil.rmtree(draft)
                raise
            version += 1


def last_run(root: str | Path, name: str) -> tuple[Run, list[Path]]:
    """The newest run of a name that can be continued, and the damaged checkpoints passed over.

    A run without any checkpoint was stopped before its first: it is continued from step 0.

    Raises:
        RunError: if there is no run, or all checkpoints of the runs are damaged.
    """
    parent = Path(root) / name
    folders = [folder for folder in parent.glob("version_*") if _version(folder) >= 0]
    damaged: list[Path] = []
    for folder in sorted(folders, key=_version, reverse=True):
        if not (folder / CONFIG_NAME).is_file():
            continue
        found = checkpoints(folder)
        whole, bad = _newest_whole(found)
        damaged += bad
        if whole or not found:
            return Run(folder, whole), damaged
    if damaged:
        raise RunError(f"every checkpoint in {parent} is damaged; start without --resume")
    raise RunError(f"no run to resume in {parent}; start without --resume")


def run_of_path(path: str | Path) -> tuple[Run, list[Path]]:
    """The run of a version folder or of a checkpoint file, and damaged checkpoints passed over.

    Raises:
        RunError: if there is no such thing, or the named checkpoint is damaged.
    """
    path = Path(path)
    if not path.exists():
        near = did_you_mean(path)
        raise RunError(f"nothing to resume at {path}: no such file or folder{near}")
    if path.is_dir():
        config_of_run(path)
        found = checkpoints(path)
        whole, damaged = _newest_whole(found)
        if found and whole is None:
            raise RunError(f"every checkpoint in {path} is damaged")
        return Run(path, whole), damaged
    folder = path.resolve().parent.parent
    is_named = path.suffix == ".ckpt" and checkpoint_step(path) >= 0
    if not is_named or not (folder / CONFIG_NAME).is_file():
        raise RunError(f"{path} is no <run>/{CHECKPOINT_FOLDER}/step_*.ckpt of a run folder")
    if not is_whole(path):
        raise RunError(f"{path} is damaged; --resume {folder} takes the newest whole one")
    return Run(folder, path.resolve()), []


def config_of_run(folder: Path) -> Path:
    """The config file of a run's folder.

    Raises:
        RunError: it is none; names the newest run in it, if there is one.
    """
    if (folder / CONFIG_NAME).is_file():
        return folder / CONFIG_NAME
    inside = sorted(folder.glob(f"version_*/{CONFIG_NAME}"), key=lambda path: path.stat().st_mtime)
    hint = f"; did you mean {inside[-1].parent}?" if inside else ""
    raise RunError(f"{folder} is no run folder: it has no {CONFIG_NAME}{hint}")


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoint files of a run, oldest first."""
    found = (folder / CHECKPOINT_FOLDER).glob("step_*.ckpt")
    return sorted((path for path in found if checkpoint_step(path) >= 0), key=checkpoint_step)


def continued(run: Run, config_text: str) -> Run:
    """The run itself, or, to continue from an older checkpoint, a new one that begins with it:
    in place, it would overwrite what the run did after that checkpoint."""
    newest, _ = _newest_whole(checkpoints(run.folder))
    if newest is None or run.checkpoint is None or newest.samefile(run.checkpoint):
        return run
    parent = run.folder.parent
    branch = new_run(parent.parent, parent.name, config_text)
    path = checkpoint_path(branch.folder, run.step)
    write_atomically(path, run.checkpoint.read_bytes())
    return Run(branch.folder, path)


def checkpoint_path(folder: Path, step: int) -> Path:
    """Where a run in `folder` keeps the checkpoint of `step`."""
    return folder / CHECKPOINT_FOLDER / f"step_{step:08d}.ckpt"


def checkpoint_step(path: Path) -> int:
    """The step in a checkpoint's name, -1 if there is none."""
    number = path.stem.removeprefix("step_")
    return int(number) if number.isdecimal() else -1


def is_whole(path: Path) -> bool:
    """True when every byte of a checkpoint is as it was written (by the CRCs of its zip)."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    # RuntimeError: a damaged header makes zipfile ask for a password or another compression method.
    except (OSError, zipfile.BadZipFile, EOFError, ValueError, RuntimeError):
        return False


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file that after a crash is there as a whole, or not at all, or as it was before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".tmp")
    try:
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)  # it may be what fills the disk
        raise
    if os.name == "posix":
        # The new name is safe from a power cut only when the folder is on the disk too; some
        # network and FUSE mounts refuse that, and there it is as safe as it can be.
        with contextlib.suppress(OSError):
            _sync_folder(path.parent)


def save_config(folder: Path, config_text: str) -> None:
    """Replace the config of a run.

    Raises:
        RunError: it cannot be written; the one before is still there.
    """
    try:
        write_atomically(folder / CONFIG_NAME, config_text.encode())
    except OSError as error:
        raise RunError(f"cannot write to {folder}: {error}") from None


def lock_run(folder: Path) -> IO[str]:
    """Hold the returned file open while training; the lock ends with the process, however.

    Raises:
        RunError: if another process trains in this folder, or it cannot be written to.
    """
    try:
        file = (folder / ".lock").open("a")
    except OSError as error:
        raise RunError(f"cannot write to {folder}: {error}") from None
    if fcntl is not None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise RunError(f"{folder} is being trained by another process") from None
        except OSError:
            pass  # some network and FUSE mounts know no locks
    return file


def _sync_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _newest_whole(found: list[Path]) -> tuple[Path | None, list[Path]]:
    damaged: list[Path] = []
    for path in reversed(found):
        if is_whole(path):
            return path, damaged
        damaged.append(path)
    return None, damaged


def _version(folder: Path) -> int:
    number = folder.name.removeprefix("version_")
    return int(number) if folder.name.startswith("version_") and number.isdecimal() else -1

"""Run folders and checkpoint files, without any training."""

import errno
import io
import os
import stat
import threading

import pytest
import torch

from lightning_rast import runs
from lightning_rast.runs import (
    CONFIG_NAME,
    Run,
    RunError,
    checkpoint_path,
    checkpoints,
    continued,
    is_whole,
    last_run,
    lock_run,
    new_run,
    run_of_path,
    save_config,
    write_atomically,
)


@pytest.fixture
def root(tmp_path):
    return tmp_path / "logs"


def save(run, step):
    buffer = io.BytesIO()
    torch.save({"verts": torch.rand(100, 3), "global_step": step}, buffer)
    path = checkpoint_path(run.folder, step)
    write_atomically(path, buffer.getvalue())
    return path


def truncate(path, share=0.5):
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])


def test_versions_count_up_and_hold_their_config(root):
    first, second = (new_run(root, "kettle", f"seed: {seed}") for seed in range(2))
    assert [first.folder.name, second.folder.name] == ["version_0", "version_1"]
    assert (second.folder / CONFIG_NAME).read_text() == "seed: 1"
    assert new_run(root, "avocado", "").folder.name == "version_0"


def test_runs_that_start_at_once_get_different_folders(root):
    folders = []
    threads = [
        threading.Thread(target=lambda: folders.append(new_run(root, "kettle", "").folder))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(folder.name for folder in folders) == [f"version_{n}" for n in range(8)]
    assert sorted(path.name for path in (root / "kettle").iterdir()) == sorted(
        folder.name for folder in folders
    )


def test_a_root_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot write to .*file"):
        new_run(tmp_path / "file", "kettle", "")


def test_the_last_run_is_the_newest_version(root):
    runs = [new_run(root, "kettle", "") for _ in range(11)]
    newest = save(runs[10], 20)
    save(runs[9], 300)
    run, damaged = last_run(root, "kettle")
    assert run == Run(runs[10].folder, newest)
    assert run.step == 20
    assert damaged == []


def test_a_run_stopped_before_its_first_checkpoint_begins_again(root):
    save(new_run(root, "kettle", ""), 20)
    stopped = new_run(root, "kettle", "")
    run, _ = last_run(root, "kettle")
    assert run == Run(stopped.folder, None)
    assert run.step == 0


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_a_truncated_checkpoint_is_passed_over_for_the_one_before(root, share):
    run = new_run(root, "kettle", "")
    whole, broken = save(run, 20), save(run, 40)
    truncate(broken, share)
    assert last_run(root, "kettle") == (Run(run.folder, whole), [broken])


def test_a_flipped_bit_is_noticed(root):
    path = save(new_run(root, "kettle", ""), 20)
    assert is_whole(path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert not is_whole(path)


@pytest.mark.parametrize(("place", "value"), [(8, 1), (10, 99)], ids=["encrypted", "compression"])
def test_a_damaged_header_is_noticed(root, place, value):
    path = save(new_run(root, "kettle", ""), 20)
    content = bytearray(path.read_bytes())
    content[content.rindex(b"PK\x01\x02") + place] = value  # of the directory's last entry
    path.write_bytes(content)
    assert not is_whole(path)


def test_a_run_with_only_damaged_checkpoints_is_left_for_the_one_before(root):
    older, newer = new_run(root, "kettle", ""), new_run(root, "kettle", "")
    whole, broken = save(older, 20), save(newer, 20)
    truncate(broken)
    assert last_run(root, "kettle") == (Run(older.folder, whole), [broken])


def test_nothing_but_damage_is_an_error(root):
    truncate(save(new_run(root, "kettle", ""), 20))
    with pytest.raises(RunError, match="every checkpoint"):
        last_run(root, "kettle")


def test_no_run_is_an_error(root):
    with pytest.raises(RunError, match="no run to resume in .*kettle"):
        last_run(root, "kettle")


def test_half_a_written_checkpoint_is_not_seen(root):
    run = new_run(root, "kettle", "")
    path = save(run, 20)
    path.with_name("step_00000040.ckpt.tmp").write_bytes(b"PK")
    assert checkpoints(run.folder) == [path]


def test_a_path_may_be_a_run_folder_or_a_checkpoint(root):
    run = new_run(root, "kettle", "")
    older, newer = save(run, 20), save(run, 40)
    assert run_of_path(run.folder) == (Run(run.folder, newer), [])
    assert run_of_path(older)[0].checkpoint == older.resolve()


def test_the_newest_checkpoint_is_continued_in_place(root):
    run = new_run(root, "kettle", "")
    save(run, 20)
    newest, _ = run_of_path(save(run, 40))
    assert continued(newest, "seed: 1") == newest


def test_an_older_checkpoint_is_continued_in_a_new_run(root):
    run = new_run(root, "kettle", "")
    older, newer = save(run, 20), save(run, 40)
    branch = continued(run_of_path(older)[0], "seed: 1")
    assert branch.folder.name == "version_1"
    assert branch.step == 20
    assert checkpoints(run.folder) == [older, newer]
    assert last_run(root, "kettle") == (branch, [])


def test_paths_that_cannot_be_resumed_are_named(root, tmp_path):
    run = new_run(root, "kettle", "")
    broken = save(run, 20)
    truncate(broken)
    stray = tmp_path / "stray.ckpt"
    stray.write_bytes(b"")
    unnumbered = broken.with_name("best.ckpt")
    unnumbered.write_bytes(b"PK")
    for path, text in [
        (unnumbered, "best.ckpt is no"),
        (tmp_path / "nowhere", "no such file"),
        (tmp_path, "no run folder"),
        (stray, "stray.ckpt is no"),
        (broken, "is damaged"),
        (run.folder, "every checkpoint"),
    ]:
        with pytest.raises(RunError, match=text):
            run_of_path(path)


def test_a_run_is_trained_by_one_process_at_a_time(root):
    folder = new_run(root, "kettle", "").folder
    with lock_run(folder), pytest.raises(RunError, match="by another process"):
        lock_run(folder)
    lock_run(folder).close()


def test_an_atomic_write_replaces_the_whole_file(tmp_path):
    path = tmp_path / "folder" / "file"
    write_atomically(path, b"long content")
    write_atomically(path, b"short")
    assert path.read_bytes() == b"short"
    assert [other.name for other in path.parent.iterdir()] == ["file"]


def refusing(number):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    return refuse


@pytest.mark.parametrize("number", [errno.ENOTSUP, errno.ENOLCK, errno.EINVAL])
def test_a_folder_without_locks_can_be_trained_in(root, monkeypatch, number):
    pytest.importorskip("fcntl")
    folder = new_run(root, "kettle", "").folder
    monkeypatch.setattr(runs.fcntl, "flock", refusing(number))
    lock_run(folder).close()


def test_a_folder_that_cannot_be_synced_is_written_to(tmp_path, monkeypatch):
    sync = os.fsync

    def sync_files_only(file):
        if stat.S_ISDIR(os.fstat(file).st_mode):
            refusing(errno.EINVAL)()
        sync(file)

    monkeypatch.setattr(os, "fsync", sync_files_only)
    write_atomically(tmp_path / "file", b"content")
    assert (tmp_path / "file").read_bytes() == b"content"


def test_a_write_that_fails_leaves_the_old_file_and_no_draft(tmp_path, monkeypatch):
    write_atomically(tmp_path / "file", b"old")
    monkeypatch.setattr(os, "fsync", refusing(errno.ENOSPC))
    with pytest.raises(OSError, match="No space left"):
        write_atomically(tmp_path / "file", b"new")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("file", b"old")]


def test_a_run_that_cannot_be_written_to_is_named(root, monkeypatch):
    folder = new_run(root, "kettle", "seed: 1").folder
    monkeypatch.setattr(os, "fsync", refusing(errno.ENOSPC))
    with pytest.raises(RunError, match="cannot write to .*version_0: .*No space left"):
        save_config(folder, "seed: 2")
    assert (folder / CONFIG_NAME).read_text() == "seed: 1"
    with pytest.raises(RunError, match="cannot write to .*gone"):
        lock_run(folder / "gone")


def test_a_folder_of_runs_is_refused_with_the_newest_of_them(root):
    older, newer = (new_run(root, "kettle", "").folder for _ in range(2))
    os.utime(older / CONFIG_NAME, (1, 1))
    with pytest.raises(RunError, match=rf"no run folder.*did you mean .*{newer.name}\?"):
        run_of_path(root / "kettle")

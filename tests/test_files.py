"""Whole files or none: permissions, races, left-overs of killed processes, files of the user."""

import errno
import multiprocessing
import os
import signal
import stat
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from aesc import files
from aesc.errors import InputError
from aesc.files import (
    check_writable,
    lock_of,
    remove_abandoned,
    sole_writer,
    temporary_beside,
    unwritable,
    whole_file,
)
from aesc.paths import own_path

posix = pytest.mark.skipif(os.name == "nt", reason="POSIX permissions and signals")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "new" / "a.txt"
    with whole_file(path) as temporary:
        temporary.write_text("first")
        assert not path.exists() and temporary.parent == path.parent
    with pytest.raises(KeyboardInterrupt), whole_file(path) as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "first" and names(path.parent) == ["a.txt"]


@posix
@pytest.mark.parametrize("mask", [0o022, 0o027, 0o077])
def test_every_writer_gives_the_permissions_of_a_new_file(tmp_path, mask):
    """safetensors alone would give 0600."""
    before = os.umask(mask)
    try:
        with whole_file(tmp_path / "text") as temporary:
            temporary.write_text("x")
        with whole_file(tmp_path / "tensors") as temporary:
            save_file({"x": torch.zeros(1)}, temporary)
        (tmp_path / "plain").write_text("x")
    finally:
        os.umask(before)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {0o666 & ~mask}


def test_file_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    done = []
    replace, fsync = os.replace, os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (done.append("fsync"), fsync(fd)))
    monkeypatch.setattr(os, "replace", lambda *a: (done.append("replace"), replace(*a)))
    with whole_file(tmp_path / "a") as temporary:
        temporary.write_text("x")
    assert done[:2] == ["fsync", "replace"]
    assert done[2:] == ([] if os.name == "nt" else ["fsync"])  # and then the folder's names


def test_check_leaves_the_files_of_the_user_alone(tmp_path):
    (tmp_path / "write-test").write_text("mine")
    check_writable(tmp_path)
    assert names(tmp_path) == ["write-test"] and (tmp_path / "write-test").read_text() == "mine"


def check_often(folder: str) -> int:
    for _ in range(200):
        check_writable(Path(folder))
    return 1


def test_checks_of_several_processes_do_not_disturb_one_another(tmp_path):
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(3, mp_context=context) as pool:
        assert sum(pool.map(check_often, [str(tmp_path)] * 3)) == 3
    assert not names(tmp_path)


def test_folder_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"^Cannot write .*file.*: choose another folder"):
        check_writable(tmp_path / "file" / "folder")


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "free some space or choose another folder"),
        (errno.EISDIR, "choose the name of a file"),
        (errno.ENAMETOOLONG, "choose a shorter name"),
        (errno.EACCES, "ask for the right to write there or choose another folder"),
        (errno.ENOTDIR, "choose another folder"),
    ],
)
def test_the_remedy_fits_what_the_system_refused(number, remedy):
    reason = os.strerror(number)
    told = str(unwritable(Path("a.json"), OSError(number, reason)))
    assert told == f"Cannot write a.json ({reason}): {remedy}."


@pytest.mark.parametrize("name", ["я" * 115 + ".png", "a" * 251 + ".png", "short.png"])
def test_a_name_as_long_as_the_system_allows_is_written(tmp_path, name):
    with whole_file(tmp_path / name) as temporary:
        temporary.write_text("whole")
    assert names(tmp_path) == [name]


@pytest.mark.parametrize("name", ["a" * 230, "я" * 120, "a"])
@posix
def test_what_a_killed_process_left_goes_whatever_its_name(tmp_path, name):
    left = orphan(tmp_path / name)
    remove_abandoned(tmp_path, name)
    assert not left.exists()


def test_own_path_takes_a_file_of_that_name_before_a_home_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert own_path("~") == Path.home()
    (tmp_path / "~nobody-of-that-name.png").touch()
    assert own_path("~nobody-of-that-name.png").is_file()


@pytest.mark.parametrize(
    ("text", "words"),
    [("~nobody-of-that-name/x", "^~nobody-of-that-name/x begins.*whole path"), ("a\0b", "null")],
)
def test_own_path_refuses_what_is_no_path(text, words):
    with pytest.raises(InputError, match=words):
        own_path(text)


def orphan(path: Path) -> Path:
    """A temporary file beside ``path`` whose process has ended."""
    code = "import sys; from aesc.files import *; print(temporary_beside(Path(sys.argv[1])))"
    done = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, check=True
    )
    left = Path(done.stdout.rstrip("\n"))
    left.write_text("half")
    return left


def test_what_ended_processes_left_is_removed_and_nothing_else(tmp_path):
    left = orphan(tmp_path / "a.json")
    folder = temporary_beside(tmp_path / "b").with_name(left.name.replace("a.json", "b"))
    (folder / "sub").mkdir(parents=True)
    mine = temporary_beside(tmp_path / "a.json")
    mine.write_text("half")
    for name in (".a.json.tmp", ".a.1.tmp", "a.json", left.name[1:], ".hidden"):
        (tmp_path / name).write_text("the user's")
    remove_abandoned(tmp_path)
    kept = [".a.json.tmp", ".a.1.tmp", "a.json", left.name[1:], ".hidden", mine.name]
    assert names(tmp_path) == sorted(kept)


@pytest.mark.parametrize("name", ["я" * 125 + ".png", "a" * 255, "short.png"])
def test_a_file_with_any_name_has_one_writer(tmp_path, name):
    """The message names the file, and the lock is gone afterwards."""
    path, left = tmp_path / name, orphan(tmp_path / name)
    with sole_writer(path):
        assert not left.exists()
        with pytest.raises(InputError) as refused, sole_writer(path):
            pass
        assert str(refused.value).startswith(f"{path} is in use: ")
        with sole_writer(tmp_path / "other.png"):
            pass
    with pytest.raises(KeyboardInterrupt), sole_writer(path):
        assert len(names(tmp_path)) == 1
        raise KeyboardInterrupt
    assert os.name == "nt" or names(tmp_path) == []


@posix
def test_a_lock_that_was_removed_is_not_taken_for_the_next_one(tmp_path, monkeypatch):
    """Whoever opened it before its user removed it must not write beside whoever makes it anew."""
    path, taken = tmp_path / "a", files.lock

    def late(descriptor: int) -> None:
        lock_of(path).unlink()
        lock_of(path).touch()
        taken(descriptor)

    monkeypatch.setattr(files, "lock", late)
    with pytest.raises(InputError, match="is in use"), sole_writer(path):
        pass


def test_only_what_begins_with_the_name_is_removed(tmp_path):
    one, ten = orphan(tmp_path / "seed1.json"), orphan(tmp_path / "seed10.json")
    remove_abandoned(tmp_path, "seed1.")
    assert not one.exists() and ten.exists()


def test_file_of_another_machine_stays_for_a_day(tmp_path, monkeypatch):
    left = orphan(tmp_path / "a.json")
    monkeypatch.setattr(files, "_host", lambda: "00000000")
    remove_abandoned(tmp_path)
    assert left.exists()
    old = time.time() - files.ABANDONED_ELSEWHERE - 60
    os.utime(left, (old, old))
    remove_abandoned(tmp_path)
    assert not left.exists()


def test_missing_folder_holds_nothing_to_remove(tmp_path):
    remove_abandoned(tmp_path / "missing")
    assert not (tmp_path / "missing").exists()


KILLED = """
import os, signal, sys
from aesc.files import *
with whole_file(Path(sys.argv[1])) as temporary:
    temporary.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@posix
def test_next_call_tidies_after_a_killed_writer(tmp_path):
    done = subprocess.run([sys.executable, "-c", KILLED, tmp_path / "a"], check=False)
    assert done.returncode == -signal.SIGKILL and len(names(tmp_path)) == 1
    remove_abandoned(tmp_path)
    assert not names(tmp_path)

"""Checkpoints: whatever happens to the file is noticed, and the training starts anew."""

import json
import os
import pickle
import random
import subprocess
import sys
import warnings
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from small_trainings import SETTINGS, assert_same, trainer, waves, weights

from aesc.errors import InputError
from aesc.files import whole_file
from aesc.training import Checkpoint, DamagedFileError, load_tensors, save_tensors

SHORT = replace(SETTINGS, epochs=1)


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    """A small one with everything that a real one has."""
    generator = torch.Generator().manual_seed(0)
    tensors = {
        "model.weight": torch.rand(3, 2, generator=generator),
        "model.steps": torch.tensor(7),
        "optimizer.0.step": torch.tensor(2.0),
        "generator": generator.get_state()[:64],
        "empty": torch.zeros(0, 3),
        "mask": torch.tensor([True, False]),
    }
    return Checkpoint({"seed": 0, "network": "AESc"}, tensors, {"history": {"loss": [0.5, 0.25]}})


def cut(whole: bytes, random: random.Random) -> bytes:
    return whole[: random.randrange(len(whole))]


def flip_a_bit(whole: bytes, random: random.Random) -> bytes:
    place = random.randrange(len(whole))
    return whole[:place] + bytes([whole[place] ^ 1 << random.randrange(8)]) + whole[place + 1 :]


def zero_a_block(whole: bytes, random: random.Random) -> bytes:
    """As a file system leaves it after a power cut."""
    start = random.randrange(len(whole))
    return whole[:start] + bytes(len(whole) - start)


def lose_bytes(whole: bytes, random: random.Random) -> bytes:
    start = random.randrange(len(whole))
    return whole[:start] + whole[start + random.randint(1, 9) :]


def repeat_bytes(whole: bytes, random: random.Random) -> bytes:
    start = random.randrange(len(whole))
    return whole[: start + random.randint(1, 9)] + whole[start:]


@pytest.mark.parametrize("damage", [cut, flip_a_bit, zero_a_block, lose_bytes, repeat_bytes])
def test_damage_anywhere_is_noticed(checkpoint, tmp_path, damage: Callable):
    path = tmp_path / "run.checkpoint"
    checkpoint.save(path)
    whole = path.read_bytes()
    chance = random.Random(0)
    for _ in range(200):
        damaged = damage(whole, chance)
        if damaged == whole:
            continue
        path.write_bytes(damaged)
        with pytest.raises(DamagedFileError, match=rf"{path.name} is damaged \(.*\): delete it\."):
            Checkpoint.load(path)


def test_what_is_whole_comes_back(checkpoint, tmp_path):
    path = tmp_path / "run.checkpoint"
    checkpoint.save(path)
    again = Checkpoint.load(path)
    assert (again.identity, again.numbers) == (checkpoint.identity, checkpoint.numbers)
    assert_same(again.tensors, checkpoint.tensors)


def test_another_program_reads_the_tensors(checkpoint, tmp_path):
    """The checksum is in the metadata, so the file stays a plain safetensors file."""
    save_tensors(checkpoint.tensors, tmp_path / "w", {"epoch": "1"})
    assert_same(load_file(tmp_path / "w"), checkpoint.tensors)
    assert load_tensors(tmp_path / "w")[1] == {"epoch": "1"}


@pytest.mark.parametrize("content", [b"", b"not a checkpoint at all", None])
def test_training_with_a_damaged_checkpoint_starts_from_the_beginning(tmp_path, content):
    images = waves()
    path = tmp_path / "run.checkpoint"
    trainer(images, settings=SHORT, checkpoint=path).run(progress=False)
    path.write_bytes(path.read_bytes()[:-1] + b"x" if content is None else content)
    with pytest.warns(UserWarning, match=rf"{path.name} is damaged \(.*\): the training starts"):
        again = trainer(images, checkpoint=path)
    untouched = trainer(images)
    assert again.run(progress=False) == untouched.run(progress=False)
    assert_same(weights(again), weights(untouched))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trainer(images, checkpoint=path)  # it was replaced by a whole one


def test_files_that_are_no_checkpoints_are_told_apart(tmp_path):
    path = tmp_path / "x"
    save_file({"x": torch.zeros(1)}, path)  # written by another program
    with pytest.raises(DamagedFileError, match="checksum"):
        Checkpoint.load(path)
    save_tensors({"x": torch.zeros(1)}, path, {"format": "aesc-checkpoint-1"})
    with pytest.raises(InputError, match="not a checkpoint of this version"):
        Checkpoint.find(path)
    with pytest.raises(InputError, match=r"There is no file .*missing: check the path"):
        Checkpoint.load(tmp_path / "missing")
    assert Checkpoint.find(tmp_path / "missing") is None
    with pytest.raises(InputError, match=r"Cannot read .*: check the path") as caught:
        Checkpoint.load(tmp_path)
    assert not isinstance(caught.value, DamagedFileError)


SHORT_OF_MEMORY = """
import resource, sys
from pathlib import Path
from aesc.training import Checkpoint

path, room = Path(sys.argv[1]), int(sys.argv[2])
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + room, resource.RLIM_INFINITY))
Checkpoint.find(path)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits and numbers of Linux")
@pytest.mark.parametrize("room", [20_000_000, 250_000_000])  # less than the file, than it twice
def test_want_of_memory_is_no_damage(tmp_path, room):
    """The training ends, rather than begin anew and replace a whole checkpoint."""
    path = tmp_path / "run.checkpoint"
    tensors = {"model.weight": torch.zeros(40_000_000)}
    Checkpoint({}, tensors, {}).save(path)
    script = [sys.executable, "-c", SHORT_OF_MEMORY, path, str(room)]
    done = subprocess.run(script, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "Cannot allocate memory" in done.stderr, done.stderr
    assert "damaged" not in done.stderr


def test_damage_survives_a_process_border_and_another_wording(checkpoint, tmp_path):
    """Workers send their errors pickled; `aesc.records.Store` says them anew."""
    path = tmp_path / "run.checkpoint"
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(DamagedFileError) as caught:
        Checkpoint.load(path)
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.reason) == (str(caught.value), caught.value.reason)
    assert str(type(again)("elsewhere")) == "elsewhere"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is always full")
def test_full_disk_is_told_with_its_remedy(checkpoint, monkeypatch, tmp_path):
    @contextmanager
    def full(path):
        with whole_file(path) as temporary:
            temporary.unlink()
            temporary.symlink_to("/dev/full")
            yield temporary

    monkeypatch.setattr("aesc.training.checkpoint.whole_file", full)
    with pytest.raises(InputError, match=r"No space left on device\): free some space"):
        checkpoint.save(tmp_path / "run.checkpoint")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="Windows has no umask")
@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o002, 0o664), (0o077, 0o600)])
def test_modes_follow_the_umask(checkpoint, tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        checkpoint.save(tmp_path / "a.checkpoint")
    finally:
        os.umask(before)
    assert Path(tmp_path / "a.checkpoint").stat().st_mode & 0o777 == mode
    assert json.loads(json.dumps(Checkpoint.load(tmp_path / "a.checkpoint").numbers))

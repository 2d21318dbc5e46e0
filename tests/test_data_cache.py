"""The cache of read images: the same arrays as without it, never stale, never in the way."""

import os
import shutil
from pathlib import Path

import numpy as np
import platformdirs
import pytest
import torch
from PIL import Image

from aesc.data import Category, ReadOptions, image_cache, load_category
from aesc.data import cache as module
from aesc.experiment import Experiment, RunConfig

NAMES = ("train", "validation", "test", "masks", "labels", "pixel_scored")
TEXTS = ("train_paths", "validation_paths", "test_paths", "defect_types", "fingerprint", "notes")


def save(path: Path, value: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(value).integers(0, 256, (9, 7, 3))
    Image.fromarray(noise.astype(np.uint8)).save(path.with_suffix(".png"), compress_level=0)


@pytest.fixture
def part(tmp_path) -> Path:
    """Six good images; good and defective test images with masks."""
    root = tmp_path / "part"
    for index in range(6):
        save(root / f"train/good/{index}", index)
    for index in range(3):
        save(root / f"test/good/{index}", 10 + index)
        save(root / f"test/crack/{index}", 20 + index)
        mask = root / f"ground_truth/crack/{index}_mask.png"
        mask.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (7, 9), 255 * (index > 0)).save(mask)
    return root


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A cache that keeps files however new they are."""
    monkeypatch.setattr(module, "SETTLED", -60.0)
    return tmp_path / "cache"


@pytest.fixture
def decoded(monkeypatch) -> list[Path]:
    """The files that are decoded from now on."""
    from aesc.data import reading

    files: list[Path] = []
    original = reading.decode
    monkeypatch.setattr(
        reading, "decode", lambda data, path: (files.append(path), original(data, path))[1]
    )
    return files


def assert_same(one: Category, other: Category) -> None:
    for name in NAMES:
        first, second = getattr(one, name), getattr(other, name)
        assert (first is None and second is None) or torch.equal(first, second), name
    assert [getattr(one, text) for text in TEXTS] == [getattr(other, text) for text in TEXTS]


@pytest.mark.parametrize("channels", [1, 3])
def test_second_reading_decodes_nothing_and_gives_the_same(part, folder, decoded, channels):
    plain = load_category(part, 8, channels)
    assert not folder.exists()
    first = load_category(part, 8, channels, options=ReadOptions(cache=folder))
    decoded.clear()
    second = load_category(part, 8, channels, options=ReadOptions(cache=folder))
    assert decoded == []
    assert_same(first, plain)
    assert_same(second, plain)


def test_split_and_seed_share_an_entry(part, folder, decoded):
    load_category(part, 8, options=ReadOptions(cache=folder))
    decoded.clear()
    for seed, fraction in ((1, 0.2), (2, 0.5)):
        options = {"seed": seed, "validation_fraction": fraction}
        other = load_category(part, 8, options=ReadOptions(cache=folder), **options)
        assert decoded == []
        assert_same(other, load_category(part, 8, **options))
        decoded.clear()
    assert len(list(folder.iterdir())) == 1


def test_plain_folder_and_folder_without_masks(part, folder, decoded):
    shutil.rmtree(part / "ground_truth")
    for root in (part, part / "train/good"):
        plain = load_category(root, 8)
        load_category(root, 8, options=ReadOptions(cache=folder))
        decoded.clear()
        assert_same(load_category(root, 8, options=ReadOptions(cache=folder)), plain)
        assert decoded == []


def test_the_same_files_seen_from_another_folder_have_an_entry_of_their_own(part, folder, decoded):
    for name in ("test", "ground_truth"):
        shutil.rmtree(part / name)
    for _ in range(2):
        decoded.clear()
        for root in (part, part / "train/good"):
            kept = load_category(root, 8, options=ReadOptions(cache=folder))
            assert_same(kept, load_category(root, 8))
    assert len(decoded) == 12, "only the readings without cache decode"


def change_bytes(path: Path) -> None:
    """Another picture of the same size in bytes, with the time of modification put back."""
    before = path.stat()
    save(path, 99)
    assert path.stat().st_size == before.st_size
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(
            lambda part: change_bytes(part / "train/good/3.png"),
            marks=pytest.mark.skipif(not module.CHANGE_TIME, reason="no time of change"),
        ),
        lambda part: save(part / "train/good/6", 6),
        lambda part: (part / "train/good/3.png").unlink(),
        lambda part: (part / "train/good/3.png").rename(part / "train/good/7.png"),
        lambda part: shutil.copy(part / "train/good/0.png", part / "test/crack/1.png"),
        lambda part: Image.new("L", (7, 9)).save(part / "ground_truth/crack/1_mask.png"),
        lambda part: shutil.rmtree(part / "ground_truth"),
    ],
    ids=["bytes", "added", "removed", "renamed", "copied", "mask", "no masks"],
)
def test_changed_files_are_read_again(part, folder, change):
    before = load_category(part, 8, options=ReadOptions(cache=folder))
    change(part)
    after = load_category(part, 8, options=ReadOptions(cache=folder))
    assert_same(after, load_category(part, 8))
    assert after.fingerprint != before.fingerprint


def test_other_request_or_version_is_another_entry(part, folder, decoded, monkeypatch):
    load_category(part, 8, options=ReadOptions(cache=folder))
    for options in ({"size": 9}, {"size": 8, "channels": 3}):
        decoded.clear()
        assert_same(
            load_category(part, **options, options=ReadOptions(cache=folder)),
            load_category(part, **options),
        )
        assert decoded
    for name, value in (
        ("VERSION", module.VERSION + 1),
        ("PIL", type("", (), {"__version__": ""})),
    ):
        decoded.clear()
        monkeypatch.setattr(module, name, value)
        load_category(part, 8, options=ReadOptions(cache=folder))
        assert decoded
    assert len(list(folder.iterdir())) == 5


def test_files_that_changed_lately_are_not_kept(part, tmp_path):
    load_category(part, 8, options=ReadOptions(cache=tmp_path / "cache"))
    assert not (tmp_path / "cache").exists()


def test_files_that_change_while_they_are_read_are_not_kept(part, folder, monkeypatch):
    from aesc.data import reading

    original = reading.decode

    def decode(data: bytes, path: Path) -> Image.Image:
        if path.name == "0.png":
            os.utime(path)
        return original(data, path)

    monkeypatch.setattr(reading, "decode", decode)
    load_category(part, 8, options=ReadOptions(cache=folder))
    assert not folder.exists()


def flip(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def test_any_damaged_entry_is_rebuilt(part, folder):
    plain = load_category(part, 4, options=ReadOptions(cache=folder))
    (entry,) = folder.iterdir()
    whole = entry.read_bytes()
    damages = [b"", b"junk", whole[:-1], whole + b"0", whole[:100]]
    damages += [flip(whole, place) for place in range(0, len(whole), 41)]
    # In the header, the fingerprint and the names are what a reader could be misled by.
    start = whole.index(plain.fingerprint.encode())
    damages += [flip(whole, start), flip(whole, whole.index(b"train/good/0"))]
    for damage in damages:
        entry.write_bytes(damage)
        assert_same(load_category(part, 4, options=ReadOptions(cache=folder)), plain)
    assert entry.read_bytes() == whole
    assert [path.name for path in folder.iterdir()] == [entry.name]


def test_folder_that_cannot_be_written_is_no_error(part, folder, monkeypatch):
    plain = load_category(part, 8)
    folder.write_text("a file where the folder should be")
    assert_same(load_category(part, 8, options=ReadOptions(cache=folder)), plain)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "save_file", full)
    other = folder.with_name("other")
    assert_same(load_category(part, 8, options=ReadOptions(cache=other)), plain)
    assert list(other.iterdir()) == []


def test_entries_used_longest_ago_make_room_and_nothing_else_is_removed(
    part, folder, monkeypatch, decoded
):
    foreign = folder / "weights.safetensors"
    foreign.parent.mkdir()
    foreign.write_bytes(b"0" * 100_000)
    os.utime(foreign, (0, 0))
    entries = {}
    for age, size in enumerate((16, 15, 14)):
        known = set(folder.iterdir())
        load_category(part, size, options=ReadOptions(cache=folder))
        (entries[size],) = set(folder.iterdir()) - known
        os.utime(entries[size], (1000 + age, 1000 + age))
    left_over = folder / f".{'0' * 64}.safetensors.1.tmp"
    left_over.write_bytes(b"0" * 1000)
    os.utime(left_over, (1, 1))
    load_category(part, 16, options=ReadOptions(cache=folder))  # used: now 15 is the oldest
    monkeypatch.setattr(module, "MAX_BYTES", 3 * entries[16].stat().st_size)
    load_category(part, 13, options=ReadOptions(cache=folder))
    assert entries[16].exists() and entries[14].exists() and foreign.exists()
    assert not entries[15].exists() and not left_over.exists()
    total = sum(path.stat().st_size for path in folder.iterdir() if path != foreign)
    assert total <= module.MAX_BYTES
    before = set(folder.iterdir())
    monkeypatch.setattr(module, "MAX_BYTES", 10)
    load_category(part, 12, options=ReadOptions(cache=folder))
    assert set(folder.iterdir()) == before, "what never fits removes nothing"


def test_image_cache_follows_the_environment_and_exists_where_changes_are_recorded(monkeypatch):
    monkeypatch.setattr(module, "CHANGE_TIME", True)
    monkeypatch.setenv("AESC_CACHE", "elsewhere")
    assert image_cache() == Path("elsewhere/images")
    monkeypatch.delenv("AESC_CACHE")
    assert image_cache() == platformdirs.user_cache_path("aesc") / "images"
    monkeypatch.setattr(module, "CHANGE_TIME", False)
    assert image_cache() is None


def test_streamed_images_are_not_kept(part, folder):
    held = (1 + 6) * 4 * 8**2 + 6 * 8**2  # validation and test images, masks
    streamed = load_category(part, 8, options=ReadOptions(memory=held, cache=folder))
    assert not folder.exists()
    in_memory = load_category(part, 8, options=ReadOptions(cache=folder))
    assert streamed.fingerprint == in_memory.fingerprint
    assert torch.equal(torch.cat(list(streamed.train.split(3))), in_memory.train)


def test_a_run_decodes_its_images_once(stripes, tmp_path, monkeypatch, decoded):
    monkeypatch.setattr(module, "SETTLED", -60.0)
    monkeypatch.setattr("aesc.experiment.run.image_cache", lambda: tmp_path / "cache")
    config = RunConfig.checked(category="stripes", data=str(stripes.parent), device="cpu")
    first = Experiment(config, tmp_path, progress=False).category
    decoded.clear()
    assert_same(Experiment(config, tmp_path, progress=False).category, first)
    assert decoded == []

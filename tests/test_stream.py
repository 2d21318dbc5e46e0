"""Images from disk: the same pixels, the same training, bounded memory, errors that are told."""

import hashlib
import pickle
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from interruptions import Interrupting
from PIL import Image

from aesc.data import (
    MAX_VALIDATION,
    Category,
    ImageStream,
    ReadOptions,
    load_category,
    stream,
)
from aesc.errors import InputError
from aesc.experiment import PRESETS, Experiment, RunConfig
from aesc.experiment.config import Preset
from aesc.model import AESc
from aesc.noise import Stain
from aesc.training import Trainer, TrainingSettings

SETTINGS = TrainingSettings(epochs=4, batches=3, batch_size=4, patience=1)
COUNT, SIZE = 10, 32
IMAGE_BYTES = 4 * SIZE**2
CPU = torch.device("cpu")

pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create")
"""The tests start more processes than a small machine has cores."""


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> list[Path]:
    """Ten small pictures in colour, in the formats and sizes that folders mix."""
    folder, rng = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    paths = [folder / f"ü {i:02}.{('png', 'jpg', 'bmp')[i % 3]}" for i in range(COUNT)]
    for i, path in enumerate(paths):
        Image.fromarray(rng.integers(0, 256, (20 + i, 50, 3), np.uint8)).save(path)
    return paths


@pytest.fixture(scope="module")
def folder(files) -> Path:
    return files[0].parent


def tensor(files: list[Path], channels: int = 1) -> torch.Tensor:
    """All images in memory, one after the other by Pillow and numpy alone."""
    images = []
    for path in files:
        bands = np.asarray(Image.open(path), np.float32).transpose(2, 0, 1)
        small = [Image.fromarray(b).resize((SIZE, SIZE), Image.Resampling.BILINEAR) for b in bands]
        planes = np.stack(small) / np.float32(255)
        grey = np.tensordot(np.float32([0.299, 0.587, 0.114]), planes, 1)[None]
        images.append(np.clip(planes if channels == 3 else grey, 0, 1))
    return torch.from_numpy(np.stack(images))


@pytest.mark.parametrize("channels", [1, 3])
def test_images_are_those_of_memory(files, folder, channels):
    category = load_category(folder, SIZE, channels)
    paths = [folder / path for path in category.train_paths]
    streamed = ImageStream(paths, SIZE, channels, workers=0)
    assert streamed.shape == category.train.shape and len(streamed) == len(category.train)
    assert torch.equal(torch.stack([streamed[i] for i in range(len(paths))]), category.train)
    torch.testing.assert_close(category.train, tensor(paths, channels))


@pytest.mark.parametrize("workers", [0, 2])
@settings(max_examples=6, deadline=None)
@given(
    order=st.lists(st.lists(st.integers(0, COUNT - 1), min_size=1, max_size=6), max_size=8),
    kept=st.integers(0, COUNT + 1),
)
def test_batches_are_those_of_a_tensor(files, workers, order, kept):
    """Any order, repeats within and between batches included, and any room for images."""
    images = ImageStream(files, SIZE, cache_bytes=kept * IMAGE_BYTES, workers=workers)
    expected = [torch.stack([images[i] for i in batch]) for batch in order]
    fetch = stream.batches_of(images, CPU)
    in_memory = stream.batches_of(torch.stack([images[i] for i in range(COUNT)]), CPU)
    indices, state = [torch.tensor(batch) for batch in order], torch.get_rng_state()
    next(fetch(indices), None)  # an epoch that is broken off leaves nothing behind
    for _ in range(2):  # in the second epoch images come from the cache
        for fetched in (list(fetch(indices)), list(in_memory(indices))):
            assert len(fetched) == len(expected)
            assert all(map(torch.equal, fetched, expected))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("kept", [0, 3, COUNT, COUNT + 5])
def test_what_fits_is_read_once_and_no_more_is_kept(files, monkeypatch, kept):
    reads = []

    def counted(path, *arguments):
        reads.append(path)
        return read(path, *arguments)

    read = stream.read_image
    monkeypatch.setattr(stream, "read_image", counted)
    spare = IMAGE_BYTES - 1  # not enough for one more
    images = ImageStream(files, SIZE, cache_bytes=kept * IMAGE_BYTES + spare, workers=0)
    fetch = stream.batches_of(images, CPU)
    generator = torch.Generator().manual_seed(0)
    for _ in range(3):
        passes = torch.cat([torch.randperm(COUNT, generator=generator) for _ in range(2)])
        list(fetch(passes.split(4)))
    kept = min(kept, COUNT)
    counts = sorted(reads.count(str(path)) for path in files)
    assert counts == sorted([1] * kept + [6] * (COUNT - kept))


def test_split_covers_all_in_order_as_a_tensor_does(files):
    images = ImageStream(files, SIZE, 3, workers=0)
    parts, expected = list(images.split(4)), tensor(files, 3).split(4)
    assert [len(part) for part in parts] == [4, 4, 2]
    torch.testing.assert_close(parts, list(expected))


def trainer(train, checkpoint=None, *, corruption=None, settings=SETTINGS) -> Trainer:
    model = AESc(depth=3, width=4, momentum=0.1, generator=torch.Generator().manual_seed(0))
    validation = torch.rand(4, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(1))
    corruption = corruption or Stain()
    return Trainer(model, train, validation, corruption, settings, checkpoint=checkpoint)


def assert_same_weights(first: Trainer, second: Trainer):
    one, other = first.model.state_dict(), second.model.state_dict()
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(("workers", "kept"), [(0, 0), (2, 0), (2, 4), (3, COUNT)])
def test_training_from_disk_is_that_from_memory_bit_for_bit(files, workers, kept):
    images = ImageStream(files, SIZE, cache_bytes=kept * IMAGE_BYTES, workers=workers)
    from_disk, from_memory = trainer(images), trainer(torch.cat(list(images.split(3))))
    assert from_disk.run(progress=False) == from_memory.run(progress=False)
    assert_same_weights(from_disk, from_memory)


def test_interrupted_from_disk_resumes_bit_for_bit(files, tmp_path):
    images = ImageStream(files, SIZE, cache_bytes=3 * IMAGE_BYTES, workers=2)
    whole = trainer(images)
    history = whole.run(progress=False)

    path = tmp_path / "run.checkpoint"
    with pytest.raises(KeyboardInterrupt):
        trainer(images, path, corruption=Interrupting(8)).run(progress=False)
    resumed = trainer(images, path)
    assert len(resumed.history.loss) == 2
    assert resumed.run(progress=False) == history
    assert_same_weights(resumed, whole)


def test_a_checkpoint_belongs_to_size_channels_and_content(files, tmp_path):
    path, short = tmp_path / "run.checkpoint", replace(SETTINGS, epochs=1)
    trainer(ImageStream(files, SIZE, workers=0), path, settings=short).run(progress=False)
    assert len(trainer(ImageStream(files, SIZE, workers=0), path).history.loss) == 1
    other_place = [tmp_path / file.name for file in files]
    for file, copy in zip(files, other_place, strict=True):
        copy.write_bytes(file.read_bytes())
    assert len(trainer(ImageStream(other_place, SIZE, workers=0), path).history.loss) == 1
    Image.new("L", (9, 9), 7).save(other_place[4])
    for changed in (
        ImageStream(other_place, SIZE),
        ImageStream(files, SIZE + 1),
        ImageStream(files[:-1], SIZE),
        ImageStream(files[::-1], SIZE),
        tensor(files),
    ):
        with pytest.raises(InputError, match=r"another training .images is"):
            trainer(changed, path)


def test_digests_that_are_known_are_not_read_for(files, monkeypatch):
    read = ImageStream(files, SIZE).identity
    digests = [hashlib.sha256(file.read_bytes()).digest() for file in files]
    monkeypatch.setattr(stream, "read_bytes", lambda path: pytest.fail(f"{path} was read"))
    assert ImageStream(files, SIZE, digests=digests).identity == read


@pytest.mark.parametrize("workers", [0, 2])
def test_a_damaged_image_is_named_in_one_sentence(files, tmp_path, workers):
    damaged = tmp_path / "half.png"
    damaged.write_bytes(files[0].read_bytes()[:200])
    images = ImageStream([*files, damaged], SIZE, workers=workers)
    with pytest.raises(InputError, match=r"^[^\n]*half\.png cannot be decoded[^\n]*\.$"):
        trainer(images).run(progress=False)


def test_a_category_is_streamed_when_it_takes_more_than_allowed(stripes):
    """Validation and test images, and masks, are held in any case and count as well."""
    in_memory = load_category(stripes, SIZE)
    tensors = [in_memory.validation, in_memory.test, in_memory.masks]
    held = sum(tensor.nelement() * tensor.element_size() for tensor in tensors)
    needed = held + in_memory.train.nelement() * 4

    def load(memory: int) -> Category:
        return load_category(stripes, SIZE, options=ReadOptions(memory=memory))

    assert isinstance(load(needed).train, torch.Tensor)
    streamed = load(needed - 1)
    assert isinstance(streamed.train, ImageStream)
    assert streamed.train.cache_bytes == needed - 1 - held
    assert streamed.train.shape == in_memory.train.shape
    assert torch.equal(torch.cat(list(streamed.train.split(3))), in_memory.train)
    for name in ("validation", "test", "masks", "labels", "pixel_scored"):
        assert torch.equal(getattr(streamed, name), getattr(in_memory, name))
    for name in ("fingerprint", "train_paths", "validation_paths", "test_paths", "notes"):
        assert getattr(streamed, name) == getattr(in_memory, name)
    paths = [stripes / path for path in streamed.train_paths]
    assert streamed.train.identity == ImageStream(paths, SIZE, white_level=255).identity
    assert load(held).train.cache_bytes == 0
    with pytest.raises(InputError, match=r"stripes has 10 test and 2 validation images.*smaller s"):
        load(held - 1)


@pytest.mark.parametrize("cut", [0.5, 0.99])
def test_a_truncated_file_is_found_when_a_streamed_folder_is_read(files, tmp_path, cut):
    for file in files:
        (tmp_path / file.name).write_bytes(file.read_bytes())
    streamed = load_category(tmp_path, SIZE, options=ReadOptions(memory=2 * IMAGE_BYTES))
    assert isinstance(streamed.train, ImageStream)
    damaged = tmp_path / streamed.train_paths[3]
    content = damaged.read_bytes()
    damaged.write_bytes(content[: int(cut * len(content))])
    with pytest.raises(InputError, match=rf"{damaged.name} "):
        load_category(tmp_path, SIZE, options=ReadOptions(memory=2 * IMAGE_BYTES))


def test_validation_does_not_grow_without_end(tmp_path):
    Image.new("L", (2, 2), 9).save(tmp_path / "0000.png")
    content = (tmp_path / "0000.png").read_bytes()
    for i in range(1, MAX_VALIDATION + 20):
        (tmp_path / f"{i:04}.png").write_bytes(content)
    category = load_category(tmp_path, 1, 1, 0.99, options=ReadOptions(memory=4 * MAX_VALIDATION))
    assert len(category.validation) == MAX_VALIDATION and len(category.train) == 20
    assert not set(category.train_paths) & set(category.validation_paths)


@pytest.mark.parametrize("method", ["aesc", "itae"])
def test_a_run_gives_the_same_record_from_disk(stripes, tmp_path, monkeypatch, method):
    """ITAE looks at the training images again when it scores."""
    budget = TrainingSettings(epochs=2, batches=3, batch_size=4, patience=1)
    monkeypatch.setitem(PRESETS, "quick", Preset(64, 0.1, budget))
    config = RunConfig.checked(
        category="stripes", data=str(stripes.parent), model=method, passes=3, device="cpu"
    )
    records = []
    one = 4 * config.channels * 64**2
    held = (2 + 10) * one + 10 * 64**2  # validation and test images, masks
    for memory, kind in ((2**30, torch.Tensor), (held + 3 * one, ImageStream)):
        monkeypatch.setattr("aesc.experiment.run.half_of_memory", lambda _, memory=memory: memory)
        experiment = Experiment(config, tmp_path / kind.__name__, progress=False)
        assert isinstance(experiment.category.train, kind)
        records.append(experiment.run().model_dump(exclude={"duration"}))
    assert records[0] == records[1]


def test_half_of_memory_heeds_the_limits_of_machine_and_card(monkeypatch):
    assert 2**20 < stream.half_of_memory(CPU) < 2**50
    monkeypatch.setattr(stream, "memory_limit", lambda: 1_000_000)
    assert stream.half_of_memory(CPU) == 500_000
    card = SimpleNamespace(total_memory=600_000)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: card)
    assert stream.half_of_memory(torch.device("cuda")) == 300_000
    assert stream.half_of_memory(CPU) == 500_000


def test_workers_get_paths_and_no_pixels(files):
    """Where a system starts workers afresh, the stream is pickled to them."""
    images = ImageStream(files, SIZE, workers=1)
    next(stream.batches_of(images, CPU)([torch.arange(COUNT)]))
    pickled = pickle.dumps(images)
    assert len(pickled) < IMAGE_BYTES
    assert torch.equal(pickle.loads(pickled)[3], images[3])


@pytest.mark.parametrize(
    ("arguments", "word"),
    [({"size": value}, "size") for value in (0, 2.5)]
    + [({"channels": 2}, "channels")]
    + [({"cache_bytes": value}, "cache_bytes") for value in (-1, 1e9)]
    + [({"workers": value}, "workers") for value in (-1, True)]
    + [({"white_level": value}, "white_level") for value in (0, -1, float("nan"), "x")],
)
def test_arguments_out_of_range_are_named(files, arguments, word):
    with pytest.raises(InputError, match=rf"^{word} is .*: give .*\.$"):
        ImageStream(files, **{"size": SIZE, **arguments})

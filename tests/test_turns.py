"""Good images turned and mirrored, and which turns make no difference."""

from pathlib import Path

import numpy as np
import pytest
import torch
from random_images import generator
from torch import Tensor

from aesc.data import ImageStream
from aesc.errors import InputError
from aesc.experiment import METHODS, method_trainer
from aesc.model import AESc
from aesc.plus import SYMMETRIES, Lighting, Turns, free_turns, turns
from aesc.synthetic import embedded
from aesc.training import InTurn, TrainingSettings


def quarter(images: Tensor, times: int) -> Tensor:
    """Turned by quarters, as NumPy has it, counter-clockwise."""
    return torch.from_numpy(np.rot90(images.numpy(), times, (2, 3)).copy())


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("as it is", lambda x: x),
        ("left to right", lambda x: x.flip(3)),
        ("top to bottom", lambda x: x.flip(2)),
        ("half a turn", lambda x: quarter(x, 2)),
        ("transposed", lambda x: x.transpose(2, 3)),
        ("a quarter to the right", lambda x: quarter(x, -1)),
        ("a quarter to the left", lambda x: quarter(x, 1)),
        ("transposed the other way", lambda x: quarter(x.transpose(2, 3), 2)),
    ],
)
def test_every_turn_is_what_its_name_says(name, expected):
    images = torch.rand(3, 2, 8, 8, generator=generator())
    assert torch.equal(Turns((name,))(images, generator()), expected(images))


def test_all_turns_are_drawn_about_as_often_one_for_each_image():
    corner = torch.zeros(800, 1, 4, 4)
    corner[:, :, 0, 1] = 1  # lies elsewhere after every turn
    drawn = Turns(tuple(SYMMETRIES))(corner, generator())
    places, counts = torch.unique(drawn.flatten(1).argmax(1), return_counts=True)
    assert len(places) == len(SYMMETRIES)
    assert counts.min() > 60  # of 100 expected
    some = Turns(("as it is", "half a turn"))(corner, generator())
    assert set(some.flatten(1).argmax(1).tolist()) == {1, 14}


def test_a_seed_gives_the_same_turns_and_images_stay_as_they_were():
    images = torch.rand(4, 1, 16, 16, generator=generator())
    before = images.clone()
    turns = Turns(tuple(SYMMETRIES))
    assert torch.equal(turns(images, generator(1)), turns(images, generator(1)))
    assert not torch.equal(turns(images, generator(1)), turns(images, generator(2)))
    assert torch.equal(images, before)


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: Turns(()), "names"),
        (lambda: Turns(("as it is", "inside out")), "inside out"),
        (lambda: Turns("as it is"), "names"),
        (lambda: Turns(("half a turn",))(torch.rand(1, 8, 8), generator()), "B x C x H x W"),
        (lambda: free_turns(torch.rand(20, 8, 8)), "good"),
    ],
)
def test_bad_input_is_refused(call, named):
    with pytest.raises(InputError, match=named):
        call()


def stripes(count: int = 40, seed: int = 0) -> Tensor:
    """Noise that is smooth along the rows: a texture that runs from left to right."""
    noise = torch.rand(count, 3, 64, 78, generator=generator(seed))
    return torch.nn.functional.avg_pool2d(noise, (1, 15), stride=1)


def test_turns_that_make_no_difference_are_found():
    noise = torch.rand(60, 3, 64, 64, generator=generator())
    assert set(free_turns(noise).names) == set(SYMMETRIES)
    along = {"as it is", "left to right", "top to bottom", "half a turn"}
    assert set(free_turns(stripes()).names) == along
    shaded = stripes() * torch.linspace(0.8, 1, 64).view(-1, 1)  # darker above
    assert set(free_turns(shaded).names) == {"as it is", "left to right"}
    framed = stripes()
    framed[..., :6] = 0  # a border that always lies in the same place
    assert "left to right" not in free_turns(framed).names


def columns(count: int) -> Tensor:
    """Neighbours left and right that cancel: finer than the layout, which sees noise alone."""
    source = generator()
    pairs = 0.4 * torch.rand(count, 1, 64, 32, generator=source).repeat_interleave(2, 3)
    noise = 0.1 * torch.rand(count, 1, 64, 64, generator=source)
    return 0.5 + pairs * (torch.arange(64) % 2 - 0.5) + noise


def test_a_texture_that_is_finer_than_the_layout_shows_which_way_it_runs():
    along = {"as it is", "left to right", "top to bottom", "half a turn"}
    assert set(free_turns(columns(100)).names) == along


def test_images_of_several_sizes_are_asked_and_of_many_only_some():
    square = torch.rand(30, 3, 64, 64, generator=generator())
    assert free_turns(list(square)) == free_turns(square)
    sizes = [torch.rand(3, 60 + n % 20, 90 - n % 20, generator=generator(n)) for n in range(100)]
    along = {"as it is", "left to right", "top to bottom", "half a turn"}
    assert set(free_turns(sizes).names) == along

    asked = set()

    class Many(list):
        def __getitem__(self, index):
            asked.add(index)
            return super().__getitem__(index)

    free_turns(Many(square[n % 30] for n in range(600)))
    assert asked == set(range(0, 600, 3))  # at most 256


def test_only_the_middle_of_a_large_image_is_asked_which_way_it_runs(monkeypatch):
    """A spectrum of all of it would take much memory; the layout is that of the whole."""
    monkeypatch.setattr(turns, "MIDDLE", 32)
    framed = torch.rand(40, 3, 64, 64, generator=generator())
    framed[..., :8] = 0
    assert "left to right" not in free_turns(framed).names
    around = columns(100)
    around[..., 16:48, 16:48] = torch.rand(100, 1, 32, 32, generator=generator())
    assert set(free_turns(around).names) == set(SYMMETRIES)


def test_images_that_are_not_square_are_never_turned_by_a_quarter():
    noise = torch.rand(60, 3, 64, 96, generator=generator())
    found = free_turns(noise)
    assert set(found.names) == {"as it is", "left to right", "top to bottom", "half a turn"}
    assert found(noise, generator()).shape == noise.shape
    with pytest.raises(InputError, match="96 x 64"):
        Turns(("transposed",))(noise, generator())


def test_a_part_that_always_lies_the_same_way_is_not_moved_and_few_images_are_not_asked():
    part = torch.rand(1, 3, 64, 64, generator=generator())
    noise = 0.1 * torch.rand(30, 3, 64, 64, generator=generator(1))
    found = free_turns(part + noise)
    assert found == Turns() == free_turns(torch.rand(5, 3, 64, 64, generator=generator()))
    before = generator().get_state()
    source = generator()
    assert torch.equal(found(part, source), part)
    assert torch.equal(source.get_state(), before), "nothing was drawn"


def test_a_stream_is_asked_as_its_images_are():
    paths = sorted((embedded(64, names=["terrazzo"]) / "terrazzo" / "train").rglob("*.png"))
    stream = ImageStream([Path(path) for path in paths], 64, channels=3)
    images = torch.stack([stream[i] for i in range(len(stream))])
    assert free_turns(stream) == free_turns(images)
    assert len(free_turns(stream).names) > 1


def test_the_method_is_trained_in_these_turns_and_in_changing_light():
    train, method = stripes(), METHODS["aesc_plus"]
    settings = TrainingSettings(epochs=1, batches=1)

    def changes(tile: int = 0) -> list[object]:
        model = AESc(3, generator=generator())
        trainer = method_trainer(method, model, train, train[:2], settings, tile=tile)
        assert isinstance(trainer.augment, InTurn)
        return list(trainer.augment.changes)

    assert changes() == [free_turns(train), Lighting()]
    assert changes()[0] != Turns()
    crop, *others = changes(tile=32)
    assert crop.side == 32
    assert others == changes()

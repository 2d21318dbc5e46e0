"""What a checkpoint takes for the same training: parts of the user's own, and present files."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from small_trainings import SETTINGS, assert_same, trainer, waves, weights

from aesc.errors import InputError
from aesc.experiment import METHODS
from aesc.experiment.losses import LOSSES
from aesc.model import AESc
from aesc.noise import Corruption, Gaussian, Mix, NoCorruption
from aesc.plus import Lighting, Turns
from aesc.tiling import RandomCrop
from aesc.training import Checkpoint, InTurn
from aesc.training.identity import identity_of

SHORT = replace(SETTINGS, epochs=1)


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return waves()


class Darker(Corruption):
    """A corruption as a user writes it: no dataclass."""

    def __init__(self, by: float) -> None:
        self.by = by
        self._calls = 0

    def apply(self, images, generator):
        self._calls += 1
        return images * (1 - self.by), torch.ones_like(images[:, :1], dtype=torch.bool)


def mse_loss(reconstructions, clean, mask):
    """Not the package's, though it has the name of its."""
    return (reconstructions - clean).abs().mean()


def scaled(reconstructions, clean, mask, by=1.0):
    return by * (reconstructions - clean).square().mean()


def brighter(images, generator):
    return (images * 1.1).clamp(0, 1)


def darker(images, generator):
    return images * 0.9


def test_a_corruption_of_ones_own_resumes_and_another_is_refused(images, tmp_path):
    path = tmp_path / "run.checkpoint"
    trainer(images, settings=SHORT, corruption=Darker(0.1), checkpoint=path).run(progress=False)
    resumed = trainer(images, corruption=Darker(0.1), checkpoint=path)
    whole = trainer(images, corruption=Darker(0.1))
    assert resumed.run(progress=False) == whole.run(progress=False)
    assert_same(weights(resumed), weights(whole))
    with pytest.raises(InputError, match=r"corruption is 'Darker\(by=0\.1\)', now .*0\.2"):
        trainer(images, corruption=Darker(0.2), checkpoint=path)


@pytest.mark.parametrize(
    ("first", "then", "named"),
    [
        ({}, {"loss": mse_loss}, r"loss is 'mse_loss', now 'test_identity\.mse_loss'"),
        ({"loss": partial(scaled, by=2)}, {"loss": partial(scaled, by=3)}, "'by': 2"),
        ({"augment": brighter}, {"augment": darker}, "augmentation is 'test_identity.brighter'"),
        ({"augment": InTurn((brighter,))}, {"augment": InTurn((darker,))}, "brighter"),
    ],
)
def test_other_functions_are_other_trainings(images, tmp_path, first, then, named):
    path = tmp_path / "run.checkpoint"
    trainer(images, settings=SHORT, checkpoint=path, **first).run(progress=False)
    assert len(trainer(images, checkpoint=path, **first).history.loss) == 1
    with pytest.raises(InputError, match=named):
        trainer(images, checkpoint=path, **then)


class Weighted:
    """Without a repr of its own."""

    def __call__(self, reconstructions, clean, mask):
        return mse_loss(reconstructions, clean, mask)

    def method(self, reconstructions, clean, mask):
        return mse_loss(reconstructions, clean, mask)


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("loss", lambda reconstructions, clean, mask: (reconstructions - clean).abs().mean()),
        ("loss", partial(lambda *_: torch.zeros(()))),
        ("loss", Weighted()),
        ("loss", Weighted().method),
        ("augment", lambda images, generator: images),
        ("augment", InTurn((Lighting(), lambda images, generator: images))),
    ],
)
def test_what_nothing_tells_apart_is_refused_with_a_checkpoint_alone(images, tmp_path, name, part):
    trainer(images, **{name: part})
    with pytest.raises(InputError, match=rf"^{name} is .*: give a function of a module .*\.$"):
        trainer(images, checkpoint=tmp_path / "run.checkpoint", **{name: part})


def test_other_momentum_is_another_training(images, tmp_path):
    class Slow(AESc):
        def __init__(self, *, momentum, **options):
            super().__init__(momentum=momentum / 10, **options)

    Slow.__name__ = "AESc"
    path = tmp_path / "run.checkpoint"
    trainer(images, settings=SHORT, checkpoint=path).run(progress=False)
    with pytest.raises(InputError, match=r"momentum is \['0\.1'\], now \['0\.01'\]"):
        trainer(images, kind=Slow, checkpoint=path)


def test_a_checkpoint_from_before_the_momentum_was_noted_is_resumed(images, tmp_path):
    path = tmp_path / "run.checkpoint"
    trainer(images, settings=SHORT, checkpoint=path).run(progress=False)
    found = Checkpoint.load(path)
    del found.identity["momentum"]
    found.save(path)
    assert len(trainer(images, checkpoint=path).history.loss) == 1


def test_the_parts_of_the_package_are_called_as_in_the_checkpoints_that_are_there():
    """The expressions of version 0.2, spelled out; other texts would end running trainings."""
    for loss in LOSSES.values():
        assert identity_of("loss", loss) == loss.__name__
    assert [identity_of("loss", loss) for loss in LOSSES.values()] == [
        "mse_loss",
        "l1_loss",
        "ssim_loss",
        "repair_and_mark_loss",
    ]
    corruptions = {make for method in METHODS.values() for make in method.corruptions.values()}
    augments = [None, Lighting(), Turns(), InTurn((RandomCrop(4), Turns())), InTurn((Lighting(),))]
    for part in (*(make() for make in corruptions), *augments, InTurn(())):
        assert identity_of("part", part) == repr(part)
    assert repr(Gaussian(0.2)) == "Gaussian(sigma=0.2)"


def test_a_mixture_of_a_list_is_that_of_the_tuple():
    parts = [NoCorruption(), Gaussian()]
    assert Mix(parts, [0.5, 0.5]) == Mix(tuple(parts), (0.5, 0.5))
    assert hash(Mix(parts, [0.5, 0.5])) == hash(Mix(tuple(parts), (0.5, 0.5)))

"""AESc+: similarity of edges, changing light, the three networks and what they are trained for."""

import numpy as np
import pytest
import torch
from random_images import generator
from scipy.ndimage import convolve, gaussian_filter
from torch.nn import functional

from aesc.baselines import ssim_loss, ssim_map
from aesc.errors import InputError, TrainingError
from aesc.experiment import LOSSES, METHODS, RunConfig, ScoringOptions
from aesc.model import AESc
from aesc.noise import Rich
from aesc.plus import (
    AEScPlus,
    Lighting,
    defect_map,
    focal_loss,
    gms_loss,
    gms_map,
    gradient_magnitude,
    repair_and_mark_loss,
)
from aesc.scoring import image_scores
from aesc.training import Trainer, TrainingSettings
from aesc.training.held_out import HeldOut

PREWITT = np.array([[-1, 0, 1]] * 3) / 3


def images(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=generator(seed))


def slow_magnitude(plane: np.ndarray) -> np.ndarray:
    """One plane, by scipy's convolution."""
    right, down = (convolve(plane, kernel, mode="nearest") for kernel in (PREWITT, PREWITT.T))
    return np.sqrt(right**2 + down**2)


def test_gradient_magnitude_is_that_of_a_slow_convolution():
    batch = images(2, 3, 20, 17)
    expected = np.array([[slow_magnitude(plane) for plane in image] for image in batch.numpy()])
    assert np.allclose(gradient_magnitude(batch), expected, atol=1e-5)


def test_similarity_of_one_scale_follows_the_formula():
    first, second = images(2, 3, 20, 17), images(2, 3, 20, 17, seed=1)
    expected = np.zeros((2, 20, 17))
    for i, (a, b) in enumerate(zip(first.numpy(), second.numpy(), strict=True)):
        for one, other in zip(a, b, strict=True):
            g, h = slow_magnitude(one), slow_magnitude(other)
            expected[i] += (2 * g * h + 0.0026) / (g**2 + h**2 + 0.0026) / 3
    assert np.allclose(gms_map(first, second, scales=1), expected, atol=1e-5)


def test_similarity_at_several_scales():
    first, second = images(1, 1, 32, 24), images(1, 1, 32, 24, seed=1)
    assert torch.allclose(gms_map(first, first), torch.ones(1, 32, 24), atol=1e-5)
    half = gms_map(functional.avg_pool2d(first, 2), functional.avg_pool2d(second, 2), scales=1)
    half = functional.interpolate(half.unsqueeze(1), (32, 24), mode="bilinear")[:, 0]
    expected = (gms_map(first, second, scales=1) + half) / 2
    assert torch.allclose(gms_map(first, second, scales=2), expected, atol=1e-6)
    # The contrast of an edge does not matter once it is far above C; its absence does.
    step = (torch.arange(24) > 11).float().expand(1, 1, 32, 24)
    kept, gone = gms_map(step, 0.8 * step), gms_map(step, torch.zeros_like(step))
    assert kept[0, 16, 11] > 0.95 and gone[0, 16, 11] < 0.2


def test_similarity_has_finite_gradients_where_images_are_flat():
    flat = torch.full((1, 1, 16, 16), 0.5, requires_grad=True)
    gms_loss(flat, images(1, 1, 16, 16)).backward()
    assert torch.isfinite(flat.grad).all()


def loss_of(outputs: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return repair_and_mark_loss(outputs, images(2, 3, 64, 64), mask)


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: gms_map(images(1, 1, 8, 8), images(1, 1, 8, 9)), "second"),
        (lambda: gms_map(images(1, 1, 3, 8), images(1, 1, 3, 8)), "at least 4"),
        (lambda: gms_map(images(1, 1, 8, 8), images(1, 1, 8, 8), scales=0), "scales"),
        (lambda: Lighting(gain=(1.2, 0.8)), "gain"),
        (lambda: Lighting(gamma=(0.0, 1.0)), "gamma"),
        (lambda: Lighting(uneven=2.0), "uneven"),
        (lambda: Lighting()(images(1, 8, 8), generator()), "B x C x H x W"),
        (lambda: Lighting()(images(1, 1, 8, 8).int(), generator()), "255"),
        (lambda: focal_loss(images(1, 1, 8, 8), images(1, 1, 8, 9) > 0), "mask"),
        (lambda: focal_loss(images(1, 1, 8, 8), images(1, 1, 8, 8)), "booleans"),
        (lambda: defect_map(images(1, 8, 8), images(1, 8, 8)), "unlike"),
        (lambda: defect_map(images(1, 2, 8, 8), images(1, 2, 8, 8)), "unlike"),
        (lambda: defect_map(images(1, 1, 8, 8), images(1, 1, 8, 9)), "marked"),
        (lambda: loss_of(images(2, 7, 64, 64), images(2, 1, 64, 64) > 0), "outputs"),
        (lambda: loss_of(images(2, 8, 64, 64), images(2, 3, 64, 64) > 0), "mask"),
        (lambda: repair_and_mark_loss(*[images(2, 8, 64)] * 3), "clean"),
        (lambda: defect_map(images(1, 1, 8, 8), images(1, 1, 8, 8).int()), "marked"),
        (lambda: AEScPlus(channels=0), "channels"),
        (lambda: AEScPlus(channels=3)(images(1, 1, 64, 64)), "3"),
        (lambda: AEScPlus(channels=3)(images(1, 3, 63, 64)), "64"),
    ],
)
def test_bad_input_is_refused(call, named):
    with pytest.raises(InputError, match=named):
        call()


def test_light_is_gain_gamma_and_a_smooth_field():
    grey = torch.full((500, 1, 32, 32), 0.5)
    for lit, low, high in [
        (Lighting(gamma=(1, 1), uneven=0.0), 0.4, 0.6),
        (Lighting(gain=(1, 1), uneven=0.0), 0.5**1.25, 0.5**0.8),
    ]:
        values = lit(grey, generator())
        assert torch.equal(values.amin((1, 2, 3)), values.amax((1, 2, 3)))  # the same everywhere
        assert low <= values.min() < low + 0.01 and high - 0.01 < values.max() <= high
    uneven = Lighting(gain=(1, 1), gamma=(1, 1), uneven=0.15)(grey, generator())
    assert uneven.std((2, 3)).mean() > 0.01
    assert (uneven.diff(dim=3).abs().max()) < 0.02  # smooth
    assert 0.14 < (uneven / 0.5 - 1).abs().max() <= 0.15 + 1e-6  # between its values as well
    assert Lighting()(torch.ones(4, 3, 16, 16), generator()).max() <= 1


def test_focal_loss_is_weighted_cross_entropy():
    probability, mask = images(2, 1, 8, 8), images(2, 1, 8, 8, seed=1) > 0.7
    cross = functional.binary_cross_entropy(probability, mask.float(), reduction="none")
    expected = ((1 - torch.exp(-cross)) ** 2 * cross).mean()
    assert torch.isclose(focal_loss(probability, mask), expected, atol=1e-6)
    certain = focal_loss(torch.tensor([0.0, 1.0]), torch.tensor([True, False]))
    assert torch.isfinite(certain) and certain > 10


def test_no_gradient_flows_from_the_mask_into_what_is_judged():
    model = AEScPlus(generator=generator()).train()
    outputs = model(images(2, 3, 64, 64))
    focal_loss(outputs[:, -1:], torch.ones(2, 1, 64, 64, dtype=torch.bool)).backward()
    for network in (model.repair, model.redraw):
        assert not any(p.grad.any() for p in network.parameters() if p.grad is not None)
    assert all(p.grad.any() for p in model.judge.head.parameters())


def test_each_network_is_trained_by_its_own_terms():
    clean, mask = images(2, 3, 64, 64), images(2, 1, 64, 64, seed=1) > 0.5
    outputs = images(2, 8, 64, 64, seed=2)
    repaired, redrawn, _, marked = outputs.split([3, 3, 1, 1], 1)
    expected = (
        (repaired - clean).square().mean()
        + 0.05 * gms_loss(repaired, clean)
        + ssim_loss(redrawn, clean)
        + focal_loss(marked, mask)
    )
    assert torch.isclose(repair_and_mark_loss(outputs, clean, mask), expected)


@pytest.mark.parametrize("trusted", [0.0, 1.0])
def test_judge_sees_images_both_versions_and_how_they_differ(trusted):
    model, image = AEScPlus(generator=generator()).eval(), images(2, 3, 64, 64)
    model.trusted.fill_(trusted)
    shown = []
    model.judge.register_forward_pre_hook(lambda _, given: shown.append(given[0]))
    with torch.inference_mode():
        repaired, redrawn, unlike, _ = model(image).split([3, 3, 1, 1], 1)
    assert torch.allclose(unlike[:, 0], trusted * (1 - ssim_map(image, redrawn)) / 2)
    parts = shown[0].split([3, 3, 3, 1, 3, 3, 1, 1], 1)
    assert torch.equal(parts[0], image) and torch.equal(parts[1], repaired)
    assert torch.equal(parts[2], (image - repaired).abs())
    assert torch.equal(parts[3][:, 0], 1 - gms_map(image, repaired))
    assert torch.equal(parts[4], trusted * redrawn)
    assert torch.equal(parts[5], trusted * (image - redrawn).abs())
    assert torch.equal(parts[6][:, 0], trusted * (1 - gms_map(image, redrawn)))
    assert torch.equal(parts[7], unlike)


@pytest.mark.parametrize("told", [True, False])
def test_redrawing_is_trusted_where_it_tells_what_is_corrupted(told):
    model, mask = AEScPlus(1, generator=generator()).eval(), torch.zeros(4, 1, 64, 64) > 0
    mask[:, :, 20:40, 20:40] = True
    # An untrained network redraws every image nearly grey.
    corrupted = torch.where(mask == told, images(4, 1, 64, 64), 0.5)
    for before in (0, 1):
        model.trusted.fill_(before)
        model.look(corrupted, mask)
        assert model.trusted == told


@pytest.mark.parametrize("everywhere", [False, True])
def test_redrawing_is_not_trusted_where_nothing_can_be_told(everywhere):
    model, held_out = AEScPlus(1, generator=generator()).eval(), images(2, 1, 64, 64)
    model.trusted.fill_(1)
    model.look(held_out, torch.full((2, 1, 64, 64), everywhere))
    assert model.trusted == 0


@pytest.mark.parametrize("trusted", [0.0, 1.0])
def test_judge_is_trained_with_and_without_what_was_redrawn(trusted):
    model = AEScPlus(1, generator=generator())
    model.trusted.fill_(trusted)
    assert model.eval().shown(6).flatten().tolist() == [trusted] * 6
    other = 1 - trusted
    expected = [trusted, trusted, trusted, other, trusted, trusted]
    assert model.train().shown(6).flatten().tolist() == expected
    assert model.shown(3).flatten().tolist() == [trusted] * 3, "most as it will be asked"


def test_trainer_shows_the_corrupted_validation_images_to_a_network_that_looks(monkeypatch):
    model, shown = AEScPlus(1, generator=generator()), []
    monkeypatch.setattr(AEScPlus, "look", lambda self, *given: shown.append(given))
    settings = TrainingSettings(epochs=2, batches=1, batch_size=2, decay="cosine")
    loss = LOSSES["repair_and_mark"]
    train = images(6, 1, 64, 64)
    trainer = Trainer(model, train[:4], train[4:], Rich(), settings, loss=loss)
    trainer.run(progress=False)
    assert len(shown) == 2
    for corrupted, mask in shown:
        assert corrupted is trainer.held_out.corrupted
        assert torch.equal(mask, (corrupted != trainer.held_out.clean).any(1, keepdim=True))
    assert torch.equal(trainer.held_out.clean, train[4:].repeat(8, 1, 1, 1))


@pytest.mark.parametrize("count", [1, 3, 16, 20])
def test_of_few_held_out_images_there_is_always_a_corrupted_one(count):
    """A single draw of `Rich` leaves one image in ten as it is, and then nothing can be told."""
    model = AEScPlus(1, generator=generator())
    for seed in range(20):
        held_out = HeldOut(model, images(count, 1, 32, 32), Rich(), generator(seed))
        assert held_out.mask.any() and not held_out.mask.all()
        assert len(held_out.corrupted) % count == 0 and len(held_out.corrupted) < 2 * max(count, 16)


@pytest.mark.parametrize("failing", ["repair", "redraw", "judge"])
def test_a_network_that_diverges_is_told_of_and_its_best_weights_are_kept(failing):
    """In each of its three parts; what is no number is never looked at."""
    train = images(6, 1, 64, 64)
    settings = TrainingSettings(epochs=3, batches=1, batch_size=2, decay="cosine")
    loss = LOSSES["repair_and_mark"]
    trainer = Trainer(AEScPlus(1), train[:4], train[4:], Rich(), settings, loss=loss)
    step, kept = trainer.step, []

    def diverging(clean):
        found = step(clean)
        if len(trainer.history.loss) == 1:
            kept.append({name: value.clone() for name, value in trainer.best.items()})
            getattr(trainer.model, failing).head.weight.data.fill_(torch.nan)
        return found

    trainer.step = diverging
    with pytest.raises(TrainingError, match="after 1 good epoch:"):
        trainer.run(progress=False)
    for name, value in trainer.model.state_dict().items():
        assert torch.equal(value, kept[0][name]), name


def test_a_mistaken_judge_still_learns_in_bfloat16():
    """As on a card: a sigmoid in bfloat16 gives 1 from 6.3 on, where its slope is 0."""
    model = AESc(1, depth=1, width=2, outputs=1, generator=generator()).train()
    with torch.no_grad():
        for weights in model.head.parameters():
            weights.fill_(0)
        model.head.bias.fill_(8)
    with torch.autocast("cpu", torch.bfloat16):
        marked = model(images(1, 1, 16, 16))
    assert marked.dtype == torch.float32
    focal_loss(marked, torch.zeros(1, 1, 16, 16) > 0).backward()
    # Of -log(1 - p) p**2 by the input of the sigmoid: p**2 (p + 2 (1 - p) 8), nearly 1.
    assert 0.9 < model.head.bias.grad.item() < 1.1


@pytest.mark.parametrize("trusted", [0.0, 1.0])
def test_prepared_network_gives_the_same(trusted):
    model = AEScPlus(generator=generator()).train()
    for seed in range(3):  # statistics of the batch norms that are not their initial ones
        model(images(4, 3, 64, 64, seed=seed))
    model.eval().trusted.fill_(trusted)
    batch = images(2, 3, 64, 96, seed=9)
    with torch.inference_mode():
        expected, found = model(batch), model.for_inference()(batch)
        expected[:, 3:6] *= trusted  # what is not trusted is not made
    assert torch.allclose(expected, found, atol=1e-5)


def test_a_redrawing_that_is_not_trusted_cannot_spoil_what_is_marked():
    model = AEScPlus(generator=generator()).eval()
    batch = images(2, 3, 64, 64, seed=9)
    with torch.inference_mode():
        expected = model(batch)
        model.redraw.head.weight.fill_(torch.nan)
        found = model(batch)
    assert expected.isfinite().all() and found[:, 3:6].isnan().any()
    assert torch.equal(found[:, 6:], expected[:, 6:])
    assert torch.equal(found[:, :3], expected[:, :3])


def test_defect_map_is_the_blurred_sum_of_both():
    marked, unlike = images(3, 1, 128, 160), images(3, 1, 128, 160, seed=1)
    both = (marked + 0.25 * unlike)[:, 0].numpy()
    expected = gaussian_filter(both, (0, 2, 2), mode="nearest", radius=(0, 6, 6))
    assert np.allclose(defect_map(unlike, marked), expected, atol=1e-5)


def test_top_score_is_how_far_the_highest_values_lie_above_the_median():
    maps = images(4, 64, 64)
    highest = np.sort(maps.numpy().reshape(4, -1), axis=1)[:, -20:]  # 0.5 % of 4096
    middle = np.sort(maps.numpy().reshape(4, -1), axis=1)[:, 2047]  # the lower of the two
    assert np.allclose(image_scores(maps, "top"), highest.mean(1) - middle, atol=1e-6)
    assert np.allclose(image_scores(maps, "top"), image_scores(maps + 0.3, "top"), atol=1e-6)
    tiny = images(2, 4, 4)
    flat = tiny.flatten(1)
    assert np.allclose(image_scores(tiny, "top"), flat.amax(1) - flat.median(1).values)


@pytest.fixture(scope="module")
def trained() -> tuple[AEScPlus, torch.Tensor]:
    """A few steps on smooth images."""
    train = functional.interpolate(images(32, 3, 4, 4), 64, mode="bicubic").clamp(0, 1)
    model = AEScPlus(generator=generator())
    settings = TrainingSettings(
        epochs=4, batches=10, batch_size=8, learning_rate=2e-3, decay="cosine"
    )
    trainer = Trainer(
        model,
        train[:28],
        train[28:],
        Rich(),
        settings,
        loss=LOSSES["repair_and_mark"],
        augment=Lighting(),
    )
    history = trainer.run(progress=False)
    assert history.keep_last and history.best_epoch == 3
    assert history.loss[-1] < history.loss[0]
    rates = history.learning_rate
    expected = [2e-3 * (1 + np.cos(np.pi * (10 * e + 9) / 40)) / 2 for e in range(4)]
    assert np.allclose(rates, expected)
    return model, train


def test_method_gives_the_residual_and_the_defect_map(trained):
    model, train = trained
    method, options = METHODS["aesc_plus"], ScoringOptions(2, 0, torch.device("cpu"))
    maps = method.maps(model, train[:5], train, options)
    with torch.inference_mode():
        outputs = model.eval()(train[:5])
    assert torch.allclose(maps.reconstructions, outputs[:, :3], atol=1e-5)
    assert torch.allclose(
        maps.maps["residual"], (outputs[:, :3] - train[:5]).abs().mean(1), atol=1e-5
    )
    both = outputs[:, 6:].split(1, 1)
    assert torch.allclose(maps.maps["defect"], defect_map(*both), atol=1e-5)
    assert set(maps.maps) == {"residual", "defect"} and method.kind == "defect"


def test_cosine_training_resumes_and_keeps_to_its_length(tmp_path, monkeypatch):
    train = images(12, 1, 64, 64)
    # Counts the epochs: an untrained network trusts nothing, and zeros need not be restored.
    monkeypatch.setattr(AEScPlus, "look", lambda self, *_: self.trusted.add_(1))

    def trainer(epochs: int, name: str = "a") -> Trainer:
        settings = TrainingSettings(epochs=epochs, batches=2, batch_size=4, decay="cosine")
        return Trainer(
            AEScPlus(1, generator=generator()),
            train[:8],
            train[8:],
            Rich(),
            settings,
            loss=LOSSES["repair_and_mark"],
            augment=Lighting(),
            checkpoint=tmp_path / name,
        )

    whole = trainer(3)
    whole.run(progress=False)
    assert whole.model.state_dict()["trusted"] == 3

    class Stopped(Exception):
        pass

    stopped = trainer(3, "b")
    record = stopped._record

    def once(*arguments):
        record(*arguments)
        if len(stopped.history.loss) == 2:
            raise Stopped

    stopped._record = once
    with pytest.raises(Stopped):
        stopped.run(progress=False)
    resumed = trainer(3, "b")
    assert resumed.model.trusted == 2
    resumed.run(progress=False)
    for one, other in zip(
        whole.model.state_dict().values(), resumed.model.state_dict().values(), strict=True
    ):
        assert torch.equal(one, other)
    with pytest.raises(InputError, match="settings"):
        trainer(4, "b")


def test_configuration_takes_colour_rich_corruption_and_cosine():
    config = RunConfig.checked(category="washer", model="aesc_plus", preset="standard")
    assert (config.corruption, config.channels) == ("rich", 3)
    assert config.training_settings().decay == "cosine"
    plain = RunConfig.checked(category="washer", corruption="rich")
    assert plain.training_settings().decay == "plateau"

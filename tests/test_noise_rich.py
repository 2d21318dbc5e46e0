"""The rich corruption: its shapes, its fillings, and what it leaves alone."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from random_images import generator
from scipy.ndimage import label
from torch.nn.functional import max_pool2d

from aesc.errors import InputError
from aesc.noise import Rich, base, fillings, rich, select, shapes

MANY = 200


def canvas(side: int = 96) -> torch.Tensor:
    return torch.zeros(1).expand(MANY, 1, side, side)


@pytest.fixture(scope="module")
def stripes() -> torch.Tensor:
    """Good images with structure: stripes of random phase and direction, in colour."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:64, :64]
    images = []
    for _ in range(64):
        angle, phase = rng.uniform(0, np.pi), rng.uniform(0, 6)
        wave = np.sin((x * np.cos(angle) + y * np.sin(angle)) / 4 + phase)
        images.append(0.5 + 0.2 * wave * np.array([1.0, 0.8, 0.6])[:, None, None])
    return torch.tensor(np.stack(images), dtype=torch.float32)


@settings(max_examples=40, deadline=None)
@given(
    batch=st.integers(1, 4),
    channels=st.integers(1, 4),
    height=st.integers(16, 70),
    width=st.integers(16, 70),
    seed=st.integers(0, 2**31),
)
def test_touches_only_the_mask_and_stays_in_range(batch, channels, height, width, seed):
    images = torch.rand(batch, channels, height, width, generator=generator(seed))
    before = images.clone()
    corrupted, mask = Rich()(images, generator(seed))
    assert torch.equal(images, before)
    assert corrupted.shape == images.shape and corrupted.dtype == images.dtype
    assert mask.shape == (batch, 1, height, width) and mask.dtype == torch.bool
    outside = ~mask.expand_as(images)
    assert torch.equal(corrupted[outside], images[outside])
    assert corrupted.min() >= 0 and corrupted.max() <= 1
    assert torch.equal(corrupted, Rich()(images, generator(seed))[0])


def test_doubles_empty_batches_and_every_share_of_clean_images():
    corrupted, _ = Rich()(torch.rand(2, 1, 32, 32, dtype=torch.float64), generator())
    assert corrupted.dtype == torch.float64
    corrupted, mask = Rich()(torch.zeros(0, 3, 32, 32), generator())
    assert corrupted.shape == (0, 3, 32, 32) and mask.shape == (0, 1, 32, 32)
    images = torch.rand(16, 3, 32, 32, generator=generator())
    corrupted, mask = Rich(clean=1.0)(images, generator())
    assert torch.equal(corrupted, images) and not mask.any()


def test_most_images_are_visibly_corrupted_and_the_share_of_clean_ones_is_kept(stripes):
    masks = torch.cat([Rich(clean=0.0)(stripes, generator(seed))[1] for seed in range(8)])
    assert masks.flatten(1).any(1).float().mean() > 0.8
    half = torch.cat([Rich(clean=0.5)(stripes, generator(seed))[1] for seed in range(8)])
    ratio = half.flatten(1).any(1).float().mean() / masks.flatten(1).any(1).float().mean()
    assert 0.4 < ratio < 0.6  # a binomial share of 512 images: 0.5 give or take 0.04
    area = masks.flatten(1).float().mean(1)
    assert area.quantile(0.9) > 0.1 and area[area > 0].quantile(0.1) < 0.01  # large and small


def test_what_is_marked_has_changed_and_what_could_be_seen_is_marked(stripes):
    corrupted, mask = Rich(clean=0.0)(stripes, generator(3))
    changed = (corrupted - stripes).abs().amax(1, keepdim=True)
    assert changed[~mask].max() == 0
    # Nearly all of the mask has changed: it reaches two pixels from what could be seen.
    assert (changed[mask] > 1 / 255).float().mean() > 0.8


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_nothing_is_marked_far_from_what_could_be_seen(value):
    """A filling darker than black, or brighter than white, changes nothing there."""
    images = torch.full((32, 3, 64, 64), value)
    for seed in range(8):
        corrupted, mask = Rich()(images, generator(seed))
        change = (corrupted - images).abs().amax(1, keepdim=True)
        near = max_pool2d(change, 5, stride=1, padding=2)
        assert near[mask].min() > rich.VISIBLE - 1e-6


@pytest.fixture
def opacities(monkeypatch):
    """How much of a white filling is seen in black images, by image."""
    monkeypatch.setattr(rich, "FILLINGS", (lambda images, *_: torch.ones_like(images),))

    def call(**parameters) -> list[np.ndarray]:
        black = torch.zeros(MANY, 1, 64, 64)
        corrupted, mask = Rich(clean=0.0, **parameters)(black, generator())
        parts = [image[seen].numpy() for image, seen in zip(corrupted, mask, strict=True)]
        return [part for part in parts if len(part)]  # fine noise may miss every pixel

    return call


def test_a_share_of_the_images_has_soft_borders(opacities):
    for share in (0.0, 0.3, 1.0):
        shades = [len(np.unique(image.round(4))) for image in opacities(soft=share)]
        soft = np.mean([number > 1 for number in shades])  # with a hard one there is one opacity
        assert abs(soft - share) < 0.12


def test_opacity_is_drawn_for_each_image_from_the_range(opacities):
    strongest = np.array([image.max() for image in opacities(soft=0.0, opacity=(0.3, 0.9))])
    assert strongest.min() >= 0.3 and strongest.max() <= 0.9
    assert strongest.min() < 0.35 and strongest.max() > 0.85 and 0.55 < strongest.mean() < 0.65


@pytest.mark.parametrize("parts", ["SHAPES", "FILLINGS"])
def test_all_kinds_are_drawn_about_as_often(parts, monkeypatch, stripes):
    drawn = dict.fromkeys(getattr(rich, parts), 0)

    def counting(part):
        def draw(images, *others):
            drawn[part] += len(images)
            return part(images, *others)

        return draw

    monkeypatch.setattr(rich, parts, tuple(map(counting, drawn)))
    for seed in range(20):
        Rich()(stripes, generator(seed))
    shares = np.array([*drawn.values()]) / sum(drawn.values())
    assert np.allclose(shares, 1 / len(drawn), atol=0.04)  # of 1280 images or more


@pytest.mark.parametrize("most", [1, 3])
def test_number_of_shapes_is_drawn_from_one_to_the_most(most, monkeypatch):
    """Shapes that have a row each can be counted."""
    rows = iter(range(most * MANY))

    def row(canvas, *_):
        drawn = torch.zeros(len(canvas), *canvas.shape[2:])
        for one in drawn:
            one[next(rows) % most] = 1
        return drawn

    monkeypatch.setattr(rich, "SHAPES", (row,))
    monkeypatch.setattr(rich, "FILLINGS", (lambda images, *_: torch.ones_like(images),))
    corrupted, _ = Rich(shapes=most, soft=0.0, clean=0.0)(torch.zeros(MANY, 1, 16, 16), generator())
    numbers, counts = (corrupted[:, 0, :, 0] > 0).sum(1).unique(return_counts=True)
    assert numbers.tolist() == list(range(1, most + 1))
    assert counts.min() > 0.7 * MANY / most


def test_small_shapes_are_as_frequent_as_large_ones_on_a_logarithmic_scale(monkeypatch):
    radii = []

    def recorded(canvas, radius, _):
        radii.append(radius)
        return canvas.new_zeros(len(canvas), *canvas.shape[2:])

    monkeypatch.setattr(rich, "SHAPES", (recorded,))
    Rich(shapes=1, size=(0.02, 0.32))(torch.rand(1000, 1, 100, 120), generator())
    parts = torch.log2(radii[0] / 100 / 0.02).floor().unique(return_counts=True)
    assert parts[0].tolist() == [0, 1, 2, 3]  # from 2 to 4, 8, 16 and 32 pixels
    assert parts[1].min() > 200  # of 250 expected


def test_pieces_are_of_another_image(monkeypatch, stripes):
    given = []
    monkeypatch.setattr(rich, "FILLINGS", (lambda *parts: given.append(parts) or parts[1],))
    Rich()(stripes, generator())
    images, others, _ = given[0]
    assert not (images == others).flatten(1).all(1).any()
    assert not (others == images.roll(1, 0)).all(), "nor always of the next"
    assert {one.numpy().tobytes() for one in others} == {one.numpy().tobytes() for one in stripes}


@pytest.mark.parametrize("kind", [torch.float32, torch.float16, torch.bfloat16])
def test_whole_numbers_lie_below_their_end_for_images_of_any_precision(kind):
    """As uniform draws in half precision, one of some hundred would be the end itself."""
    drawn = base.below(40_000, 4, generator(), torch.zeros((), dtype=kind))
    numbers, counts = drawn.unique(return_counts=True)
    assert drawn.dtype == torch.int64 and numbers.tolist() == [0, 1, 2, 3]
    assert np.allclose(counts / 40_000, 0.25, atol=0.01)


@pytest.mark.parametrize("draw", shapes.SHAPES, ids=lambda draw: draw.__name__)
def test_shapes_grow_with_their_radius(draw):
    areas = []
    for radius in (3.0, 12.0, 30.0):
        drawn = draw(canvas(), torch.full((MANY,), radius), generator(1))
        assert drawn.shape == (MANY, 96, 96) and set(drawn.unique().tolist()) <= {0.0, 1.0}
        areas.append(drawn.flatten(1).sum(1).mean().item())
    assert areas[0] < areas[1] < areas[2]


def test_blots_and_strokes_are_in_one_piece_and_specks_in_many():
    radius = torch.full((MANY,), 15.0)

    def pieces(draw):
        drawn = draw(canvas(), radius, generator(2)).numpy()
        return np.array([label(one, np.ones((3, 3)))[1] for one in drawn])

    assert np.mean(pieces(shapes.blots) == 1) > 0.8  # thin necks may be cut by the raster
    assert np.mean(pieces(shapes.strokes) == 1) > 0.9
    assert np.median(pieces(shapes.specks)) >= 4


def test_strokes_are_long_and_thin():
    drawn = shapes.strokes(canvas(), torch.full((MANY,), 30.0), generator(4)).numpy()
    lengths, areas = [], []
    for one in drawn:
        y, x = np.nonzero(one)
        if len(y) and min(y.min(), x.min()) > 0 and max(y.max(), x.max()) < 95:  # not cut off
            lengths.append(np.hypot(np.ptp(y), np.ptp(x)))
            areas.append(one.sum())
    assert len(lengths) > 30
    assert np.median(lengths) > 20 and np.median(np.array(areas) / lengths) < 6


@pytest.mark.parametrize("fill", fillings.FILLINGS, ids=lambda fill: fill.__name__)
def test_fillings_differ_from_the_image_and_from_image_to_image(fill, stripes):
    filled = fill(stripes, stripes.flip(0), generator(5))
    assert filled.shape == stripes.shape and torch.isfinite(filled).all()
    assert ((filled - stripes).abs().mean((1, 2, 3)) > 0.01).all()
    assert len({one.numpy().tobytes() for one in filled}) == len(stripes)


def test_texture_keeps_the_shading_and_deformation_the_values(stripes):
    light = torch.linspace(0.3, 1.0, 64).view(1, 1, 1, 64) * stripes
    filled = fillings.texture(light, stripes.flip(0), generator(6))
    assert (fillings.shading(filled) - fillings.shading(light)).abs().mean() < 0.02
    bent = fillings.deformed(light, light, generator(6))
    assert bent.min() >= light.min() - 1e-5 and bent.max() <= light.max() + 1e-5


def test_other_devices_draw_as_the_cpu_does_where_every_image_draws_for_itself(monkeypatch):
    """Selected per image or computed per image: each part sees the images that drew it."""
    kind = torch.tensor([2, 0, 1, 2])
    parts = [lambda chosen, n=n: chosen.float().view(-1, 1) * 10 + n for n in range(3)]
    here = select.per_image(kind, parts)
    monkeypatch.setattr(select, "on_host", lambda _: False)
    assert torch.equal(here, select.per_image(kind, parts))
    assert here.flatten().tolist() == [2, 10, 21, 32]


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"shapes": 0}, "shapes"),
        ({"shapes": True}, "shapes"),
        ({"size": (0.5, 0.1)}, "size"),
        ({"opacity": (-0.1, 1.0)}, "opacity"),
        ({"soft": 1.1}, "soft"),
        ({"clean": float("nan")}, "clean"),
    ],
)
def test_absurd_parameters_are_refused(parameters, named):
    with pytest.raises(InputError, match=named):
        Rich(**parameters)

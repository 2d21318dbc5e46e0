"""What a corruption refuses, in one sentence that names the value, and what counts as a number."""

import math
import re

import numpy as np
import pytest
import torch
from random_images import generator, noise

from aesc.errors import InputError
from aesc.noise import (
    Drops,
    Gaussian,
    Mix,
    Scratch,
    Stain,
    closed_curve,
    corruption,
    ellipse_points,
    fill,
)


@pytest.mark.parametrize(
    "build",
    [
        lambda: Stain(semi_axis=(0.2, 0.1)),
        lambda: Stain(semi_axis=(-0.1, 0.1)),
        lambda: Stain(points=2),
        lambda: Stain(points=20.5),
        lambda: Stain(points=True),
        lambda: Stain(points="20"),
        lambda: Stain(points=math.nan),
        lambda: Stain(grain=True),
        lambda: Stain(border=None),
        lambda: Stain(semi_axis=0.1),
        lambda: Stain(semi_axis=(0.1,)),
        lambda: Stain(irregularity=(False, True)),
        lambda: Stain(grey=(0.0, 1.5)),
        lambda: Stain(border=-1),
        lambda: Gaussian(0),
        lambda: Gaussian(math.nan),
        lambda: Scratch(thickness=0),
        lambda: Drops(number=0),
        lambda: Drops(number=2.5),
        lambda: Drops(radius=("1", "2")),
        lambda: Scratch(length=(0.1, math.inf)),
        lambda: Gaussian("0.1"),
        lambda: Gaussian(torch.tensor(0.1)),
        lambda: Mix((), ()),
        lambda: Mix((Stain,), (1.0,)),
        lambda: Mix((Stain(),), (True,)),
        lambda: Mix((Stain(), Drops()), ("0.5", 0.5)),
        lambda: Mix((Stain(),), (0.5, 0.5)),
        lambda: Mix((Stain(), Drops()), (0.5, 0.6)),
        lambda: corruption("coffee"),
        lambda: corruption(None),
        lambda: ellipse_points(torch.ones(1, 2), torch.zeros(1), 2.5),
        lambda: closed_curve(torch.zeros(1, 2, 2)),
        lambda: closed_curve(torch.zeros(1, 20, 2), samples=True),
        lambda: fill(torch.zeros(1, 3, 2), 0, 5),
        lambda: fill(torch.zeros(1, 3, 2), 5, 5.0),
        lambda: Stain()(np.zeros((1, 1, 32, 32)), generator()),
        lambda: Stain()(torch.zeros(1, 32, 32), generator()),
        lambda: Stain()(torch.zeros(1, 1, 32, 32, dtype=torch.uint8), generator()),
        lambda: Stain()(torch.zeros(1, 1, 15, 32), generator()),
    ],
)
def test_bad_parameters_are_refused_in_one_sentence(build):
    with pytest.raises(InputError) as caught:
        build()
    assert re.fullmatch(r"[^\n:]+ (is|holds) [^\n]+: [^\n;]+\.", str(caught.value))


@pytest.mark.parametrize(
    ("ours", "numpy"),
    [
        (Stain(points=12, border=0.5), Stain(points=np.int64(12), border=np.float32(0.5))),
        (Drops(number=3), Drops(number=np.int16(3))),
        (Gaussian(1), Gaussian(np.float64(1.0))),
    ],
)
def test_numbers_of_numpy_are_numbers(ours, numpy):
    images = noise(2, 1, 32, 32)
    assert torch.equal(ours(images, generator())[0], numpy(images, generator())[0])

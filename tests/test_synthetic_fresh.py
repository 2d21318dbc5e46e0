"""Good images beyond those of the data set, and two processes that generate it at once."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from aesc.errors import InputError
from aesc.synthetic import CATEGORIES, COUNTS, good_images, render_image


@pytest.mark.parametrize("name", CATEGORIES)
def test_fresh_good_images_are_no_image_of_the_data_set(name: str):
    fresh = good_images(name, 3, size=32, seed=5)
    assert fresh.shape == (3, 32, 32, 3) and 0 <= fresh.min() <= fresh.max() <= 1
    known = [
        render_image(name, split, None, index, 32, 5)[0]
        for split in ("train", "test")
        for index in range(3)
    ]
    everything = [*fresh, *known]
    for i, one in enumerate(everything):
        for other in everything[:i]:
            assert np.abs(one - other).max() > 0.05


def test_fresh_images_go_on_beyond_the_size_of_the_data_set():
    count = COUNTS.train + COUNTS.test_good + 1
    many = good_images("hide", count, size=32)
    assert len({image.tobytes() for image in many}) == count
    np.testing.assert_array_equal(many[:2], good_images("hide", 2, size=32))
    assert not np.array_equal(many[:2], good_images("hide", 2, size=32, seed=1))


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"count": 0}, "count"),
        ({"count": True}, "count"),
        ({"size": 31}, "size"),
        ({"size": 64.0}, "size"),
        ({"seed": -1}, "seed"),
        ({"name": "nut"}, "nut"),
    ],
)
def test_what_cannot_be_drawn_is_named(changes: dict, name: str):
    with pytest.raises(InputError, match=name):
        good_images(**{"name": "wood", "count": 1, **changes})


def test_two_processes_that_generate_at_once_both_end_with_whole_folders(tmp_path: Path):
    program = (
        "import sys; from aesc.synthetic import embedded; print('ready', flush=True); "
        "sys.stdin.readline(); "
        "print(embedded(32, names=['wood', 'hide'], progress=False))"
    )
    command = [sys.executable, "-W", "error", "-c", program]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    environment = {**os.environ, "AESC_CACHE": str(tmp_path)}
    both = [subprocess.Popen(command, env=environment, text=True, **pipes) for _ in range(2)]
    for process in both:  # neither may go on before both are ready
        assert process.stdout.readline() == "ready\n"
    for process in both:
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = [process.communicate(timeout=300) for process in both]
    assert [process.returncode for process in both] == [0, 0], answers
    assert answers[0] == answers[1] and not answers[0][1]
    root = Path(answers[0][0].strip())
    assert sorted(path.name for path in root.iterdir()) == ["hide", "wood"]
    for name in ("hide", "wood"):
        files = sorted((root / name).rglob("*.png"))
        masks = COUNTS.per_defect * len(CATEGORIES[name].defects)
        assert len(files) == COUNTS.total(CATEGORIES[name]) + masks
        for file in files:
            with Image.open(file) as image:
                image.load()

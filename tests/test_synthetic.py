"""The embedded data set: its layout, its determinism, and masks that tell the truth."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from scipy import ndimage

from aesc.errors import InputError
from aesc.files import temporary_beside
from aesc.synthetic import (
    CATEGORIES,
    COUNTS,
    Counts,
    Spec,
    embedded,
    generate,
    render_category,
    render_image,
)
from aesc.synthetic.fields import grid, smooth_field, trace
from aesc.synthetic.textures.surface import Lattice, Sites

FEW = Counts(train=2, test_good=1, per_defect=1)
NAMES = list(CATEGORIES)
DEFECTS = [(name, defect) for name, spec in CATEGORIES.items() for defect in spec.defects]


def _bytes(folder: Path) -> dict[str, bytes]:
    files = sorted(folder.rglob("*.png"))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def _render(name: str, defect: str | None, seed: int, size: int = 64):
    return CATEGORIES[name].render(np.random.default_rng(seed), size, defect)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("embedded")
    for name in NAMES:
        render_category(name, folder, size=48, counts=FEW)
    return folder


def test_ten_categories_textures_first_with_enough_defects_and_images():
    groups = [spec.group for spec in CATEGORIES.values()]
    assert groups == ["texture"] * 5 + ["object"] * 5
    assert all(len(set(spec.defects)) >= 3 for spec in CATEGORIES.values())
    assert COUNTS.train >= 60 and COUNTS.test_good >= 20 and COUNTS.per_defect >= 8


@pytest.mark.parametrize("name", NAMES)
def test_layout_counts_and_file_formats(written: Path, name: str):
    defects = CATEGORIES[name].defects
    expected = {"train/good/000.png", "train/good/001.png", "test/good/000.png"}
    for defect in defects:
        expected |= {f"test/{defect}/000.png", f"ground_truth/{defect}/000_mask.png"}
    every = [path for path in (written / name).rglob("*") if path.is_file()]
    assert {path.relative_to(written / name).as_posix() for path in every} == expected
    assert FEW.total(CATEGORIES[name]) == 3 + len(defects)
    for path in every:
        with PIL.Image.open(path) as image:
            is_mask = "ground_truth" in path.parts
            assert (image.mode, image.size) == ("L" if is_mask else "RGB", (48, 48))
            if is_mask:
                assert set(np.unique(np.asarray(image))) == {0, 255}


@pytest.mark.parametrize("name", NAMES)
def test_same_seed_same_bytes_other_seed_other_bytes(tmp_path: Path, written: Path, name: str):
    again = render_category(name, tmp_path / "again", size=48, counts=FEW)
    assert _bytes(again) == _bytes(written / name)
    one = Counts(train=1, test_good=1, per_defect=1)
    other = _bytes(render_category(name, tmp_path / "other", size=48, seed=1, counts=one))
    first = _bytes(written / name)
    assert all(other[path] != first[path] for path in other)


@pytest.mark.parametrize("name", NAMES)
def test_an_image_rendered_alone_is_the_one_in_the_folder(written: Path, name: str):
    defect = CATEGORIES[name].defects[-1]
    image, mask = render_image(name, "test", defect, 0, size=48)
    with PIL.Image.open(written / name / "test" / defect / "000.png") as stored:
        np.testing.assert_allclose(image, np.asarray(stored) / 255, atol=0.5 / 255 + 1e-9)
    with PIL.Image.open(written / name / "ground_truth" / defect / "000_mask.png") as stored:
        np.testing.assert_array_equal(mask, np.asarray(stored) == 255)


@pytest.mark.parametrize(("name", "defect"), DEFECTS)
def test_a_defect_changes_the_good_scene_inside_its_mask_and_nowhere_else(name: str, defect: str):
    for seed in range(2):
        good, empty = _render(name, None, seed)
        flawed, mask = _render(name, defect, seed)
        assert not empty.any()
        assert 0 < mask.mean() < 0.5
        difference = np.abs(good - flawed).max(axis=2)
        allowed = ndimage.binary_dilation(mask, iterations=2)
        assert difference[~allowed].max() == 0
        # Most of the mask must differ: a mask far larger than the defect would be no truth either.
        assert np.mean(difference[mask] > 0.004) > 0.5


@pytest.mark.parametrize(("name", "defect"), DEFECTS)
def test_a_defect_shows_in_grey_and_stands_out_from_the_sensor_noise(name: str, defect: str):
    weights = np.array([0.299, 0.587, 0.114])
    good = _render(name, None, 5)[0] @ weights
    flawed, mask = _render(name, defect, 5)
    assert np.abs(good - flawed @ weights)[mask].max() > 0.04


@pytest.mark.parametrize("size", [48, 96])
@pytest.mark.parametrize("name", NAMES)
def test_sizes_and_value_ranges(name: str, size: int):
    for defect in (None, CATEGORIES[name].defects[0]):
        image, mask = _render(name, defect, 7, size)
        assert image.shape == (size, size, 3) and image.dtype == np.float64
        assert mask.shape == (size, size) and mask.dtype == np.bool_
        assert image.min() >= 0 and image.max() <= 1
        assert image.max() - image.min() > 0.2
        assert mask.any() == (defect is not None)


@pytest.mark.parametrize("name", NAMES)
def test_the_scene_is_the_same_at_every_size(name: str):
    small = _render(name, None, 3, 48)[0]
    large = _render(name, None, 3, 192)[0].reshape(48, 4, 48, 4, 3).mean(axis=(1, 3))
    away = _render(name, None, 4, 48)[0]
    assert np.abs(small - large).mean() < 0.5 * np.abs(small - away).mean()
    assert np.abs(small - large).mean() < 0.05


@pytest.mark.parametrize("name", NAMES)
def test_good_images_differ_from_each_other_by_more_than_noise(name: str):
    images = [_render(name, None, seed)[0] for seed in range(4)]
    for index, image in enumerate(images):
        for other in images[:index]:
            assert np.abs(image - other).mean() > 0.02


def test_an_interrupted_category_leaves_nothing(tmp_path: Path):
    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        render_category(NAMES[0], tmp_path, size=32, counts=FEW, on_image=stop)
    assert list(tmp_path.iterdir()) == []


def test_a_quicker_process_wins_and_its_files_stay(tmp_path: Path):
    target = tmp_path / NAMES[0]

    def race() -> None:
        target.mkdir(exist_ok=True)
        (target / "theirs").touch()

    assert render_category(NAMES[0], tmp_path, size=32, counts=FEW, on_image=race) == target
    assert [path.name for path in tmp_path.rglob("*")] == [NAMES[0], "theirs"]


def test_bad_input_is_named_before_anything_is_written(tmp_path: Path):
    with pytest.raises(InputError, match=r"'clothes'.*cloth, mesh, wood"):
        render_category("clothes", tmp_path)
    with pytest.raises(InputError, match=r"size is 31: .* 32"):
        render_category("cloth", tmp_path, size=31)
    with pytest.raises(InputError, match="seed is -1"):
        render_category("cloth", tmp_path, seed=-1)
    with pytest.raises(InputError, match="'clothes'"):
        embedded(names=["cloth", "clothes"], cache=tmp_path, progress=False)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "cloth").mkdir()
    with pytest.raises(InputError, match="already exists"):
        render_category("cloth", tmp_path)


@pytest.mark.parametrize("name", NAMES)
def test_unknown_defect_type_is_named_with_the_known_ones(name: str):
    with pytest.raises(InputError, match=CATEGORIES[name].defects[0]):
        render_image(name, "test", "gremlin", 0, size=32)


def test_a_cache_that_cannot_be_written_names_it_and_the_way_out(tmp_path: Path):
    blocked = tmp_path / "file"
    blocked.touch()
    with pytest.raises(InputError, match=r"file.*AESC_CACHE"):
        embedded(size=32, names=["cloth"], cache=blocked, progress=False)


def test_the_cache_is_filled_once_and_read_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(generate, "COUNTS", FEW)
    monkeypatch.setenv("AESC_CACHE", str(tmp_path))
    root = embedded(size=32, names=["cloth", "wood"])
    assert root == tmp_path / "embedded" / f"v{generate.VERSION}-32px-seed0"
    assert sorted(path.name for path in root.iterdir()) == ["cloth", "wood"]
    total = sum(FEW.total(CATEGORIES[name]) for name in ("cloth", "wood"))
    assert f"{total}/{total}" in capsys.readouterr().err
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}

    def refuse(*args: object) -> None:
        raise AssertionError("a cached category was rendered again")

    monkeypatch.setattr(generate, "_render_to", refuse)
    assert embedded(size=32, names=["wood", "cloth"], cache=tmp_path) == root
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before
    assert capsys.readouterr().err == ""


def test_two_that_generate_at_once_end_with_the_same_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The other one is quicker: after our first image, all of its categories are there."""
    monkeypatch.setattr(generate, "COUNTS", FEW)
    wanted, write = ["cloth", "wood"], generate._write

    def first_write(*arguments: Any) -> None:
        monkeypatch.setattr(generate, "_write", write)
        with ThreadPoolExecutor() as other:
            other.submit(embedded, 32, 0, wanted, tmp_path, progress=False).result()
        write(*arguments)

    monkeypatch.setattr(generate, "_write", first_write)
    root = embedded(size=32, names=wanted, cache=tmp_path, progress=False)
    assert sorted(path.name for path in root.iterdir()) == wanted
    alone = embedded(size=32, names=wanted, cache=tmp_path / "alone", progress=False)
    assert _bytes(root) == _bytes(alone)


def test_what_a_killed_process_left_is_removed(tmp_path: Path):
    """The number of a process that has ended, as in the name of its half-written folder."""
    ended = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"],
        capture_output=True,
        text=True,
        check=True,
    )
    mine = temporary_beside(tmp_path / "cloth")
    half = mine.with_name(mine.name.replace(f"-{os.getpid()}-", f"-{ended.stdout.strip()}-"))
    (half / "cloth" / "train").mkdir(parents=True)
    render_category("cloth", tmp_path, size=32, counts=FEW)
    assert [path.name for path in tmp_path.iterdir()] == ["cloth"]


def test_spec_is_immutable():
    spec: Spec = CATEGORIES["cloth"]
    with pytest.raises(AttributeError):
        spec.name = "linen"  # type: ignore[misc]


def test_cell_borders_match_a_search_over_all_seeds():
    sites = Sites.draw(np.random.default_rng(0), 0.95)
    v, u = np.random.default_rng(1).uniform(2, 9, (2, 20, 20))
    rows, columns = np.divmod(np.arange(64 * 64), 64)
    seeds = np.stack([rows, columns], axis=1) + sites.jitter.T
    away = np.hypot(v.reshape(-1, 1) - seeds[:, 0], u.reshape(-1, 1) - seeds[:, 1])
    order = np.sort(away, axis=1)
    edge, owner = sites.nearest(v, u)
    np.testing.assert_array_equal(owner.ravel(), away.argmin(axis=1))
    # The second nearest seed may lie two cells away, beyond the 3 x 3 search: rare, and invisible.
    assert np.mean(np.abs(edge.ravel() - (order[:, 1] - order[:, 0])) < 1e-5) > 0.98


def test_a_trace_measures_a_hand_computed_line():
    line = trace(np.array([[0.5, 0.25], [0.5, 0.75]]), 64, 0.2)
    y, x = grid(64)
    beside = (x > 0.25) & (x < 0.75) & (np.abs(y - 0.5) < 0.2)
    np.testing.assert_allclose(line.distance[beside], np.abs(y - 0.5)[beside], atol=1e-12)
    np.testing.assert_allclose(line.side[beside], (y - 0.5)[beside], atol=1e-12)
    np.testing.assert_allclose(line.along[beside], (2 * x - 0.5)[beside], atol=1e-12)
    assert line.distance.max() == 0.2


def test_lattice_positions_invert_its_cells():
    lattice = Lattice.draw(np.random.default_rng(2), 256, 9, turn=0.3, bend=0.1)
    v, u = lattice.cells()
    picked = (slice(20, 240, 37), slice(20, 240, 41))
    y, x = (axis[picked].ravel() for axis in grid(256))
    found = lattice.positions(v[picked].ravel(), u[picked].ravel())
    np.testing.assert_allclose(found, np.stack([y, x], axis=1), atol=2e-4)


def test_smooth_fields_have_the_promised_spread():
    fields = [smooth_field(np.random.default_rng(seed), 64, 0.1) for seed in range(40)]
    assert abs(np.mean(fields)) < 0.05
    assert np.mean(np.square(fields)) == pytest.approx(1, abs=0.05)

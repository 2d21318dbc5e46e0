"""What `aesc predict` writes into a folder, and what it leaves alone there."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest
from detectors import refused, save
from quick_detector import QUICK, quick_detector

from aesc.detector.report import write_results
from aesc.files import sole_user
from aesc.watch import WatchSettings, watch
from aesc.watch.table import ResultTable


def grey(path: Path, value: int) -> Path:
    return save(path, np.full((8, 8), value, np.uint8))


def written(images: list[Path], out: Path) -> list[str]:
    return [result.verdict for result in write_results(quick_detector(), images, out)]


def files(folder: Path) -> set[str]:
    """All that is not hidden, by its path."""
    found = (p for p in folder.rglob("*") if p.is_file() and not p.name.startswith("."))
    return {p.relative_to(folder).as_posix() for p in found}


def test_the_table_of_a_watched_folder_is_left_alone(tmp_path):
    folder, out = tmp_path / "camera", tmp_path / "out"
    for index in range(3):
        grey(folder / f"{index}.png", 100 + index)
    watching = watch(quick_detector(), folder, out, WatchSettings(**QUICK, until=4))
    for _ in range(3):
        next(watching)
    table = (out / "results.csv").read_bytes()
    refused(lambda: written([folder / "0.png"], out), f"{out} is in use", "choose another")
    grey(folder / "3.png", 103)
    assert next(watching).image == "3.png"
    assert (out / "results.csv").read_bytes().startswith(table)
    assert list(watching) == []
    table = (out / "results.csv").read_bytes()
    assert table.count(b"\r\n") == 5
    refused(lambda: written([folder / "0.png"], out), str(out), "choose another folder")
    assert (out / "results.csv").read_bytes() == table and files(out) == {"results.csv"}


def test_a_table_is_written_by_one_process(tmp_path):
    image, out = grey(tmp_path / "x.png", 100), tmp_path / "out"
    out.mkdir()
    with sole_user(out / ".results.csv.lock"):
        refused(lambda: written([image], out), f"{out} is in use")
    writing = write_results(quick_detector(), [image, image], out)
    next(writing)
    refused(lambda: ResultTable.open(out / "results.csv").__enter__(), f"{out} is in use")
    assert len(list(writing)) == 1


@pytest.mark.parametrize("content", [b"", b"\xff\x00\x01", b"image,verdict\r\na.png,good\r\n"])
def test_another_table_is_replaced(tmp_path, content):
    image, out = grey(tmp_path / "x.png", 100), tmp_path / "out"
    out.mkdir()
    (out / "results.csv").write_bytes(content)
    assert written([image], out) == written([image], out) == ["good"]
    with (out / "results.csv").open(encoding="utf-8-sig", newline="") as file:
        assert [row["image"] for row in csv.DictReader(file)] == [str(image)]


def test_an_image_that_goes_after_it_was_scored_keeps_its_row(tmp_path):
    images = [grey(tmp_path / "in" / f"{index}.png", 250) for index in range(3)]
    writing = write_results(quick_detector(), images, tmp_path / "out")
    assert next(writing).verdict == "reject"
    images[1].unlink()
    images[2].write_bytes(b"half of another")
    assert [result.verdict for result in writing] == ["reject", "reject"]
    with (tmp_path / "out" / "results.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["image"], row["verdict"]) for row in rows] == [(str(p), "reject") for p in images]
    assert files(tmp_path / "out") == {"results.csv", "report.html", "heatmaps/0.png.png"}


def test_heat_maps_of_images_above_this_folder_lie_in_that_of_the_results(tmp_path, monkeypatch):
    here = tmp_path / "job" / "a" / "sub"
    for path in (tmp_path / "job" / "1.png", here.parent / "2.png", here / "3.png"):
        grey(path, 250)
    monkeypatch.chdir(here)
    before = files(tmp_path)
    names = [os.path.join("..", "..", "1.png"), os.path.join("..", "2.png"), "3.png"]
    assert written([Path(name) for name in names], Path("out")) == ["reject"] * 3
    heat_maps = {"heatmaps/1.png.png", "heatmaps/a/2.png.png", "heatmaps/a/sub/3.png.png"}
    assert files(here / "out") == {"results.csv", "report.html", *heat_maps}
    assert files(tmp_path) - before == {f"job/a/sub/out/{name}" for name in files(here / "out")}


def test_names_as_long_as_the_system_allows_have_heat_maps_of_their_own(tmp_path):
    names = ["a" * 250 + end + ".png" for end in "xy"]
    images = [grey(tmp_path / "in" / name, 250) for name in names]
    assert written(images, tmp_path / "out") == ["reject"] * 2
    found = [path.name for path in (tmp_path / "out" / "heatmaps").iterdir()]
    assert len(found) == 2
    assert all(len(name) == 255 and name.endswith(".png") for name in found)

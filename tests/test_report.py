"""What `aesc predict` writes into a folder, and what it leaves alone there."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from detectors import refused, save
from quick_detector import QUICK, quick_detector

from aesc.detector.heatmaps import HeatMaps
from aesc.detector.report import write_results
from aesc.files import sole_user, temporary_beside
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


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in files(folder)}


def test_heat_maps_are_those_of_the_table_beside_them(tmp_path):
    """Those of the run before go; what somebody else put there stays."""
    out = tmp_path / "out"
    bad = [grey(tmp_path / "in" / name, 250) for name in ("no_ending.png", "a.png", "sub/b.tif")]
    bad[0] = bad[0].rename(bad[0].with_suffix(""))
    assert written(bad, out) == ["reject"] * 3
    heat_maps = {f"heatmaps/{name}.png" for name in ("a.png", "sub/b.tif", "no_ending")}
    assert files(out) == {"results.csv", "report.html", *heat_maps}
    for name in ("notes.txt", "figure.png", "sub/plan.pdf"):
        (out / "heatmaps" / name).write_text("mine")
    own = {"heatmaps/notes.txt", "heatmaps/figure.png", "heatmaps/sub/plan.pdf"}
    other = grey(tmp_path / "in" / "a.png", 100)
    assert written([other, grey(tmp_path / "in" / "c.png", 250)], out) == ["good", "reject"]
    assert files(out) == {"results.csv", "report.html", "heatmaps/c.png.png", *own}


def test_heat_maps_without_their_table_are_known_by_their_names(tmp_path):
    """As a run leaves them that was killed at its very end, or whose table was taken away."""
    bad, good = grey(tmp_path / "a.jpeg", 250), grey(tmp_path / "b.png", 100)
    written([bad], tmp_path / "out")
    (tmp_path / "out" / "results.csv").unlink()
    assert written([good], tmp_path / "out") == ["good"]
    assert not (tmp_path / "out" / "heatmaps").exists()


def test_a_run_that_is_stopped_leaves_the_results_before(tmp_path):
    out = tmp_path / "out"
    images = [grey(tmp_path / f"{index}.png", 250) for index in range(3)]
    written(images[:2], out)
    before = contents(out)
    grey(images[0], 240)
    writing = write_results(quick_detector(), images, out)
    next(writing)
    writing.close()
    assert contents(out) == before
    assert sorted(p.name for p in out.iterdir() if p.name.startswith(".")) == [".results.csv.lock"]


@pytest.mark.parametrize("place", ["clear", "move"])
def test_a_run_that_is_stopped_at_its_end_leaves_nothing_that_contradicts(
    tmp_path, monkeypatch, place
):
    """Stopped once the old heat maps are gone, or once the new table has its name."""
    out = tmp_path / "out"
    images = [grey(tmp_path / f"{index}.png", 250) for index in range(2)]
    written(images[:1], out)
    clear = HeatMaps.clear

    def stopped(self, *arguments) -> None:
        if place == "clear":
            clear(self, *arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(HeatMaps, place, stopped)
    with pytest.raises(KeyboardInterrupt):
        written(images, out)
    monkeypatch.undo()
    assert files(out) == {"results.csv"}
    rows = (out / "results.csv").read_text(encoding="utf-8-sig").count("reject")
    assert rows == (1 if place == "clear" else 2)
    written(images[1:], out)
    assert files(out) == {"results.csv", "report.html", "heatmaps/1.png.png"}


def test_what_a_killed_run_left_goes(tmp_path):
    image, out = grey(tmp_path / "x.png", 250), tmp_path / "out"
    out.mkdir()
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    for name in ("results.csv", "report.html", "heatmaps"):
        left = temporary_beside(out / name)
        left = left.with_name(left.name.replace(f"-{os.getpid()}-", f"-{ended.pid}-"))
        left.write_text("half")
    written([image], out)
    hidden = sorted(path.name for path in out.iterdir() if path.name.startswith("."))
    assert hidden == [".results.csv.lock"]

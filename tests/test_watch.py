"""A watched folder: what counts as arrived, and that each content is scored once."""

import csv
import io
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from detectors import refused, save
from quick_detector import QUICK, quick_detector

from aesc.detector import Calibration, Detector, Preprocessing
from aesc.watch import WatchSettings, watch
from aesc.watch.settling import Settling, look
from aesc.watch.table import Version


def grey(path: Path, value: int, side: int = 8) -> Path:
    return save(path, np.full((side, side), value, np.uint8))


def rows(out: Path) -> list[dict[str, str]]:
    text = (out / "results.csv").read_text(encoding="utf-8-sig", errors="surrogateescape")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def run(folder: Path, out: Path, until: int, note=lambda sentence: None, **settings) -> list[str]:
    """Watch until there are so many rows; the names of the images that got one."""
    chosen = WatchSettings(**{**QUICK, **settings}, until=until)
    return [result.image for result in watch(quick_detector(), folder, out, chosen, note)]


@pytest.fixture
def folder(tmp_path) -> Path:
    place = tmp_path / "camera"
    for index, value in enumerate((100, 250, 101)):
        path = grey(place / f"{index}.png", value)
        os.utime(path, ns=(1, 10**18 + index))
    return place


def test_each_image_gets_a_row_in_the_order_of_its_time(folder, tmp_path):
    os.utime(folder / "2.png", ns=(1, 10**17))
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}
    assert run(folder, tmp_path / "out", 3) == ["2.png", "0.png", "1.png"]
    found = rows(tmp_path / "out")
    assert [row["verdict"] for row in found] == ["good", "good", "reject"]
    assert {
        path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()
    } == before
    assert int(found[1]["modified"]) == 10**18


def test_the_next_start_goes_on(folder, tmp_path):
    assert len(run(folder, tmp_path / "out", 2)) == 2
    grey(folder / "3.png", 99)
    assert sorted(run(folder, tmp_path / "out", 4)) == ["2.png", "3.png"]
    assert run(folder, tmp_path / "out", 4) == []
    assert sorted(row["image"] for row in rows(tmp_path / "out")) == [f"{i}.png" for i in range(4)]


def test_a_file_that_is_written_anew_gets_another_row_and_a_touched_one_none(folder, tmp_path):
    run(folder, tmp_path / "out", 3)
    os.utime(folder / "0.png", ns=(1, 2 * 10**18))
    grey(folder / "1.png", 102)
    assert run(folder, tmp_path / "out", 4) == ["1.png"]
    assert [row["verdict"] for row in rows(tmp_path / "out") if row["image"] == "1.png"] == [
        "reject",
        "good",
    ]


def test_the_same_bytes_as_the_image_before_are_told_across_a_restart(folder, tmp_path):
    run(folder, tmp_path / "out", 3)
    copy = folder / "3.png"
    copy.write_bytes((folder / "2.png").read_bytes())
    run(folder, tmp_path / "out", 4)
    assert rows(tmp_path / "out")[-1]["notes"] == "repeated"


def test_a_bad_file_is_an_error_row_and_is_read_again_when_it_changes(folder, tmp_path):
    (folder / "1.png").write_bytes(b"half an image")
    assert sorted(run(folder, tmp_path / "out", 3)) == ["0.png", "1.png", "2.png"]
    (bad,) = (row for row in rows(tmp_path / "out") if row["verdict"] == "error")
    assert (
        bad["image"] == "1.png" and bad["score"] == "" and "1.png is not an image" in bad["notes"]
    )
    os.utime(folder / "1.png", ns=(1, 3))
    grey(folder / "3.png", 90)
    assert run(folder, tmp_path / "out", 4) == ["3.png"]  # touched, and as bad as before
    grey(folder / "1.png", 90)
    assert run(folder, tmp_path / "out", 5) == ["1.png"]


def test_a_file_that_vanishes_before_it_is_read_is_told(folder, tmp_path, monkeypatch):
    from aesc.watch import loop

    def read(path: Path) -> bytes:
        if path.name == "1.png":
            path.unlink(missing_ok=True)
        return path.read_bytes() if path.exists() else real(path)

    real, told = loop.read_bytes, []
    monkeypatch.setattr(loop, "read_bytes", read)
    watched = watch(quick_detector(), folder, tmp_path / "out", WatchSettings(**QUICK), told.append)
    assert sorted(next(watched).image for _ in range(2)) == ["0.png", "2.png"]
    grey(folder / "3.png", 90)
    assert next(watched).image == "3.png"
    watched.close()
    assert told == ["1.png vanished before it could be read: it has no verdict."]


def test_what_lies_there_at_the_very_first_start_can_be_skipped(folder, tmp_path):
    assert _start_skipping(folder, tmp_path / "out") == "5.png"
    grey(folder / "6.png", 91)  # arrives while nobody watches
    assert run(folder, tmp_path / "out", 2, existing="skip") == ["6.png"]
    assert len(run(folder, tmp_path / "out", 5, existing="score")) == 3


def _start_skipping(folder: Path, out: Path) -> str:
    """Watch a folder of old images; one more arrives at the second look."""
    from aesc.watch import loop

    looks = iter(range(100))
    real = loop.look

    def arriving(*arguments):
        if next(looks) == 2:
            grey(folder / "5.png", 92)
        return real(*arguments)

    loop.look = arriving
    try:
        (name,) = run(folder, out, 1, existing="skip")
    finally:
        loop.look = real
    return name


def test_copies_are_sorted_by_verdict_and_no_content_is_lost(folder, tmp_path):
    out = tmp_path / "out"
    run(folder, out, 3, sort="copy")
    first = (folder / "0.png").read_bytes()
    grey(folder / "0.png", 103)
    run(folder, out, 4, sort="copy")
    names = sorted(p.relative_to(out / "sorted").as_posix() for p in (out / "sorted").rglob("*.*"))
    assert len(names) == 4 and names[1:] == ["good/0.png", "good/2.png", "reject/1.png"]
    assert names[0].startswith("good/0-")
    assert (out / "sorted" / "good" / "0.png").read_bytes() == first
    assert (out / "sorted" / names[0]).read_bytes() == (folder / "0.png").read_bytes()
    copied, original = (out / "sorted" / "good" / "2.png").stat(), (folder / "2.png").stat()
    assert copied.st_mtime_ns == original.st_mtime_ns


def test_two_contents_of_a_name_as_long_as_the_system_allows_are_both_kept(tmp_path):
    image, out = tmp_path / "camera" / ("a" * 251 + ".png"), tmp_path / "out"
    contents = [grey(image, value).read_bytes() for value in (100, 103)]
    for until, content in enumerate(contents, start=1):
        image.write_bytes(content)
        run(image.parent, out, until, sort="copy")
    copies = [path.read_bytes() for path in (out / "sorted" / "good").iterdir()]
    assert sorted(copies) == sorted(contents)


def test_folders_inside_are_watched_when_asked_but_not_the_one_of_the_results(folder, tmp_path):
    grey(folder / "day" / "0.png", 104)
    grey(folder / ".hidden" / "0.png", 104)
    assert len(run(folder, tmp_path / "flat", 3)) == 3
    out = folder / "results"
    names = run(folder, out, 4, recursive=True, sort="copy")
    assert sorted(names) == ["0.png", "1.png", "2.png", "day/0.png"]
    assert (out / "sorted" / "good" / "day" / "0.png").exists()
    assert set(look(folder, True, out.resolve()).files) == set(names)


def test_a_folder_that_goes_away_is_waited_for(folder, tmp_path):
    """As a network drive does."""
    told = []

    def note(sentence: str) -> None:
        told.append(sentence)
        (tmp_path / "away").rename(folder)

    watched = watch(quick_detector(), folder, tmp_path / "out", WatchSettings(**QUICK), note)
    for _ in range(3):
        next(watched)
    grey(folder / "3.png", 90)
    folder.rename(tmp_path / "away")
    assert next(watched).image == "3.png"
    watched.close()
    assert len(told) == 1 and f"{folder} cannot be listed" in told[0]


@pytest.mark.skipif(sys.platform == "win32", reason="links are those of POSIX")
def test_a_file_that_cannot_be_looked_at_does_not_hide_the_others(folder, tmp_path):
    told, link = [], folder / "loop.png"
    link.symlink_to("loop.png")
    (folder / "gone.png").symlink_to("nowhere.png")

    def note(sentence: str) -> None:
        assert "cannot be listed" not in sentence  # then it would wait for ever
        told.append(sentence)

    watched = watch(quick_detector(), folder, tmp_path / "out", WatchSettings(**QUICK), note)
    assert [next(watched).image for _ in range(3)] == ["0.png", "1.png", "2.png"]
    (folder / "like.png").symlink_to("loop.png")
    grey(folder / "3.png", 90)
    assert next(watched).image == "3.png"
    link.unlink()
    grey(link, 91)
    assert sorted(next(watched).image for _ in range(2)) == ["like.png", "loop.png"]
    watched.close()
    assert [sentence.partition(" cannot be looked at")[0] for sentence in told] == [
        "loop.png",
        "like.png",
    ]


def test_drift_is_told_once_and_again_after_a_restart(tmp_path):
    folder, told = tmp_path / "camera", []
    rng = np.random.default_rng(0)
    for index in range(60):
        save(folder / f"{index:03}.png", rng.integers(240, 255, (8, 8)).astype(np.uint8))
    run(folder, tmp_path / "out", 60, told.append)
    assert len(told) == 1 and "of the last" in told[0] and "look at light" in told[0]
    grey(folder / "x.png", 250)
    run(folder, tmp_path / "out", 61, told.append)
    assert len(told) == 2 and "61 of the last 61 images" in told[1]


def test_a_file_must_rest_by_the_clock_of_this_machine():
    settling = Settling(0.5)
    old, new = Version(5, 1), Version(9, 2)
    assert settling.ready({"a": old}, {}, 10.0) == []
    assert settling.ready({"a": old}, {}, 10.4) == []
    assert settling.ready({"a": new}, {}, 10.5) == []  # it grew
    assert settling.ready({"a": new}, {}, 11.0) == ["a"]
    assert settling.ready({"a": new}, {"a": new}, 12.0) == []
    assert settling.ready({}, {}, 13.0) == []
    assert settling.ready({"a": new}, {}, 14.0) == []  # gone and back: it rests anew


def test_bad_input_is_refused_before_anything_is_written(folder, tmp_path):
    out = tmp_path / "out"
    detector = quick_detector()
    refused(lambda: next(watch(detector, tmp_path / "no", out)), "no is not a folder")
    refused(lambda: next(watch(detector, folder, folder)), "is the folder that is watched")
    bare = Detector(detector.model, "aesc", Preprocessing((8, 8), 1, 255))
    refused(lambda: next(watch(bare, folder, out)), "no threshold")
    assert not out.exists()
    (tmp_path / "file").write_text("")
    refused(lambda: next(watch(detector, folder, tmp_path / "file")), "file is a file")


@pytest.mark.parametrize(
    "settings",
    [
        {"settle": -1}, {"settle": float("nan")}, {"interval": 0}, {"existing": "maybe"},
        {"sort": "move"}, {"until": 0},
    ],
)  # fmt: skip
def test_settings_out_of_range_are_refused(settings):
    refused(lambda: WatchSettings(**settings), next(iter(settings)))


def test_p_values_of_another_calibration_do_not_count_for_drift(tmp_path):
    folder, told = tmp_path / "camera", []
    for index in range(60):
        save(folder / f"{index:03}.png", np.full((8, 8), 200 + index % 50, np.uint8))
    run(folder, tmp_path / "out", 60, told.append)
    assert len(told) == 1
    grey(folder / "x.png", 250)
    scores = Calibration.of(np.linspace(0.25, 0.99, 199))
    other = type(quick_detector())(
        quick_detector().model, "aesc", Preprocessing((8, 8), 1, 255), images=scores, pixels=scores
    )
    list(watch(other, folder, tmp_path / "out", WatchSettings(**QUICK, until=61), told.append))
    assert len(told) == 1

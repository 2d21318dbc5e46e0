"""From a folder to verdicts on the command line."""

import csv
import io
import json
import os
import re

import numpy as np
import pytest
from detectors import SCHEDULE, good_folder, save, small_detector, spoiled, stripes
from PIL import Image

from aesc.detector import FitSettings, load, settings
from aesc.detector import save as save_detector
from aesc.detector.drawing import opacity


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return good_folder(tmp_path_factory.mktemp("good"))


@pytest.fixture(scope="module")
def model(good, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "part.aesc"
    save_detector(small_detector(good, false_rejects=0.1, review=0.2), path)
    return path


@pytest.fixture
def parts(tmp_path):
    """Two good parts and a spoilt one, one file that is no image, and one in a folder inside."""
    rng = np.random.default_rng(50)
    folder = tmp_path / "new"
    save(folder / "a.png", stripes(rng))
    save(folder / "b.png", spoiled(stripes(rng)))
    save(folder / "inside" / "b.png", spoiled(stripes(rng), 5, 40))
    return folder


def table(path):
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"))))


def test_fit_says_what_it_does_before_and_after(good, tmp_path, aesc, monkeypatch):
    monkeypatch.setattr(FitSettings, "schedule", lambda self, _: (SCHEDULE, 1.0))
    out = tmp_path / "part.aesc"
    code, text, _ = aesc("fit", good, "--out", out, "--dry-run")
    assert code == 0 and not out.exists()
    assert "40 good images: 24 to train on, 4 to choose the epoch, 12 to set the threshold" in text
    assert "64 x 64" in text and "white level 255" in text and "min" in text
    code, text, error = aesc("fit", good, "--out", out, "--false-rejects", "0.1", "--review", "0.2")
    assert code == 0, error
    assert load(out, "cpu").false_rejects == 0.1
    assert len(re.findall(r"^  +\d\.\d\d  \d{3}\.png$", text, re.MULTILINE)) == 5
    assert "of good parts 7.7% on average" in text  # 1 of 13
    assert (tmp_path / "part.aesc.html").exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["part.aesc", "part.aesc.html"]


def test_an_interrupted_fit_of_so_many_minutes_goes_on(aesc, good, tmp_path, monkeypatch):
    """Steps are timed anew, and by the cosine another number of epochs is another training."""
    from aesc.training import Trainer

    epoch, done = Trainer._epoch, []

    def interrupted(self, bar):
        if len(done) == 1:
            done.append(None)
            raise KeyboardInterrupt
        done.append(self.settings.epochs)
        return epoch(self, bar)

    monkeypatch.setattr(Trainer, "_epoch", interrupted)
    out = tmp_path / "part.aesc"
    options = ["--method", "aesc_plus", "--size", "64", "--device", "cpu"]
    for seconds, code in {0.5: 130, 0.2: 0}.items():
        monkeypatch.setattr(settings, "_seconds_a_step", lambda *_, seconds=seconds: seconds)
        minutes = 2 * 35 * 0.5 / 60
        found, _, error = aesc("fit", good, "--out", out, "--minutes", minutes, *options)
        assert found == code
    assert done == [2, None, 2]
    assert "goes on with the training" in error and load(out, "cpu").method == "aesc_plus"


def test_what_so_few_images_cannot_promise_is_said(good, tmp_path, aesc, model):
    code, text, _ = aesc(
        "calibrate", model, good, "--out", tmp_path / "new.aesc", "--false-rejects", "0.01"
    )
    assert code == 0
    assert "40 calibration images cannot promise: 99 are needed" in text
    code, text, _ = aesc("info", tmp_path / "new.aesc")
    assert code == 0 and "fingerprint" in text and "99 are needed" in text


def test_excluded_images_are_left_out(good, tmp_path, aesc):
    names = tmp_path / "bad.txt"
    names.write_text("003.png\n\n005.png\n")
    code, text, _ = aesc("fit", good, "--out", tmp_path / "x", "--exclude", names, "--dry-run")
    assert code == 0 and "38 good images" in text
    code, _, error = aesc("fit", good, "--out", tmp_path / "x", "--exclude", tmp_path / "none")
    assert code == 2 and "none cannot be read" in error


def test_predict_writes_a_table_heat_maps_and_a_page(model, parts, tmp_path, aesc):
    out = tmp_path / "out"
    code, _, error = aesc("predict", model, parts, "--recursive", "--out", out)
    assert code == 0, error
    rows = table(out / "results.csv")
    assert [row["verdict"] for row in rows][1:] == ["reject", "reject"]
    assert [row["image"].split("new/")[1] for row in rows] == ["a.png", "b.png", "inside/b.png"]
    assert abs(int(rows[1]["x"]) + int(rows[1]["width"]) / 2 - 26) < 4
    assert float(rows[1]["score"]) > float(rows[1]["threshold"]) and rows[1]["p_value"]
    maps = sorted(
        p.relative_to(out / "heatmaps").as_posix() for p in (out / "heatmaps").rglob("*.png")
    )
    assert maps == ["b.png.png", "inside/b.png.png"]
    painted = np.asarray(Image.open(out / "heatmaps" / "b.png.png")).astype(int)
    assert painted.shape == (64, 64, 3)
    redness = painted[..., 0] - painted[..., 2]
    assert redness[32:40, 22:30].mean() > 40 > redness[:20].mean() + 35
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "http://www.w3.org/2000/svg" in page
    assert not re.findall(r"""(?:src|href)=["'](?!data:)""", page)


def test_without_a_folder_verdicts_are_printed(model, parts, aesc):
    code, text, error = aesc("predict", model, parts)
    assert code == 0 and len(text.splitlines()) == 2 and "reject" in text.splitlines()[1]
    assert "1 reject" in error


def test_json_lines_hold_what_the_table_holds(model, parts, aesc):
    code, text, _ = aesc("predict", model, parts, "--json")
    results = [json.loads(line) for line in text.splitlines()]
    assert code == 0 and [r["verdict"] for r in results][1] == "reject"
    assert set(results[0]) >= {"image", "score", "threshold", "p_value", "regions", "notes", "size"}


def test_names_come_from_stdin(model, parts, aesc, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{parts / 'a.png'}\n{parts / 'b.png'}\n"))
    code, text, _ = aesc("predict", model, "-")
    assert code == 0 and len(text.splitlines()) == 2


def test_a_name_that_is_not_utf8_comes_back_as_its_bytes(model, tmp_path, aesc, monkeypatch):
    """From a folder and from stdin, into the table, the page and the heat maps."""
    plain, raw = tmp_path / "in" / "x.png", os.fsencode(tmp_path / "in") + b"/\xff\xe9.png"
    save(plain, spoiled(stripes(np.random.default_rng(3))))
    try:
        os.rename(plain, raw)
    except OSError:
        pytest.skip("this file system takes names in UTF-8 alone")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(raw + b"\n"), encoding="utf-8"))
    for images, out in ((tmp_path / "in", tmp_path / "a"), ("-", tmp_path / "b")):
        assert aesc("predict", model, images, "--out", out)[0] == 0
        assert raw in (out / "results.csv").read_bytes()
        assert "\\udcff\\udce9.png" in (out / "report.html").read_text(encoding="utf-8")
        assert os.listdir(os.fsencode(out / "heatmaps")) == [b"\xff\xe9.png.png"]


def test_a_bad_file_is_a_row_and_the_others_are_scored(model, parts, tmp_path, aesc):
    (parts / "aa.png").write_bytes(b"nothing")
    code, _, _ = aesc("predict", model, parts, parts / "gone.png", "--out", tmp_path / "out")
    rows = table(tmp_path / "out" / "results.csv")
    assert code == 1
    assert [row["verdict"] for row in rows][1:] == ["error", "reject", "error"]
    assert "aa.png" in rows[1]["notes"] and rows[1]["score"] == ""


def test_a_name_with_markup_stays_a_name_on_the_page(model, tmp_path, aesc):
    name = "<img src=x onerror=alert(1)>&.png"
    save(tmp_path / "in" / name, stripes(np.random.default_rng(3)))
    assert aesc("predict", model, tmp_path / "in", "--out", tmp_path / "out")[0] == 0
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "<img src=x" not in page and r"\u003cimg src=x onerror=alert(1)\u003e\u0026.png" in page


def test_predict_says_when_the_images_have_drifted(model, tmp_path, aesc):
    """The same folder in another light; a folder of fewer than 200 images says nothing."""
    rng = np.random.default_rng(5)
    for index in range(200):
        save(tmp_path / "day" / f"{index:03}.png", stripes(rng))
        save(tmp_path / "night" / f"{index:03}.png", stripes(rng) // 3)
    assert "look at light" not in aesc("predict", model, tmp_path / "day")[2]
    code, _, error = aesc("predict", model, tmp_path / "night")
    assert code == 0 and "aesc: note: 200 of the last 200 images have a p-value of" in error
    (tmp_path / "night" / "000.png").unlink()
    assert "look at light" not in aesc("predict", model, tmp_path / "night")[2]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["predict", "MODEL", "EMPTY"], "holds no image"),
        (["predict", "NONE", "GOOD"], "There is no detector"),
        (["predict", "MODEL", "GOOD", "--out", "FILE/x"], "FILE"),
        (["fit", "EMPTY", "--out", "OUT"], "holds no image"),
        (["fit", "GOOD", "--out", "OUT", "--roi", "0,0,999,9"], "roi is"),
        (["fit", "GOOD", "--out", "OUT", "--method", "no"], "method"),
        (["fit", "GOOD", "--out", "OUT", "--false-rejects", "2"], "false_rejects"),
        (["calibrate", "MODEL", "EMPTY", "--out", "OUT"], "holds no image"),
        (["info", "NONE"], "There is no detector"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(arguments, word, good, model, tmp_path, aesc):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    places = {
        "MODEL": model, "GOOD": good, "EMPTY": tmp_path / "empty", "NONE": tmp_path / "none",
        "OUT": tmp_path / "out.aesc", "FILE/x": tmp_path / "file" / "x",
    }  # fmt: skip
    code, _, error = aesc(*(places.get(argument, argument) for argument in arguments))
    lines = error.strip().splitlines()
    assert code == 2 and len(lines) == 1 and word.replace("FILE", "file") in lines[0]
    assert not (tmp_path / "out.aesc").exists()


def test_the_same_evidence_has_the_same_colour_on_every_image():
    """On the scale of the calibration, not of the image."""
    alone = opacity(np.array([[0.1, 0.9]], np.float32), quiet=0.3)
    beside = opacity(np.array([[0.1, 0.9], [5.0, 0.0]], np.float32), quiet=0.3)
    np.testing.assert_array_equal(alone[0], beside[0])
    assert alone[0, 0] == 0 and beside[1, 0] == beside.max()

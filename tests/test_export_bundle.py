"""The command `aesc export`, and the bundle that needs neither torch nor the package."""

import csv
import io
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from detectors import SIDE, good_folder, refused, save, small_detector, spoiled, stripes
from exports import untrained

from aesc.detector import save as save_detector

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

import aesc as aesc_package
from aesc.export import Model, bundle

FOREIGN = ("aesc", "matplotlib", "onnx", "pydantic", "safetensors", "scipy", "torch")
"""What a bundle must not need."""


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return good_folder(tmp_path_factory.mktemp("good"))


@pytest.fixture(scope="module")
def detector(good):
    return small_detector(good, false_rejects=0.1, review=0.2)


@pytest.fixture(scope="module")
def model(detector, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "part.aesc"
    save_detector(detector, path)
    return path


@pytest.fixture(scope="module")
def made(detector, good, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundle") / "part"
    bad = save(folder.parent / "bad.png", spoiled(stripes(np.random.default_rng(7))))
    bundle(detector, folder, [*sorted(good.iterdir())[:9], bad])
    return folder


@pytest.fixture
def predict(made, tmp_path):
    """Call the bundle's script where its foreign packages cannot be imported."""
    text = f"import sys\nsys.modules.update(dict.fromkeys({FOREIGN}))\n"
    (tmp_path / "sitecustomize.py").write_text(text)

    def call(*words):
        return subprocess.run(
            [sys.executable, made / "predict.py", *words],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(tmp_path)},
        )

    return call


def test_a_bundle_holds_all_that_is_needed(made, detector):
    names = sorted(path.name for path in made.iterdir())
    assert names == ["card.json", "examples", "model.onnx", "predict.py", "requirements.txt"]
    card = json.loads((made / "card.json").read_text())
    assert card["card"] == detector.card and card["fingerprint"] == detector.card["fingerprint"]
    expected = json.loads((made / "examples" / "expected.json").read_text())
    assert [each["verdict"] for each in expected.values()][-1] == "reject" and len(expected) == 3


def test_it_tests_itself_without_torch_and_the_package(predict, tmp_path):
    (tmp_path / "torch.py").write_text("")  # even if there were one
    done = predict("--self-test")
    assert (done.returncode, done.stdout) == (0, "self-test passed\n"), done.stderr


def test_a_self_test_that_fails_says_so(predict, made):
    path = made / "examples" / "expected.json"
    text = path.read_text()
    expected = json.loads(text)
    expected["1.png"]["score"] *= 1.001
    path.write_text(json.dumps(expected))
    done = predict("--self-test")
    path.write_text(text)
    assert done.returncode == 1 and done.stdout.startswith("1.png: ")


def test_a_bundle_that_is_not_whole_says_so(made, predict, tmp_path):
    example, model = made / "examples" / "2.png", made / "model.onnx"
    example.rename(tmp_path / "2.png")
    done = predict("--self-test")
    (tmp_path / "2.png").rename(example)
    assert done.returncode == 1 and "2.png cannot be read" in done.stdout and done.stderr == ""
    content = model.read_bytes()
    model.write_bytes(content[:1000])
    done = predict("--self-test")
    model.write_bytes(content)
    assert done.returncode == 2 and "is not a whole ONNX file" in done.stderr
    model.rename(tmp_path / "x.onnx")
    done = predict(example)
    (tmp_path / "x.onnx").rename(model)
    assert done.returncode == 2 and "is not a whole ONNX file" in done.stderr
    foreign = (tmp_path / "sitecustomize.py").read_text()
    (tmp_path / "sitecustomize.py").write_text(foreign + 'sys.modules["onnxruntime"] = None\n')
    done = predict(example)
    assert done.returncode == 2
    assert "onnxruntime is missing: pip install -r requirements.txt" in done.stderr


def test_its_table_holds_a_row_for_every_image(predict, detector, tmp_path):
    rng = np.random.default_rng(3)
    bad = save(tmp_path / "bad.png", spoiled(stripes(rng)))
    wide = save(tmp_path / "wide.png", stripes(rng, 80, 64))
    colour = save(tmp_path / "colour.png", np.zeros((SIDE, SIDE, 3), np.uint8))
    done = predict(bad, wide, tmp_path / "gone.png", colour)
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert [row["verdict"] for row in rows] == ["reject", "error", "error", "error"]
    assert float(rows[0]["score"]) == pytest.approx(detector.predict(bad).score, rel=1e-4)
    assert "80 x 64" in rows[1]["notes"] and "gone.png" in rows[2]["notes"]
    assert "mode RGB" in rows[3]["notes"]
    (line,) = predict("--json", bad).stdout.splitlines()
    assert json.loads(line)["verdict"] == "reject"


def test_its_help_and_an_empty_call(predict):
    assert predict("--help").returncode == 0
    assert predict().returncode == 2


def test_a_folder_that_is_there_is_left_alone(made, detector, good):
    refused(lambda: bundle(detector, made, sorted(good.iterdir())[:3]), "is there already")


def test_folders_around_a_bundle_are_made_or_refused(detector, good, tmp_path):
    images = sorted(good.iterdir())[:3]
    bundle(detector, tmp_path / "new" / "sub" / "part", images)
    assert [path.name for path in (tmp_path / "new" / "sub").iterdir()] == ["part"]
    (tmp_path / "file").write_text("")
    refused(lambda: bundle(detector, tmp_path / "file" / "part", images), "choose another folder")
    refused(lambda: bundle(detector, tmp_path / ("x" * 300), images), "choose a shorter name")


def test_a_self_test_without_whole_examples_is_one_sentence(predict, made):
    path = made / "examples" / "expected.json"
    text = path.read_text()
    for content in (None, "", "[]", '{"1.png": {}}'):
        path.unlink() if content is None else path.write_text(content)
        done = predict("--self-test")
        path.write_text(text)
        assert (done.returncode, done.stdout) == (2, "") and "Traceback" not in done.stderr
        assert done.stderr.endswith("again.\n") and "expected.json is missing" in done.stderr


def test_another_programs_file_is_refused(tmp_path):
    from aesc.export.graph import Graph

    graph = Graph()
    graph.input("x", "float32", [1])
    graph.output("x", "y", "float32", [1])
    (tmp_path / "x.onnx").write_bytes(graph.model({}).SerializeToString())
    with pytest.raises(ValueError, match="is not a detector"):
        Model(tmp_path / "x.onnx")


def test_the_command_checks_on_images_of_its_own(model, tmp_path, aesc):
    out = tmp_path / "part.onnx"
    code, text, error = aesc("export", model, "--out", out)
    assert code == 0, error
    assert "same verdicts" in text and f"model: {out}" in text
    assert "made of the mean good image" in error
    assert [path.name for path in tmp_path.iterdir()] == ["part.onnx"]


def test_the_command_writes_a_bundle_of_good_images(model, good, tmp_path, aesc):
    out = tmp_path / "part.onnx"
    words = ("--bundle", "--images", good, "--input", "64x64")
    code, text, error = aesc("export", model, "--out", out, *words)
    assert code == 0 and error == ""
    assert "checked: 40 images" in text and f"bundle: {tmp_path / 'part'}" in text
    assert [path.name for path in tmp_path.iterdir()] == ["part"]


def test_the_command_says_that_the_files_differ(model, good, tmp_path, aesc, monkeypatch):
    other = untrained(sorted(good.iterdir())[:12])
    monkeypatch.setattr("aesc.export.exporting.exportable", lambda _: other.model)
    for words in ((), ("--bundle",)):
        code, text, error = aesc("export", model, "--out", tmp_path / "x", *words)
        assert code == 1 and text == "" and error.splitlines()[-1].endswith("nothing was written.")
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_missing_packages_are_named_with_their_extra(
    package, model, good, tmp_path, aesc, monkeypatch
):
    for name in [n for n in sys.modules if n.startswith("aesc.export")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(aesc_package, "export", aesc_package.export)  # given back with the modules
    monkeypatch.setitem(sys.modules, package, None)
    code, _, error = aesc("export", model, "--out", tmp_path / "x.onnx", "--images", good)
    assert code == 2 and error.count("\n") == 1
    assert f"The package {package} is missing: pip install 'aesc[export]'." in error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("NONE", "--out", "x.onnx"), "There is no detector"),
        (("MODEL", "--out", "x.onnx", "--input", "9x9"), "input is 9x9"),
        (("MODEL", "--out", "x.onnx", "--input", "nine"), "give WIDTHxHEIGHT"),
        (("MODEL", "--out", "x.onnx", "--images", "EMPTY"), "EMPTY"),
    ],
)
def test_bad_input_is_one_sentence(words, said, model, tmp_path, aesc, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "EMPTY").mkdir()
    code, _, error = aesc("export", *(model if word == "MODEL" else word for word in words))
    assert code == 2 and said in error and "Traceback" not in error
    assert not (tmp_path / "x.onnx").exists()

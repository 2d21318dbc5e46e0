"""Exported detectors where images are padded, outside the region of interest, or no numbers."""

import json

import numpy as np
import pytest
from detectors import save, stripes
from exports import untrained

from aesc.detector import RegionOfInterest, Tiling
from aesc.detector.result import find_regions

pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from aesc.export import TOLERANCE, Model, build, export  # noqa: E402
from aesc.export.graph import Graph  # noqa: E402
from aesc.export.maps import Valid, add_score  # noqa: E402
from aesc.export.predict import _print_all, self_test  # noqa: E402

TILES = Tiling(64, 16)
WAYS = {
    "whole": ((150, 60), 64, None),
    "tiles": ((150, 60), (112, 112), TILES),
    "tiles of a round region": ((150, 120), None, TILES),
}


def parts(folder, size, count=12):
    rng = np.random.default_rng(0)
    return [save(folder / f"{i:02}.png", stripes(rng, *size)) for i in range(count)]


def disk(folder, width, height):
    """A region that leaves tiles in which some pixels are valid, a single one, or none."""
    down, across = np.mgrid[:height, :width]
    mask = (down - 40) ** 2 + (across - 40) ** 2 < 38**2
    mask[-1, -1] = mask[0, 0] = True
    return RegionOfInterest.of_mask(save(folder / "mask.png", (255 * mask).astype(np.uint8)))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("method", ["aesc", "aesc_plus"])
def test_only_what_is_valid_counts_as_in_the_detector(tmp_path, method, way):
    size, resized, tiling = WAYS[way]
    images = parts(tmp_path / "in", size)
    roi = disk(tmp_path, *size) if "region" in way else None
    detector = untrained(images, resized, method=method, tiling=tiling, roi=roi, review=0.2)
    export(detector, tmp_path / "x.onnx", images[:1])
    model = Model(tmp_path / "x.onnx")
    pictures = [detector.preprocessing.read(path) for path in images[:2]]
    found = model.run(np.stack([model.read(path) for path in images[:2]]))
    scored = list(detector.scored(pictures))
    assert found["score"] == pytest.approx([each.score for each in scored], rel=TOLERANCE)
    for picture, ours, other in zip(pictures, scored, found["map"], strict=True):
        wanted = ours.map / detector.pixel_threshold
        np.testing.assert_allclose(other, wanted, rtol=1e-3, atol=1e-4)
        assert not picture.valid.all() and not other[~picture.valid].any()
        assert other[picture.valid].all()


@pytest.mark.parametrize("count", [1, 2, 7, 70, 300, 400])
def test_the_top_score_is_taken_of_the_valid_pixels(count):
    rng = np.random.default_rng(count)
    maps = rng.random((3, 20, 20)).astype(np.float32)
    valid = rng.permutation(400).reshape(20, 20) < count
    graph = Graph()
    graph.input("map", "float32", ["N", 20, 20])
    score = add_score(graph, "map", "top", Valid.of(graph, valid))
    graph.output(score, "score", "float32", ["N"])
    session = onnxruntime.InferenceSession(graph.model({}).SerializeToString())
    (found,) = session.run(None, {"map": maps * valid})
    ordered = np.sort(maps[:, valid], axis=1)
    wanted = ordered[:, -max(1, round(0.005 * count)) :].mean(1) - ordered[:, (count - 1) // 2]
    np.testing.assert_allclose(found, wanted, atol=1e-6)


@pytest.mark.parametrize("method", ["aesc", "aesc_plus"])
@pytest.mark.parametrize("tiling", [None, TILES], ids=["whole", "tiles"])
@pytest.mark.parametrize("column", [3, 140])
def test_a_score_that_is_no_number_is_an_error_and_never_good(
    tmp_path, monkeypatch, capsys, method, tiling, column
):
    images = parts(tmp_path / "in", (150, 150))
    detector = untrained(images, None if tiling else 64, method=method, tiling=tiling)
    monkeypatch.setattr(
        "aesc.export.tiles.add_map",  # 0 / 0 where an image is black
        lambda graph, _, x, shape: graph.add(
            "ReduceMean", graph.add("Div", x, x), axes=[1], keepdims=0
        ),
    )
    (tmp_path / "x.onnx").write_bytes(build(detector).SerializeToString())
    model = Model(tmp_path / "x.onnx")
    pixels = stripes(np.random.default_rng(1), 150, 150)
    assert pixels.min() > 0
    pixels[70:80, column : column + 7] = 0
    black = save(tmp_path / "black.png", pixels)
    found = model.run(np.stack([model.read(path) for path in (images[0], black)]))
    verdicts = [model.facts["verdicts"][number] for number in found["verdict"]]
    assert verdicts[0] in ("good", "review", "reject") and verdicts[1] == "error"
    assert _print_all(model, [str(black)], as_json=True) == 1
    row = json.loads(capsys.readouterr().out)
    assert row["verdict"] == "error" and row["score"] is None
    assert row["notes"].startswith(f"{black} gets a score that is not finite: ")


@pytest.mark.parametrize(("score", "wrong"), [(0.0, 0), (0.1, 1)])
def test_an_example_without_any_anomaly_can_be_compared(tmp_path, score, wrong):
    class Found:
        def predict(self, _):
            return {"verdict": "good", "score": score}

    expected = {"1.png": {"verdict": "good", "score": 0.0}}
    (tmp_path / "expected.json").write_text(json.dumps(expected))
    assert len(self_test(Found(), tmp_path)) == wrong


@pytest.mark.parametrize(("row", "column"), [(0, 0), (63, 63), (30, 0), (63, 20)])
@pytest.mark.parametrize("box", [(0, 0, 40, 33), (0, -16, 40, 65), (-1, 0, 41, 33)])
def test_a_box_lies_in_the_image_as_the_regions_of_the_detector(box, row, column):
    model = Model.__new__(Model)
    model.facts = {"box": box, "input": (40, 33)}
    regions = np.zeros((64, 64), np.bool_)
    regions[row, column] = True
    x, y, width, height = model._box(regions)
    assert 0 <= x < x + width <= 40 and 0 <= y < y + height <= 33
    (region,) = find_regions(np.where(regions, 2, 0).astype(np.float32), box)
    region = region.within((40, 33))
    assert (x, y, width, height) == (region.x, region.y, region.width, region.height)

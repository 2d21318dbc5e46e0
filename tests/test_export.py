"""A detector as an ONNX file: the same verdicts and scores, or no file."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from detectors import SIDE, good_folder, refused, save, small_detector, spoiled, stripes
from exports import untrained
from PIL import Image

from aesc.detector import RegionOfInterest, Tiling
from aesc.errors import ExportError, InputError
from aesc.synthetic import CATEGORIES, embedded

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from aesc.export import TOLERANCE, Input, Model, export, write_probes  # noqa: E402


def parts(folder, count, width=SIDE, height=SIDE):
    """Good parts and, at the end, spoiled ones."""
    rng = np.random.default_rng(0)
    arrays = [stripes(rng, width, height) for _ in range(count)]
    arrays += [spoiled(stripes(rng, width, height), 5 + i, 9 + i) for i in range(4)]
    return [save(folder / f"{i:02}.png", array) for i, array in enumerate(arrays)]


@pytest.mark.parametrize("name", CATEGORIES)
def test_every_generated_category_gets_the_verdicts_of_its_detector(name, tmp_path):
    folder = embedded(64, names=[name]) / name
    good = sorted((folder / "train" / "good").glob("*.png"))
    defects = sorted((folder / "test").rglob("*.png"))[::4]
    detector = untrained(good[:20], false_rejects=0.1, review=0.3)
    checked = export(detector, tmp_path / "x.onnx", [*good[:30], *defects])
    assert len(checked) > 35 and max(each.difference for each in checked) < TOLERANCE
    assert len({each.verdict for each in checked}) > 1


def test_a_trained_detector_rejects_the_same_parts(tmp_path):
    detector = small_detector(good_folder(tmp_path / "good"), false_rejects=0.1, review=0.2)
    images = parts(tmp_path / "new", 8)
    checked = export(detector, tmp_path / "part.onnx", images)
    assert [each.verdict for each in checked[-4:]] == ["reject"] * 4
    model = Model(tmp_path / "part.onnx")
    for path in images:
        ours, other = detector.predict(path), model.predict(path)
        assert other["p_value"] == pytest.approx(ours.p_value, rel=1e-6)
        assert other["notes"].split("; ") == list(ours.notes or [""])
        (found,) = model.run(model.read(path)[None])["map"]
        np.testing.assert_allclose(found, ours.map, atol=1e-4 * ours.map.max())
        if len(ours.regions) == 1:
            (region,) = ours.regions
            assert [other[key] for key in ("x", "y", "width", "height")] == [
                region.x,
                region.y,
                region.width,
                region.height,
            ]


@pytest.mark.parametrize("method", ["aesc", "ae", "aesc_plus"])
@pytest.mark.parametrize(
    ("width", "height", "size", "channels", "roi"),
    [
        (64, 64, 64, 3, None),
        (150, 90, 64, 1, None),
        (90, 150, 100, 1, (5, 11, 70, 101)),
        (40, 30, 72, 1, None),
    ],
)
def test_any_shape_size_and_region(tmp_path, method, width, height, size, channels, roi):
    images = parts(tmp_path / "in", 12, width, height)
    region = roi and RegionOfInterest.rectangle(roi, (width, height))
    detector = untrained(images[:12], size, channels, roi=region, method=method, review=0.2)
    checked = export(detector, tmp_path / "x.onnx", images)
    assert max(each.difference for each in checked) < TOLERANCE


@pytest.mark.parametrize("method", ["aesc", "aesc_plus"])
@pytest.mark.parametrize("size", [(128, 64), (70, 110)])
def test_an_input_that_is_not_square(tmp_path, method, size):
    images = parts(tmp_path / "in", 12, 90, 60)
    detector = untrained(images[:12], size, method=method, review=0.2)
    checked = export(detector, tmp_path / "x.onnx", images)
    assert max(each.difference for each in checked) < TOLERANCE


@pytest.mark.parametrize("method", ["aesc", "aesc_plus"])
@pytest.mark.parametrize(
    ("width", "height", "size", "roi"),
    [
        (150, 90, None, None),
        (64, 64, None, None),
        (200, 150, None, (20, 11, 70, 101)),
        (90, 60, (135, 90), None),
        (700, 70, None, None),  # its mean is taken of blocks of pixels
    ],
)
def test_an_image_in_tiles(tmp_path, method, width, height, size, roi):
    images = parts(tmp_path / "in", 12, width, height)
    region = roi and RegionOfInterest.rectangle(roi, (width, height))
    tiling = Tiling(64, 16)
    detector = untrained(images[:12], size, roi=region, method=method, tiling=tiling, review=0.2)
    checked = export(detector, tmp_path / "x.onnx", images)
    assert max(each.difference for each in checked) < TOLERANCE
    model, picture = Model(tmp_path / "x.onnx"), detector.preprocessing.read(images[-1])
    (scored,) = detector.scored([picture])
    found = model.run(model.read(images[-1])[None].repeat(2, axis=0))
    wanted = scored.map / detector.pixel_threshold
    for each in found["map"]:
        np.testing.assert_allclose(each, wanted, rtol=1e-3, atol=1e-4)
    assert found["score"] == pytest.approx([scored.score] * 2, rel=TOLERANCE)


def test_tiles_that_would_make_a_file_of_gigabytes_are_refused(tmp_path, monkeypatch):
    images = parts(tmp_path / "in", 12, 150, 90)
    detector = untrained(images[:12], None, tiling=Tiling(64, 16))
    monkeypatch.setattr("aesc.export.tiles.MOST_VALUES", 1000)
    with pytest.raises(InputError, match="150 x 90 pixels in tiles of 64 are too large"):
        export(detector, tmp_path / "x.onnx", images)
    assert not (tmp_path / "x.onnx").exists()


def test_a_region_that_is_no_rectangle(tmp_path):
    images = parts(tmp_path / "in", 12)
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[np.hypot(*np.mgrid[-30:34, -28:36]) < 25] = 255
    roi = RegionOfInterest.of_mask(save(tmp_path / "mask.png", mask))
    export(untrained(images[:12], roi=roi), tmp_path / "x.onnx", images)
    model = Model(tmp_path / "x.onnx")
    # Where the region does not reach, and the blur neither, nothing can stand out.
    found = model.run(model.read(images[-1])[None])["map"]
    assert found[0, 30, 30] > 0 == found[0, 0, 0]


@pytest.mark.parametrize("mode", ["RGB", "I;16", "I", "F", "L and RGB"])
def test_any_mode(tmp_path, mode):
    rng = np.random.default_rng(0)
    paths = []
    for index in range(12):
        grey = stripes(rng)
        if mode == "RGB" or (index % 2 and "and" in mode):
            image = Image.fromarray(np.stack([grey, grey // 2, 255 - grey], axis=2))
        elif mode == "I;16":
            image = Image.fromarray(16 * grey.astype(np.uint16) + 5)
        elif mode == "I":
            image = Image.fromarray(16 * grey.astype(np.int32))
        else:
            image = Image.fromarray(grey.astype(np.float32) / 260 if mode == "F" else grey)
        suffix = "tif" if mode in ("I", "F") else "png"
        paths.append(tmp_path / f"{index:02}.{suffix}")
        image.save(paths[-1])
    white = {"I;16": 4095, "I": 4095, "F": 1}.get(mode, 255)
    detector = untrained(paths, white_level=white)
    assert detector.familiar.modes == tuple(mode.split(" and "))
    probes = write_probes(Input.of(detector), tmp_path)
    checked = export(detector, tmp_path / "x.onnx", [*paths, *probes])
    assert len({each.verdict for each in checked}) > 1


def test_an_odd_image_is_set_aside_with_the_same_words(tmp_path):
    images = parts(tmp_path / "in", 12)
    detector = untrained(images[:12])
    probes = write_probes(Input.of(detector), tmp_path)
    export(detector, tmp_path / "x.onnx", probes)
    model = Model(tmp_path / "x.onnx")
    words = set()
    for path in probes:
        found = model.predict(path)
        assert found["notes"].split("; ") == list(detector.predict(path).notes or [""])
        words |= {note.split(":")[0] for note in found["notes"].split("; ")}
    assert words >= {"brightness", "sharpness"}


@pytest.mark.parametrize("part", ["encoder.0.conv.weight", "head.bias"])
def test_other_weights_are_noticed_and_leave_no_file(tmp_path, part, monkeypatch):
    images = parts(tmp_path / "in", 12)
    detector, tampered = untrained(images[:12]), untrained(images[:12])
    with torch.no_grad():
        tampered.model.get_parameter(part).add_(0.01)
    monkeypatch.setattr("aesc.export.exporting.exportable", lambda _: tampered.model)
    out = tmp_path / "out" / "x.onnx"
    with pytest.raises(ExportError, match="nothing was written"):
        export(detector, out, images)
    assert list(out.parent.iterdir()) == []
    out.write_text("older")
    with pytest.raises(ExportError):
        export(detector, out, images)
    assert out.read_text() == "older"


def test_a_damaged_weight_in_the_file_is_noticed(tmp_path, monkeypatch):
    images = parts(tmp_path / "in", 12)
    detector = untrained(images[:12])

    def damage(model, path):
        first = next(c for c in model.graph.initializer if len(c.dims) == 4)
        values = onnx.numpy_helper.to_array(first).copy()
        values.ravel()[3] += 0.05
        first.CopyFrom(onnx.numpy_helper.from_array(values, first.name))
        Path(path).write_bytes(model.SerializeToString())

    monkeypatch.setattr("aesc.export.exporting.onnx.save_model", damage)
    with pytest.raises(ExportError):
        export(detector, tmp_path / "out" / "x.onnx", images)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(("method", "channels"), [("ae_l2", 1), ("ae_ssim", 1)])
def test_other_methods_are_refused(tmp_path, method, channels):
    images = parts(tmp_path / "in", 12)
    detector = untrained(images, channels=channels, method=method)
    refused(lambda: export(detector, tmp_path / "x.onnx", images), "cannot be exported", "AESc")


def test_sizes_are_checked(tmp_path):
    images = [*parts(tmp_path / "a", 12), *parts(tmp_path / "b", 12, 80, 64)]
    detector = untrained(images)
    out = tmp_path / "x.onnx"
    refused(lambda: export(detector, out, images), "several sizes", "64x64 or 80x64")
    refused(lambda: export(detector, out, images, (9, 9)), "input is 9x9", "64x64 or 80x64")
    refused(lambda: export(detector, out, images, (80, 64)), "is 64 x 64 pixels", "80 x 64")
    refused(lambda: export(detector, out, [], (80, 64)), "images is empty")
    assert not out.exists()
    assert len(export(detector, out, images[16:], (80, 64))) == 16


def test_the_file_says_what_it_is(tmp_path):
    images = parts(tmp_path / "in", 12)
    export(untrained(images, false_rejects=0.1, review=0.2), tmp_path / "x.onnx", images)
    model = onnx.load(tmp_path / "x.onnx")
    facts = {each.key: json.loads(each.value) for each in model.metadata_props}
    assert facts["format"] == "aesc-onnx" and facts["size"] == [64, 64] and facts["channels"] == 1
    assert facts["white_level"] == 255 and facts["calibration_images"] == 16
    assert (facts["false_rejects"], facts["review"]) == (0.1, 0.2)
    assert {"fingerprint", "licence", "aesc"} <= set(facts)
    assert model.opset_import[0].version == 17 and len(model.opset_import) == 1
    outputs = [output.name for output in model.graph.output]
    assert outputs == ["score", "p_value", "measured", "verdict", "map", "regions"]

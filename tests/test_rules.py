"""What the models refuse, in sentences: each names the value and the remedy."""

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from aesc._checks import first_sentence
from aesc.detector.storage import _Content
from aesc.errors import InputError
from aesc.experiment import RunConfig
from aesc.records import Record

RESULTS = Path(__file__).resolve().parent.parent / "results"
RECORD = json.loads(sorted(RESULTS.rglob("*.json"))[0].read_text(encoding="utf-8"))
DETECTOR = {
    "method": "aesc", "size": [64, 64], "tile": [64, 16], "channels": 1, "white_level": 255.0,
    "roi": [[64, 64], [0, 0, 3, 3]], "sizes": [[3, 4]], "modes": ["L"], "ranges": {"a": [0, 1]},
    "quiet": 0.1, "false_rejects": 0.1, "review": 0.2, "card": {},
}  # fmt: skip
ODD = [
    None, True, -1, 0, 1.5, float("nan"), 2**70, "", "x", "12x", "9" * 5000, "\n", "\ud800",
    [], [1], [1, 2, 3], {}, {"Bad Name": {}},
]  # fmt: skip


def changed(content: dict, way: tuple, change: Callable[[dict, str], None]) -> dict:
    """A copy of which the part at the end of the keys is changed."""
    content = copy.deepcopy(content)
    part = content
    for key in way[:-1]:
        part = part[key]
    change(part, way[-1])
    return content


def ways(value: object, way: tuple = ()) -> Iterator[tuple]:
    """The keys to every part."""
    parts = {dict: lambda: value.items(), list: lambda: enumerate(value)}.get(type(value), tuple)()
    for key, part in parts:
        yield (*way, key)
        yield from ways(part, (*way, key))


def variants(content: dict) -> Iterator[object]:
    """A content in which any one part is odd, is missing or has a neighbour that is not known."""
    yield from ODD
    for way in ways(content):
        yield changed(content, way, lambda part, key: part.__delitem__(key))
        yield changed(content, way[:-1] or ("card",), lambda part, key: None) | {"extra": 1}
        for odd in ODD:
            yield changed(content, way, lambda part, key, odd=odd: part.__setitem__(key, odd))


def refusals() -> Iterator[str]:
    """The first sentence of everything that a model refuses."""
    for model, content in ((Record, RECORD), (_Content, DETECTOR)):
        for variant in variants(content):
            try:
                if model is Record:
                    Record.model_validate(variant)
                else:
                    _Content.model_validate_json(json.dumps(variant))
            except ValidationError as error:
                yield first_sentence(error)
    for name in RunConfig.model_fields:
        for odd in ODD:
            try:
                RunConfig(**{"category": "washer", name: odd})
            except ValidationError as error:
                yield first_sentence(error)


def test_every_refusal_is_one_sentence_in_the_words_of_the_package():
    found = set(refusals())
    assert len(found) > 500
    for sentence in found:
        assert "\n" not in sentence and sentence.endswith("."), sentence
        assert ": it " not in sentence and "another value" not in sentence, sentence
        assert not sentence.startswith((" ", ":", "is ")), sentence


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({}, "category is missing: give it."),
        ({"category": ""}, "category is '': give text of 1 or more characters."),
        ({"category": 7}, "category is 7: give text."),
        ({"category": "w", "sides": 64}, "sides is not known: leave it out."),
        ({"category": "w", "data": Path("d")}, f"data is {Path('d')!r}: give text."),
        ({"category": "\ud800"}, "category is '\\ud800': give text in UTF-8."),
    ],
)
def test_configurations(values, sentence):
    with pytest.raises(InputError) as refused:
        RunConfig.checked(**values)
    assert str(refused.value) == sentence


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("channels", 2, "channels is 2: give 1 or 3."),
        ("white_level", 0, "white_level is 0: give a number above 0."),
        ("white_level", "x", "white_level is 'x': give a number."),
        ("quiet", None, "quiet is None: give a number."),
        ("roi", [[64, 64.5], [0] * 4], "roi.0.1 is 64.5: give a whole number."),
        ("roi", [[64, "a"], [0] * 4], "roi.0.1 is 'a': give a whole number."),
        ("tile", [1], "tile.1 is missing: give it."),
        ("tile", [1, 2, 3], "tile is [1, 2, 3]: give 2 or fewer entries."),
        ("tile", 5, "tile is 5: give a list."),
        ("ranges", [], "ranges is []: give a dictionary."),
    ],
)
def test_stored_detectors(field, value, sentence):
    with pytest.raises(ValidationError) as refused:
        _Content.model_validate_json(json.dumps({**DETECTOR, field: value}))
    assert first_sentence(refused.value) == sentence


def test_content_that_is_no_dictionary_at_all():
    for text, sentence in (
        ("[1]", "content is [1]: give a dictionary."),
        ("{", "content is '{': give whole JSON."),
    ):
        with pytest.raises(ValidationError) as refused:
            _Content.model_validate_json(text)
        assert first_sentence(refused.value) == sentence


@pytest.mark.parametrize(
    ("way", "value", "finding"),
    [
        (("data", "train"), -1, "data.train is -1"),
        (("name",), "x" * 301, f"name is '{'x' * 198}…"),
        (("metrics", "Bad Name"), {}, "a key of metrics is 'Bad Name'"),
    ],
)
def test_record_says_what_is_wrong_and_has_one_remedy(way, value, finding):
    content = changed(RECORD, way, lambda part, key: part.__setitem__(key, value))
    with pytest.raises(InputError) as refused:
        Record.parse(json.dumps(content), "r.json")
    assert str(refused.value) == (
        f"Record r.json is not whole ({finding}): move it away and run again."
    )

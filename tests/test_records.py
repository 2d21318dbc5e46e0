"""Reading records: old ones, damaged ones, and what else lies in a folder of results."""

import json
import os
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from records_by_hand import record, seeds

from aesc.errors import InputError
from aesc.records import (
    COMPARISON,
    Record,
    Store,
    comparison_table,
    render,
    results_table,
    table_notes,
)

RESULTS = Path(__file__).resolve().parent.parent / "results"
COMMITTED = sorted(RESULTS.rglob("*.json"))
WHOLE = json.loads(COMMITTED[0].read_text(encoding="utf-8"))


def without(content: dict, *keys: str) -> dict:
    """A copy in which the field at the end of the keys is missing."""
    first, *rest = keys
    if not rest:
        return {k: v for k, v in content.items() if k != first}
    return {**content, first: without(content[first], *rest)}


def refusal(content: object) -> str:
    with pytest.raises(InputError, match=r"\A[^\n]{1,900}\.\Z") as refused:
        Record.parse(json.dumps(content), "r.json")
    return str(refused.value)


def test_all_committed_records_load_and_are_named_after_their_run():
    records = Store(RESULTS).records()
    assert len(records) == len(COMMITTED) > 100
    assert {path.stem for path in COMMITTED} == {one.name for one in records}


def test_record_older_than_a_field_loads_with_its_default():
    """The rule of the schema: what is added has a default, so that older records stay readable."""
    old = WHOLE
    for keys in [("data", "quick_fingerprint"), ("method", "loss"), ("method", "norm"), ("notes",)]:
        old = without(old, *keys)
    loaded = Record.parse(json.dumps(old), "old.json")
    assert loaded.data.quick_fingerprint == "" and loaded.notes == ""
    assert (loaded.method.loss, loaded.method.norm) == ("mse", "l2")
    assert len(results_table([loaded])) == 1


def test_metric_added_later_leaves_older_records_readable():
    """As a later version would add it: a field of `Detection` with the default None."""
    from aesc.records.record import Detection

    class Later(Detection):
        ece: float | None = None

    found = WHOLE["metrics"]["residual"]["image"]["l2"]
    assert Later.model_validate(found).ece is None
    assert Later.model_validate({**found, "ece": 0.25}).ece == 0.25


def test_records_that_are_not_whole_are_refused():
    assert "schema version 2, this package reads 1" in refusal({**WHOLE, "schema_version": 2})
    assert "schema version True" in refusal({**WHOLE, "schema_version": True})
    assert "schema version None" in refusal([1, 2])
    assert "(metrics is missing)" in refusal(without(WHOLE, "metrics"))
    assert "(extra is not known)" in refusal({**WHOLE, "extra": 1})
    assert "no image scores of its norm 'l7'" in refusal(
        {**WHOLE, "method": {**WHOLE["method"], "norm": "l7"}}
    )
    assert "metrics is {}" in refusal({**WHOLE, "metrics": {}})


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"a":' * 100_000,
        "",
        "{",
        "\ufeff{}",
        '{"schema_version": 1e999}',
        "1" * 9999,
    ],
)
def test_what_is_no_json_object_is_refused_in_one_sentence(text):
    with pytest.raises(InputError, match=r"\A[^\n]{1,600}\.\Z"):
        Record.parse(text, "r.json")


def test_messages_never_advise_to_delete(tmp_path):
    for text in ("{", json.dumps({**WHOLE, "schema_version": 9}), json.dumps({**WHOLE, "a": 1})):
        with pytest.raises(InputError) as refused:
            Record.parse(text, "r.json")
        assert "delete" not in str(refused.value)


# Anything may stand in a file


ODD = [
    None, True, -1, 0, 1.5, 1e308, float("nan"), float("inf"), 2**70, "", "x" * 10**5, "\n", "\x00",
    "\ud800", [], {}, [[]], {"a": {}}, {"x" * 100_000: 1}, {"\n": 1},
]  # fmt: skip


def places(value: object, path: tuple = ()) -> list[tuple]:
    """Paths to every part of a JSON value."""
    if not isinstance(value, dict):
        return [path]
    inner = (place for key, part in value.items() for place in places(part, (*path, key)))
    return [path, *inner] if path else [*inner]


def mutated(content: dict, rng: random.Random) -> str:
    """A record in which one to three parts are replaced, removed or renamed, or bytes changed."""
    content = json.loads(json.dumps(content))
    for _ in range(rng.randint(1, 3)):
        *way, last = rng.choice(places(content))
        part = content
        for key in way:
            part = part.get(key, {}) if isinstance(part, dict) else {}
        if not isinstance(part, dict) or last not in part:
            continue
        change = rng.randrange(4)
        if change < 2:
            part[last] = rng.choice(ODD)
        elif change == 2:
            del part[last]
        else:
            part[rng.choice(["", "\n", "x" * 100_000, "a.b", "seed"])] = part.pop(last)
    text = json.dumps(content)
    if rng.random() < 0.2:
        place = rng.randrange(len(text))
        text = (
            text[:place] + rng.choice(["", "[" * 5000, "\x00", '"', "}", "9" * 5000]) + text[place:]
        )
    return text


def test_mutated_records_are_used_or_refused_in_a_short_sentence():
    rng = random.Random(0)
    used = 0
    for _ in range(1500):
        text = mutated(WHOLE, rng)
        try:
            loaded = Record.parse(text.encode(errors="surrogatepass"), "r.json")
        except InputError as error:
            assert len(str(error)) < 900 and "\n" not in str(error), str(error)[:1000]
            continue
        used += 1
        assert Record.parse(loaded.model_dump_json(), "again.json") == loaded
        assert loaded.card() and isinstance(table_notes([loaded, record()]), list)
        for format in ("markdown", "html", "csv", "latex"):
            render(results_table([loaded, record()]), format)
        assert list(comparison_table([loaded, record()])) == COMPARISON
        loaded.image_metrics(next(iter(loaded.metrics)))
    assert used > 50


# A folder of results


def saved(folder: Path, *records: Record) -> Path:
    for one in records:
        one.save(folder / f"{one.name}.json")
    return folder


def test_what_is_no_record_is_passed_over_with_a_note(tmp_path):
    runs = saved(tmp_path, *seeds(0.5, 0.6))
    for name, text in {
        ".vscode/settings.json": "{}",
        "config.json": '{"a": 1}',
        "deep/list.json": "[1, 2]",
        "comments.json": "{ // of an editor\n}",
        "other/manifest.json": '{"schema_version": 3, "files": []}',
        ".ipynb_checkpoints/s0-checkpoint.json": (runs / "s0.json").read_text()[:100],
    }.items():
        (runs / name).parent.mkdir(exist_ok=True)
        (runs / name).write_text(text)
    records, notes = Store(runs).scan()
    assert records == seeds(0.5, 0.6) == Store(runs).records()
    assert notes == [
        f"Passed over in {runs}, as no records of runs: .ipynb_checkpoints/s0-checkpoint.json, "
        ".vscode/settings.json, comments.json, config.json, deep/list.json, other/manifest.json."
    ]


def test_folder_below_a_hidden_one_is_read(tmp_path):
    assert len(Store(saved(tmp_path / ".hidden" / "runs", record())).records()) == 1
    assert Store(saved(tmp_path / "plain", record())).scan()[1] == []


def test_copy_of_a_record_does_not_count(tmp_path):
    """Also an older one with other numbers, as an editor or a file manager leaves it."""
    (one,) = seeds(0.5)
    saved(tmp_path, one)
    other = one.model_copy(update={"metrics": seeds(0.75)[0].metrics})
    other.save(tmp_path / "s0 (copy).json")
    records, notes = Store(tmp_path).scan()
    assert records == [one] and "s0 (copy).json" in notes[0]
    assert results_table(records).image_residual[0] == 0.5
    shutil.move(tmp_path / "s0.json", tmp_path / "renamed.json")
    assert len(Store(tmp_path).records()) == 2  # neither has the name of its run


def test_damaged_record_is_refused_by_its_path(tmp_path):
    (one,) = seeds(0.5)
    path = saved(tmp_path, one) / "s0.json"
    path.write_text(path.read_text()[:200])
    with pytest.raises(InputError, match=r"^Record .*s0\.json is not whole .* run again\.$"):
        Store(tmp_path).records()


@pytest.mark.skipif(os.name == "nt", reason="no such names on Windows")
@pytest.mark.parametrize("place", ["{}", "memory://{}"])
def test_signs_of_a_pattern_in_names_are_taken_as_they_are(place, tmp_path):
    """Of folders, ``a*b`` would stand for ``aXb`` as well; of files, ``[old]`` for one letter."""
    found = [Store(place.format(tmp_path / name)) for name in ("a*b", "aXb", "a[X]b", "a?b")]
    for number, store in enumerate(found):
        for category in ("nut [old]", f"bolt {number}*"):
            one = record(data={"category": category}).model_copy(update={"name": category})
            store.files.makedirs(store.root, exist_ok=True)
            content = one.model_dump_json().encode()
            store.files.pipe_file(f"{store.root}/{category}.json", content)
    for number, store in enumerate(found):
        names = [one.name for one in store.records()]
        assert names == [f"bolt {number}*", "nut [old]"]


def test_folder_without_records_is_refused(tmp_path):
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(InputError, match=r"holds no records: run `aesc sweep` first\.$"):
            Store(folder).records()


def test_check_leaves_the_files_of_others_alone():
    store = Store("memory://check-of-a-store")
    store.files.pipe_file(f"{store.root}/write-test", b"mine")
    store.check()
    assert store.files.cat_file(f"{store.root}/write-test") == b"mine"
    assert len(store.files.find(store.root)) == 1


def test_names_of_modules_that_are_imported_when_asked_for_are_listed() -> None:
    code = "import aesc.records; print('results_table' in dir(aesc.records))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "True\n"


def test_card_is_a_table_of_two_columns_whatever_the_notes_say():
    notes = "left | right,\nand a folder called a|b."
    lines = record().model_copy(update={"notes": notes}).card().splitlines()
    assert lines[-1] == r"| notes | left \| right, and a folder called a\|b. |"
    assert all(len(re.split(r"(?<!\\)\|", line)) == 4 for line in lines)


def test_card_counts_in_plain_english():
    for channels, passes, said in (
        (1, 30, "1 channel, 30 dropout passes"),
        (3, 1, "3 channels, 1 dropout pass |"),
    ):
        made = record()
        method = made.method.model_copy(update={"channels": channels, "passes": passes})
        assert said in made.model_copy(update={"method": method}).card()

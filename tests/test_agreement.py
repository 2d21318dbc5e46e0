"""Which records may be averaged, and what is noted beside the average."""

import numpy as np
import pytest
from records_by_hand import REMEDY, maps, record, seeds

from aesc.errors import InputError
from aesc.records import (
    results_table,
    table_notes,
)


@pytest.mark.parametrize(
    ("change", "field", "values"),
    [
        ({"data": {"fingerprint": "e1"}}, "data.fingerprint", "f0 and e1"),
        ({"data": {"train": 60}}, "data.train", "64 and 60"),
        ({"data": {"validation": 20}}, "data.validation", "16 and 20"),
        ({"data": {"test_good": 25}}, "data.test_good", "24 and 25"),
        ({"data": {"test_defective": 3}}, "data.test_defective", "40 and 3"),
        (
            {"data": {"left_out_of_pixel_scores": 2}},
            "data.left_out_of_pixel_scores",
            "0 and 2",
        ),
        ({"learning_rate": 0.01}, "method.learning_rate", "0.002 and 0.01"),
        ({"batch_size": 8}, "method.batch_size", "16 and 8"),
        ({"parameters": 10}, "method.parameters", "9 and 10"),
        ({"norm": "l1"}, "method.norm", "l2 and l1"),
        ({"environment": {"aesc": "0.0.9"}}, "numbers of version", "0.1.0 and 0.0.9"),
    ],
)
def test_incompatible_seeds_are_refused_and_averaged_when_mixed(change, field, values):
    runs = [record(name="a"), record(name="b", seed=1, **change)]
    with pytest.raises(InputError) as refused:
        results_table(runs)
    assert str(refused.value) == f"Records a and b differ in {field} ({values}){REMEDY}"
    table = results_table(runs, mixed=True)
    assert len(table) == 1 and table.seeds[0] == 2


def test_versions_that_give_the_same_numbers_are_averaged_with_a_note():
    runs = [record(), record(seed=1, environment={"aesc": "0.2.0"})]
    assert results_table(runs).seeds[0] == 2
    assert table_notes(runs) == [
        "bottle, aesc + stain: seeds ran with aesc 0.1.0 and with aesc 0.2.0."
    ]


def test_a_version_that_gives_other_numbers_is_refused(monkeypatch):
    monkeypatch.setattr(
        "aesc.records.agreement.NEW_NUMBERS", (("0.1.0", None), ("0.10.0", "stain"))
    )
    versions = ("0.9.3", "0.10.0", "1.0.dev1")
    old, new, newer = (
        record(name=f"of {version}", seed=seed, environment={"aesc": version})
        for seed, version in enumerate(versions)
    )
    assert results_table([new, newer]).seeds[0] == 2
    with pytest.raises(InputError, match=r"numbers of version \(0\.1\.0 and 0\.10\.0\)"):
        results_table([old, new])
    alike = [
        record(seed=seed, corruption="drops", environment={"aesc": version})
        for seed, version in enumerate(versions)
    ]
    assert results_table(alike).seeds[0] == 3, "what changed is another corruption"


def test_same_seed_with_other_numbers_is_refused_and_averaged_when_mixed():
    runs = [
        record(name=name, metrics={"residual": maps(auroc, 0.8, 0.7)})
        for name, auroc in (("a", 0.5), ("b", 0.75))
    ]
    with pytest.raises(InputError) as refused:
        results_table(runs)
    assert str(refused.value) == (
        "Records a and b ran the same seed 0 but differ in metrics.residual.image.l2.auroc "
        f"(0.5 and 0.75){REMEDY}"
    )
    row = results_table(runs, mixed=True).iloc[0]
    assert row.seeds == 1 and row.image_residual == 0.625
    assert row.image_residual_spread == pytest.approx(0.25 / np.sqrt(2))


def test_same_seed_is_found_with_another_seed_between():
    first, between, again = seeds(0.5, 0.6, 0.7)
    again = again.model_copy(update={"method": first.method})
    with pytest.raises(InputError, match=r"^Records s0 and s2 ran the same seed 0 but differ"):
        results_table([first, between, again])


def test_same_seed_with_a_kind_of_map_missing_is_refused():
    runs = [record(), record(metrics={"residual": maps(0.9, 0.8, 0.7)})]
    with pytest.raises(
        InputError, match=r"metrics\.uncertainty\.image\.l1\.auroc \(0.125 and None"
    ):
        results_table(runs)


def test_refusal_says_when_both_records_have_one_name():
    runs = [record(name="a"), record(name="a", data={"fingerprint": "e1"})]
    with pytest.raises(InputError, match=r"^Two records named a differ in data\.fingerprint "):
        results_table(runs)


def test_any_pair_of_a_row_is_compared():
    runs = [record(name=f"s{i}", seed=i) for i in range(3)] + [record(name="x", seed=3, epochs=11)]
    with pytest.raises(InputError, match=r"s2 and x differ in method\.epochs \(10 and 11\)"):
        results_table(runs)


def test_incompatible_records_of_different_rows_are_fine():
    runs = [record(), record(size=128, learning_rate=0.01, environment={"aesc": "9"})]
    assert len(results_table(runs)) == 2


@pytest.mark.parametrize("mixed", [False, True])
def test_identical_duplicates_count_once(mixed):
    first, second = seeds(0.5, 0.7)
    table = results_table([first, second, first, first], mixed=mixed)
    assert table.seeds[0] == 2
    assert table.image_residual[0] == pytest.approx(0.6)
    assert table.image_residual_spread[0] == pytest.approx(np.std([0.5, 0.7], ddof=1))


def test_repeated_run_with_the_same_numbers_counts_once():
    table = results_table([record(minutes=1), record(minutes=3)])
    assert table.seeds[0] == 1 and table.minutes[0] == 1


def test_devices_of_a_row_are_noted():
    runs = [record(seed=0), record(seed=1, environment={"device": "cuda (NVIDIA T4)"})]
    assert table_notes(runs) == ["bottle, aesc + stain: seeds ran on cpu and on cuda (NVIDIA T4)."]
    assert len(results_table(runs)) == 1


def test_devices_and_versions_are_noted_in_one_sentence():
    places = [
        {"torch": "2.4.0"},
        {"device": "cpu (4 threads)", "torch": "2.5.0"},
        {"device": "cpu (4 threads)", "torch": "2.4.0"},
    ]
    runs = [record(seed=i, environment=place) for i, place in enumerate(places)]
    assert table_notes(runs) == [
        "bottle, aesc + stain: seeds ran on cpu and on cpu (4 threads), "
        "with torch 2.4.0 and with torch 2.5.0."
    ]


def test_rows_computed_alike_need_no_note():
    runs = [record(seed=0), record(seed=1), record(size=128, environment={"device": "mps"})]
    assert table_notes(runs) == [] and table_notes([]) == []


def test_notes_tell_rows_of_one_category_and_method_apart():
    runs = [
        record(seed=seed, size=size, environment={"device": f"d{seed}"})
        for seed in (0, 1)
        for size in (64, 128)
    ]
    assert table_notes(runs) == [
        "bottle, aesc + stain, size 64: seeds ran on d0 and on d1.",
        "bottle, aesc + stain, size 128: seeds ran on d0 and on d1.",
    ]


def test_notes_of_the_data_are_told_once_for_a_category():
    note = "Left out of the pixel scores: test/a/0.png."
    runs = [record(seed=i).model_copy(update={"notes": note}) for i in range(2)]
    # What another note begins with is said by that one.
    runs.append(record(seed=2).model_copy(update={"notes": "Left out of the pixel scores:"}))
    runs.append(record(data={"category": "cable"}).model_copy(update={"notes": "word " * 200}))
    runs.append(record(data={"category": "zipper"}).model_copy(update={"notes": "x" * 1000}))
    first, second, third = table_notes(runs)
    assert first == f"bottle: {note}"
    assert second.startswith("cable: word word") and len(second) < 500
    assert second.endswith(" word…")  # cut between two words
    assert third.startswith("zipper: xxx") and len(third) < 500  # which it has not


def test_a_copy_of_the_data_belongs_to_the_same_row():
    """A copy has other times, but no other content."""
    runs = [record(seed=i, data={"quick_fingerprint": text}) for i, text in enumerate("ab")]
    assert results_table(runs).seeds[0] == 2
    assert results_table([runs[0], record(seed=0, data={"quick_fingerprint": "c"})]).seeds[0] == 1

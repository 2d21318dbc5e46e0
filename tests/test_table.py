"""Tables from records: averages, refusals, the paper beside them, and the four text formats."""

import csv
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aesc.errors import InputError
from aesc.experiment import Record
from aesc.sweep.render import FORMATS, render
from aesc.sweep.table import (
    COMPARISON,
    KEY,
    METRICS,
    comparison_table,
    environment_notes,
    full_length,
    paper_records,
    paper_table,
    results_table,
)

REMEDY = ": keep them in separate folders, or pass --mixed to average them anyway."
RIVALS = {
    "itae": {"corruption": "erasing", "channels": 3, "loss": "l1", "norm": "l1"},
    "ae_l2": {"corruption": "none"},
}


def detection(auroc: float | None) -> dict:
    return {"auroc": auroc, "average_precision": 0.5, "f1_max": 0.5, "f1_threshold": 0.1}


def maps(image: float, pixel: float | None, aupro: float | None, l1: float = 0.125) -> dict:
    located = None if pixel is None else {**detection(pixel), "aupro": aupro}
    return {
        "image": {"l1": detection(l1), "l2": detection(image)},
        "pixel": located,
        "defects": {},
    }


def record(
    *,
    name: str = "r",
    data: dict | None = None,
    environment: dict | None = None,
    metrics: dict | None = None,
    minutes: float = 1,
    images_seen: int = 5600,
    **method,
) -> Record:
    """A record of AESc on MVTec AD's bottle, except for what is given."""
    counts = {"train": 64, "validation": 16, "test_good": 24, "test_defective": 40}
    settings = {
        "model": "aesc", "parameters": 9, "corruption": "stain", "preset": "quick", "size": 64,
        "channels": 1, "epochs": 10, "batches": 35, "batch_size": 16, "learning_rate": 0.002,
        "patience": 3, "momentum": 0.1, "passes": 30, "seed": 0,
    }  # fmt: skip
    versions = {"aesc": "0.1.0", "python": "3.11.7", "torch": "2.4.0", "numpy": "2.0.0"}
    content = {
        "schema_version": 1,
        "name": name,
        "data": {"dataset": "mvtec_ad", "category": "bottle", "fingerprint": "f0", **counts}
        | {"left_out_of_pixel_scores": 0}
        | (data or {}),
        "method": settings | method,
        "training": {"images_seen": images_seen, "best_epoch": 9, "best_validation_psnr": 30.0}
        | {"last_loss": 0.01},
        "environment": {"device": "cpu", **versions, "scipy": "1.14.0", "pillow": "11.0.0"}
        | {"platform": "Linux x86_64"}
        | (environment or {}),
        "duration": {"data": 0, "training": 60 * minutes, "scoring": 0},
        "metrics": metrics or {"residual": maps(0.9, 0.8, 0.7), "uncertainty": maps(0.6, 0.5, 0.4)},
    }
    return Record.model_validate(content)


def seeds(*aurocs: float) -> list[Record]:
    """Seeds 0, 1, ... that differ in the image AUROC of the residual."""
    return [
        record(name=f"s{i}", seed=i, metrics={"residual": maps(auroc, 0.8, 0.7)})
        for i, auroc in enumerate(aurocs)
    ]


def saved(folder: Path, *records: Record) -> Path:
    for position, one in enumerate(records):
        one.save(folder / f"{position}.json")
    return folder


# Which records


@pytest.mark.parametrize(
    ("preset", "epochs", "kept"),
    [("quick", 9, False), ("quick", 10, True), ("quick", 11, True), ("standard", 23, False)],
)
def test_runs_cut_short_are_told_by_the_epochs_of_their_preset(preset, epochs, kept):
    one = record(preset=preset, epochs=epochs)
    assert full_length([one]) == [one] * kept


# Averages


def test_means_and_sample_spreads_by_hand():
    runs = [
        record(
            seed=i,
            minutes=minutes,
            metrics={"residual": maps(a, p, u), "uncertainty": maps(1 - a, 1 - p, 1 - u)},
        )
        for i, (a, p, u, minutes) in enumerate(
            [(0.90, 0.80, 0.5, 1), (0.96, 0.70, 0.5, 2), (0.93, 0.60, 0.5, 6)]
        )
    ]
    (row,) = results_table(runs).to_dict("records")
    assert row["seeds"] == 3 and row["minutes"] == pytest.approx(3)
    assert row["image_residual"] == pytest.approx(0.93)
    assert row["image_uncertainty"] == pytest.approx(0.07)
    assert row["pixel_residual"] == pytest.approx(0.7)
    assert row["image_residual_spread"] == pytest.approx(0.03)  # sqrt((9 + 9 + 0) / 2) / 100
    assert row["pixel_uncertainty_spread"] == pytest.approx(0.1)
    assert row["aupro_residual_spread"] == pytest.approx(0)


@settings(max_examples=30, deadline=None)
@given(
    aurocs=st.lists(st.floats(0, 1), min_size=2, max_size=6),
    random=st.randoms(use_true_random=False),
)
def test_average_does_not_depend_on_the_order_of_records(aurocs, random):
    runs = seeds(*aurocs)
    random.shuffle(runs)
    row = results_table(runs).iloc[0]
    assert row.image_residual == pytest.approx(np.mean(aurocs))
    assert row.image_residual_spread == pytest.approx(np.std(aurocs, ddof=1))


def test_columns_are_key_seeds_metrics_spreads_minutes():
    spreads = [f"{name}_spread" for name in METRICS]
    assert list(results_table(seeds(0.5))) == [*KEY, "seeds", *METRICS, *spreads, "minutes"]


def test_single_seed_has_no_spread():
    row = results_table([record()]).iloc[0]
    assert row.seeds == 1 and row.image_residual == 0.9
    assert all(np.isnan(row[f"{name}_spread"]) for name in METRICS)


def test_method_without_uncertainty_has_nan_there():
    plain = record(model="ae_l2", corruption="none", metrics={"residual": maps(0.7, 0.6, 0.5)})
    table = results_table([record(), plain]).set_index("model")
    assert np.isnan(table.loc["ae_l2", "image_uncertainty"])
    assert table.loc["ae_l2", "pixel_residual"] == 0.6
    assert table.loc["aesc", "image_uncertainty"] == 0.6


def test_category_without_masks_has_no_pixel_metrics():
    row = results_table([record(metrics={"residual": maps(0.7, None, None)})]).iloc[0]
    assert row.image_residual == 0.7
    assert np.isnan(row.pixel_residual) and np.isnan(row.aupro_residual)


def test_metric_that_one_seed_lacks_is_not_averaged_over_the_others():
    runs = [
        record(seed=i, metrics={"residual": maps(0.7, p, p)}) for i, p in enumerate([0.5, None])
    ]
    row = results_table(runs).iloc[0]
    assert row.seeds == 2 and row.image_residual == pytest.approx(0.7)
    assert np.isnan(row.pixel_residual)


def test_image_score_uses_the_norm_of_the_method():
    itae = record(model="itae", **RIVALS["itae"], metrics={"residual": maps(0.9, 0.8, 0.7, l1=0.3)})
    assert results_table([itae]).image_residual[0] == 0.3


def test_record_without_scores_of_its_norm_is_refused():
    with pytest.raises(InputError, match=r"^Record odd has no .* norm 'l7' .* run again\.$"):
        results_table([record(name="odd", norm="l7")])


def test_no_records_are_refused():
    with pytest.raises(InputError, match="no records"):
        results_table([])


@pytest.mark.parametrize(
    "other",
    [
        {"model": "ae"},
        {"corruption": "drops"},
        {"preset": "paper"},
        {"size": 96},
        {"channels": 3},
        {"passes": 5},
        {"images_seen": 48},
        {"data": {"category": "cable"}},
        {"data": {"dataset": "other"}},
    ],
)
def test_other_runs_are_other_rows(other):
    table = results_table([record(), record(**other)])
    assert len(table) == 2 and list(table.seeds) == [1, 1]


def test_embedded_categories_come_first_in_their_own_order():
    places = [
        ("mvtec_ad", "bottle"), ("embedded", "washer"), ("embedded", "cloth"), ("aaa", "zipper"),
        ("embedded", "wood"), ("mvtec_ad", "cable"), ("embedded", "unknown"),
    ]  # fmt: skip
    runs = [record(data={"dataset": d, "category": c}) for d, c in places]
    table = results_table(runs)
    assert list(zip(table.dataset, table.category, strict=True)) == [
        ("embedded", "cloth"), ("embedded", "wood"), ("embedded", "washer"), ("aaa", "zipper"),
        ("embedded", "unknown"), ("mvtec_ad", "bottle"), ("mvtec_ad", "cable"),
    ]  # fmt: skip


def test_rows_of_a_category_are_sorted_by_number_and_not_by_digits():
    table = results_table([record(size=size) for size in (128, 64, 1024, 256)])
    assert list(table["size"]) == [64, 128, 256, 1024]


# Refusals


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
        ({"environment": {"aesc": "0.2.0"}}, "environment.aesc", "0.1.0 and 0.2.0"),
    ],
)
def test_incompatible_seeds_are_refused_and_averaged_when_mixed(change, field, values):
    runs = [record(name="a"), record(name="b", seed=1, **change)]
    with pytest.raises(InputError) as refused:
        results_table(runs)
    assert str(refused.value) == f"Records a and b differ in {field} ({values}){REMEDY}"
    table = results_table(runs, mixed=True)
    assert len(table) == 1 and table.seeds[0] == 2


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


# Notes on where the runs were computed


def test_devices_of_a_row_are_noted():
    runs = [record(seed=0), record(seed=1, environment={"device": "cuda (NVIDIA T4)"})]
    assert environment_notes(runs) == [
        "bottle, aesc + stain: seeds ran on cpu and on cuda (NVIDIA T4)."
    ]
    assert len(results_table(runs)) == 1


def test_devices_and_versions_are_noted_in_one_sentence():
    places = [
        {"torch": "2.4.0"},
        {"device": "cpu (4 threads)", "torch": "2.5.0"},
        {"device": "cpu (4 threads)", "torch": "2.4.0"},
    ]
    runs = [record(seed=i, environment=place) for i, place in enumerate(places)]
    assert environment_notes(runs) == [
        "bottle, aesc + stain: seeds ran on cpu and on cpu (4 threads), "
        "with torch 2.4.0 and with torch 2.5.0."
    ]


def test_rows_computed_alike_need_no_note():
    runs = [record(seed=0), record(seed=1), record(size=128, environment={"device": "mps"})]
    assert environment_notes(runs) == [] and environment_notes([]) == []


def test_notes_tell_rows_of_one_category_and_method_apart():
    runs = [
        record(seed=seed, size=size, environment={"device": f"d{seed}"})
        for seed in (0, 1)
        for size in (64, 128)
    ]
    assert environment_notes(runs) == [
        "bottle, aesc + stain, size 64: seeds ran on d0 and on d1.",
        "bottle, aesc + stain, size 128: seeds ran on d0 and on d1.",
    ]


# The paper beside our results


def test_paper_table_is_complete():
    table = paper_table()
    categories = table[table.category != "mean"]
    assert len(categories) == 15 and (categories.group == "texture").sum() == 5
    means = table[(table.group == "all")].iloc[0]
    for column in table.columns[2:]:  # the means of the paper are rounded to two digits
        assert categories[column].mean() == pytest.approx(means[column], abs=0.011)


def test_differences_from_the_paper_by_hand():
    runs = [
        record(
            seed=i, metrics={"residual": maps(a, 0.80, 0.7), "uncertainty": maps(0.9, 0.95, 0.4)}
        )
        for i, a in enumerate([0.91, 0.95])
    ]
    table = comparison_table(runs)
    assert list(table) == COMPARISON
    ours = table[table.model == "aesc"].set_index("measure")
    # Bottle in the paper: 0.98 and 0.82 image-wise, 0.84 and 0.88 pixel-wise.
    assert ours.paper.to_dict() == {
        "image_residual": 0.98, "image_uncertainty": 0.82,
        "pixel_residual": 0.84, "pixel_uncertainty": 0.88,
    }  # fmt: skip
    assert ours.difference.to_dict() == pytest.approx(
        {
            "image_residual": -0.05, "image_uncertainty": 0.08,
            "pixel_residual": -0.04, "pixel_uncertainty": 0.07,
        }
    )  # fmt: skip
    assert ours.loc["image_residual", "spread"] == pytest.approx(np.std([0.91, 0.95], ddof=1))
    assert set(ours.seeds) == {2} and set(ours["size"]) == {64}
    assert set(ours.images_seen) == {5600}


def test_rivals_stand_beside_their_own_column():
    metrics = {"residual": maps(0.9, 0.8, 0.7, l1=0.9)}
    runs = [record(model=m, **method, metrics=metrics) for m, method in RIVALS.items()]
    table = comparison_table(runs).set_index("measure")
    assert table.loc["image_itae", ["model", "corruption"]].to_list() == ["itae", "erasing"]
    assert table.loc["image_itae", "difference"] == pytest.approx(0.9 - 0.94)
    assert table.loc["pixel_ae_l2", ["model", "corruption"]].to_list() == ["ae_l2", "none"]
    assert table.loc["pixel_ae_l2", "difference"] == pytest.approx(0.8 - 0.86)


def test_methods_without_a_record_keep_their_rows():
    table = comparison_table([record(model="ae_l2", **RIVALS["ae_l2"])])
    assert list(table.model) == ["aesc"] * 4 + ["itae", "ae_l2"]
    absent = table[table.model != "ae_l2"]
    assert absent.ours.isna().all() and absent.difference.isna().all()
    assert absent["size"].isna().all() and (absent.seeds == 0).all()
    assert absent.paper.to_list() == [0.98, 0.82, 0.84, 0.88, 0.94]
    assert set(table.category) == {"bottle"}


def test_methods_that_the_paper_lacks_are_left_out():
    runs = [record(corruption="drops"), record(model="ae"), record(model="ae_ssim")]
    table = comparison_table(runs)
    assert len(table) == 6 and table.ours.isna().all()
    assert paper_records(runs) == []


def test_every_budget_of_a_method_has_its_rows():
    table = comparison_table([record(size=128, images_seen=48000), record()])
    ours = table[table.measure == "image_residual"]
    assert list(zip(ours["size"], ours.images_seen, strict=True)) == [(64, 5600), (128, 48000)]


def test_categories_stand_in_the_order_of_the_paper():
    runs = [record(data={"category": c}) for c in ("zipper", "bottle", "wood", "carpet")]
    table = comparison_table(runs)
    assert list(table.category.unique()) == ["carpet", "wood", "bottle", "zipper"]


@pytest.mark.parametrize(
    "place",
    [
        {"dataset": "embedded", "category": "bottle"},
        {"dataset": "magnetic_tile", "category": "magnetic_tile"},
        {"dataset": "mvtec_ad", "category": "mean"},
    ],
)
def test_data_that_the_paper_does_not_have_never_match(place):
    other = record(data=place)
    assert comparison_table([other]).empty and paper_records([other]) == []
    beside = comparison_table([record(), other])
    pd.testing.assert_frame_equal(beside, comparison_table([record()]))


def test_incompatible_records_are_refused_beside_the_paper_too():
    runs = [record(), record(seed=1, epochs=3)]
    with pytest.raises(InputError, match=r"method\.epochs"):
        comparison_table(runs)
    assert set(comparison_table(runs, mixed=True).seeds) == {0, 2}


# Text


NOTE = "wood_1, 100 % & <more>: seeds ran on a and on b."


def mixture() -> pd.DataFrame:
    """Two seeds of one method, one of a method without uncertainty, a name that needs escaping."""
    plain = record(model="ae_l2", **RIVALS["ae_l2"], metrics={"residual": maps(0.95, 0.6, 0.5)})
    odd = record(data={"dataset": "a_b & <i>|100 %", "category": "zz" * 40})
    return results_table([*seeds(0.95, 0.99), plain, odd])


class Cells(HTMLParser):
    """Reads a table: its cells by section, its caption, and whether every tag is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.rows: dict[str, list[list[str]]] = {"thead": [], "tbody": [], "tfoot": []}
        self.attributes: list[tuple[str, dict]] = []
        self.caption = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        self.attributes.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows[self.open[-2]].append([])
        if tag in ("th", "td"):
            self.rows[self.open[-3]][-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("th", "td"):
            self.rows[self.open[-3]][-1][-1] += data
        elif self.open and self.open[-1] == "caption":
            self.caption += data
        else:
            assert not data.strip()


def markdown_cells(line: str) -> list[str]:
    cells = re.split(r"(?<!\\)\|", line.strip())[1:-1]
    return [cell.strip().replace(r"\|", "|") for cell in cells]


def latex_cells(line: str) -> list[str]:
    line = line.removesuffix(r"\\").replace("\\&", "\0")
    cells = [cell.strip().replace("\0", "&") for cell in line.split(" & ")]
    return [re.sub(r"\\([_%])", r"\1", cell) for cell in cells]


def read(text: str, format: str) -> list[dict[str, str]]:
    """The rows of a rendered table by their headings."""
    if format == "html":
        sections = Cells(text).rows
        head, body = sections["thead"][0], sections["tbody"]
    elif format == "markdown":
        lines = [line for line in text.splitlines() if line.startswith("|")]
        head, body = markdown_cells(lines[0]), [markdown_cells(line) for line in lines[2:]]
    else:
        lines = [line for line in text.splitlines() if line.endswith(r"\\")]
        head, *body = [latex_cells(line) for line in lines]
    return [dict(zip(head, row, strict=True)) for row in body]


@pytest.mark.parametrize("format", ["markdown", "html", "latex"])
def test_cells_to_read_hold_mean_and_spread(format):
    table = mixture()
    rows = read(render(table, format), format)
    assert list(rows[0]) == [*KEY, "seeds", *METRICS, "minutes"]
    by_model = {row["model"]: row for row in rows if row["category"] == "bottle"}
    assert by_model["aesc"]["image_residual"] == "0.970 ± 0.028"
    assert by_model["aesc"]["pixel_residual"] == "0.800 ± 0.000"
    assert by_model["aesc"]["image_uncertainty"] == "—"
    assert by_model["ae_l2"]["image_residual"] == "0.950"
    assert by_model["ae_l2"]["aupro_uncertainty"] == "—"
    assert by_model["ae_l2"]["images_seen"] == "5600" and by_model["ae_l2"]["minutes"] == "1.0"


@pytest.mark.parametrize("format", ["markdown", "html", "latex"])
def test_names_survive_the_escaping_of_a_format(format):
    rows = read(render(mixture(), format), format)
    assert {(row["dataset"], row["category"]) for row in rows} == {
        ("mvtec_ad", "bottle"),
        ("a_b & <i>|100 %", "zz" * 40),
    }


@pytest.mark.parametrize("format", ["markdown", "html", "latex"])
def test_comparison_folds_its_spread_and_signs_its_difference(format):
    runs = [
        record(seed=i, metrics={"residual": maps(a, 0.9, 0.7), "uncertainty": maps(0.6, 0.5, 0.4)})
        for i, a in enumerate([0.95, 0.97])
    ]
    rows = {r["measure"]: r for r in read(render(comparison_table(runs), format), format)}
    assert list(rows["image_residual"]) == COMPARISON[:-1]
    assert rows["image_residual"]["ours"] == "0.960 ± 0.014"
    assert rows["image_residual"]["paper"] == "0.98"
    assert rows["image_residual"]["difference"] == "-0.020"
    assert rows["pixel_residual"]["difference"] == "+0.060"
    assert rows["image_itae"]["ours"] == "—" and rows["image_itae"]["size"] == "—"
    assert rows["image_itae"]["paper"] == "0.94" and rows["image_itae"]["seeds"] == "0"


@pytest.mark.parametrize("make", [results_table, comparison_table])
def test_csv_reads_back_as_the_same_numbers(make):
    table = make(seeds(0.95, 0.99))
    back = pd.read_csv(io.StringIO(render(table, "csv", [NOTE])))
    assert list(back) == list(table)
    for name in table.select_dtypes("number"):
        np.testing.assert_array_equal(
            back[name].to_numpy(float), table[name].to_numpy(float, na_value=np.nan)
        )


def test_csv_has_no_place_for_notes():
    table = results_table(seeds(0.95, 0.99))
    rows = list(csv.reader(io.StringIO(render(table, "csv", [NOTE]))))
    assert len(rows) == 2 and {len(row) for row in rows} == {len(table.columns)}


def test_html_is_one_closed_table_with_caption_and_scopes():
    text = render(mixture(), "html", [NOTE])
    parsed = Cells(text)
    assert not parsed.open and text.startswith("<table") and text.endswith("</table>\n")
    assert [tag for tag, _ in parsed.attributes[:2]] == ["table", "caption"]
    assert "sample standard deviation over seeds" in parsed.caption
    heads = [found for tag, found in parsed.attributes if tag == "th"]
    assert heads and all(found == {"scope": "col"} for found in heads)
    assert "border" not in parsed.attributes[0][1]


def test_html_holds_notes_in_a_foot_as_wide_as_the_table():
    parsed = Cells(render(mixture(), "html", [NOTE, "Another."]))
    assert parsed.rows["tfoot"] == [[NOTE], ["Another."]]
    spans = [found["colspan"] for _, found in parsed.attributes if "colspan" in found]
    assert spans == [str(len(parsed.rows["thead"][0]))] * 2
    assert Cells(render(mixture(), "html")).rows["tfoot"] == []


def test_markdown_holds_notes_as_a_list_below():
    table = mixture()
    text = render(table, "markdown", [NOTE, "Another."])
    assert text == render(table, "markdown") + f"\n- {NOTE}\n- Another.\n"


def test_latex_uses_booktabs_and_escapes():
    text = render(mixture(), "latex", [NOTE])
    for line in (r"\begin{table}", r"\toprule", r"\midrule", r"\bottomrule", r"\end{tabular}"):
        assert text.count(line) == 1
    assert text.index(r"\end{tabular}") < text.index("seeds ran on") < text.index(r"\end{table}")
    assert r"wood\_1, 100 \% \& <more>" in text
    assert not re.search(r"(?<!\\)[_%#$]", text)


def test_latex_has_one_alignment_per_column():
    text = render(mixture(), "latex")
    alignment = re.search(r"\\begin\{tabular\}\{([lr]+)\}", text)[1]
    assert alignment[:5] == "lllll" and set(alignment[5:]) == {"r"}
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert {len(latex_cells(row)) for row in rows} == {len(alignment)}


@pytest.mark.parametrize("format", FORMATS)
def test_text_ends_with_one_line_break(format):
    text = render(results_table([record()]), format, ["Note."])
    assert text.endswith("\n") and not text.endswith("\n\n")


def test_unknown_format_is_refused():
    with pytest.raises(InputError) as refused:
        render(results_table([record()]), "xml")
    assert str(refused.value) == (
        "Unknown format 'xml' of a table: choose markdown, html, csv or latex."
    )


# The command


@pytest.mark.parametrize("format", FORMATS)
def test_command_prints_every_format(aesc, tmp_path, format):
    folder = saved(tmp_path, *seeds(0.95, 0.99))
    code, stdout, stderr = aesc("table", folder, "--format", format)
    assert (code, stderr) == (0, "")
    assert stdout == render(results_table(seeds(0.95, 0.99)), format)


def test_command_offers_the_formats_of_render(aesc, tmp_path):
    code, _, stderr = aesc("table", tmp_path, "--format", "xml")
    offered = re.search(r"choose from (.*)\)", stderr)[1]
    assert code == 2 and set(re.findall(r"\w+", offered)) == set(FORMATS)


def test_command_sets_the_paper_beside_our_results(aesc, tmp_path):
    embedded = record(data={"dataset": "embedded"})
    folder = saved(tmp_path, *seeds(0.95, 0.99), embedded)
    code, stdout, _ = aesc("table", folder, "--paper", "--format", "csv")
    table = pd.read_csv(io.StringIO(stdout))
    assert code == 0 and len(table) == 6 and set(table.dataset) == {"mvtec_ad"}
    assert table.difference[0] == pytest.approx(0.97 - 0.98)


def test_command_refuses_the_paper_beside_other_data(aesc, tmp_path):
    folder = saved(tmp_path / "runs", record(data={"dataset": "embedded"}))
    code, stdout, stderr = aesc("table", folder, "--paper", "--out", tmp_path / "t.md")
    assert code == 2 and stdout == "" and not (tmp_path / "t.md").exists()
    assert stderr.startswith("aesc: error: ") and "no record of a category of the paper" in stderr
    assert str(folder) in stderr and stderr.count("\n") == 1


def test_command_refuses_incompatible_records_unless_mixed(aesc, tmp_path):
    folder = saved(tmp_path / "runs", record(name="a"), record(name="b", seed=1, epochs=3))
    target = tmp_path / "t.csv"
    target.write_text("as it was")
    arguments = ("table", folder, "--format", "csv", "--out", target)
    code, _, stderr = aesc(*arguments)
    assert code == 2 and target.read_text() == "as it was"
    assert stderr == f"aesc: error: Records a and b differ in method.epochs (10 and 3){REMEDY}\n"
    code, stdout, _ = aesc(*arguments, "--mixed")
    assert code == 0 and stdout == f"{target}\n"
    assert pd.read_csv(target).seeds[0] == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["runs", "t.csv"]


def test_command_notes_mixed_devices_in_the_table_and_beside_it(aesc, tmp_path):
    runs = [record(seed=i, environment={"device": d}) for i, d in enumerate(["cpu", "mps"])]
    sentence = "bottle, aesc + stain: seeds ran on cpu and on mps."
    code, stdout, stderr = aesc("table", saved(tmp_path, *runs))
    assert code == 0 and sentence in stderr and stdout.endswith(f"\n- {sentence}\n")


def test_command_notes_only_rows_that_stand_beside_the_paper(aesc, tmp_path):
    runs = [
        record(model=model, seed=i, environment={"device": d})
        for model in ("aesc", "ae")
        for i, d in enumerate(["cpu", "mps"])
    ]
    code, _, stderr = aesc("table", saved(tmp_path, *runs), "--paper")
    assert code == 0 and stderr.count("seeds ran on") == 1 and "aesc + stain" in stderr


def test_committed_records_make_every_table(aesc):
    results = Path(__file__).parent.parent / "results"
    records = [json.loads(path.read_text()) for path in results.rglob("*.json")]
    code, stdout, _ = aesc("table", results, "--format", "csv")
    table = pd.read_csv(io.StringIO(stdout))
    assert code == 0 and table.seeds.sum() <= len(records)
    assert set(table.category) == {r["data"]["category"] for r in records}
    code, stdout, _ = aesc("table", results, "--paper")
    assert code == 0 and "bottle" in stdout

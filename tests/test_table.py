"""Tables from records: averages over seeds, and which rows there are."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from records_by_hand import RIVALS, maps, record, seeds

from aesc.errors import InputError
from aesc.experiment import full_length
from aesc.records import (
    KEY,
    metric_columns,
    results_table,
)

METRICS = metric_columns([record()])


@pytest.mark.parametrize(
    ("preset", "epochs", "kept"),
    [("quick", 9, False), ("quick", 10, True), ("quick", 11, True), ("standard", 23, False)],
)
def test_runs_cut_short_are_told_by_the_epochs_of_their_preset(preset, epochs, kept):
    one = record(preset=preset, epochs=epochs)
    assert full_length([one]) == [one] * kept


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
    metrics = ["image_residual", "pixel_residual", "aupro_residual"]
    spreads = [f"{name}_spread" for name in metrics]
    assert list(results_table(seeds(0.5))) == [*KEY, "seeds", *metrics, *spreads, "minutes"]


def test_columns_are_those_of_the_kinds_of_map_found_and_of_the_paper_first():
    metrics = {kind: maps(0.9, 0.8, 0.7) for kind in ("zeta", "uncertainty", "alpha")}
    runs = [
        record(metrics=metrics),
        record(model="ae_l2", metrics={"residual": maps(0.7, 0.6, 0.5)}),
    ]
    kinds = ["residual", "uncertainty", "alpha", "zeta"]
    found = [f"{level}_{kind}" for level in ("image", "pixel", "aupro") for kind in kinds]
    for order in (runs, runs[::-1]):
        assert metric_columns(order) == found
        assert list(results_table(order).columns[len(KEY) + 1 :][:12]) == found


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

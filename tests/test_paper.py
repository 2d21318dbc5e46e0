"""Our results beside the paper's."""

import numpy as np
import pandas as pd
import pytest
from records_by_hand import RIVALS, maps, record

from aesc.errors import InputError
from aesc.records import (
    COMPARISON,
    comparison_table,
    paper_records,
    paper_table,
)


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

"""The plan of a sweep: which runs it is made of."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sweep_toys import one_sentence

from aesc.errors import InputError
from aesc.experiment import METHODS, RunConfig
from aesc.sweep import plan
from aesc.synthetic import CATEGORIES


def short(runs: list[RunConfig]) -> list[tuple[str, str, str, int]]:
    return [(r.category, r.model, r.corruption, r.seed) for r in runs]


def test_plan_is_the_product_seed_by_seed_then_by_method():
    runs = plan(
        ["washer", "wood"], models=["aesc", "ae"], corruptions=["stain", "none"], seeds=[3, 0]
    )
    assert short(runs) == [
        (category, model, corruption, seed)
        for seed in (3, 0)
        for model in ("aesc", "ae")
        for corruption in ("stain", "none")
        for category in ("washer", "wood")
    ]


def test_all_means_every_category_model_and_corruption(toys):
    assert [r.category for r in plan(["all"])] == list(CATEGORIES)
    assert {r.category for r in plan(["all"], data=str(toys))} == {"bolt", "nut", "gear", "fails"}
    methods = {(r.model, r.corruption) for r in plan(["wood"], models=["all"], corruptions=["all"])}
    assert methods == {(m, c) for m, method in METHODS.items() for c in method.corruptions}


def test_method_with_one_corruption_comes_once_whatever_the_corruptions():
    runs = plan(["wood"], models=["itae", "ae_l2", "ae"], corruptions=["stain", "drops"])
    assert short(runs) == [
        ("wood", "itae", "erasing", 0),
        ("wood", "ae_l2", "none", 0),
        ("wood", "ae", "stain", 0),
        ("wood", "ae", "drops", 0),
    ]


def test_without_corruptions_each_method_has_its_own():
    runs = plan(["wood"], models=["all"])
    assert [r.corruption for r in runs] == [METHODS[r.model].own_corruption for r in runs]


def test_vary_crosses_parameters_and_reads_text_as_numbers():
    runs = plan(["wood"], vary={"size": ["64", "128"], "epochs": [1, 2]}, passes=5)
    assert [(r.size, r.epochs) for r in runs] == [(64, 1), (64, 2), (128, 1), (128, 2)]
    assert {r.passes for r in runs} == {5}


def test_vary_goes_before_a_shared_value():
    assert [r.size for r in plan(["wood"], vary={"size": [96]}, size=64)] == [96]


@given(
    categories=st.lists(st.sampled_from(["wood", "mesh", "all"]), min_size=1),
    models=st.lists(st.sampled_from([*METHODS, "all"]), min_size=1),
    seeds=st.lists(st.integers(0, 3), min_size=1),
)
def test_no_run_comes_twice(categories, models, seeds):
    found = [r.name for r in plan(categories, models=models, seeds=seeds)]
    assert len(found) == len(set(found))
    chosen = len(CATEGORIES) if "all" in categories else len(set(categories))
    methods = len(METHODS) if "all" in models else len(set(models))
    assert len(found) == chosen * methods * len(set(seeds))


@pytest.mark.parametrize(
    ("wanted", "named"),
    [
        ({"models": ["unet"]}, ["'unet'", "aesc"]),
        ({"corruptions": ["coffee"]}, ["'coffee'", "stain"]),
        ({"seeds": [-1]}, ["seed is -1"]),
        ({"seeds": []}, ["no run", "seed"]),
        ({"vary": {"size": []}}, ["no run"]),
        ({"vary": {"colour": [1]}}, ["'colour'", "size"]),
        ({"vary": {"seed": [1]}}, ["'seed'", "size"]),
        ({"vary": {"epochs": ["many"]}}, ["epochs is 'many'"]),
        ({"vary": {"model": ["ae_l2"]}, "corruptions": ["stain"]}, ["AE_L2", "'stain'"]),
        ({"seeds": 3}, ["seeds is 3", "[3]"]),
        ({"models": "aesc"}, ["models is 'aesc'", "['aesc']"]),
        ({"corruptions": "stain"}, ["corruptions is 'stain'", "list"]),
        ({"vary": {"size": 64}}, ["size is 64", "[64]"]),
        ({"preset": "fast"}, ["'fast'", "quick"]),
        ({"size": 32}, ["size is 32", "64"]),
    ],
)
def test_plan_refuses_in_one_sentence(wanted, named):
    with pytest.raises(InputError) as caught:
        plan(["wood"], **wanted)
    one_sentence(str(caught.value), *named)


def test_a_category_alone_is_not_taken_letter_by_letter():
    with pytest.raises(InputError, match=r"categories is 'wood': give a list, such as \['wood'\]"):
        plan("wood")


def test_a_long_value_is_told_in_short():
    with pytest.raises(InputError) as caught:
        plan("wood " * 1000)
    one_sentence(str(caught.value), "categories is 'wood wood", "give a list, such as ['wood wood")
    assert len(str(caught.value)) < 500


def test_what_can_be_gone_through_once_gives_the_whole_sweep():
    once = plan(iter(["wood", "mesh"]), models=iter(["aesc", "ae_l2"]), seeds=iter([0, 1]))
    assert once == plan(["wood", "mesh"], models=["aesc", "ae_l2"], seeds=[0, 1])


def test_all_of_a_missing_dataset_is_refused():
    with pytest.raises(InputError, match="no/such/folder"):
        plan(["all"], data="no/such/folder")

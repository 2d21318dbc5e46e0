"""The simulated sweep: hand-computed schedules, bounds that hold for any, deaths of workers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aesc.errors import InputError
from aesc.sweep import simulate

DURATIONS = st.lists(st.floats(0, 1e4), min_size=1, max_size=60).map(lambda d: [*d, 1.0])


def test_a_schedule_by_hand():
    # worker 1: 4, then 1; worker 2: 3, then 5
    schedule = simulate([4, 3, 5, 1], workers=2)
    assert (schedule.seconds, schedule.busy, schedule.lost) == (8, 13, 0)
    assert schedule.efficiency == pytest.approx(13 / 16)


def test_overhead_is_paid_by_every_run():
    assert simulate([4, 3, 5, 1], workers=2, overhead=1).seconds == 10
    assert simulate([4, 3, 5, 1], workers=2, overhead=1).busy == 17


@given(DURATIONS, st.integers(1, 70))
def test_greedy_schedules_keep_their_bounds(durations, workers):
    """Graham (1966): never below the mean load or the longest run, never above their sum."""
    schedule = simulate(durations, workers)
    load, longest = sum(durations) / workers, max(durations)
    assert max(load, longest) <= schedule.seconds * (1 + 1e-9)
    assert schedule.seconds <= (load + longest) * (1 + 1e-9)
    assert schedule.busy == pytest.approx(sum(durations))


def test_one_worker_does_everything_and_enough_workers_the_longest():
    durations = [5.0, 2.0, 9.0]
    assert simulate(durations, 1).seconds == 16
    assert simulate(durations, 3).seconds == simulate(durations, 50).seconds == 9


def test_deaths_cost_what_theory_says():
    """A run of length T restarted at rate r takes (exp(rT) - 1) / r on average."""
    hours, rate = 0.5, 1.2
    runs = np.full(4000, hours * 3600)
    mean = simulate(runs, 1, failure_rate=rate, seed=3).busy / len(runs) / 3600
    assert mean == pytest.approx((np.exp(rate * hours) - 1) / rate, rel=0.04)


def test_deaths_follow_the_seed():
    runs = [1800.0] * 30
    first, same, other = (simulate(runs, 4, failure_rate=1, seed=seed) for seed in (1, 1, 2))
    assert first == same != other and first.lost > 0 and first.efficiency < 1


def test_runs_that_take_no_time_waste_none():
    assert simulate([0.0, 0.0], 3).efficiency == 1
    assert simulate([0.0], 1, failure_rate=1e9).efficiency == 1


@pytest.mark.parametrize(
    ("durations", "options", "named"),
    [
        ([36000], {"failure_rate": 1000}, "failure_rate is 1000"),
        ([1e308], {"failure_rate": 1e300}, r"failure_rate is 1e\+300"),
        ([1.0], {"failure_rate": 20, "overhead": 3600}, "failure_rate is 20"),
        ([3600.0] * 1000, {"failure_rate": 10}, "failure_rate is 10"),  # e^10 attempts for each
    ],
)
def test_deaths_that_let_hardly_a_run_finish_are_refused(durations, options, named):
    with pytest.raises(InputError, match=rf"^{named}: give fewer deaths an hour [^\n]+\.$"):
        simulate(durations, 1, **options)


def test_seed_is_checked():
    with pytest.raises(InputError, match=r"^seed is -1: give a whole number of at least 0\.$"):
        simulate([1], 1, seed=-1)


@pytest.mark.parametrize(
    "arguments",
    [([], 1), ([1.0], 0), ([-1.0], 1), ([1.0], 1, -0.5), ([1.0], 1, 0.0, -1.0)],
)
def test_impossible_schedules_are_refused(arguments):
    durations, workers, *rest = arguments
    keywords = dict(zip(("overhead", "failure_rate"), rest, strict=False))
    with pytest.raises(InputError, match=r"^[^\n]+\.$"):
        simulate(durations, workers, **keywords)

"""How long a sweep would take on other machines: a simulation of its runs on workers."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aesc._checks import number, whole
from aesc.errors import InputError

MOST_ATTEMPTS = 1_000_000
"""Attempts that a simulation is expected to take at most, which is some seconds of computing."""


@dataclass(frozen=True)
class Schedule:
    """What became of the simulated runs.

    Attributes:
        seconds: time from the first start to the last end.
        busy: worker seconds spent on runs, attempts that were cut short included.
        lost: worker seconds spent on attempts that were cut short.
        workers: number of workers.
    """

    seconds: float
    busy: float
    lost: float
    workers: int

    @property
    def efficiency(self) -> float:
        """Share of the workers' time that went into attempts that finished, in [0, 1].

        It is 1 for runs that take no time.
        """
        available = self.seconds * self.workers
        return (self.busy - self.lost) / available if available else 1.0


def simulate(
    durations: Sequence[float],
    workers: int,
    *,
    overhead: float = 0.0,
    failure_rate: float = 0.0,
    seed: int = 0,
) -> Schedule:
    """Give each run to the worker that is free first, in the order given, as `sweep` does.

    Args:
        durations: seconds of each run, at least 0.
        workers: number of workers, at least 1.
        overhead: seconds added to every attempt.
        failure_rate: worker deaths per hour of run time, a Poisson process. A run cut short starts
            again from its beginning, on the next free worker, as it does without a shared folder.
            With one it would resume from its last epoch and lose less.
        seed: seed of the deaths.

    Raises:
        InputError: no run, a negative number, fewer than one worker, or so many deaths that some
            run would hardly ever finish.

    Example:
        >>> simulate([4, 3, 5, 1], workers=2)  # one worker: 4, then 1; the other: 3, then 5
        Schedule(seconds=8.0, busy=13.0, lost=0.0, workers=2)
    """
    if not len(durations):
        raise InputError("durations is empty: give at least one run.")
    durations = [number("durations", seconds, 0) for seconds in durations]
    workers = whole("workers", workers)
    overhead, failure_rate = (
        number(name, value, 0)
        for name, value in (("overhead", overhead), ("failure_rate", failure_rate))
    )
    rng = np.random.default_rng(whole("seed", seed, 0))
    _check_ends([seconds + overhead for seconds in durations], failure_rate)
    free = [0.0] * workers
    waiting = list(reversed(durations))
    end = busy = lost = 0.0
    while waiting:
        need = waiting.pop() + overhead
        start = heapq.heappop(free)
        survives = rng.exponential(3600 / failure_rate) if failure_rate else np.inf
        spent = min(need, survives)
        if survives < need:
            waiting.append(need - overhead)
            lost += spent
        busy += spent
        end = max(end, start + spent)
        heapq.heappush(free, start + spent)
    return Schedule(end, busy, lost, workers)


def _check_ends(needs: list[float], failure_rate: float) -> None:
    """Refuse what would be simulated for hours: a run of length T takes exp(rate T) attempts."""
    hazards = [need * failure_rate / 3600 for need in needs]
    if failure_rate and np.logaddexp.reduce(hazards) > math.log(MOST_ATTEMPTS):
        raise InputError(
            f"failure_rate is {failure_rate:g}: give fewer deaths an hour or shorter runs, since "
            f"these take more than {MOST_ATTEMPTS:,} attempts."
        )

"""How long a sweep would take on other machines: a simulation of its runs on workers."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aesc.errors import InputError


@dataclass(frozen=True)
class Schedule:
    """What became of the simulated runs.

    Attributes:
        seconds: from the first start to the last end.
        busy: worker seconds spent on runs, attempts that were cut short included.
        lost: those of attempts that were cut short.
        workers: how many there were.
    """

    seconds: float
    busy: float
    lost: float
    workers: int

    @property
    def efficiency(self) -> float:
        """Part of the workers' time that went into attempts that finished, in [0, 1]."""
        return (self.busy - self.lost) / (self.seconds * self.workers)


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
        workers: at least 1.
        overhead: seconds that every attempt takes besides.
        failure_rate: worker deaths per hour of run time, a Poisson process. A run cut short starts
            again from its beginning, on the next free worker, as it does without a shared folder;
            in one it would go on from its last epoch and lose less.
        seed: of the deaths.

    Raises:
        InputError: no run, a negative number, or fewer than one worker.
    """
    if not len(durations) or workers < 1 or min(*durations, overhead, failure_rate) < 0:
        raise InputError(
            "A schedule needs at least one run and one worker, and no negative time or rate."
        )
    rng = np.random.default_rng(seed)
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

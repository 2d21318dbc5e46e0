"""Ratios of our code to an obvious reference, measured by turns in one process.

What two programs take depends on the machine and on what else it does; what one takes of the other
depends much less. So both are called by turns, and the medians are compared.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from aesc.device import device_name, resolve_device
from aesc.files import whole_file
from aesc.machine import usable_cores

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"


@dataclass(frozen=True)
class Row:
    """One comparison. Seconds are medians of a call; ``goal`` is the least ratio to be reached."""

    what: str
    against: str
    reference_seconds: float
    our_seconds: float
    ratio: float
    goal: float
    repeats: int


def compare(
    what: str,
    against: str,
    reference: Callable[[], object],
    ours: Callable[[], object],
    goal: float,
    *,
    repeats: int = 7,
    inner: int = 1,
) -> Row:
    """Time two callables by turns, after one call of each that is not counted.

    Args:
        what: is measured, with its size.
        against: what the reference does.
        reference: the obvious way.
        ours: the way of the package.
        goal: the ratio of the first to the second that is to be reached.
        repeats: turns.
        inner: calls of ``ours`` in a turn, where one is too short for the clock.
    """
    reference(), ours()
    taken: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeats):
        taken[0].append(seconds(reference))
        taken[1].append(seconds(ours, inner))
    slow, fast = map(statistics.median, taken)
    row = Row(what, against, slow, fast, slow / fast, goal, repeats)
    print(
        f"{what}: {slow:.4g} s against {fast:.4g} s, {row.ratio:.1f} times (goal {goal:g})",
        flush=True,
    )
    return row


def write(options: argparse.Namespace, name: str, rows: Iterable[Row], **more: object) -> None:
    """Write the rows, what else was measured, and where, to ``benchmarks/results/NAME.json``.

    What `kept` gives says itself where it was measured. Nothing is written with ``--quick``, which
    measures too little to be believed.
    """
    if options.quick:
        return
    where = {} if "environments" in more else {"environment": environment()}
    result = {"rows": [asdict(row) for row in rows], **more, **where}
    with whole_file(RESULTS / f"{name}.json") as temporary:
        temporary.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def keep(
    path: Path,
    made_of: Callable[[], str | None],
    measure: Callable[[], Sequence[DataclassInstance]],
) -> None:
    """Write the cases of a long measurement to a file, and where it ran, unless they are there.

    Args:
        path: JSON file, in a folder that is made when it is missing.
        made_of: what the cases are of: settings, or a digest of a network. If the file says
            otherwise, they are measured anew. None, where that can no longer be asked, leaves a
            file as it is. Asked again after the measurement, which may train the network.
        measure: what takes long.
    """
    if path.exists():
        found = json.loads(path.read_text(encoding="utf-8"))["made_of"]
        if made_of() in (None, found):
            return
    cases = [asdict(case) for case in measure()]
    content = {"made_of": made_of(), "environment": environment(), "cases": cases}
    with whole_file(path) as temporary:
        temporary.write_text(json.dumps(content), encoding="utf-8")


def kept(paths: Iterable[Path], made_of: str | None = None) -> dict[str, list[dict[str, object]]]:
    """What `keep` wrote, in the order of the paths: that of one thing, or of any.

    Returns:
        ``environments``, each once, and ``cases``, each with the place of its own among them.
    """
    environments: list[dict[str, object]] = []
    cases: list[dict[str, object]] = []
    for path in paths:
        content = json.loads(path.read_text(encoding="utf-8"))
        if made_of not in (None, content["made_of"]):
            continue
        if content["environment"] not in environments:
            environments.append(content["environment"])
        place = environments.index(content["environment"])
        cases += [case | {"environment": place} for case in content["cases"]]
    return {"environments": environments, "cases": cases}


def environment() -> dict[str, object]:
    """The machine and the versions."""
    return {
        "device": device_name(resolve_device("auto")),
        "threads": torch.get_num_threads(),
        "cores": usable_cores(),
        "processor": _processor(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "aesc": version("aesc"),
    }


def arguments(description: str, *more: argparse.ArgumentParser) -> argparse.Namespace:
    """The options that every benchmark has, and those of parsers without a help of their own."""
    parser = argparse.ArgumentParser(description=description, parents=more)
    parser.add_argument("--quick", action="store_true", help="few repeats, to try the script")
    parser.add_argument("--threads", type=int, help="cores that torch uses; by default all")
    options = parser.parse_args()
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    return options


def seconds(call: Callable[[], object], times: int = 1) -> float:
    """Seconds of a call by the clock, the mean of so many."""
    start = time.perf_counter()
    for _ in range(times):
        call()
    return (time.perf_counter() - start) / times


def _processor() -> str:
    """The model's name, which the standard library knows on few systems."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2] for line in text.splitlines() if line.startswith("model name")]
    return names[0].strip() if names else platform.processor()

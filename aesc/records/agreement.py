"""Which records belong together: repetitions of one run, and runs that only the seed tells apart.

What would make an average meaningless is refused: other images, another method, a version of the
package that gives other numbers. Where a run was computed changes little, and only leads to a note.
"""

from __future__ import annotations

import re
from itertools import pairwise

from aesc.errors import InputError
from aesc.records.record import Record

NEW_NUMBERS = (("0.1.0", None), ("0.3.0", "rich"))
"""Versions of the package from which on the same run gives other numbers than before, rising, and
the corruption of the runs concerned; None for all.

A change of network, corruption, training, score or metric that moves a result puts its version
here; records from both sides of it are not averaged. Other versions give the same numbers, but for
what a card rounds otherwise, as in mixed precision since 0.3.
"""

_OF_FILES = {"quick_fingerprint"}
"""What a copy of a data set does not share with it: the times of its files."""


def identity(record: Record) -> str:
    """Equal for records of which one is a copy of the other, or the same run done again."""
    return record.model_dump_json(
        include={
            "data": True,
            "method": True,
            "training": {"images_seen"},
            "environment": {"aesc"},
            "metrics": True,
        },
        exclude={"data": _OF_FILES},
    )


def check_agreement(row: list[Record]) -> None:
    """Refuse to average records that differ in more than the seed, or that repeat one otherwise.

    Args:
        row: records sorted by seed.

    Raises:
        InputError: the first two that do not belong together, and what they differ in.
    """
    for one, other in pairwise(row):
        same_seed = one.method.seed == other.method.seed
        difference = _difference(_setup(one), _setup(other))
        if difference is None and same_seed:
            difference = _difference(_metrics(one), _metrics(other))
        if difference is not None:
            raise InputError(_refusal(one, other, *difference))


def differing_environment(row: list[Record]) -> str:
    """What the runs of a row did not have in common, in words; empty when they agree."""
    environments = [record.environment.model_dump() for record in row]
    phrases = []
    for name in environments[0]:
        found = dict.fromkeys(environment[name] for environment in environments)
        if len(found) > 1:
            phrases.append(" and ".join(_where(name, value) for value in found))
    return ", ".join(phrases)


def _where(name: str, value: str) -> str:
    return f"on {value}" if name in ("device", "platform") else f"with {name} {value}"


def _setup(record: Record) -> dict[str, object]:
    """What has to agree between seeds, by dotted name."""
    setup = record.model_dump(
        include={"data": True, "method": True}, exclude={"data": _OF_FILES, "method": {"seed"}}
    )
    return _flat(
        setup | {"numbers of version": _numbers(record.environment.aesc, record.method.corruption)}
    )


def _numbers(version: str, corruption: str) -> str:
    """The latest of `NEW_NUMBERS` that is not after a version: equal for equal numbers.

    Example:
        >>> _numbers("0.3.1", "stain"), _numbers("0.3.1", "rich")
        ('0.1.0', '0.3.0')
    """
    changes = (
        since
        for since, concerned in NEW_NUMBERS
        if concerned in (None, corruption) and _release(since) <= _release(version)
    )
    return max(changes, key=_release, default=version)


def _release(version: str) -> tuple[int, ...]:
    """The numbers of a version, for comparison; what follows them (``.dev1``) is left out."""
    found = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(int(part) for part in found[0].split(".")) if found else ()


def _metrics(record: Record) -> dict[str, object]:
    return _flat(record.model_dump(include={"metrics"}))


def _flat(value: object, name: str = "") -> dict[str, object]:
    """The leaves of nested dictionaries, by dotted name."""
    if not isinstance(value, dict):
        return {name: value}
    leaves: dict[str, object] = {}
    for key, inner in value.items():
        leaves |= _flat(inner, f"{name}.{key}" if name else str(key))
    return leaves


def _difference(
    one: dict[str, object], other: dict[str, object]
) -> tuple[str, object, object] | None:
    """The first name under which two dictionaries hold different values, and the values."""
    for name in one | other:
        if one.get(name) != other.get(name):
            return name, one.get(name), other.get(name)
    return None


def _refusal(one: Record, other: Record, field: str, value: object, unlike: object) -> str:
    names = f"Records {one.name} and {other.name}"
    if one.name == other.name:
        names = f"Two records named {one.name}"
    if field.startswith("metrics."):
        names += f" ran the same seed {one.method.seed} but"
    return (
        f"{names} differ in {field} ({value} and {unlike}): keep them in separate folders, or pass "
        "--mixed to average them anyway."
    )

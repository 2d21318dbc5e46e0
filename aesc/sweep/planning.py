"""Which runs a sweep is made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import Any

from aesc._checks import choice, quoted, shortened
from aesc.data import category_names, resolve_category
from aesc.errors import InputError
from aesc.experiment import EMBEDDED, METHODS, RunConfig
from aesc.synthetic import CATEGORIES, category_spec

ALL = "all"

_GIVEN = ("category", "data", "seed")
"""Parameters that `plan` takes by name, so that they cannot vary as well."""


def plan(
    categories: Sequence[str],
    *,
    data: str = EMBEDDED,
    models: Sequence[str] = ("aesc",),
    corruptions: Sequence[str] = (),
    seeds: Sequence[int] = (0,),
    vary: Mapping[str, Sequence[Any]] | None = None,
    **values: Any,
) -> list[RunConfig]:
    """Every combination, checked, seed by seed, so that an unfinished sweep still compares methods.

    Args:
        categories: names, or ``all`` for every category of the data.
        data: the data set, as in `RunConfig`.
        models: names of methods, or ``all``.
        corruptions: names of the corruptions to train with, or ``all``; by default each
            method's own. A method with only one corruption is trained with that one.
        seeds: one run for each.
        vary: further parameters of `RunConfig`, each with the values that it takes in turn.
        **values: parameters of `RunConfig` that all runs share.

    Raises:
        InputError: a value that `RunConfig` refuses, one value in place of a list, a parameter
            that cannot vary, or no run.

    Example:
        >>> runs = plan(["washer", "wood"], models=["aesc", "ae_l2"])
        >>> [(run.category, run.model, run.corruption) for run in runs]
        [('washer', 'aesc', 'stain'), ('wood', 'aesc', 'stain'), \
('washer', 'ae_l2', 'none'), ('wood', 'ae_l2', 'none')]
    """
    for name in vary or {}:
        choice("vary", name, sorted(RunConfig.model_fields.keys() - set(_GIVEN)))
    grid = {name: _as_list(name, several) for name, several in (vary or {}).items()}
    methods = list(_methods(_as_list("models", models), _as_list("corruptions", corruptions)))
    wanted = _categories(_as_list("categories", categories), data)
    runs = [
        RunConfig.checked(
            **{"category": category, "data": data, "seed": seed},
            **{
                "model": model,
                "corruption": corruption,
                **values,
                **dict(zip(grid, chosen, strict=True)),
            },
        )
        for seed in _as_list("seeds", seeds)
        for chosen in product(*grid.values())
        for model, corruption in methods
        for category in wanted
    ]
    if not runs:
        raise InputError("This sweep has no run: give at least one category, model and seed.")
    return list({run.name: run for run in runs}.values())


def check_categories(configs: Iterable[RunConfig]) -> None:
    """Refuse runs of categories that are not there; nothing is generated or read.

    Raises:
        InputError: there is no such category.

    Example:
        >>> check_categories(plan(["washer", "wood"]))
    """
    for category, data in dict.fromkeys((config.category, config.data) for config in configs):
        if data == EMBEDDED:
            category_spec(category)
        else:
            resolve_category(category, data)


def _as_list(name: str, values: Iterable[Any]) -> list[Any]:
    """All values. One alone is refused; text would be taken letter by letter."""
    if isinstance(values, str) or not isinstance(values, Iterable):
        told = quoted(values)
        raise InputError(f"{name} is {told}: give a list, such as [{shortened(told, 40)}].")
    return list(values)


def _methods(models: Sequence[str], corruptions: Sequence[str]) -> Iterable[tuple[str, str | None]]:
    """Pairs of model and corruption; a model with one corruption comes once."""
    for model in METHODS if ALL in models else models:
        possible = tuple(METHODS[model].corruptions) if model in METHODS else ()
        if not corruptions or len(possible) == 1:
            yield model, None
        else:
            yield from ((model, name) for name in (possible if ALL in corruptions else corruptions))


def _categories(names: Sequence[str], data: str) -> list[str]:
    """The categories asked for, ``all`` spelled out, each once."""
    if ALL not in names:
        return list(dict.fromkeys(names))
    return list(CATEGORIES) if data == EMBEDDED else category_names(data)

"""Which runs a sweep is made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import Any

from aesc.data import category_names
from aesc.errors import InputError
from aesc.experiment import EMBEDDED, METHODS, RunConfig
from aesc.synthetic import CATEGORIES

ALL = "all"


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
        data: as in `RunConfig`.
        models: names of methods, or ``all``.
        corruptions: that ``aesc`` and ``ae`` are trained with, or ``all``; by default their own.
            A method with a corruption of its own has that one.
        seeds: of the runs.
        vary: further parameters of `RunConfig`, each with the values that it takes in turn.
        **values: parameters of `RunConfig` that all runs share.

    Raises:
        InputError: a value that `RunConfig` refuses, a parameter that cannot vary, or no run.
    """
    grid = dict(vary or {})
    for name in grid:
        if name not in RunConfig.model_fields or name in ("category", "data", "seed"):
            known = sorted(RunConfig.model_fields.keys() - {"category", "data", "seed"})
            raise InputError(f"{name!r} cannot vary: choose one of {', '.join(known)}.")
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
        for seed in seeds
        for chosen in product(*grid.values())
        for model, corruption in _methods(models, corruptions)
        for category in _categories(categories, data)
    ]
    if not runs:
        raise InputError("This sweep has no run: give at least one category, model and seed.")
    return list({run.name: run for run in runs}.values())


def _methods(models: Sequence[str], corruptions: Sequence[str]) -> Iterable[tuple[str, str | None]]:
    """Pairs of model and corruption; a model with one corruption comes once."""
    for model in METHODS if ALL in models else models:
        possible = METHODS[model].corruptions if model in METHODS else ()
        if not corruptions or len(possible) == 1:
            yield model, None
        else:
            yield from ((model, name) for name in (possible if ALL in corruptions else corruptions))


def _categories(names: Sequence[str], data: str) -> list[str]:
    """The categories asked for, ``all`` spelled out, each once."""
    if ALL not in names:
        return list(dict.fromkeys(names))
    return list(CATEGORIES) if data == EMBEDDED else category_names(data)

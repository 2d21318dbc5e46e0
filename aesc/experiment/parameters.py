"""From the parameters of a notebook to a configuration, papermill's included."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import Any

from aesc._checks import quoted
from aesc.errors import InputError
from aesc.experiment.config import RunConfig

OUT = "out"
"""Parameter that names the folder for the results; all others are those of `RunConfig`."""

_INJECTED = "# Parameters\n"
"""How the cell begins that papermill puts below the cell of the parameters."""


def notebook_config(variables: Mapping[str, Any]) -> RunConfig:
    """The configuration that the variables of a notebook describe.

    Papermill only warns about a parameter that a notebook does not have, so the cell that it put in
    is looked at, among the cells that were executed.

    Args:
        variables: ``globals()`` of the notebook.

    Raises:
        InputError: a parameter that no run has, a number where a name is needed, or a value that
            `RunConfig` refuses.

    Example:
        >>> notebook_config({"category": "washer", "size": 96, "out": "runs"}).name
        'embedded-washer-aesc-stain-quick-96px-seed0'
    """
    known = (*RunConfig.model_fields, OUT)
    for name in _injected(variables.get("In", ())):
        if name not in known:
            raise InputError(f"{name!r} is not a parameter: choose one of {', '.join(known)}.")
    for name in (*_names_of_text(), OUT):
        value = variables.get(name)
        if value is not None and not isinstance(value, str):
            raise InputError(
                f"{name} is {quoted(value)}: give text, to papermill with -r instead of -p, which "
                "makes a number of it."
            )
    return RunConfig.checked(
        **{name: variables[name] for name in RunConfig.model_fields if name in variables}
    )


def _names_of_text() -> Iterator[str]:
    for name, field in RunConfig.model_fields.items():
        if field.annotation is str:
            yield name


def _injected(cells: Any) -> Iterator[str]:
    """Names that are assigned in the cells that papermill put in."""
    for source in cells:
        if isinstance(source, str) and source.startswith(_INJECTED):
            for statement in ast.parse(source).body:
                if isinstance(statement, ast.Assign):
                    yield from (t.id for t in statement.targets if isinstance(t, ast.Name))

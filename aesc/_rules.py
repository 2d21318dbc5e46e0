"""The rules of pydantic in words, for `aesc._checks.first_problem`."""

from __future__ import annotations

from pydantic_core import ErrorDetails

WANTED = {
    "string_type": "text",
    "string_unicode": "text in UTF-8",
    "string_too_short": "text of {min_length} or more characters",
    "string_too_long": "text of {max_length} or fewer characters",
    "string_pattern_mismatch": "text of the form {pattern}",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a whole number of fewer digits",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "greater_than": "a number above {gt:g}",
    "greater_than_equal": "a number of at least {ge}",
    "less_than_equal": "a number of at most {le}",
    "literal_error": "{expected}",
    "tuple_type": "a list",
    "dict_type": "a dictionary",
    "model_type": "a dictionary",
    "too_short": "{min_length} or more entries",
    "too_long": "{max_length} or fewer entries",
    "json_invalid": "whole JSON",
    "value_error": "another one ({error})",
}
"""What a rule asks for, by pydantic's name of it: the rules that the models of the package have."""

_KEY = "[key]"
"""How pydantic says that the name of an entry is meant, and not its value."""


def place(problem: ErrorDetails) -> str:
    """Where a problem is, by dotted name."""
    names = [str(part) for part in problem["loc"]]
    if names[-1:] == [_KEY]:
        return f"a key of {'.'.join(names[:-2])}"
    return " ".join(".".join(names).split()) or "content"


def state_and_remedy(problem: ErrorDetails, value: str) -> tuple[str, str]:
    """What is the matter with a place, and what to do about it.

    Args:
        problem: one of `pydantic.ValidationError.errors`.
        value: the value as a message shows it.
    """
    rule = problem["type"]
    if rule == "missing":
        return "is missing", "give it"
    if rule == "extra_forbidden":
        return "is not known", "leave it out"
    if rule in WANTED:
        return f"is {value}", f"give {WANTED[rule].format_map(problem.get('ctx', {}))}"
    return f"is {value}", f"give another value ({problem['msg']})"

"""Sphinx extension for the API page: what autodoc and napoleon do not do with the package's texts.

- A docstring says `InputError` or `RunConfig`, as the code does; here the one documented object of
  that name is found. A name inside the package without a place on the page stays plain code.
- A constant that a package passes on from one of its modules has its text there, below its value,
  where autodoc does not look.
- A type such as `ArrayLike`, or a default of a dataclass, may be longer than what it explains.
- The first line of a property or a constant may hold a colon; napoleon would take what is before
  it for a type.
"""

import ast
import dataclasses
import importlib
import inspect
import re
import sys
from typing import Any

from docutils.nodes import Element
from numpy.typing import ArrayLike
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.pycode import ModuleAnalyzer
from sphinx.util.typing import stringify_annotation

# Order of the handlers of a docstring; napoleon, which rewrites it, has the default of 500.
BEFORE_NAPOLEON, AFTER_NAPOLEON = 400, 600
_DOTTED = re.compile(r"(?<![\w.~])((?:[A-Za-z_]\w*\.)+[A-Za-z_]\w*)")
_LONGEST = 40
_ONE_LINERS = ("property", "attribute", "data")
_LINE = "aesc_api_first_line"


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect the handlers below."""
    app.connect("missing-reference", link_short_name)
    app.connect("autodoc-skip-member", skip_settings)
    app.connect("autodoc-process-signature", simplify_types)
    app.connect("autodoc-process-signature", shorten_defaults)
    app.connect("autodoc-process-docstring", add_texts_of_constants)
    app.connect("autodoc-process-docstring", hide_first_line, BEFORE_NAPOLEON)
    app.connect("autodoc-process-docstring", show_first_line, AFTER_NAPOLEON)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def link_short_name(
    app: Sphinx, env: BuildEnvironment, node: Element, contnode: Element
) -> Element | None:
    """Resolve a name that ends one documented name, or the least nested of several."""
    if node.get("refdomain") != "py":
        return None
    domain = env.get_domain("py")
    target = node["reftarget"]
    names = [name for name in domain.objects if name.endswith(f".{target}")]
    depth = min((name.count(".") for name in names), default=0)
    found = [name for name in names if name.count(".") == depth]
    if len(found) == 1:
        document = node["refdoc"]
        return domain.resolve_xref(env, document, app.builder, "obj", found[0], node, contnode)
    return contnode if _is_inside(target) else None


def _is_inside(target: str) -> bool:
    """Whether a module of the package has an attribute of that name."""
    module, _, name = target.rpartition(".")
    inside = [m for n, m in sys.modules.items() if f"{n}.".startswith(f"{module or 'aesc'}.")]
    return any(hasattr(each, name) for each in inside if each.__name__.startswith("aesc"))


def skip_settings(
    app: Sphinx, what: str, name: str, obj: object, skip: bool, options: Any
) -> bool | None:
    """Leave out the settings of pydantic, which every model has."""
    return True if name == "model_config" else None


def simplify_types(
    app: Sphinx,
    what: str,
    name: str,
    obj: object,
    options: Any,
    signature: str | None,
    annotation: str | None,
) -> None:
    """Change the types that autodoc has noted for an object.

    NumPy's `ArrayLike` keeps its name, "returns None" goes without saying, and the parameters of a
    dataclass or of a pydantic model stand with its attributes already.
    """
    types = app.env.temp_data.get("annotations", {}).get(name, {})
    if dataclasses.is_dataclass(obj) or hasattr(obj, "model_fields"):
        types.clear()
    if types.get("return") == "None":
        del types["return"]
    types.update({key: _short(text) for key, text in types.items()})


def shorten_defaults(
    app: Sphinx,
    what: str,
    name: str,
    obj: object,
    options: Any,
    signature: str | None,
    annotation: str | None,
) -> tuple[str, str | None] | None:
    """Write the defaults of a dataclass with few digits, and only those that are short."""
    if not (inspect.isclass(obj) and dataclasses.is_dataclass(obj) and signature):
        return None
    parameters = inspect.signature(obj).parameters.values()
    return f"({', '.join(_parameter(each) for each in parameters)})", annotation


def _parameter(parameter: inspect.Parameter) -> str:
    if parameter.default is parameter.empty:
        return parameter.name
    text = _number(parameter.default)
    plain = len(text) <= _LONGEST and "<" not in text
    return f"{parameter.name}={text if plain else '...'}"


def _number(value: object) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(map(_number, value))})"
    return f"{value:.4g}" if isinstance(value, float) else repr(value)


def add_texts_of_constants(
    app: Sphinx, what: str, name: str, obj: object, options: Any, lines: list[str]
) -> None:
    """Tell autodoc, before it comes to the members of a module, the texts of its constants."""
    if what == "module":
        texts = ModuleAnalyzer.for_module(name).find_attr_docs()
        for public in getattr(obj, "__all__", ()):
            if text := text_of_constant(name, public):
                texts.setdefault(("", public), text)


def text_of_constant(module: str, name: str) -> list[str]:
    """The lines below the definition of a constant, in the module it comes from; none for none."""
    texts = ModuleAnalyzer.for_module(module).find_attr_docs()
    if ("", name) in texts:
        return texts["", name]
    source = inspect.getsource(importlib.import_module(module))
    for node in ast.walk(ast.parse(source)):  # those for type checkers stand in a condition
        if isinstance(node, ast.ImportFrom) and name in (alias.name for alias in node.names):
            return text_of_constant(str(node.module), name)
    return []


def hide_first_line(
    app: Sphinx, what: str, name: str, obj: object, options: Any, lines: list[str]
) -> None:
    """Put a mark in place of the first line of a property or a constant."""
    if what in _ONE_LINERS and lines:
        app.env.temp_data[_LINE], lines[0] = lines[0], _LINE


def show_first_line(
    app: Sphinx, what: str, name: str, obj: object, options: Any, lines: list[str]
) -> None:
    """Put the first line back, and shorten the types of attributes that napoleon added."""
    if what in _ONE_LINERS and _LINE in lines:
        lines[lines.index(_LINE)] = app.env.temp_data.pop(_LINE)
    for index, line in enumerate(lines):
        if line.startswith(":vartype "):
            lines[index] = _DOTTED.sub(r"~\1", _short(line))


def _short(text: str) -> str:
    """A text with NumPy's `ArrayLike` by that name, instead of spelled out."""
    for mode in ("smart", "fully-qualified-except-typing"):
        text = text.replace(stringify_annotation(ArrayLike, mode), "ArrayLike")
    return text

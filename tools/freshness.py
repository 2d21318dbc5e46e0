"""Whether an executed notebook still shows what its code and the package would give today.

A notebook carries, in its metadata, a hash of its own code, of the package's modules that it
imports, directly or through others, and of the records that it reads. Comments and docstrings do
not count. The notebooks of the categories are copies of one, whose code counts for them.
"""

import ast
import hashlib
import io
import json
import re
import tokenize
from functools import cache
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "aesc"
KEY = "aesc"
TEMPLATE = "notebooks/06_evaluate_category.ipynb"
_RECORDS = re.compile(r"resource\(\s*\"(results|benchmarks/results)")


def fingerprint(path: Path) -> str:
    """Hash (16 hex digits) of all that the outputs of a notebook depend on."""
    template = ROOT / TEMPLATE if path.parent.name == "categories" else path
    notebook = nbformat.read(template, as_version=4)
    code = [_without_magics(c.source) for c in notebook.cells if c.cell_type == "code"]
    modules: set[str] = set()
    for source in code:
        modules |= _imported(ast.parse(source), "")
    parts = [*code, *(f"{name} {_meaning(name)}" for name in sorted(_closure(modules)))]
    for folder in sorted(set(_RECORDS.findall("\n".join(code)))):
        for path in sorted((ROOT / folder).rglob("*.json")):
            parts.append(f"{path.relative_to(ROOT).as_posix()} {_content(path)}")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def stamp(path: Path) -> None:
    """Write the hash into an executed notebook."""
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata[KEY] = {"sources": fingerprint(path)}
    nbformat.write(notebook, path)


def is_fresh(path: Path) -> bool:
    """True when the notebook was executed with what is here now."""
    notebook = nbformat.read(path, as_version=4)
    return notebook.metadata.get(KEY, {}).get("sources") == fingerprint(path)


def _without_magics(source: str) -> str:
    return re.sub(r"^(\s*)[%!].*$", r"\1pass", source, flags=re.MULTILINE)


def _content(path: Path) -> str:
    """A record without the durations, which differ from run to run."""
    content = json.loads(path.read_text(encoding="utf-8"))
    content.pop("duration", None)
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _closure(modules: set[str]) -> set[str]:
    """The modules and all those of the package that they import."""
    found: set[str] = set()
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name not in found and _is_module(name):
            found.add(name)
            waiting += _imports_of(name)
    return found


@cache
def _imports_of(module: str) -> frozenset[str]:
    tree = ast.parse(_path(module).read_text(encoding="utf-8"))
    return frozenset(_imported(tree, module))


def _imported(tree: ast.AST, module: str) -> set[str]:
    """Names of the package's modules that a tree imports, wherever the import stands."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    names = {name for name in names if name.split(".")[0] == PACKAGE}
    parents = {name.rsplit(".", cut)[0] for name in names for cut in range(name.count(".") + 1)}
    return names | parents


def _is_module(name: str) -> bool:
    """False for a class or function that is imported from one."""
    return _path(name).is_file()


def _path(module: str) -> Path:
    base = ROOT.joinpath(*module.split("."))
    package = base / "__init__.py"
    return package if package.is_file() else base.with_suffix(".py")


@cache
def _meaning(module: str) -> str:
    """Hash of a module's text without comments, docstrings and white space."""
    text = _path(module).read_text(encoding="utf-8")
    lines = text.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    for first, last in _docstrings(ast.parse(text)):
        lines[first - 1 : last] = [""] * (last - first + 1)
    return hashlib.sha256("".join("".join(lines).split()).encode()).hexdigest()


def _docstrings(tree: ast.AST) -> list[tuple[int, int]]:
    """First and last line of every string that stands alone, as docstrings do."""
    return [
        (node.lineno, node.end_lineno or node.lineno)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    ]

"""The API page names every public object of the package, each with a text of its own."""

import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import yaml

import aesc

pytest.importorskip("sphinx")

from sphinx.pycode import ModuleAnalyzer
from sphinx.util.inventory import InventoryFile

ROOT = Path(__file__).resolve().parent.parent
EXTENSIONS = ROOT / "book" / "extensions"
PAGE = ROOT / "book" / "api.md"
# `aesc.cli` and `aesc.commands` are the command, which says by itself what it can do.
MODULES = sorted(
    f"aesc.{module.name}"
    for module in pkgutil.iter_modules(aesc.__path__)
    if not module.name.startswith("_") and module.name not in ("cli", "commands")
)
_CONF = """
import sys
import yaml

sys.path.insert(0, {extensions!r})
with open({config!r}, encoding="utf-8") as file:
    settings = yaml.safe_load(file)["sphinx"]
for name, value in settings["config"].items():
    if name.startswith(("autodoc", "napoleon", "python", "add_module", "default_role")):
        globals()[name] = value
extensions = ["myst_parser", *settings["extra_extensions"], *settings["local_extensions"]]
extensions.remove("sphinx.ext.viewcode")
suppress_warnings = ["myst.xref_missing"]
"""


def public_names(module: ModuleType) -> list[str]:
    """What a module lists in ``__all__``, or else what it defines without an underscore."""
    if hasattr(module, "__all__"):
        return list(module.__all__)
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    ]


@pytest.fixture(scope="module")
def documented(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names on the page, which is built alone with the book's own settings."""
    folder = tmp_path_factory.mktemp("api")
    config = str(ROOT / "_config.yml")
    conf = _CONF.format(extensions=str(EXTENSIONS), config=config)
    (folder / "conf.py").write_text(conf, encoding="utf-8")
    (folder / "index.md").write_text(PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q"]
    done = subprocess.run(
        [*command, str(folder), str(folder / "html")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    with (folder / "html" / "objects.inv").open("rb") as file:
        kinds = InventoryFile.load(file, "", lambda _, name: name)
    return {name for kind, names in kinds.items() if kind.startswith("py:") for name in names}


def test_every_public_module_has_a_place_on_the_page():
    placed = re.findall(r"^\.\. automodule:: (\S+)$", PAGE.read_text(encoding="utf-8"), re.M)
    assert sorted(placed) == MODULES


@pytest.mark.parametrize("name", MODULES)
def test_every_public_name_is_on_the_page(documented: set[str], name: str):
    names = public_names(importlib.import_module(name))
    assert names
    assert {f"{name}.{each}" for each in names} <= documented


def test_methods_that_have_a_text_are_on_the_page(documented: set[str]):
    for name in ("model.AESc.forward", "noise.Corruption.__call__", "records.Record.card"):
        assert f"aesc.{name}" in documented


@pytest.mark.parametrize("name", MODULES)
def test_every_public_name_has_a_text(monkeypatch: pytest.MonkeyPatch, name: str):
    monkeypatch.syspath_prepend(str(EXTENSIONS))
    extension = importlib.import_module("aesc_api")
    module = importlib.import_module(name)
    for each in public_names(module):
        value = getattr(module, each)
        if inspect.isclass(value) or inspect.isroutine(value):
            assert inspect.getdoc(value), each
        elif f".. autodata:: {name}.{each}\n\n   " not in PAGE.read_text(encoding="utf-8"):
            assert "".join(extension.text_of_constant(name, each)), each


def test_a_constant_that_is_passed_on_has_the_text_of_its_definition(monkeypatch):
    monkeypatch.syspath_prepend(str(EXTENSIONS))
    extension = importlib.import_module("aesc_api")
    passed_on = extension.text_of_constant("aesc.experiment", "EMBEDDED")
    assert (
        passed_on
        == ModuleAnalyzer.for_module("aesc.records.record").find_attr_docs()["", "EMBEDDED"]
    )
    assert extension.text_of_constant("aesc.experiment", "nothing") == []


def test_types_of_other_packages_are_all_that_may_stay_without_a_link():
    ignored = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    patterns = ignored["sphinx"]["config"]["nitpick_ignore_regex"]
    assert all(re.fullmatch(r"py:\S+", kind) for kind, _ in patterns)
    assert not any(re.fullmatch(target, "aesc.noise.Stain") for _, target in patterns)

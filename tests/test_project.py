"""The files around the package agree with each other."""

import importlib.metadata
import itertools
import json
import os
import re
import sys
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools import build_book, install_torch

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # pytest brings it where the standard library lacks it

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]

# Packages that conda-forge calls by another name.
CONDA_NAMES = {"torch": "pytorch"}

# The only requirements with an upper bound; pyproject.toml gives the reason beside each.
CAPPED = {"jupyter-book", "sphinx-book-theme", "ruff"}

# A name that starts with an underscore is a part of a page.
PAGES = sorted((ROOT / "book").glob("[!_]*.md"))


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def read_yaml(name: str) -> dict:
    return yaml.safe_load(read(name))


def project_requirements() -> list[Requirement]:
    """Every requirement of the package and of its extras but those on the package itself."""
    groups = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    requirements = [Requirement(line) for group in groups for line in group]
    return [each for each in requirements if each.name != PROJECT["name"]]


def conda_lines() -> list[str]:
    return [line for line in read_yaml("environment.yml")["dependencies"] if isinstance(line, str)]


def test_conda_environment_has_the_bounds_of_the_package():
    wanted = {
        CONDA_NAMES.get(each.name, each.name): each.specifier for each in project_requirements()
    }
    wanted["python"] = Requirement(f"python{PROJECT['requires-python']}").specifier
    lines = [Requirement(line) for line in conda_lines()]
    assert len({each.name for each in lines}) == len(lines), "a package is listed twice"
    given = {each.name: each.specifier for each in lines if each.name != "pip"}
    assert given == wanted


def test_conda_environment_installs_the_package_itself_with_pip():
    others = [
        line for line in read_yaml("environment.yml")["dependencies"] if isinstance(line, dict)
    ]
    assert others == [{"pip": ["--editable ."]}]
    assert "pip" in conda_lines()


def test_conda_can_read_every_line():
    rattler = pytest.importorskip("rattler")
    for line in conda_lines():
        assert rattler.MatchSpec(line, strict=True).name is not None


def test_one_package_has_one_bound():
    seen: dict[str, str] = {}
    for each in project_requirements():
        bound = str(each.specifier)
        assert seen.setdefault(canonicalize_name(each.name), bound) == bound, each.name


def test_only_the_documented_requirements_have_an_upper_bound():
    capped = {
        each.name
        for each in project_requirements()
        if any(clause.operator not in {">=", ">", "!="} for clause in each.specifier)
    }
    assert capped == CAPPED


def test_every_requirement_has_a_lower_bound():
    for each in project_requirements():
        assert any(clause.operator in {">=", "=="} for clause in each.specifier), each.name


def test_extra_dev_holds_every_other_extra():
    (dev,) = (Requirement(line) for line in PROJECT["optional-dependencies"]["dev"])
    assert dev.name == PROJECT["name"]
    assert dev.extras == set(PROJECT["optional-dependencies"]) - {"dev"}


def test_installed_package_is_this_version():
    try:
        installed = importlib.metadata.version(PROJECT["name"])
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("the package is imported from the checkout, not installed")
    assert installed == PROJECT["version"]


def test_citation_names_this_version_and_the_paper():
    citation = read_yaml("CITATION.cff")
    assert citation["cff-version"] == "1.2.0"
    assert citation["version"] == PROJECT["version"]
    assert citation["license"] == PROJECT["license"]
    paper = citation["preferred-citation"]
    bibliography = read("book/references.bib")
    assert f"{{{paper['doi']}}}" in bibliography
    for author in paper["authors"]:
        assert f"{author['family-names']}, {author['given-names']}" in bibliography


def test_licence_is_the_one_that_is_declared():
    assert PROJECT["license"] == "Apache-2.0"
    text = read("LICENSE")
    assert "Apache License\n                           Version 2.0, January 2004" in text
    for section in range(1, 10):
        assert re.search(rf"^   {section}\. ", text, re.MULTILINE), section


def test_changelog_has_a_section_for_what_is_not_yet_released():
    assert "\n## [Unreleased]\n" in read("CHANGELOG.md")


def test_every_make_target_named_in_the_documents_exists():
    targets = set(re.findall(r"^([a-z]+):", read("Makefile"), re.MULTILINE))
    text = "".join(read(name) for name in ("README.md", "CONTRIBUTING.md", "book/intro.md"))
    named = set(re.findall(r"(?:^|`)make ([a-z]+)", text, re.MULTILINE))
    assert named >= {"run", "test"}
    assert named <= targets


def test_every_make_target_is_phony_and_explained():
    makefile = read("Makefile")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    (phony,) = re.findall(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)
    explained = set(re.findall(r"^([a-z]+):.*## \S", makefile, re.MULTILINE))
    assert targets == set(phony.split()) == explained


def toc_files() -> list[str]:
    """Return the pages of the table of contents, found wherever ``file`` or ``root`` stands."""

    def walk(node: object) -> list[str]:
        if isinstance(node, list):
            return [name for each in node for name in walk(each)]
        if not isinstance(node, dict):
            return []
        own = [node[key] for key in ("root", "file") if key in node]
        return own + [name for value in node.values() for name in walk(value)]

    return walk(read_yaml("_toc.yml"))


def test_every_page_of_the_table_of_contents_exists():
    files = toc_files()
    assert "book/intro" in files
    assert len(set(files)) == len(files), "a page is listed twice"
    missing = [
        name
        for name in files
        if not any((ROOT / f"{name}{end}").is_file() for end in (".md", ".ipynb"))
    ]
    assert missing == []


def test_every_page_is_in_the_table_of_contents():
    pages = [*PAGES, *NOTEBOOKS]
    names = {path.relative_to(ROOT).with_suffix("").as_posix() for path in pages}
    assert names <= set(toc_files())


def directive_options(lines: list[str]) -> dict[str, object]:
    """Read the options at the start of a directive: a YAML block, or one ``:key: value`` a line."""
    if lines[0] == "---":
        return yaml.safe_load("\n".join(lines[1 : lines.index("---", 1)]))
    pairs = (re.fullmatch(r":(\w+): *(.*)", line) for line in lines)
    return dict(pair.groups() for pair in itertools.takewhile(bool, pairs))


NOTEBOOKS = sorted(
    path
    for folder in ("book", "notebooks")
    for path in (ROOT / folder).rglob("*.ipynb")
    if ".ipynb_checkpoints" not in path.parts
)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_committed_notebook_was_executed_from_top_to_bottom(path: Path):
    text = path.read_text(encoding="utf-8")
    cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell["outputs"]]
    # What a page prints on purpose goes to stdout; warnings and progress bars to stderr.
    assert not [o for o in outputs if o["output_type"] == "error" or o.get("name") == "stderr"]
    # Not in the middle of base64, where a picture may spell out anything.
    assert not re.search(r"(?<![\w+/])(file://)?/(home|root|tmp|Users)/", text), "a local path"
    code = "".join("".join(cell["source"]) for cell in cells)
    assert not re.search(r"[\"'](/|[A-Z]:\\)\w", code), "a path of somebody's machine"
    assert len(text) < 1.5e6


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_picture_has_alternative_text(page: Path):
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"!\[\s*\]", text)
    assert not re.search(r"<img(?![^>]*\balt=\"[^\"]+\")[^>]*>", text)
    lines = text.splitlines()
    for number, line in enumerate(lines, start=1):
        if re.search(r"\{(?:figure|image)\}", line):
            # A sentence: an option cut short by a line break would not end with a full stop.
            assert str(directive_options(lines[number:]).get("alt", "")).endswith("."), line


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_citation_is_in_the_bibliography(page: Path):
    keys = set(re.findall(r"^@\w+\{([^,]+),", read("book/references.bib"), re.MULTILINE))
    cited = re.findall(r"\{cite(?::\w+)?\}`([^`]+)`", page.read_text(encoding="utf-8"))
    assert {key.strip() for group in cited for key in group.split(",")} <= keys


def test_every_entry_of_the_bibliography_has_a_doi():
    """Or, where the publisher gave none, its place in JSTOR."""
    entries = re.split(r"^@", read("book/references.bib"), flags=re.MULTILINE)[1:]
    assert entries
    for entry in entries:
        lasting = r"doi\s*=\s*\{10\.\d{4,9}/\S+\}|url\s*=\s*\{https://www\.jstor\.org/stable/\d+\}"
        assert re.search(lasting, entry), entry.splitlines()[0]


def test_address_of_the_repository_stands_in_one_place():
    address = read_yaml("_config.yml")["repository"]["url"]
    assert "urls" not in PROJECT
    assert not {"repository-code", "url"} & set(read_yaml("CITATION.cff"))
    for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "Makefile", *map(str, PAGES)):
        assert address not in read(name), name


@pytest.mark.parametrize("name", ["test", "book", "colab", "links"])
def test_workflow_has_least_permissions_and_pinned_actions(name: str):
    text = read(f".github/workflows/{name}.yml")
    workflow = yaml.safe_load(text)
    assert workflow["permissions"] == {"contents": "read"}
    jobs = workflow["jobs"].values()
    assert "concurrency" in workflow or all("concurrency" in job for job in jobs)
    assert all("timeout-minutes" in job for job in jobs)
    actions = re.findall(r"uses: (\S+)", text)
    assert actions
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@v\d+", action) for action in actions)


def test_workflow_covers_every_declared_version_of_python():
    (job,) = read_yaml(".github/workflows/test.yml")["jobs"].values()
    prefix = "Programming Language :: Python :: 3."
    declared = [
        line.rpartition(" ")[2] for line in PROJECT["classifiers"] if line.startswith(prefix)
    ]
    assert job["strategy"]["matrix"]["python"] == declared


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def write_run(
    folder: Path, name: str, dataset: str, category: str, age: int, model: str = "aesc"
) -> None:
    """Write a run whose notebook holds its name and whose record is ``age`` seconds old."""
    write(folder / f"{name}.ipynb", json.dumps({"cells": [], "metadata": {"title": name}}))
    record = folder / f"{name}.json"
    method = {"model": model, "corruption": "stain"}
    content = {"data": {"dataset": dataset, "category": category}, "method": method}
    write(record, json.dumps(content))
    os.utime(record, (1e9 - age, 1e9 - age))


def test_book_of_a_run_takes_the_newest_notebook_of_each_category(tmp_path: Path):
    runs, staging = tmp_path / "runs", tmp_path / "staging"
    pages, records = staging / "notebooks" / "categories", staging / "results" / "embedded"
    for category in ("cloth", "wood"):
        write(pages / f"{category}.ipynb", "committed")
    write(records / "wood.json", "committed")
    write_run(runs, "b", "embedded", "cloth", age=10)
    write_run(runs, "a", "embedded", "cloth", age=20)
    write_run(runs, "c", "another", "cloth", age=0)
    write_run(runs, "d", "embedded", "cloth", age=0, model="ae")
    write(runs / "embedded-cloth.running.ipynb", "no record")
    build_book.overlay(runs, staging)
    assert json.loads((pages / "cloth.ipynb").read_text())["metadata"]["title"] == "b"
    assert (pages / "wood.ipynb").read_text() == "committed"
    assert {path.stem for path in records.iterdir()} == {"a", "b", "c", "d", "wood"}
    assert (records / "wood.json").read_text() == "committed"


def test_book_of_an_empty_run_names_the_remedy(tmp_path: Path):
    write(tmp_path / "staging/notebooks/categories/cloth.ipynb", "committed")
    with pytest.raises(build_book.BookError, match="aesc sweep all"):
        build_book.overlay(tmp_path / "nothing", tmp_path / "staging")


@pytest.mark.parametrize(
    ("platform", "gpu", "cpu_build_found", "asked"),
    [
        ("linux", False, True, ["cpu"]),
        ("linux", False, False, ["cpu", "torch"]),
        ("linux", True, True, ["torch"]),
        ("darwin", False, True, ["torch"]),
        ("win32", False, True, ["torch"]),
    ],
)
def test_torch_is_the_cpu_build_where_no_gpu_is(monkeypatch, platform, gpu, cpu_build_found, asked):
    calls: list[str] = []

    def missing(_name: str) -> str:
        raise importlib.metadata.PackageNotFoundError

    monkeypatch.setattr(importlib.metadata, "version", missing)
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr("shutil.which", lambda _name: "/usr/bin/nvidia-smi" if gpu else None)
    monkeypatch.setattr(
        install_torch, "install_cpu_build", lambda: calls.append("cpu") or cpu_build_found
    )
    monkeypatch.setattr(install_torch, "pip", lambda *names: calls.extend(names) or True)
    assert install_torch.main() == 0
    assert calls == asked


def test_installed_torch_stays(monkeypatch):
    monkeypatch.setattr(importlib.metadata, "version", lambda _name: "0.0.1")
    monkeypatch.setattr(install_torch, "pip", lambda *_names, **_how: pytest.fail("pip was called"))
    assert install_torch.main() == 0


def test_hooks_before_a_commit_use_the_versions_of_the_project():
    bounds = {each.name: each.specifier for each in project_requirements()}
    (local,) = read_yaml(".pre-commit-config.yaml")["repos"]
    hooks = {hook["id"]: hook for hook in local["hooks"]}
    assert set(hooks) == {"ruff-check", "ruff-format", "codespell", "mypy"}
    for hook in hooks.values():
        for wanted in map(Requirement, hook.get("additional_dependencies", ())):
            assert wanted.specifier == bounds[wanted.name]

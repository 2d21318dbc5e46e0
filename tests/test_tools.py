"""The tools around the book: freshness of notebooks, the repository's address, foreign scripts."""

from __future__ import annotations

import ast
import base64
import hashlib
import io
import json
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import nbformat
import pytest
import yaml

from tools import address, build_book, freshness, glance, notebooks, offline

ROOT = Path(__file__).resolve().parents[1]
EVERY = sorted([*notebooks.pages(), *notebooks.CATEGORIES.glob("*.ipynb")])
INSTALL = """\
# Where the package is missing, as in Colab, install it; torch and numpy stay.
import importlib.util

if importlib.util.find_spec("aesc") is None:
    %pip install --quiet "aesc[notebooks] @ git+{address}\""""


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def code_cells(path: Path) -> list[nbformat.NotebookNode]:
    return [c for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]


# Every notebook of the book


@pytest.mark.parametrize("path", EVERY, ids=named)
def test_notebook_shows_what_today_s_code_gives(path):
    assert freshness.is_fresh(path), f"{named(path)} is stale: make notebooks"


@pytest.mark.parametrize("path", EVERY, ids=named)
def test_badge_opens_the_notebook_itself_in_colab(path):
    title = nbformat.read(path, as_version=4).cells[0].source
    depth = "../" * (len(path.relative_to(ROOT).parts) - 1)
    target = address.colab(address.address(), named(path))
    assert f"[![Open in Colab]({depth}book/figures/colab.svg)]({target})" in title


@pytest.mark.parametrize("path", EVERY, ids=named)
def test_first_code_cell_installs_the_package_where_it_is_missing(path):
    first = code_cells(path)[0]
    assert first.source == INSTALL.format(address=address.address())
    assert first.metadata.tags == ["remove-cell"]


@pytest.mark.parametrize("path", EVERY, ids=named)
def test_notebook_has_an_exercise_with_a_folded_solution(path):
    text = [c.source for c in nbformat.read(path, as_version=4).cells if c.cell_type == "markdown"]
    assert any(re.search(r"^## Exercise", source, re.MULTILINE) for source in text)
    solutions = [c for c in code_cells(path) if c.source.startswith("# Solution")]
    assert solutions and all("hide-cell" in c.metadata.tags for c in solutions)


@pytest.mark.parametrize("path", EVERY, ids=named)
def test_page_keeps_to_the_template(path):
    cells = nbformat.read(path, as_version=4).cells
    text = "\n".join(c.source for c in cells if c.cell_type == "markdown")
    for part in ("**What you will learn**", "**Prerequisites:**", "**Time:**", "## Summary"):
        assert part in text
    assert "**What comes next:**" in cells[-1].source


def taught() -> list[tuple[Path, str]]:
    """Every block that a page writes out, with its name in the package."""
    return [
        (path, tag.removeprefix("teaches:"))
        for path in notebooks.pages()
        for cell in code_cells(path)
        for tag in cell.metadata.get("tags", [])
        if tag.startswith("teaches:")
    ]


@pytest.mark.parametrize(("path", "name"), taught(), ids=lambda v: v if isinstance(v, str) else "")
def test_taught_block_is_that_of_the_package(path, name):
    module, _, symbol = name.rpartition(".")
    source = ROOT.joinpath(*module.split(".")).with_suffix(".py")
    (cell,) = (c for c in code_cells(path) if f"teaches:{name}" in c.metadata.get("tags", []))
    assert bare(cell.source, symbol) == bare(source.read_text(encoding="utf-8"), symbol)


def bare(source: str, symbol: str) -> str:
    """A definition without docstrings, type hints and checks of its arguments."""
    tree = ast.parse(source)
    (definition,) = (n for n in tree.body if getattr(n, "name", None) == symbol)
    without_checks(definition, imported(tree, "aesc._checks"))
    for node in ast.walk(definition):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
        if isinstance(node, ast.FunctionDef):
            node.returns = None
        if isinstance(node, ast.arg):
            node.annotation = None
    return ast.dump(definition)


def imported(tree: ast.Module, module: str) -> set[str]:
    """What a file imports from a module, by name."""
    imports = (n for n in tree.body if isinstance(n, ast.ImportFrom) and n.module == module)
    return {alias.name for node in imports for alias in node.names}


def without_checks(definition: ast.stmt, checks: set[str]) -> None:
    """Take out statements that only call one of the checks, and methods that do nothing else."""

    def checks_only(node: ast.AST) -> bool:
        if isinstance(node, ast.FunctionDef):
            return not node.body
        call = node.value if isinstance(node, ast.Expr) else None
        return isinstance(call, ast.Call) and getattr(call.func, "id", None) in checks

    for child in ast.iter_child_nodes(definition):
        if isinstance(child, ast.stmt):
            without_checks(child, checks)
    if hasattr(definition, "body"):
        definition.body = [node for node in definition.body if not checks_only(node)]


RESULT = re.compile(
    r"(?<![\w.-])0\.\d{2,}|\d+(\.\d+)?\s?(dB\b|images/s)|\d+(\.\d+)?\s?%"
    r"|\d(\.\d+)?\s?times (faster|slower|as)"
)
CUSTOMARY = ("95 %",)  # the share of the time that an interval holds
ALLOWED = {
    # What the method or its source prescribes, and settings, are no results.
    "notebooks/02_stain_noise.ipynb": ("60 %", "20 %", "40 %", "12 %", "1 %", "2 %"),
    "notebooks/04_training.ipynb": ("0.001", "0.003"),
    "notebooks/07_results_table.ipynb": ("30 %",),  # the limit of AUPRO
    "notebooks/10_your_own_images.ipynb": ("5 %",),
}


@pytest.mark.parametrize("path", EVERY, ids=named)
def test_no_number_in_the_text_claims_a_result(path):
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type != "markdown":
            continue
        prose = re.sub(r"```.*?```|`[^`]*`|\$[^$]*\$", "", cell.source, flags=re.DOTALL)
        allowed = (*CUSTOMARY, *ALLOWED.get(named(path), ()))
        found = [m.group() for m in RESULT.finditer(prose) if m.group() not in allowed]
        assert not found, f"{named(path)}: {found} in {prose[:80]!r}; let a cell print it"


# Freshness


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A project of two modules and a notebook that imports one of them, executed just now."""
    monkeypatch.setattr(freshness, "ROOT", tmp_path)
    (tmp_path / "aesc").mkdir()
    (tmp_path / "aesc" / "__init__.py").write_text("")
    (tmp_path / "aesc" / "used.py").write_text('"""Text."""\nfrom aesc import deep\nx = 1  # one\n')
    (tmp_path / "aesc" / "deep.py").write_text("y = 'two # no comment'\n")
    (tmp_path / "aesc" / "other.py").write_text("z = 3\n")
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "a.json").write_text('{"auroc": 0.5, "duration": {"training": 1}}')
    cells = [
        nbformat.v4.new_code_cell("%pip install x"),
        nbformat.v4.new_code_cell("from aesc.used import x\nx"),
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "page.ipynb")
    reset()
    freshness.stamp(tmp_path / "page.ipynb")
    assert freshness.is_fresh(tmp_path / "page.ipynb")
    return tmp_path


def reset() -> None:
    freshness._meaning.cache_clear()
    freshness._imports_of.cache_clear()


def edited(project: Path, name: str, text: str) -> bool:
    """Whether the page is still fresh when a file holds another text."""
    (project / name).write_text(text)
    reset()
    return freshness.is_fresh(project / "page.ipynb")


def test_notebook_is_stale_when_a_module_that_it_imports_changes(project):
    assert not edited(project, "aesc/used.py", "from aesc import deep\nx = 2\n")


def test_notebook_is_stale_when_a_module_behind_that_one_changes(project):
    assert not edited(project, "aesc/deep.py", "y = 'two # another string'\n")


def test_comments_docstrings_and_other_modules_do_not_matter(project):
    text = '"""Other\ntext."""\n\nfrom aesc import deep\n\nx = 1\n# a remark\n'
    assert edited(project, "aesc/used.py", text)
    assert edited(project, "aesc/other.py", "z = 4\n")


def test_notebook_is_stale_when_its_own_code_changes(project):
    path = project / "page.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[1].source += "\nx + 1"
    nbformat.write(notebook, path)
    assert not freshness.is_fresh(path)


def test_records_count_for_a_notebook_that_reads_them_but_not_their_durations(project):
    path = project / "page.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[1].source += '\nresource("results")'
    nbformat.write(notebook, path)
    freshness.stamp(path)
    record = {"auroc": 0.5, "duration": {"training": 9}}
    assert edited(project, "results/a.json", json.dumps(record))
    assert not edited(project, "results/a.json", json.dumps({**record, "auroc": 0.6}))


# The address


@pytest.fixture
def copy(tmp_path, monkeypatch) -> Path:
    """A copy of all that repeats the address."""
    for path in address.pages():
        target = tmp_path / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)
    monkeypatch.setattr(address, "ROOT", tmp_path)
    monkeypatch.setattr(address, "CONFIG", tmp_path / "_config.yml")
    return tmp_path


def test_one_command_changes_the_address_everywhere(copy, monkeypatch):
    old, new = address.address(), "https://github.com/somebody/some-book"
    monkeypatch.setattr("sys.argv", ["address", f"{new}.git"])
    assert address.main() == 0 and address.address() == new
    texts = [path.read_text(encoding="utf-8") for path in address.pages()]
    assert not any(old in text or address.colab(old, "") in text for text in texts)
    first = nbformat.read(copy / "notebooks/06_evaluate_category.ipynb", as_version=4).cells[:2]
    assert "github/somebody/some-book/blob/main/notebooks/06" in first[0].source
    assert f"git+{new}" in first[1].source


@pytest.mark.parametrize(
    "bad", ["not an address", "https://example.org/a/b", "https://github.com/a"]
)
def test_another_kind_of_address_is_refused(copy, monkeypatch, capsys, bad):
    before = address.address()
    monkeypatch.setattr("sys.argv", ["address", bad])
    assert address.main() == 2 and bad in capsys.readouterr().err
    assert address.address() == before


def test_placeholder_is_called_one(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["address"])
    assert address.main() == 0
    said = capsys.readouterr().out
    assert address.address() in said
    assert ("placeholder" in said) == (address.address() == address.PLACEHOLDER)


# Foreign scripts


def archive_of(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(f"package/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture
def registry(tmp_path, monkeypatch) -> offline.Package:
    """A package in a registry that is a folder."""
    archive = archive_of({"a.js": b"1", "fonts/b.woff": b"2", "unused.js": b"3"})
    monkeypatch.setattr(offline, "REGISTRY", (tmp_path / "registry").as_uri())
    digest = base64.b64encode(hashlib.sha512(archive).digest()).decode()
    keep = {"a.js": "lib/a.js", "fonts": "lib/fonts"}
    package = offline.Package("@scope/lib", "1.0.0", digest, keep)
    path = tmp_path / "registry" / "@scope" / "lib" / "-" / "lib-1.0.0.tgz"
    path.parent.mkdir(parents=True)
    path.write_bytes(archive)
    return package


def test_kept_files_of_a_package_are_fetched_once(registry, tmp_path, monkeypatch):
    offline.fetch(registry, tmp_path / "vendor")
    kept = [p for p in (tmp_path / "vendor").rglob("*") if p.is_file()]
    assert {p.relative_to(tmp_path / "vendor").as_posix(): p.read_bytes() for p in kept} == {
        "lib/a.js": b"1",
        "lib/fonts/b.woff": b"2",
    }
    monkeypatch.setattr("urllib.request.urlopen", lambda *_, **__: pytest.fail("fetched again"))
    offline.fetch(registry, tmp_path / "vendor")


def test_package_of_another_hash_is_refused_and_leaves_nothing(registry, tmp_path):
    other = offline.Package(registry.name, registry.version, "AAAA", registry.keep)
    with pytest.raises(OSError, match="another SHA-512"):
        offline.fetch(other, tmp_path / "vendor")
    assert not (tmp_path / "vendor").exists()


def test_book_falls_back_to_public_addresses_and_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(offline, "REGISTRY", (tmp_path / "nowhere").as_uri())
    shutil.copy2(ROOT / "_config.yml", tmp_path)
    assert not offline.use(tmp_path, tmp_path / "vendor")
    assert "public addresses" in capsys.readouterr().out
    assert (tmp_path / "_config.yml").read_bytes() == (ROOT / "_config.yml").read_bytes()


def test_book_with_its_own_scripts_loads_require_before_the_widgets(
    registry, tmp_path, monkeypatch
):
    monkeypatch.setattr(offline, "PAGES", (registry,))
    shutil.copy2(ROOT / "_config.yml", tmp_path)
    assert offline.use(tmp_path, tmp_path / "vendor")
    settings = yaml.safe_load((tmp_path / "_config.yml").read_text(encoding="utf-8"))
    sphinx = settings["sphinx"]["config"]
    assert [name.split("/")[0] for name in sphinx["nb_ipywidgets_js"]] == [
        "requirejs",
        "html-manager",
    ]
    assert offline.ASSETS in sphinx["html_static_path"]
    assert (tmp_path / offline.ASSETS / "lib" / "a.js").read_bytes() == b"1"


# Category notebooks one folder deeper


def test_relocated_notebook_keeps_its_links():
    cells = [
        nbformat.v4.new_markdown_cell(
            "# Title\n[![badge](../book/a.svg)](https://colab.example/notebooks/"
            "06_evaluate_category.ipynb) [next](07_results_table.ipynb) [up](#title)"
        ),
        nbformat.v4.new_markdown_cell(f"papermill {build_book.PAGE} bottle.ipynb"),
        nbformat.v4.new_code_cell("x = '](07_results_table.ipynb)'"),
        nbformat.v4.new_code_cell(
            'seed = 0\nout = "/srv/runs"\n', metadata={"tags": ["injected-parameters"]}
        ),
    ]
    text = nbformat.writes(nbformat.v4.new_notebook(cells=cells))
    moved = nbformat.reads(build_book.relocated(text, "cloth"), as_version=4)
    assert moved.cells[0].source == (
        "# Title: cloth\n[![badge](../../book/a.svg)](https://colab.example/notebooks/"
        "categories/cloth.ipynb) [next](../07_results_table.ipynb) [up](#title)"
    )
    # The template is what papermill is given, whatever the category.
    assert [cell.source for cell in moved.cells[1:3]] == [cell.source for cell in cells[1:3]]
    assert moved.cells[3].source == 'seed = 0\nout = "../../runs"\n'


# Spelling


def test_texts_are_spelled_right(tmp_path):
    """Of pages, documents, code and comments; executed outputs are left out."""
    texts = [p for pattern in ("*.md", "book/*.md", "**/*.py") for p in ROOT.glob(pattern)]
    texts = [p for p in texts if not {".venv", "_build", "runs"} & set(p.parts)]
    for path in EVERY:
        sources = [cell.source for cell in nbformat.read(path, as_version=4).cells]
        page = tmp_path / named(path).replace("/", "-")
        page.write_text("\n\n".join(sources), encoding="utf-8")
        texts.append(page)
    command = [sys.executable, "-m", "codespell_lib", "--ignore-words-list", "planed"]
    done = subprocess.run([*command, *texts], capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("", 0)


# Results at a glance


def test_first_page_and_readme_show_the_records():
    text = glance.table(ROOT / "results")
    assert (ROOT / glance.PAGE).read_text(encoding="utf-8") == text, "python -m tools.glance"
    readme = (ROOT / glance.README).read_text(encoding="utf-8")
    assert glance.between_marks(readme, text) == readme, "python -m tools.glance"


def test_glance_averages_seeds_then_categories(tmp_path):
    """Against the records themselves, averaged by hand."""
    values: dict[str, list[float]] = {}
    for path in (ROOT / "results" / "embedded").glob("*.json"):
        record = json.loads(path.read_text(encoding="utf-8"))
        method = record["method"]
        if (method["model"], method["corruption"], method["preset"]) == ("aesc", "stain", "quick"):
            auroc = record["metrics"]["residual"]["image"]["l2"]["auroc"]
            values.setdefault(record["data"]["category"], []).append(auroc)
    mean = sum(sum(v) / len(v) for v in values.values()) / len(values)
    lines = glance.table(ROOT / "results").splitlines()
    (row,) = (line for line in lines if "embedded" in line and "AESc, residual" in line)
    assert f"| {mean:.3f} " in row and f"{len(values)} categories" in row

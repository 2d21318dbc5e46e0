"""Build the book into ``_build/html``, a warning counting as an error.

Without options the book shows the committed notebooks and records. With ``--runs DIR`` it shows a
run: the notebooks and records in DIR (written by ``aesc sweep``) replace the committed ones of the
same name, and the results table is executed anew. All of that happens in a copy under ``_build``:
nothing that is committed changes, and an earlier ``_build/html`` stays until the new one is whole.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

from aesc.records import EMBEDDED, OWN_METHOD
from tools import offline

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "_build"
SOURCES = ("_config.yml", "_toc.yml", "book", "notebooks", "results", "benchmarks/results")
PAGE = "notebooks/06_evaluate_category.ipynb"
TABLE = "notebooks/07_results_table.ipynb"


class BookError(Exception):
    """The book cannot be built; one sentence that names the cause and the remedy."""


def stage(root: Path, staging: Path) -> None:
    """Copy what the book is made of from ``root`` into a new folder ``staging``.

    Raises BookError when a part is missing from ``root``.
    """
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    junk = shutil.ignore_patterns(".ipynb_checkpoints", "__pycache__")
    for name in SOURCES:
        source = root / name
        if not source.exists():
            raise BookError(f"{source} is missing; get a complete copy of the repository")
        if source.is_dir():
            shutil.copytree(source, staging / name, ignore=junk)
        else:
            shutil.copy2(source, staging / name)


def newest_notebooks(runs: Path) -> dict[str, Path]:
    """Return the newest executed notebook in ``runs`` of each embedded category, AESc with stains.

    The record beside a notebook says what it is about; a notebook without one failed or still runs.
    """
    newest = {}
    for record in sorted(runs.glob("*.json"), key=lambda path: path.stat().st_mtime):
        content = json.loads(record.read_text(encoding="utf-8"))
        data, method = content["data"], content["method"]
        notebook = record.with_suffix(".ipynb")
        made = data["dataset"], method["model"], method["corruption"]
        if made == (EMBEDDED, *OWN_METHOD) and notebook.exists():
            newest[data["category"]] = notebook
    return newest


def overlay(runs: Path, staging: Path) -> list[str]:
    """Put the executed notebooks and the records of ``runs`` over those in ``staging``.

    Returns the categories whose notebooks were there.

    Raises BookError when ``runs`` holds no finished notebook of an embedded category.
    """
    executed = newest_notebooks(runs)
    if not executed:
        raise BookError(
            f"{runs} holds no finished notebook of an embedded category; "
            f"write some with: aesc sweep all --preset quick --out {runs}"
        )
    for category, notebook in executed.items():
        target = staging / "notebooks" / "categories" / f"{category}.ipynb"
        target.parent.mkdir(parents=True, exist_ok=True)
        text = notebook.read_text(encoding="utf-8")
        target.write_text(relocated(text, category), encoding="utf-8")
    records = staging / "results" / "embedded"
    records.mkdir(parents=True, exist_ok=True)
    for record in runs.glob("*.json"):
        shutil.copy2(record, records / record.name)
    return list(executed)


def relocated(text: str, category: str) -> str:
    """A category notebook's text, named, its links one folder deeper, to itself in Colab.

    The folder that the run wrote to is one of that machine, and becomes that of a checkout.
    """
    notebook = json.loads(text)
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if "injected-parameters" in cell["metadata"].get("tags", ()):
            source = re.sub(r"^out = .*$", 'out = "../../runs"', source, flags=re.MULTILINE)
        if cell["cell_type"] == "markdown":
            source = re.sub(r"\]\((?!\w+:|#)", "](../", source)
            source = re.sub(r"^# .*", rf"\g<0>: {category}", source, count=1)
            source = source.replace(f"/{PAGE})", f"/notebooks/categories/{category}.ipynb)")
        cell["source"] = source.splitlines(keepends=True)
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def render(staging: Path, work: Path, html: Path) -> int:
    """Render ``staging`` in the scratch folder ``work``, then move the pages to ``html``.

    Returns the exit code of Jupyter Book; ``html`` is untouched when that is not 0. Everything is
    read anew each time: a page read from the cache would keep its warnings to itself.
    """
    shutil.rmtree(work, ignore_errors=True)
    # Jupyter Book cannot be started with -m, and its script need not be on the PATH.
    command = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()"]
    command += ["build", str(staging), "--path-output", str(work)]
    command += ["-n", "-W", "--keep-going", "--quiet"]
    # Warnings go to stderr; what goes to stdout names the scratch folder as the place to look.
    code = subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode
    if code == 0:
        shutil.rmtree(html, ignore_errors=True)
        (work / "_build" / "html").rename(html)
    return code


def show_run(runs: Path, folder: Path) -> None:
    """Put the run in ``runs`` into the book in ``folder`` and make its tables of results anew."""
    # Only a run needs the package and torch; the committed book builds without them.
    from aesc.sweep import execute
    from tools import glance

    overlay(runs, folder)
    glance.write(folder)
    table = folder / TABLE
    execute(table, table, folder=table.parent)


def main() -> int:
    """Return the exit code: 0 with the book built, 1 or Jupyter Book's own code without."""
    parser = argparse.ArgumentParser(description="Build the book into _build/html.")
    parser.add_argument(
        "--runs", type=Path, metavar="DIR", help="show this run instead of the committed one"
    )
    options = parser.parse_args()
    staging = BUILD / "source"
    try:
        stage(ROOT, staging)
        if options.runs is not None:
            show_run(options.runs, staging)
        offline.use(staging, BUILD / "vendor")
    except BookError as error:
        print(f"build_book: {error}", file=sys.stderr)
        return 1
    code = render(staging, BUILD / "render", BUILD / "html")
    if code == 0:
        print(f"Open {(BUILD / 'html' / 'index.html').as_uri()}")
    return code


if __name__ == "__main__":
    sys.exit(main())

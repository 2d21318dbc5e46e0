"""Execute the notebooks of the book that are stale, and only those.

``python -m tools.notebooks`` executes in place every notebook whose code, imported modules or
records have changed since it was executed (`tools.freshness`); the category notebooks are run anew
by a sweep, and their records with them. ``--list`` only names the stale ones, ``--all`` takes every
one, ``--adopt DIR`` takes the category notebooks and records of a sweep instead. Interrupted, it
goes on with what is still stale.
"""

import argparse
import sys
import time
from pathlib import Path

from tools import freshness, glance
from tools.build_book import overlay

ROOT = Path(__file__).resolve().parent.parent
CATEGORIES = ROOT / "notebooks" / "categories"
RUNS = ROOT / "_build" / "notebooks"


def pages() -> list[Path]:
    """The notebooks of the book but those of the categories, in the order of their names."""
    found = ROOT.glob("notebooks/*.ipynb")
    # While it runs or when it failed, a notebook has a second file.
    return sorted(path for path in found if path.suffixes == [".ipynb"])


def main() -> int:
    """Return the exit code: 0 with every notebook fresh, 1 when one of them failed."""
    parser = argparse.ArgumentParser(description="Execute the stale notebooks of the book.")
    parser.add_argument("--list", action="store_true", help="only name them")
    parser.add_argument("--all", action="store_true", help="execute the fresh ones too")
    parser.add_argument(
        "--adopt", type=Path, metavar="DIR", help="commit the category notebooks of this run"
    )
    options = parser.parse_args()
    if options.adopt is not None:
        adopt(options.adopt)
    categories = [p for p in sorted(CATEGORIES.glob("*.ipynb")) if options.all or _stale(p)]
    if options.list:
        others = [path for path in pages() if options.all or _stale(path)]
        print(*(p.relative_to(ROOT) for p in [*categories, *others]), sep="\n")
        return 0
    if categories and not _run_categories([path.stem for path in categories]):
        return 1
    # Looked up only now: the records of the categories may have changed.
    return _execute([path for path in pages() if options.all or _stale(path)])


def adopt(runs: Path) -> None:
    """Make the category notebooks and records of a run the committed ones."""
    for name in overlay(runs, ROOT):
        freshness.stamp(CATEGORIES / f"{name}.ipynb")
    glance.write(ROOT)


def _stale(path: Path) -> bool:
    return not freshness.is_fresh(path)


def _run_categories(names: list[str]) -> bool:
    """Run categories anew, put notebooks and records in their places; True when all went well."""
    from aesc.sweep import plan, sweep

    for path in RUNS.glob("*"):
        path.unlink()
    outcomes = sweep(plan(names), RUNS)
    if any(outcome.record is None for outcome in outcomes):
        return False
    adopt(RUNS)
    return True


def _execute(paths: list[Path]) -> int:
    from aesc.errors import NotebookError
    from aesc.sweep import execute

    failed = 0
    for position, path in enumerate(paths, start=1):
        name = path.relative_to(ROOT)
        print(f"[{position}/{len(paths)}] {name}", end=" ", file=sys.stderr, flush=True)
        start = time.monotonic()
        try:
            execute(path, path, folder=path.parent, progress=False)
            freshness.stamp(path)
            print(f"{time.monotonic() - start:.0f} s", file=sys.stderr)
        except NotebookError as error:
            print(f"failed: {error}", file=sys.stderr)
            failed += 1
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())

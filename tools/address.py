"""The address of the repository: it stands in ``_config.yml``, and the pages repeat it.

``python -m tools.address https://github.com/you/your-book`` writes it there and into every page
that links to Colab or installs the package from it. Without an argument it says what it is.
"""

import re
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
CONFIG = ROOT / "_config.yml"
PLACEHOLDER = "https://github.com/OWNER/aesc-book"
_ADDRESS = re.compile(r"https://github\.com/[\w.-]+/[\w.-]+")


def address() -> str:
    """The address in ``_config.yml``."""
    return yaml.safe_load(CONFIG.read_text(encoding="utf-8"))["repository"]["url"]


def colab(repository: str, page: str) -> str:
    """Address at which Colab opens a notebook of the repository's main branch."""
    return repository.replace("github.com", "colab.research.google.com/github") + (
        f"/blob/main/{page}"
    )


def pages() -> list[Path]:
    """Every file that repeats the address."""
    places = ("_config.yml", "README.md", "CITATION.cff", "pyproject.toml", "book/*.md")
    notebooks = ("notebooks/**/*.ipynb",)
    return [path for pattern in (*places, *notebooks) for path in sorted(ROOT.glob(pattern))]


def change(new: str) -> None:
    """Write another address into every page."""
    old = address()
    pairs = ((old, new), (colab(old, ""), colab(new, "")))
    for path in pages():
        text = path.read_text(encoding="utf-8")
        changed = text
        for before, after in pairs:
            changed = changed.replace(before, after)
        if changed != text:
            path.write_text(changed, encoding="utf-8")


def main() -> int:
    """Return the exit code: 0, or 2 for an address that is not one."""
    if len(sys.argv) == 1:
        print(address())
        if address() == PLACEHOLDER:
            print(f"This is a placeholder; set yours with: make address URL={PLACEHOLDER}")
        return 0
    new = sys.argv[1].rstrip("/").removesuffix(".git")
    if len(sys.argv) > 2 or not _ADDRESS.fullmatch(new):
        print(f"{sys.argv[1]} is not https://github.com/OWNER/REPOSITORY", file=sys.stderr)
        return 2
    change(new)
    print(f"The address of the repository is now {new}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

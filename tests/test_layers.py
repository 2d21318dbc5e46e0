"""Imports inside the package point downwards: to rooms that the API page shows further up.

A room is a module or a package directly inside `aesc`. The last section of the page is the ground,
on which all rooms stand; private modules belong to it, and the command is the roof.
"""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "book" / "api.md").read_text(encoding="utf-8")
ROOF = {"commands", "cli", "__main__"}


def rooms_of(text: str) -> list[str]:
    return re.findall(r"^### `aesc\.(\w+)`", text, re.MULTILINE)


def order() -> list[str]:
    """The rooms of the page, lowest first."""
    floors, ground = PAGE.split("## The ground")
    return [*rooms_of(ground), *rooms_of(floors)]


def room(path: Path) -> str:
    return path.relative_to(ROOT / "aesc").with_suffix("").parts[0]


FILES: dict[str, list[Path]] = {}
for found in sorted((ROOT / "aesc").rglob("*.py")):
    FILES.setdefault(room(found), []).append(found)


def imported_rooms(path: Path) -> set[str]:
    """Rooms that a file imports, wherever in the file the import stands."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module == "aesc":
            names |= {f"aesc.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            names.add(node.module)
    return {name.split(".")[1] for name in names if name.startswith("aesc.")}


def test_the_page_shows_every_room():
    public = {name for name in FILES if not name.startswith("_")} - ROOF
    assert public == set(order())
    assert len(order()) == len(set(order())) > 10


@pytest.mark.parametrize("name", sorted(set(FILES) - ROOF - {"__init__"}))
def test_a_room_imports_only_rooms_below(name: str):
    private = {each for each in FILES if each.startswith("_")}
    below = {"errors", *private} if name in private else {*private, *order()[: order().index(name)]}
    for path in FILES[name]:
        assert imported_rooms(path) - {name} <= below, path.relative_to(ROOT)


def test_only_the_package_itself_is_imported_by_nobody():
    """The test above would pass if it found no imports at all."""
    used = set().union(*(imported_rooms(path) for paths in FILES.values() for path in paths))
    assert {"errors", "_checks", "model", "data", "experiment", "sweep"} <= used

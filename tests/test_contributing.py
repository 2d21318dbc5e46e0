"""The page on how to help names only what there is."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "book" / "contributing.md"
TEXT = PAGE.read_text(encoding="utf-8")
CODE = re.findall(r"`([^`\n]+)`", TEXT)
# A file or folder of the repository; neither a name of one to be written, nor what a run makes.
FILES = [
    text
    for text in sorted(set(CODE))
    if re.fullmatch(r"[\w.-]+/[\w./-]*|[\w.-]+\.(toml|yml)", text)
    and not re.search(r"NN_name|name\.|_name|^runs/|/good$", text)
]


def test_every_file_that_is_named_exists():
    assert len(FILES) > 20
    assert [path for path in FILES if not (ROOT / path).exists()] == []


def test_every_make_target_that_is_named_exists():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z]+)", TEXT, re.MULTILINE))
    assert {"env", "test", "run"} <= named <= targets


def test_every_step_of_make_test_is_explained():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (steps,) = re.findall(r"^test: ([a-z ]+?) *##", makefile, re.MULTILINE)
    assert [f"make {step}" for step in steps.split()] == re.findall(r"^\| `(make \w+)`", TEXT, re.M)


@pytest.mark.parametrize(
    "name", ["CORRUPTIONS", "METHODS", "LOSSES", "PUBLISHED", "VERSION", "apply", "Spec"]
)
def test_every_name_in_the_package_that_is_told_to_change_exists(name: str):
    assert f"`{name}`" in TEXT
    sources = "".join(path.read_text(encoding="utf-8") for path in ROOT.glob("aesc/**/*.py"))
    assert re.search(rf"^\s*(def |class )?{name}\b", sources, re.MULTILINE)


def test_the_file_at_the_root_leads_to_the_page():
    root = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert "(book/contributing.md)" in root
    assert len(root) < 500, "the text stands on the page alone"

"""What the README shows runs, and gives what it says."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def results(code: str) -> list[str]:
    """What the comment after a print says that it prints."""
    return re.findall(r"^print\(.*\)  # (.+)$", code, re.MULTILINE)


def test_every_example_says_what_it_prints():
    assert len(EXAMPLES) == 2 and all(results(code) for code in EXAMPLES)


@pytest.mark.parametrize("code", EXAMPLES, ids=["detector", "package"])
def test_example_prints_what_it_says(code: str, tmp_path: Path):
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == results(code)


def test_every_command_that_is_shown_is_known_with_its_options():
    """All options of a line are those of its command, as the command's own help lists them."""
    shell = "".join(re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL))
    lines = re.findall(
        r"^(?:\.venv/bin/)?aesc (\w+)(.*)$", shell.replace("\\\n", " "), re.MULTILINE
    )
    assert {name for name, _ in lines} >= {"fit", "predict", "calibrate", "run", "sweep", "table"}
    helps = {}
    for name, rest in lines:
        if name not in helps:
            command = [sys.executable, "-m", "aesc", name, "--help"]
            helps[name] = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        for option in re.findall(r"--[a-z-]+", rest.split("#")[0]):
            assert option in helps[name], f"aesc {name} {option}"

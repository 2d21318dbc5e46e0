"""Toy sweeps: data that take no time to read, and a notebook whose category says what happens."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
from PIL import Image

from aesc.data import quick_fingerprint
from aesc.experiment import RunConfig
from aesc.machine import JOBS, thread_limits, usable_cores

TEMPLATE = sorted((Path(__file__).parents[1] / "results" / "embedded").glob("*.json"))[0]


PARAMETERS = "\n".join(f"{name} = None" for name in [*RunConfig.model_fields, "out"])


RUN = """
import json, os, signal, time
from pathlib import Path
from aesc.files import temporary_beside, whole_file

folder = Path(data)
name = f"{folder.name}-{category}-{model}-{corruption}-{preset}-{size}px-seed{seed}"
mark = folder / f"{category}{seed}.pid"
if category == "fails":
    raise ValueError("no luck")
if category == "hungry":
    raise MemoryError("Unable to allocate 8. EiB for an array")
if category == "dies":
    with open(folder / "deaths", "a") as file:
        file.write("x")
    os.kill(os.getpid(), signal.SIGKILL)
if category == "slow" and not mark.exists():
    mark.write_text(str(os.getpid()))
    temporary_beside(Path(out, f"{name}.json")).write_text("half")
    time.sleep(300)
if (meeting := os.environ.get("MEETING")) is not None:
    Path(meeting, f"{category}{seed}").touch()
    deadline = time.monotonic() + 300
    while len(os.listdir(meeting)) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
if category == "bulky":
    print("x" * 3_000_000)
if category == "heavy":
    with whole_file(Path(out, f"{name}.safetensors")) as temporary:
        temporary.write_bytes(b"0" * 3_000_000)
record = json.loads((folder / "template.json").read_text())
record["name"], record["data"]["dataset"] = name, folder.name
record["data"]["category"], record["method"]["seed"] = category, seed
record["data"]["quick_fingerprint"] = (folder / f"{category}.fingerprint").read_text()
ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
start = ticks / os.sysconf("SC_CLK_TCK")
end = float(Path("/proc/uptime").read_text().split()[0])
record["environment"]["platform"] = json.dumps([os.environ.get("OMP_NUM_THREADS"), start, end])
record["notes"] = f"{category} is odd."
Path(out, f"{name}.json").write_text(json.dumps(record))
"""


def make_notebook(folder: Path) -> Path:
    """A notebook with the parameters of the category notebook; its category says what it does."""
    new = nbformat.v4
    first = new.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})
    notebook = new.new_notebook(cells=[first, new.new_code_cell(RUN)])
    notebook.metadata.kernelspec = {"name": "python3", "language": "python", "display_name": "P"}
    nbformat.write(notebook, folder / "trivial.ipynb")
    return folder / "trivial.ipynb"


def make_data(folder: Path, *categories: str) -> Path:
    """A dataset folder; the trivial notebook looks at no image of it."""
    for name in categories:
        for part in ("train/good", "test/good", "test/scratch"):
            for number in range(2):
                image = folder / "toys" / name / part / f"{number}.png"
                image.parent.mkdir(parents=True, exist_ok=True)
                Image.new("L", (8, 8), 100 + number).save(image)
        made = quick_fingerprint(folder / "toys" / name)
        (folder / "toys" / f"{name}.fingerprint").write_text(made)
    shutil.copy(TEMPLATE, folder / "toys" / "template.json")
    return folder / "toys"


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "aesc", "sweep", *map(str, arguments)]


def environment(cores: int) -> dict[str, str]:
    """Of a command that may use so many cores."""
    share = max(1, usable_cores() // cores)
    return {**os.environ, **thread_limits(cores), JOBS: str(share), "COLUMNS": "100"}


def run_sweep(*arguments: object, cores: int = 1, **more: object) -> subprocess.CompletedProcess:
    """The command in a process of its own, and what it said.

    Args:
        arguments: what follows ``aesc sweep``.
        cores: how many it may use.
        more: environment variables.
    """
    return subprocess.run(
        command(*arguments),
        env=environment(cores) | {name: str(value) for name, value in more.items()},
        capture_output=True,
        text=True,
        check=False,
    )


CLUSTER = """
import sys
from dask.distributed import LocalCluster
from jupyter_core.utils import ensure_event_loop

options = {"threads_per_worker": 2, "processes": False, "dashboard_address": None}
if __name__ == "__main__":
    ensure_event_loop()
    with LocalCluster(1, protocol="tcp", host="127.0.0.1", **options) as running:
        print(running.scheduler_address, flush=True)
        sys.stdin.read()
"""


@contextmanager
def somebodys_cluster(folder: Path) -> Iterator[str]:
    """Address of a scheduler with two threads in one worker, in a process that used Jupyter before.

    Not in the process of the tests, whose threads and output it would share.

    Args:
        folder: where it runs.
    """
    script = folder / "cluster.py"
    script.write_text(CLUSTER)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen([sys.executable, script], text=True, cwd=folder, **pipes)
    with process:
        yield process.stdout.readline().strip()
        process.stdin.close()


def times(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.iterdir()}


def names(folder: Path, pattern: str = "*") -> list[str]:
    return sorted(path.name for path in folder.glob(pattern))


def one_sentence(text: str, *named: str) -> None:
    assert text.endswith((".", ")")) and "\n" not in text and "Traceback" not in text, text
    for name in named:
        assert name in text, text

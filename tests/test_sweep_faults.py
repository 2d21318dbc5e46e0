"""Sweeps that go wrong: killed kernels, workers and commands, Ctrl-C, full disks."""

import fcntl
import os
import pty
import resource
import shutil
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Callable
from pathlib import Path

import nbformat
import psutil
import pytest
from sweep_toys import command, environment, make_data, names, one_sentence, times

from aesc.cli import main
from aesc.records import Record
from aesc.sweep import plan

pytestmark = pytest.mark.skipif(os.name == "nt", reason="POSIX signals and limits")

PATIENCE = 300
"""Seconds after which a test gives up."""


@pytest.fixture
def toys(tmp_path) -> Path:
    return make_data(tmp_path, "bolt", "nut", "slow", "dies", "bulky", "heavy")


def wait_for(condition: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def pid_in(path: Path) -> int:
    """The process that a slow run says it is, as soon as it says so."""
    wait_for(lambda: path.exists() and path.read_text())
    return int(path.read_text())


def family(pid: int) -> list[psutil.Process]:
    """A process and all below it: the command, Dask's workers, the kernels."""
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def gone(processes: list[psutil.Process]) -> bool:
    return not [p for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


# Killed from outside


def test_killed_kernels_and_workers_are_tried_again(toy_notebook, toys, tmp_path):
    """All is said on stderr, in a line a run and an error at the end: no traceback, no log."""
    runs = plan(["slow", "dies", "bolt"], data=str(toys), seeds=[0, 1])
    out = tmp_path / "out"
    arguments = ["slow", "dies", "bolt", "--seeds", 0, 1, "--data", toys]
    process = subprocess.Popen(
        command(*arguments, "--notebook", toy_notebook, "--out", out),
        env=environment(2),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    kernel = psutil.Process(pid_in(toys / "slow0.pid"))
    kernel.kill()
    worker = psutil.Process(pid_in(toys / "slow1.pid")).parent()
    worker.kill()
    assert worker.pid != process.pid
    stdout, stderr = process.communicate(timeout=2 * PATIENCE)
    assert gone([kernel, worker])
    assert process.returncode == 1 and stdout == f"4 of 6 runs are finished in {out}\n"
    ours = ("Dask dashboard: ", "[", "aesc: error: ", "aesc: note: ")
    assert [line for line in stderr.splitlines() if not line.startswith(ours)] == []
    assert [stderr.count(f"[{i}/6] toys-") for i in range(1, 7)] == [1] * 6
    errors = [line for line in stderr.splitlines() if line.startswith("aesc: error: ")]
    for line, run in zip(errors, [runs[1], runs[4]], strict=True):
        one_sentence(line, f"{run.name}: its kernel was killed 3 times: if memory was short")
    assert (toys / "deaths").read_text().startswith("xxxxxx")
    good = [run for run in runs if run.category != "dies"]
    assert names(out) == sorted(
        f"{run.name}{suffix}" for run in good for suffix in (".ipynb", ".json")
    )
    for run in good:
        assert Record.load(out / f"{run.name}.json").data.category == run.category
        nbformat.validate(nbformat.read(out / f"{run.name}.ipynb", as_version=4))


def _as_a_shell_does() -> None:
    """Take the terminal, and listen to Ctrl-C, which background jobs of a shell ignore."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Terminal:
    """A command in a terminal of its own, as somebody would type it."""

    def __init__(self, arguments: list[str]) -> None:
        self.side, other = pty.openpty()
        fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("4H", 24, 100, 0, 0))
        self.process = subprocess.Popen(
            arguments,
            env=environment(1),
            stdin=other,
            stdout=other,
            stderr=other,
            start_new_session=True,
            preexec_fn=_as_a_shell_does,
        )
        os.close(other)
        self.shown = b""
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self.side, 4096)
            except OSError:  # the terminal is closed
                return
            self.shown += data

    def type(self, keys: bytes) -> None:
        os.write(self.side, keys)

    def end(self) -> tuple[int, str]:
        """Exit code, and what was on the terminal."""
        code = self.process.wait(PATIENCE)
        self.reader.join(PATIENCE)  # until nobody has the terminal open
        return code, self.shown.decode()


def test_killed_and_interrupted_sweep_goes_on_where_it_stopped(toy_notebook, toys, tmp_path, capfd):
    """First kill -9 in mid-run, then Ctrl-C in a terminal, then to the end."""
    out = tmp_path / "out"
    arguments = ["bolt", "slow", "--data", toys, "--seeds", 0, 1, "--jobs", 1]
    line = command(*arguments, "--notebook", toy_notebook, "--out", out)
    bolt0, slow0, bolt1, slow1 = (
        {f"{run.name}.ipynb", f"{run.name}.json"}
        for run in plan(["bolt", "slow"], data=str(toys), seeds=[0, 1])
    )

    process = subprocess.Popen(line, env=environment(1), stderr=subprocess.DEVNULL)
    kernel = pid_in(toys / "slow0.pid")
    processes = family(process.pid)
    assert kernel in [p.pid for p in processes]
    process.kill()
    process.wait()
    wait_for(lambda: gone(processes))
    before = {path: t for path, t in times(out).items() if path.name in bolt0}
    assert len(before) == 2

    terminal = Terminal(line)
    pid_in(toys / "slow1.pid")
    processes = family(terminal.process.pid)
    drawn = len(terminal.shown)
    wait_for(lambda: terminal.shown[drawn:].count(b"\r") >= 2)  # the clock of the bar goes on
    terminal.type(b"\x03")
    code, shown = terminal.end()
    assert code == 130 and "Traceback" not in shown, shown
    assert shown.count("aesc: interrupted") == 1 and shown.rstrip().endswith("where it stopped")
    assert "1 of 4 runs finished before" in shown and "3 of 4 runs done" in shown
    wait_for(lambda: gone(processes))
    assert set(names(out)) == bolt0 | slow0 | bolt1
    assert times(out).items() >= before.items()
    before = times(out)

    with pytest.raises(SystemExit) as stopped:
        main(line[3:])
    stdout, stderr = capfd.readouterr()
    assert stopped.value.code == 0 and stdout == f"4 of 4 runs are finished in {out}\n"
    assert "3 of 4 runs finished before" in stderr
    assert times(out).items() >= before.items() and set(names(out)) == bolt0 | slow0 | bolt1 | slow1


# No space


def test_file_above_the_size_limit(toy_notebook, toys, tmp_path):
    """A limit of 1 MB a file, for the command and all that it starts."""
    out = tmp_path / "out"
    line = command(
        "bulky", "heavy", "bolt", "--data", toys, "--notebook", toy_notebook, "--out", out
    )
    limit = (1_000_000, 1_000_000)
    done = subprocess.run(
        line,
        env=environment(1),
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit),
    )
    assert done.returncode == 2 and done.stdout == f"1 of 3 runs are finished in {out}\n"
    errors = [line for line in done.stderr.splitlines() if line.startswith("aesc: error: ")]
    assert len(errors) == 2 and "Traceback" not in done.stderr, done.stderr
    bulky, heavy, bolt = (out / r.name for r in plan(["bulky", "heavy", "bolt"], data=str(toys)))
    reason = "(File too large): free some space"
    one_sentence(errors[0], f"{bulky.name}: Cannot write {bulky}.ipynb {reason}")
    one_sentence(errors[1], f"{heavy.name}: Cannot write {heavy}.safetensors {reason}")
    check_nothing_half(out, bulky.name, bolt.name)


def check_nothing_half(folder: Path, bulky: str, bolt: str) -> None:
    """The record without its notebook, which did not fit, is whole; nothing else is left of it."""
    assert names(folder) == sorted([f"{bolt}.ipynb", f"{bolt}.json", f"{bulky}.json"])
    assert {Record.load(path).name for path in folder.glob("*.json")} == {bolt, bulky}


ON_A_SMALL_DISK = """
mkdir "$OUT" && mount -t tmpfs -o size=1m tmpfs "$OUT" || exit 77
"$@" 2> "$OUT.first"; echo $? > "$OUT.code"
cp -a "$OUT" "$OUT.left"
mount -o remount,size=32m "$OUT"
"$@" 2> "$OUT.second"; code=$?
cp -a "$OUT" "$OUT.end"
exit $code
"""


@pytest.fixture
def small_disk() -> list[str]:
    """A command that gives the next one mounts of its own, where the machine allows that."""
    prefix = ["unshare", "--user", "--map-root-user", "--mount"]
    probe = [*prefix, "sh", "-c", "mount -t tmpfs tmpfs /mnt"]
    if shutil.which("unshare") is None or subprocess.run(probe, capture_output=True).returncode:
        pytest.skip("this machine lets no user mount a small disk")
    return prefix


def test_full_disk_then_space_again(small_disk, toy_notebook, toys, tmp_path):
    out = tmp_path / "out"
    line = command("bulky", "bolt", "--data", toys, "--notebook", toy_notebook, "--out", out)
    done = subprocess.run(
        [*small_disk, "sh", "-c", ON_A_SMALL_DISK, "sh", *line],
        env={**environment(1), "OUT": str(out)},
        capture_output=True,
        text=True,
        check=False,
    )
    code, first, left, end = (Path(f"{out}.{name}") for name in ("code", "first", "left", "end"))
    bulky, bolt = (run.name for run in plan(["bulky", "bolt"], data=str(toys)))
    assert code.read_text() == "2\n" and "Traceback" not in first.read_text(), first.read_text()
    error = first.read_text().splitlines()[-1]
    one_sentence(error, f"{bulky}: Cannot write {out / bulky}.ipynb (No space left on device)")
    check_nothing_half(left, bulky, bolt)

    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(f"2 of 2 runs are finished in {out}\n")
    assert names(end) == [
        f"{name}{suffix}" for name in (bolt, bulky) for suffix in (".ipynb", ".json")
    ]
    for suffix in (".ipynb", ".json"):
        kept, there = left / f"{bolt}{suffix}", end / f"{bolt}{suffix}"
        assert kept.stat().st_mtime_ns == there.stat().st_mtime_ns

"""Whatever is killed, and whenever: every image has its verdict once."""

import csv
import io
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from detectors import save, spoiled, stripes
from quick_detector import watch_slowly

from aesc.detector import FitSettings, fit, survey
from aesc.detector import save as save_detector
from aesc.files import temporary_beside
from aesc.training import TrainingSettings

IMAGES, KILLS = 300, 20
PATIENT = 120  # seconds, for a machine that does something else as well

posix = pytest.mark.skipif(sys.platform == "win32", reason="signals are those of POSIX")


def rows(out: Path) -> list[dict[str, str]]:
    path = out / "results.csv"
    text = path.read_bytes().decode("utf-8-sig") if path.exists() else ""
    return list(csv.DictReader(io.StringIO(text, newline="")))


def wait_for(reached) -> None:
    end = time.monotonic() + PATIENT
    while not reached():
        assert time.monotonic() < end
        time.sleep(0.002)


def test_what_a_killed_process_left_of_the_table_and_of_copies_goes(tmp_path):
    """Also where a copy goes into a folder inside that of its verdict."""
    out = tmp_path / "out"
    save(tmp_path / "camera" / "a.png", np.zeros((8, 8), np.uint8))
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    places = [out / "results.csv", out / "sorted" / "good" / "x.png", out / "sorted/good/in/y.png"]
    for place in places:
        place.parent.mkdir(parents=True, exist_ok=True)
        left = temporary_beside(place)
        left = left.with_name(left.name.replace(f"-{os.getpid()}-", f"-{ended.pid}-"))
        left.write_text("half")
    watch_slowly(str(tmp_path / "camera"), str(out), 1)
    found = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert found == {"results.csv", ".results.csv.lock", "sorted/good/a.png"}


@posix
def test_every_image_is_scored_once_though_the_process_is_killed_20_times(tmp_path):
    """Real processes and a real folder; a quick score stands in for the network.

    The processes are forked from one that has imported torch, so that the test lasts seconds.
    """
    rng = np.random.default_rng(12)
    folder, out = tmp_path / "camera", tmp_path / "out"
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["aesc.watch"])
    # A kill comes when so many rows are there, and then at any moment of what happens next.
    moments = sorted(int(rows) for rows in rng.integers(0, IMAGES - 20, KILLS))
    arrived = 0
    for moment in moments:
        while arrived < min(moment + 20, IMAGES):
            pixels = rng.integers(0, 256, (8, 8)).astype(np.uint8)
            save(folder / f"{arrived:03}.png", pixels)
            arrived += 1
        process = processes.Process(target=watch_slowly, args=(str(folder), str(out), IMAGES))
        process.start()
        wait_for(lambda moment=moment: len(rows(out)) >= moment)
        time.sleep(rng.uniform(0, 0.05))
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
    while arrived < IMAGES:
        save(folder / f"{arrived:03}.png", rng.integers(0, 256, (8, 8)).astype(np.uint8))
        arrived += 1
    process = processes.Process(target=watch_slowly, args=(str(folder), str(out), IMAGES))
    process.start()
    process.join(PATIENT)
    assert process.exitcode == 0
    names = [f"{index:03}.png" for index in range(IMAGES)]
    assert sorted(row["image"] for row in rows(out)) == names
    assert sorted(path.name for path in folder.iterdir()) == names
    copies = sorted(path for path in (out / "sorted").rglob("*.png") if path.name[0] != ".")
    assert sorted(path.name for path in copies) == names
    verdicts = {row["image"]: row["verdict"] for row in rows(out)}
    for path in copies:
        assert path.parent.name == verdicts[path.name]
        assert path.read_bytes() == (folder / path.name).read_bytes()


@posix
def test_the_command_goes_on_after_it_was_killed_and_after_ctrl_c(tmp_path):
    rng = np.random.default_rng(0)
    good = [save(tmp_path / "good" / f"{i:02}.png", stripes(rng)) for i in range(20)]
    settings = FitSettings(size=64, device="cpu")
    detector = fit(survey(good), settings, TrainingSettings(1, 2, 4), progress=False)
    save_detector(detector, tmp_path / "part.aesc")
    folder, out = tmp_path / "camera", tmp_path / "out"
    for index in range(5):
        save(folder / f"{index}.png", spoiled(stripes(rng)) if index == 3 else stripes(rng))
    (folder / "bad.png").write_bytes(b"no image")
    command = [
        sys.executable, "-m", "aesc", "watch", str(tmp_path / "part.aesc"), str(folder),
        "--out", str(out), "--settle", "0.05", "--interval", "0.05", "--device", "cpu",
    ]  # fmt: skip

    def start(*more: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*command, *more],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # In the background of a shell, Ctrl-C is ignored, which processes inherit.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )

    killed = start()
    wait_for(lambda: len(rows(out)) >= 2)
    killed.kill()
    killed.communicate()
    # Nobody but the next process can write its row, which may be the only one that is missing.
    save(folder / "more.png", stripes(rng))
    interrupted = start()
    wait_for(lambda: len(rows(out)) == 7)
    interrupted.send_signal(signal.SIGINT)
    _, error = interrupted.communicate(timeout=PATIENT)
    assert interrupted.returncode == 130
    assert error == "aesc: interrupted: the same command resumes where it stopped\n"
    save(folder / "late.png", stripes(rng))
    last = start("--until", "8")
    text, error = last.communicate(timeout=PATIENT)
    assert last.returncode == 0, error
    assert text.count("\n") == 1 and "late.png" in text
    found = {row["image"]: row for row in rows(out)}
    assert len(found) == len(rows(out)) == 8
    assert found.pop("bad.png")["verdict"] == "error"
    for name, row in found.items():
        result = detector.predict(folder / name)
        assert float(row["score"]) == pytest.approx(result.score, rel=1e-4)
        assert row["verdict"] == result.verdict
    assert sorted(os.listdir(out)) == [".results.csv.lock", "results.csv"]


def test_bad_input_is_one_sentence_and_exit_code_2(aesc, tmp_path):
    code, _, error = aesc("watch", tmp_path / "none", tmp_path, "--out", tmp_path / "out")
    assert code == 2 and "There is no detector" in error and error.count("\n") == 1
    code, _, error = aesc("watch", "x", tmp_path, "--out", tmp_path, "--interval", "0")
    assert code == 2 and "interval is 0" in error and error.count("\n") == 1

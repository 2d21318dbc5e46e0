"""The table of a watched folder survives a process that is killed at any byte."""

import csv
import io
import os
import subprocess
import sys

import pytest
from detectors import refused

from aesc.detector import Result
from aesc.detector.report import WATCHED
from aesc.watch.table import ResultTable, Version

NAMES = ['a,"b".png', "line\nbreak.png", os.fsdecode(b"\xff\xfe.png"), "größe.png"]


def write(path, names=NAMES):
    with ResultTable.open(path) as table:
        for index, name in enumerate(names, start=table.rows):
            result = Result(name, "good", 0.5, 1.0, 0.25, notes=("one", 'the "other"'))
            table.add(result, Version(100 + index, 10**18 + index), f"digest {index}")
    return path


def read(path):
    text = path.read_bytes().decode("utf-8-sig", "surrogateescape")
    return list(csv.reader(io.StringIO(text, newline="")))


def test_rows_are_read_back_as_they_were_written(tmp_path):
    path = write(tmp_path / "results.csv")
    assert [line[0] for line in read(path)] == ["image", *NAMES]
    with ResultTable.open(path) as table:
        assert table.rows == 4 and table.last == "digest 3"
        assert table.versions == {
            name: Version(100 + i, 10**18 + i) for i, name in enumerate(NAMES)
        }
        assert table.digests[NAMES[2]] == "digest 2"
        assert table.history == [("1", 0.25)] * 4


def test_a_line_torn_at_any_byte_is_dropped_and_written_again(tmp_path):
    path = write(tmp_path / "results.csv")
    content = path.read_bytes()
    header = len(write(tmp_path / "empty.csv", []).read_bytes())
    for cut in range(header, len(content) + 1):
        path.write_bytes(content[:cut])
        with ResultTable.open(path) as table:
            kept = table.rows
        assert content.startswith(path.read_bytes())
        write(path, NAMES[kept:])
        assert path.read_bytes() == content, cut


def test_a_power_cut_may_leave_zeros(tmp_path):
    path = write(tmp_path / "results.csv")
    content = path.read_bytes()
    path.write_bytes(content + bytes(512))
    with ResultTable.open(path) as table:
        assert table.rows == 4
    assert path.read_bytes() == content


def test_two_processes_do_not_write_one_table(tmp_path):
    path = write(tmp_path / "results.csv")
    code = "import sys; from test_watch_table import write; write(sys.argv[1])"
    code = f"import pathlib, sys; sys.path.insert(0, {os.path.dirname(__file__)!r}); " + code
    code = code.replace("write(sys.argv[1])", "write(pathlib.Path(sys.argv[1]))")
    with ResultTable.open(path):
        done = subprocess.run(
            [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False
        )
    assert f"{tmp_path} is in use: wait for its user" in done.stderr
    assert len(read(path)) == 5
    write(path, ["later.png"])  # the lock is free again


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "was not written by `aesc watch`"),
        ("\ufeffimage,verdict\r\na.png,good\r\n".encode(), "was not written by `aesc watch`"),
        (("\ufeff" + ",".join(WATCHED) + "\r\na.png,good\r\n").encode(), "damaged in line 2"),
    ],
)
def test_a_table_of_another_program_is_refused_and_kept(tmp_path, content, word):
    path = tmp_path / "results.csv"
    path.write_bytes(content)
    refused(lambda: write(path), word)
    assert path.read_bytes() == content

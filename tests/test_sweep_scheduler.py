"""Sweeps on somebody's cluster: by the address of a scheduler, or by a specification."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from sweep_toys import (
    TEMPLATE,
    names,
    one_sentence,
    run_sweep,
    somebodys_cluster,
)

from aesc.records import Record
from aesc.sweep import plan, sweep


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory) -> Iterator[str]:
    with somebodys_cluster(tmp_path_factory.mktemp("cluster")) as address:
        yield address


def test_outcomes_come_in_the_order_asked_for(scheduler, toy_notebook, toys, tmp_path, capfd):
    runs = plan(["nut", "fails", "bolt"], data=str(toys))
    outcomes = sweep([*runs, runs[0]], tmp_path, scheduler=scheduler, notebook=toy_notebook)
    assert [o.config for o in outcomes] == [*runs, runs[0]]
    assert [o.record is not None for o in outcomes] == [True, False, True, True]
    assert [o.bad_input for o in outcomes] == [False] * 4
    for outcome in outcomes:
        if outcome.record:
            assert outcome.record == Record.load(tmp_path / f"{outcome.config.name}.json")
            assert outcome.record.name == outcome.config.name
    assert capfd.readouterr().err.count("] toys-") == 3


def test_run_that_fails_alone_exits_with_1(scheduler, sweep_command, toy_notebook, toys, tmp_path):
    code, stdout, errors = sweep_command(
        "fails",
        "--data",
        toys,
        "--notebook",
        toy_notebook,
        "--out",
        tmp_path,
        "--scheduler",
        scheduler,
    )
    assert code == 1 and stdout == f"0 of 1 runs are finished in {tmp_path}\n"
    assert len(errors) == 1 and "no luck" in errors[0]


def test_success_removes_the_failed_notebook(scheduler, toy_notebook, toys, tmp_path):
    (run,) = plan(["nut"], data=str(toys))
    (tmp_path / f"{run.name}.failed.ipynb").write_text("{}")
    sweep([run], tmp_path, scheduler=scheduler, notebook=toy_notebook, progress=False)
    assert names(tmp_path) == [f"{run.name}.ipynb", f"{run.name}.json"]


def test_what_is_damaged_or_missing_is_run_again_and_only_that(
    scheduler, toy_notebook, toys, tmp_path
):
    runs = plan(["bolt", "nut", "gear"], data=str(toys), seeds=[0, 1])
    for run in runs:  # as the sweep leaves them
        content = json.loads(TEMPLATE.read_text())
        content["name"] = run.name
        content["data"] |= {"dataset": "toys", "category": run.category}
        content["data"]["quick_fingerprint"] = run.quick_fingerprint()
        (tmp_path / f"{run.name}.json").write_text(json.dumps(content))
        (tmp_path / f"{run.name}.ipynb").write_text("{}")
    record, notes = [
        [tmp_path / f"{run.name}{suffix}" for run in runs] for suffix in (".json", ".ipynb")
    ]
    record[0].write_bytes(record[0].read_bytes()[:500])
    record[1].write_bytes(b"\xff\xfe")
    record[2].write_text("")
    notes[3].unlink()
    record[4].unlink()
    whole = record[5].read_bytes(), notes[5].read_bytes()
    outcomes = sweep(runs, tmp_path, scheduler=scheduler, notebook=toy_notebook, progress=False)
    assert [bool(o.record.notes) for o in outcomes] == [True] * 5 + [False]
    assert all(Record.load(path).notes for path in record[:5])
    assert all(nbformat.read(path, as_version=4).cells for path in notes[:5])
    assert (record[5].read_bytes(), notes[5].read_bytes()) == whole


def test_worker_elsewhere_writes_to_the_folder_of_the_command(
    scheduler, toy_notebook, toys, tmp_path, monkeypatch
):
    """A relative folder means the one beside the caller, though the worker runs in another."""
    (run,) = plan(["nut"], data=str(toys))
    shutil.copy(toy_notebook, tmp_path / "n.ipynb")
    monkeypatch.chdir(tmp_path)
    sweep([run], "runs", scheduler=scheduler, notebook=Path("n.ipynb"), progress=False)
    assert names(tmp_path / "runs") == [f"{run.name}.ipynb", f"{run.name}.json"]


def test_sweep_on_the_cluster_of_a_specification(toy_notebook, toys, tmp_path):
    """In a process of its own, since the workers are threads of whoever makes the cluster."""
    path = tmp_path / "cluster.yaml"
    path.write_text(
        "class: dask.distributed.LocalCluster\n"
        "workers: 1\n"
        "options: {n_workers: 0, threads_per_worker: 1, processes: false, dashboard_address: ':0'}"
    )
    out = tmp_path / "out"
    arguments = ["nut", "--data", toys, "--notebook", toy_notebook, "--out", out, "--cluster", path]
    done = run_sweep(*arguments)
    assert done.returncode == 0, done.stderr
    assert len(names(out)) == 2


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (None, ["FileNotFoundError"]),
        ("class: [", ["ParserError"]),
        ("", ["TypeError"]),
        ("just words", ["TypeError"]),
        ("options: {}", ["TypeError", "class"]),
        ("class: LocalCluster", ["ValueError"]),
        ("class: no_such_package.Cluster", ["no_such_package"]),
        ("class: dask.distributed.NoCluster", ["NoCluster"]),
        ("class: builtins.dict", ["dict", "not a Dask cluster"]),
        ("class: builtins.list\noptions: {}", ["list", "not a Dask cluster"]),
        ("class: sys.exit", ["sys.exit", "not a Dask cluster"]),
        ("class: os.system\noptions: {command: touch called}", ["os.system", "not a Dask cluster"]),
        ("class: dask.distributed.LocalCluster\noptions: {n_workers: many}", ["'str'"]),
        ("class: dask.distributed.SSHCluster\noptions: {colour: red}", ["ValueError"]),
        (
            "class: dask.distributed.LocalCluster\nworkers: many\n"
            "options: {n_workers: 0, processes: false, dashboard_address: ':0'}",
            ["TypeError", "workers"],
        ),
    ],
)
def test_bad_specification(tmp_path, text, named, sweep_command, toys):
    path = tmp_path / "cluster.yaml"
    if text is not None:
        path.write_text(text)
    code, _, errors = sweep_command(
        "nut", "--data", toys, "--out", tmp_path / "o", "--cluster", path
    )
    assert code == 2 and len(errors) == 1
    one_sentence(errors[0], str(path), *named)
    assert not Path("called").exists()

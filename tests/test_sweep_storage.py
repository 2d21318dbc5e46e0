"""Sweeps into other places than a folder of this machine."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from sweep_toys import TEMPLATE, names, one_sentence, somebodys_cluster

from aesc.errors import InputError, KernelDiedError, NotebookError
from aesc.files import temporary_beside
from aesc.records import Store
from aesc.sweep import plan, sweep


def store_of(place: str, tmp_path: Path) -> Store:
    return Store(
        {
            "local": str(tmp_path / "runs"),
            "file": f"file://{tmp_path}/runs",
            "memory": f"memory://{tmp_path.name}/runs",
        }[place]
    )


@pytest.mark.parametrize("place", ["local", "file", "memory"])
def test_store_gives_back_what_a_workplace_held(place, tmp_path):
    store = store_of(place, tmp_path)
    store.check()
    run, other = (
        SimpleNamespace(name=name, matches=lambda record, place: True) for name in ("a", "b")
    )
    assert store.finished(run) is None
    with store.workplace("a") as folder:
        content = {**json.loads(TEMPLATE.read_text()), "name": "a"}
        (folder / "a.json").write_text(json.dumps(content))
        assert store.finished(run) is None
        (folder / "a.ipynb").write_text("{}")
    assert store.finished(run).name == "a"
    assert [r.name for r in store.records()] == ["a"]
    assert store.finished(other) is None


@pytest.mark.parametrize("place", ["local", "file", "memory"])
def test_success_takes_the_place_of_the_failure_before(place, tmp_path):
    store = store_of(place, tmp_path)
    store.check()
    with pytest.raises(NotebookError), store.workplace("a") as folder:
        (folder / "a.failed.ipynb").write_text("{}")
        raise NotebookError("no luck")
    with pytest.raises(KernelDiedError), store.workplace("a"):
        raise KernelDiedError("still no luck")
    assert [Path(path).name for path in store.files.find(store.root)] == ["a.failed.ipynb"]
    with store.workplace("a") as folder:
        for suffix in (".ipynb", ".json"):
            (folder / f"a{suffix}").write_text("{}")
        (folder / "a.failed.ipynb").unlink(missing_ok=True)  # as `execute` does
    assert [Path(path).name for path in store.files.find(store.root)] == ["a.ipynb", "a.json"]


@pytest.mark.parametrize("place", ["local", "memory"])
@pytest.mark.parametrize("change", [{"schema_version": 2}, {"later": 1}, {"name": None}])
def test_record_of_another_version_is_neither_finished_nor_replaced(place, change, tmp_path):
    store = store_of(place, tmp_path)
    run = SimpleNamespace(name="a", matches=lambda record, place: True)
    content = {**json.loads(TEMPLATE.read_text()), "name": "a", **change}
    store.files.makedirs(store.root, exist_ok=True)
    store.files.pipe_file(f"{store.root}/a.json", json.dumps(content).encode())
    with pytest.raises(InputError) as caught:
        store.finished(run)
    one_sentence(str(caught.value), "a.json", "move it away and run again")
    store.files.pipe_file(f"{store.root}/a.json", json.dumps(content).encode()[:-9])
    assert store.finished(run) is None


@pytest.mark.parametrize("place", ["local", "file", "memory"])
def test_empty_store_holds_no_records(place, tmp_path):
    with pytest.raises(InputError) as caught:
        store_of(place, tmp_path).records()
    one_sentence(str(caught.value), "runs", "aesc sweep")


def test_what_a_storage_gives_instead_of_a_record_is_told(tmp_path, monkeypatch):
    """Older versions of fsspec hand an error back as if it were the content."""
    (tmp_path / "run.json").write_text("{}")
    store = Store(str(tmp_path))
    monkeypatch.setattr(store.files, "cat_ranges", lambda *_, **__: [PermissionError("denied")])
    with pytest.raises(InputError, match="Cannot read"):
        store.records()


def test_workplace_removes_the_half_files_of_its_run_that_nobody_writes(tmp_path):
    """Another sweep of the same run may be writing into the same folder."""
    ended = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], stdout=-1)
    living = temporary_beside(tmp_path / "seed1.checkpoint")

    def left_by_the_ended_process(name: str) -> Path:
        owner = f"-{os.getpid()}-", f"-{int(ended.stdout)}-"
        return living.with_name(f".{name}.checkpoint{living.name[17:]}".replace(*owner))

    half, other = left_by_the_ended_process("seed1"), left_by_the_ended_process("seed10")
    with Store(tmp_path).workplace("seed1"):
        for path in (living, half, other):
            path.write_text("")
    assert names(tmp_path) == sorted([living.name, other.name])


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """A bucket of a real S3 server, whose address is in the environment."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "someone")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        Store("s3://bucket").files.mkdir("bucket")
        yield "s3://bucket"
    server.stop()


@pytest.fixture(scope="module")
def scheduler(bucket, tmp_path_factory) -> Iterator[str]:
    """A cluster that knows where the bucket is."""
    with somebodys_cluster(tmp_path_factory.mktemp("cluster")) as address:
        yield address


def test_sweep_to_a_storage_service(bucket, scheduler, sweep_command, toy_notebook, toys):
    address = f"{bucket}/some/runs"
    arguments = ["nut", "fails", "bolt", "--data", toys, "--notebook", toy_notebook]
    arguments += ["--out", address, "--scheduler", scheduler]
    code, stdout, errors = sweep_command(*arguments)
    assert code == 1 and stdout == f"2 of 3 runs are finished in {address}\n"
    failed = f"{address}/toys-fails-aesc-stain-quick-64px-seed0.failed.ipynb"
    assert len(errors) == 1 and f"(see {failed})" in errors[0]
    store = Store(address)
    runs = plan(["bolt", "nut"], data=str(toys))
    assert [r.name for r in store.records()] == [r.name for r in runs]
    stored = [f"{r.name}{suffix}" for r in runs for suffix in (".ipynb", ".json")]
    stored += [failed.rpartition("/")[2]]
    assert sorted(p.rpartition("/")[2] for p in store.files.find(store.root)) == sorted(stored)
    for path in store.files.glob(f"{store.root}/*.ipynb"):
        nbformat.validate(nbformat.reads(store.files.cat_file(path).decode(), as_version=4))


def test_second_sweep_to_a_storage_service_repeats_nothing(bucket, scheduler, toy_notebook, toys):
    address = f"{bucket}/twice"
    options = {"scheduler": scheduler, "notebook": toy_notebook, "progress": False}
    first = sweep(plan(["nut"], data=str(toys)), address, **options)
    both = sweep(plan(["nut", "gear"], data=str(toys)), address, **options)
    assert both[0].record == first[0].record  # another run would have other times
    assert len(Store(address).records()) == 2


def test_missing_bucket(bucket, sweep_command, toys):
    code, _, errors = sweep_command("nut", "--data", toys, "--out", "s3://no-such-bucket/x")
    assert code == 2 and len(errors) == 1
    one_sentence(errors[0], "s3://no-such-bucket/x", "check address")


def test_storage_service_that_does_not_answer(bucket, toys, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    from s3fs import S3FileSystem

    S3FileSystem.clear_instance_cache()
    monkeypatch.setattr(S3FileSystem, "retries", 1)
    with pytest.raises(InputError) as caught:
        sweep(plan(["nut"], data=str(toys)), "s3://bucket/x")
    S3FileSystem.clear_instance_cache()
    one_sentence(str(caught.value), "s3://bucket/x", "127.0.0.1:1")

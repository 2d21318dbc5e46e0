"""Sweeps: the plan, where files go, and runs on this machine, a scheduler, a storage service."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
import torch
from dask.distributed import LocalCluster
from hypothesis import given
from hypothesis import strategies as st
from jupyter_core.utils import ensure_event_loop

from aesc.errors import InputError
from aesc.experiment import METHODS, Experiment, Record, RunConfig
from aesc.sweep import Store, cluster, connect, plan, sweep
from aesc.synthetic import CATEGORIES

TEMPLATE = sorted((Path(__file__).parents[1] / "results" / "embedded").glob("*.json"))[0]

PARAMETERS = "\n".join(f"{name} = None" for name in [*RunConfig.model_fields, "out"])

RUN = """
import json, os, signal, time
from pathlib import Path

folder = Path(data)
name = f"{folder.name}-{category}-{model}-{corruption}-{preset}-{size}px-seed{seed}"
mark = folder / f"{category}{seed}.pid"
if category == "fails":
    raise ValueError("no luck")
if category == "dies":
    with open(folder / "deaths", "a") as file:
        file.write("x")
    os.kill(os.getpid(), signal.SIGKILL)
if category == "slow" and not mark.exists():
    mark.write_text(str(os.getpid()))
    Path(out, f".{name}.json.1.tmp").write_text("half")
    time.sleep(300)
if (meeting := os.environ.get("MEETING")) is not None:
    Path(meeting, f"{category}{seed}").touch()
    deadline = time.monotonic() + 60
    while len(os.listdir(meeting)) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
if category == "bulky":
    print("x" * 3_000_000)
if category == "heavy":
    from aesc.files import whole_file
    with whole_file(Path(out, f"{name}.safetensors")) as temporary:
        temporary.write_bytes(b"0" * 3_000_000)
record = json.loads((folder / "template.json").read_text())
record["name"], record["data"]["dataset"] = name, folder.name
record["data"]["category"], record["method"]["seed"] = category, seed
ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
start = ticks / os.sysconf("SC_CLK_TCK")
end = float(Path("/proc/uptime").read_text().split()[0])
record["notes"] = json.dumps([os.environ.get("OMP_NUM_THREADS"), start, end])
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
    """A dataset folder as far as the trivial notebook looks into it."""
    for name in categories:
        (folder / "toys" / name / "train" / "good").mkdir(parents=True)
    shutil.copy(TEMPLATE, folder / "toys" / "template.json")
    return folder / "toys"


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "aesc", "sweep", *map(str, arguments)]


def environment(threads: int) -> dict[str, str]:
    """Of a command that may use so many cores."""
    limits = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    return {**os.environ, **dict.fromkeys(limits, str(threads)), "COLUMNS": "100"}


def times(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.iterdir()}


def names(folder: Path, pattern: str = "*") -> list[str]:
    return sorted(path.name for path in folder.glob(pattern))


def one_sentence(text: str, *named: str) -> None:
    assert text.endswith((".", ")")) and "\n" not in text and "Traceback" not in text, text
    for name in named:
        assert name in text, text


@pytest.fixture(scope="module")
def notebook(tmp_path_factory) -> Path:
    return make_notebook(tmp_path_factory.mktemp("notebook"))


@pytest.fixture(scope="module")
def toys(tmp_path_factory) -> Path:
    return make_data(tmp_path_factory.mktemp("data"), "bolt", "nut", "gear", "fails")


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """Somebody's cluster: two threads in one worker, in a process that used Jupyter before."""
    ensure_event_loop()
    with LocalCluster(1, threads_per_worker=2, processes=False, dashboard_address=None) as running:
        yield running.scheduler_address


@pytest.fixture
def aesc(aesc):
    """Call ``aesc sweep``; returns its exit code, stdout, and the errors on stderr."""

    def call(*arguments) -> tuple[int, str, list[str]]:
        code, stdout, stderr = aesc("sweep", *arguments)
        assert "Traceback" not in stderr
        errors = [line for line in stderr.splitlines() if line.startswith("aesc: error: ")]
        return code, stdout, errors

    return call


# The plan


def short(runs: list[RunConfig]) -> list[tuple[str, str, str, int]]:
    return [(r.category, r.model, r.corruption, r.seed) for r in runs]


def test_plan_is_the_product_seed_by_seed_then_by_method():
    runs = plan(
        ["washer", "wood"], models=["aesc", "ae"], corruptions=["stain", "none"], seeds=[3, 0]
    )
    assert short(runs) == [
        (category, model, corruption, seed)
        for seed in (3, 0)
        for model in ("aesc", "ae")
        for corruption in ("stain", "none")
        for category in ("washer", "wood")
    ]


def test_all_means_every_category_model_and_corruption(toys):
    assert [r.category for r in plan(["all"])] == list(CATEGORIES)
    assert {r.category for r in plan(["all"], data=str(toys))} == {"bolt", "nut", "gear", "fails"}
    methods = {(r.model, r.corruption) for r in plan(["wood"], models=["all"], corruptions=["all"])}
    assert methods == {(m, c) for m, method in METHODS.items() for c in method.corruptions}


def test_method_with_one_corruption_comes_once_whatever_the_corruptions():
    runs = plan(["wood"], models=["itae", "ae_l2", "ae"], corruptions=["stain", "drops"])
    assert short(runs) == [
        ("wood", "itae", "erasing", 0),
        ("wood", "ae_l2", "none", 0),
        ("wood", "ae", "stain", 0),
        ("wood", "ae", "drops", 0),
    ]


def test_without_corruptions_each_method_has_its_own():
    runs = plan(["wood"], models=["all"])
    assert [r.corruption for r in runs] == [METHODS[r.model].corruptions[0] for r in runs]


def test_vary_crosses_parameters_and_reads_text_as_numbers():
    runs = plan(["wood"], vary={"size": ["64", "128"], "epochs": [1, 2]}, passes=5)
    assert [(r.size, r.epochs) for r in runs] == [(64, 1), (64, 2), (128, 1), (128, 2)]
    assert {r.passes for r in runs} == {5}


def test_vary_goes_before_a_shared_value():
    assert [r.size for r in plan(["wood"], vary={"size": [96]}, size=64)] == [96]


@given(
    categories=st.lists(st.sampled_from(["wood", "mesh", "all"]), min_size=1),
    models=st.lists(st.sampled_from([*METHODS, "all"]), min_size=1),
    seeds=st.lists(st.integers(0, 3), min_size=1),
)
def test_no_run_comes_twice(categories, models, seeds):
    found = [r.name for r in plan(categories, models=models, seeds=seeds)]
    assert len(found) == len(set(found))
    chosen = len(CATEGORIES) if "all" in categories else len(set(categories))
    methods = len(METHODS) if "all" in models else len(set(models))
    assert len(found) == chosen * methods * len(set(seeds))


@pytest.mark.parametrize(
    ("wanted", "named"),
    [
        ({"models": ["unet"]}, ["'unet'", "aesc"]),
        ({"corruptions": ["coffee"]}, ["'coffee'", "stain"]),
        ({"seeds": [-1]}, ["seed=-1"]),
        ({"seeds": []}, ["no run", "seed"]),
        ({"vary": {"size": []}}, ["no run"]),
        ({"vary": {"colour": [1]}}, ["'colour'", "size"]),
        ({"vary": {"seed": [1]}}, ["'seed'", "size"]),
        ({"vary": {"epochs": ["many"]}}, ["epochs='many'"]),
        ({"vary": {"model": ["ae_l2"]}, "corruptions": ["stain"]}, ["AE_L2", "'stain'"]),
        ({"preset": "fast"}, ["'fast'", "quick"]),
        ({"size": 32}, ["32 pixels", "64"]),
    ],
)
def test_plan_refuses_in_one_sentence(wanted, named):
    with pytest.raises(InputError) as caught:
        plan(["wood"], **wanted)
    one_sentence(str(caught.value), *named)


def test_all_of_a_missing_dataset_is_refused():
    with pytest.raises(InputError, match="no/such/folder"):
        plan(["all"], data="no/such/folder")


# The command, on this machine


@pytest.fixture(scope="module")
def finished(notebook, toys, tmp_path_factory):
    """What ``aesc sweep`` left and said that was given two cores, a bad run and a bad category."""
    out = tmp_path_factory.mktemp("finished") / "runs"
    arguments = ["bolt", "fails", "lost", "nut", "--data", toys, "--seeds", 0, 1]
    arguments += ["--notebook", notebook, "--out", out]
    # The first run waits for a second: on a busy machine one worker may be done with all of them
    # before the other has started.
    meeting = {"MEETING": str(tmp_path_factory.mktemp("meeting"))}
    done = subprocess.run(
        command(*arguments),
        env=environment(2) | meeting,
        capture_output=True,
        text=True,
        check=False,
    )
    return out, arguments, done


def test_good_runs_finish_beside_failing_ones(finished, toys):
    out, _, done = finished
    good = plan(["bolt", "nut"], data=str(toys), seeds=[0, 1])
    assert names(out, "*.json") == sorted(f"{r.name}.json" for r in good)
    for run in good:
        assert Record.load(out / f"{run.name}.json").data.category == run.category
        executed = nbformat.read(out / f"{run.name}.ipynb", as_version=4)
        nbformat.validate(executed)
        assert all(c.execution_count for c in executed.cells)
    assert done.stdout == f"4 of 8 runs are finished in {out}\n"


def test_every_failure_is_listed_at_the_end(finished):
    out, _, done = finished
    assert done.returncode == 2, done.stderr
    errors = done.stderr.splitlines()[-4:]
    for line, category, seed in zip(errors, ["fails", "lost"] * 2, [0, 0, 1, 1], strict=True):
        name = f"toys-{category}-aesc-stain-quick-64px-seed{seed}"
        one_sentence(line, f"aesc: error: {name}: ")
        reason = f"ValueError: no luck (see {out / name}.failed.ipynb)"
        assert (reason if category == "fails" else "has no category 'lost'") in line


def test_failed_notebook_is_kept_and_nothing_half(finished):
    out, _, _ = finished
    assert names(out, "*.failed.ipynb") == [
        f"toys-fails-aesc-stain-quick-64px-seed{seed}.failed.ipynb" for seed in (0, 1)
    ]
    (failed,) = out.glob("*fails*seed0*")
    assert "no luck" in str(nbformat.read(failed, as_version=4).cells[-1].outputs)
    assert len(names(out)) == 4 * 2 + 2 and not names(out, ".*")


def test_log_file_gets_a_line_per_run_and_no_bar(finished):
    _, _, done = finished
    assert "\r" not in done.stderr
    lines = done.stderr.splitlines()
    assert sum("image AUROC" in line for line in lines) == 4
    assert sum("FAILED" in line for line in lines) == 4
    assert lines[0].startswith("Dask dashboard: http") and len(lines) == 1 + 8 + 4, lines
    assert lines[8].startswith("[8/8] ")


def test_runs_share_the_cores_and_never_exceed_them(finished):
    """Kernels alive at any moment, from the notes of each, times its threads: two at most."""
    out, _, _ = finished
    notes = [json.loads(Record.load(path).notes) for path in out.glob("*.json")]
    assert {threads for threads, _, _ in notes} == {"1"}
    alive = [sum(s <= start < e for _, s, e in notes) for _, start, _ in notes]
    assert max(alive) == 2


def test_finished_sweep_starts_nothing(finished, aesc, monkeypatch):
    out, arguments, _ = finished
    before = times(out)
    monkeypatch.setattr("aesc.sweep.run.connect", None)  # calling it would raise
    good = [a for a in arguments if a not in ("fails", "lost")]
    code, stdout, errors = aesc(*good)
    assert (code, stdout, errors) == (0, f"4 of 4 runs are finished in {out}\n", [])
    assert times(out) == before


# On a scheduler


def test_outcomes_come_in_the_order_asked_for(scheduler, notebook, toys, tmp_path, capfd):
    runs = plan(["nut", "fails", "bolt"], data=str(toys))
    outcomes = sweep([*runs, runs[0]], tmp_path, scheduler=scheduler, notebook=notebook)
    assert [o.config for o in outcomes] == [*runs, runs[0]]
    assert [o.record is not None for o in outcomes] == [True, False, True, True]
    assert [o.bad_input for o in outcomes] == [False] * 4
    for outcome in outcomes:
        if outcome.record:
            assert outcome.record == Record.load(tmp_path / f"{outcome.config.name}.json")
            assert outcome.record.name == outcome.config.name
    assert capfd.readouterr().err.count("] toys-") == 3


def test_run_that_fails_alone_exits_with_1(scheduler, aesc, notebook, toys, tmp_path):
    code, stdout, errors = aesc(
        "fails", "--data", toys, "--notebook", notebook, "--out", tmp_path, "--scheduler", scheduler
    )
    assert code == 1 and stdout == f"0 of 1 runs are finished in {tmp_path}\n"
    assert len(errors) == 1 and "no luck" in errors[0]


def test_success_removes_the_failed_notebook(scheduler, notebook, toys, tmp_path):
    (run,) = plan(["nut"], data=str(toys))
    (tmp_path / f"{run.name}.failed.ipynb").write_text("{}")
    sweep([run], tmp_path, scheduler=scheduler, notebook=notebook, progress=False)
    assert names(tmp_path) == [f"{run.name}.ipynb", f"{run.name}.json"]


def test_what_is_damaged_or_missing_is_run_again_and_only_that(scheduler, notebook, toys, tmp_path):
    runs = plan(["bolt", "nut", "gear"], data=str(toys), seeds=[0, 1])
    for run in runs:  # as the sweep leaves them
        content = json.loads(TEMPLATE.read_text())
        content["name"], content["data"]["category"] = run.name, run.category
        (tmp_path / f"{run.name}.json").write_text(json.dumps(content))
        (tmp_path / f"{run.name}.ipynb").write_text("{}")
    record, notes = [
        [tmp_path / f"{run.name}{suffix}" for run in runs] for suffix in (".json", ".ipynb")
    ]
    record[0].write_bytes(record[0].read_bytes()[:500])
    record[1].write_bytes(b"\xff\xfe")
    record[2].write_text("{}")
    notes[3].unlink()
    record[4].unlink()
    whole = record[5].read_bytes(), notes[5].read_bytes()
    outcomes = sweep(runs, tmp_path, scheduler=scheduler, notebook=notebook, progress=False)
    assert [bool(o.record.notes) for o in outcomes] == [True] * 5 + [False]
    assert all(Record.load(path).notes for path in record[:5])
    assert all(nbformat.read(path, as_version=4).cells for path in notes[:5])
    assert (record[5].read_bytes(), notes[5].read_bytes()) == whole


def test_worker_elsewhere_writes_to_the_folder_of_the_command(
    notebook, toys, tmp_path, monkeypatch
):
    """A relative folder means the one beside the caller, though the worker has moved away."""
    (tmp_path / "here").mkdir()
    (run,) = plan(["nut"], data=str(toys))
    shutil.copy(notebook, tmp_path / "here" / "n.ipynb")
    monkeypatch.chdir(tmp_path / "here")
    options = {"threads_per_worker": 1, "dashboard_address": None}
    with LocalCluster(1, **options) as running:
        with connect(running.scheduler_address) as client:
            client.run(os.chdir, str(tmp_path))
        sweep([run], "runs", scheduler=running.scheduler_address, notebook=Path("n.ipynb"))
    assert names(tmp_path / "here" / "runs") == [f"{run.name}.ipynb", f"{run.name}.json"]
    assert not (tmp_path / "runs").exists()


def test_sweep_on_the_cluster_of_a_specification(notebook, toys, tmp_path, aesc):
    path = tmp_path / "cluster.yaml"
    path.write_text(
        "class: dask.distributed.LocalCluster\n"
        "workers: 1\n"
        "options: {n_workers: 0, threads_per_worker: 1, processes: false, dashboard_address: ':0'}"
    )
    out = tmp_path / "out"
    code, _, errors = aesc(
        "nut", "--data", toys, "--notebook", notebook, "--out", out, "--cluster", path
    )
    assert code == 0 and not errors and len(names(out)) == 2


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (None, ["FileNotFoundError"]),
        ("class: [", ["ParserError"]),
        ("", ["TypeError"]),
        ("just words", ["TypeError"]),
        ("options: {}", ["KeyError", "class"]),
        ("class: LocalCluster", ["ValueError"]),
        ("class: no_such_package.Cluster", ["no_such_package"]),
        ("class: dask.distributed.NoCluster", ["NoCluster"]),
        ("class: builtins.dict", ["dict", "not a cluster"]),
        ("class: dask.distributed.LocalCluster\noptions: {n_workers: many}", ["'str'"]),
        ("class: dask.distributed.SSHCluster\noptions: {colour: red}", ["ValueError"]),
        (
            "class: dask.distributed.LocalCluster\nworkers: many\n"
            "options: {n_workers: 0, processes: false, dashboard_address: ':0'}",
            ["many"],
        ),
    ],
)
def test_bad_specification(tmp_path, text, named, aesc, toys):
    path = tmp_path / "cluster.yaml"
    if text is not None:
        path.write_text(text)
    code, _, errors = aesc("nut", "--data", toys, "--out", tmp_path / "o", "--cluster", path)
    assert code == 2 and len(errors) == 1
    one_sentence(errors[0], str(path), *named)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--scheduler", "tcp://127.0.0.1:1"], ["tcp://127.0.0.1:1", "network"]),
        (["--scheduler", "nonsense://x"], ["nonsense://x"]),
        (["--scheduler", "tcp://127.0.0.1:1", "--cluster", "c.yaml"], ["not both"]),
        (["--jobs", "0"], ["jobs=0"]),
        (["--notebook", "no.ipynb"], ["no.ipynb"]),
        (["--notebook", __file__], [Path(__file__).name]),
        (["--vary", "size"], ["NAME=A,B"]),
        (["--vary", "seed=1,2"], ["'seed'"]),
        (["--out", "nowhere://x/y"], ["nowhere"]),
        (["--out", "/proc/x"], ["/proc/x"]),
    ],
)
def test_bad_arguments(aesc, toys, tmp_path, monkeypatch, arguments, named):
    monkeypatch.chdir(tmp_path)
    with cluster.dask.config.set({"distributed.comm.timeouts.connect": "0.5s"}):
        code, _, errors = aesc("nut", "--data", toys, *arguments)
    assert code == 2 and len(errors) == 1
    one_sentence(errors[0], *named)


def test_dry_run_lists_the_runs_and_leaves_nothing(aesc, toys, tmp_path):
    code, stdout, _ = aesc(
        "nut", "bolt", "--data", toys, "--vary", "size=64,96", "--dry-run", "--out", tmp_path / "o"
    )
    assert code == 0 and not (tmp_path / "o").exists()
    runs = plan(["nut", "bolt"], data=str(toys), vary={"size": [64, 96]})
    assert stdout.splitlines() == [r.name for r in runs]


# Sharing a machine


@pytest.fixture
def workers(monkeypatch):
    """Of the cluster that would be started for so many jobs on so many cores and GPUs."""

    def of(jobs: int, cores: int, gpus: int = 0) -> list[dict]:
        monkeypatch.setattr(cluster, "SpecCluster", lambda workers, *_, **__: workers)
        monkeypatch.setattr(torch, "get_num_threads", lambda: cores)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
        return [worker["options"] for worker in cluster._this_machine(jobs).values()]

    return of


@pytest.mark.parametrize("cores", [1, 2, 7, 64])
@pytest.mark.parametrize("jobs", [1, 2, 3, 100])
def test_threads_times_jobs_is_at_most_the_cores(workers, jobs, cores):
    options = workers(jobs, cores)
    assert len(options) == min(jobs, cores)
    assert {o["nthreads"] for o in options} == {1}
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        share = {int(o["env"][variable]) for o in options}
        assert share == {cores // len(options)}


def test_one_worker_per_gpu_each_with_a_card_of_its_own(workers, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    options = workers(8, 16, gpus=3)
    assert [o["env"]["CUDA_VISIBLE_DEVICES"] for o in options] == ["0", "1", "2"]
    assert {o["env"]["OMP_NUM_THREADS"] for o in options} == {"5"}
    assert [o["env"]["CUDA_VISIBLE_DEVICES"] for o in workers(1, 16, gpus=3)] == ["0"]


def test_only_the_cards_that_the_command_may_see_are_used(workers, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3, GPU-ab12,5")
    options = workers(2, 4, gpus=3)
    assert [o["env"]["CUDA_VISIBLE_DEVICES"] for o in options] == ["3", "GPU-ab12"]


# Other places


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
    assert store.finished("a") is None
    with store.workplace("a") as folder:
        content = {**json.loads(TEMPLATE.read_text()), "name": "a"}
        (folder / "a.json").write_text(json.dumps(content))
        assert store.finished("a") is None
        (folder / "a.ipynb").write_text("{}")
    assert store.finished("a").name == "a"
    assert [r.name for r in store.records()] == ["a"]
    assert store.finished("b") is None


@pytest.mark.parametrize("place", ["local", "file", "memory"])
def test_empty_store_holds_no_records(place, tmp_path):
    with pytest.raises(InputError) as caught:
        store_of(place, tmp_path).records()
    one_sentence(str(caught.value), "runs", "aesc sweep")


def test_workplace_removes_the_half_files_of_its_run_only(tmp_path):
    store = Store(tmp_path)
    half, other = tmp_path / ".seed1.checkpoint.9.tmp", tmp_path / ".seed10.checkpoint.9.tmp"
    for path in (half, other):
        path.write_text("")
    with store.workplace("seed1"):
        assert not half.exists()
        half.write_text("")
    assert names(tmp_path, ".*") == [other.name]


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """A bucket of a real S3 server, whose address is in the environment."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(port=0, verbose=False)
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


def test_sweep_to_a_storage_service(bucket, scheduler, aesc, notebook, toys):
    address = f"{bucket}/some/runs"
    arguments = ["nut", "fails", "bolt", "--data", toys, "--notebook", notebook]
    arguments += ["--out", address, "--scheduler", scheduler]
    code, stdout, errors = aesc(*arguments)
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


def test_second_sweep_to_a_storage_service_repeats_nothing(bucket, scheduler, notebook, toys):
    address = f"{bucket}/twice"
    options = {"scheduler": scheduler, "notebook": notebook, "progress": False}
    first = sweep(plan(["nut"], data=str(toys)), address, **options)
    both = sweep(plan(["nut", "gear"], data=str(toys)), address, **options)
    assert both[0].record == first[0].record  # the notes of another run would have other times
    assert len(Store(address).records()) == 2


def test_missing_bucket(bucket, aesc, toys):
    code, _, errors = aesc("nut", "--data", toys, "--out", "s3://no-such-bucket/x")
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


# The real thing


def test_real_run_gives_the_record_of_the_experiment(stripes, tmp_path):
    """It has all the cores, as the experiment alone, so that not even rounding differs."""
    arguments = [
        "stripes",
        "--data",
        stripes.parent,
        "--models",
        "ae_l2",
        "--epochs",
        1,
        "--passes",
        2,
    ]
    arguments += ["--device", "cpu", "--out", tmp_path / "swept"]
    done = subprocess.run(
        command(*arguments),
        env=environment(torch.get_num_threads()),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    config = RunConfig.checked(
        category="stripes",
        data=str(stripes.parent),
        model="ae_l2",
        epochs=1,
        passes=2,
        device="cpu",
    )
    swept = Record.load(tmp_path / "swept" / f"{config.name}.json")
    alone = Experiment(config, tmp_path / "alone", progress=False).run()
    assert swept.model_dump(exclude={"duration"}) == alone.model_dump(exclude={"duration"})


@pytest.mark.parametrize("arguments", [["--help"], ["sweep", "--help"]])
def test_help_waits_for_neither_torch_nor_dask(arguments):
    code = (
        "import sys\nfrom aesc.cli import main\ntry:\n    main(sys.argv[1:])\n"
        "except SystemExit:\n    print({'torch', 'dask', 'distributed'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
    )
    assert "usage: aesc" in done.stdout and done.stdout.endswith("set()\n")

"""The sweep command on this machine: what it leaves, what it says, what it refuses."""

import json
import subprocess
import sys
from pathlib import Path

import dask
import nbformat
import pytest
import torch
from sweep_toys import names, one_sentence, run_sweep, times

from aesc.experiment import Experiment, RunConfig
from aesc.records import Record
from aesc.sweep import plan


@pytest.fixture(scope="module")
def finished(toy_notebook, toys, tmp_path_factory):
    """What ``aesc sweep`` left and said that was given two cores, a bad run and a bad category."""
    out = tmp_path_factory.mktemp("finished") / "runs"
    arguments = ["bolt", "fails", "lost", "nut", "--data", toys, "--seeds", 0, 1]
    arguments += ["--notebook", toy_notebook, "--out", out]
    # The first run waits for a second: on a busy machine one worker may be done with all of them
    # before the other has started.
    meeting = tmp_path_factory.mktemp("meeting")
    done = run_sweep(*arguments, cores=2, MEETING=meeting)
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
    errors = [line for line in done.stderr.splitlines() if line.startswith("aesc: error: ")]
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
    assert lines[0].startswith("Dask dashboard: http")
    runs = [line for line in lines if line.startswith("[")]
    assert [line.split()[0] for line in runs] == [f"[{i}/8]" for i in range(1, 9)]
    assert sum("image AUROC" in line for line in runs) == 4
    assert sum("FAILED" in line for line in runs) == 4


def test_workers_and_kernels_print_nothing_of_their_own(finished):
    _, _, done = finished
    ours = ("Dask dashboard: ", "[", "aesc: error: ", "aesc: note: ")
    assert [line for line in done.stderr.splitlines() if not line.startswith(ours)] == []


def test_runs_share_the_cores_and_never_exceed_them(finished):
    """Kernels alive at any moment, from what each says, times its threads: two at most."""
    out, _, _ = finished
    found = [json.loads(Record.load(path).environment.platform) for path in out.glob("*.json")]
    assert {threads for threads, _, _ in found} == {"1"}
    alive = [sum(s <= start < e for _, s, e in found) for _, start, _ in found]
    assert max(alive) == 2


def test_finished_sweep_starts_nothing(finished, sweep_command, monkeypatch):
    out, arguments, _ = finished
    before = times(out)
    monkeypatch.setattr("aesc.sweep.running.connect", None)  # calling it would raise
    good = [a for a in arguments if a not in ("fails", "lost")]
    code, stdout, errors = sweep_command(*good)
    assert (code, stdout, errors) == (0, f"4 of 4 runs are finished in {out}\n", [])
    assert times(out) == before


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--scheduler", "tcp://127.0.0.1:1"], ["tcp://127.0.0.1:1", "network"]),
        (["--scheduler", "nonsense://x"], ["nonsense://x"]),
        (["--scheduler", "tcp://127.0.0.1:1", "--cluster", "c.yaml"], ["not both"]),
        (["--jobs", "0"], ["jobs is 0"]),
        (["--notebook", "no.ipynb"], ["no.ipynb"]),
        (["--notebook", __file__], [Path(__file__).name]),
        (["--vary", "size"], ["NAME=A,B"]),
        (["--vary", "seed=1,2"], ["'seed'"]),
        (["--out", "nowhere://x/y"], ["nowhere"]),
        (["--out", "/proc/x"], ["/proc/x"]),
    ],
)
def test_bad_arguments(sweep_command, toys, tmp_path, monkeypatch, arguments, named):
    monkeypatch.chdir(tmp_path)
    with dask.config.set({"distributed.comm.timeouts.connect": "0.5s"}):
        code, _, errors = sweep_command("nut", "--data", toys, *arguments)
    assert code == 2 and len(errors) == 1
    one_sentence(errors[0], *named)


def test_dry_run_lists_the_runs_and_leaves_nothing(sweep_command, toys, tmp_path):
    code, stdout, _ = sweep_command(
        "nut", "bolt", "--data", toys, "--vary", "size=64,96", "--dry-run", "--out", tmp_path / "o"
    )
    assert code == 0 and not (tmp_path / "o").exists()
    runs = plan(["nut", "bolt"], data=str(toys), vary={"size": [64, 96]})
    assert stdout.splitlines() == [r.name for r in runs]


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
    done = run_sweep(*arguments, cores=torch.get_num_threads())
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

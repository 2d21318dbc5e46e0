"""The command `aesc table`."""

import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from records_by_hand import REMEDY, record, saved, seeds

from aesc.records import (
    FORMATS,
    render,
    results_table,
)


@pytest.mark.parametrize("format", FORMATS)
def test_command_prints_every_format(aesc, tmp_path, format):
    folder = saved(tmp_path, *seeds(0.95, 0.99))
    code, stdout, stderr = aesc("table", folder, "--format", format)
    assert (code, stderr) == (0, "")
    assert stdout == render(results_table(seeds(0.95, 0.99)), format)


def test_command_offers_the_formats_of_render(aesc, tmp_path):
    code, _, stderr = aesc("table", tmp_path, "--format", "xml")
    offered = re.search(r"choose from (.*)\)", stderr)[1]
    assert code == 2 and set(re.findall(r"\w+", offered)) == set(FORMATS)


def test_command_sets_the_paper_beside_our_results(aesc, tmp_path):
    embedded = record(data={"dataset": "embedded"})
    folder = saved(tmp_path, *seeds(0.95, 0.99), embedded)
    code, stdout, _ = aesc("table", folder, "--paper", "--format", "csv")
    table = pd.read_csv(io.StringIO(stdout))
    assert code == 0 and len(table) == 6 and set(table.dataset) == {"mvtec_ad"}
    assert table.difference[0] == pytest.approx(0.97 - 0.98)


def test_command_refuses_the_paper_beside_other_data(aesc, tmp_path):
    folder = saved(tmp_path / "runs", record(data={"dataset": "embedded"}))
    code, stdout, stderr = aesc("table", folder, "--paper", "--out", tmp_path / "t.md")
    assert code == 2 and stdout == "" and not (tmp_path / "t.md").exists()
    assert stderr.startswith("aesc: error: ") and "no record of a category of the paper" in stderr
    assert str(folder) in stderr and stderr.count("\n") == 1


def test_command_refuses_incompatible_records_unless_mixed(aesc, tmp_path):
    folder = saved(tmp_path / "runs", record(name="a"), record(name="b", seed=1, epochs=3))
    target = tmp_path / "t.csv"
    target.write_text("as it was")
    arguments = ("table", folder, "--format", "csv", "--out", target)
    code, _, stderr = aesc(*arguments)
    assert code == 2 and target.read_text() == "as it was"
    assert stderr == f"aesc: error: Records a and b differ in method.epochs (10 and 3){REMEDY}\n"
    code, stdout, _ = aesc(*arguments, "--mixed")
    assert code == 0 and stdout == f"{target}\n"
    assert pd.read_csv(target).seeds[0] == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["runs", "t.csv"]


def test_command_notes_mixed_devices_in_the_table_and_beside_it(aesc, tmp_path):
    runs = [record(seed=i, environment={"device": d}) for i, d in enumerate(["cpu", "mps"])]
    sentence = "bottle, aesc + stain: seeds ran on cpu and on mps."
    code, stdout, stderr = aesc("table", saved(tmp_path, *runs))
    assert code == 0 and sentence in stderr and stdout.endswith(f"\n- {sentence}\n")


def test_command_notes_only_rows_that_stand_beside_the_paper(aesc, tmp_path):
    runs = [
        record(model=model, seed=i, environment={"device": d})
        for model in ("aesc", "ae")
        for i, d in enumerate(["cpu", "mps"])
    ]
    code, _, stderr = aesc("table", saved(tmp_path, *runs), "--paper")
    assert code == 0 and stderr.count("seeds ran on") == 1 and "aesc + stain" in stderr


def test_committed_records_make_every_table(aesc):
    results = Path(__file__).parent.parent / "results"
    records = [json.loads(path.read_text()) for path in results.rglob("*.json")]
    code, stdout, _ = aesc("table", results, "--format", "csv")
    table = pd.read_csv(io.StringIO(stdout))
    assert code == 0 and table.seeds.sum() <= len(records)
    assert set(table.category) == {r["data"]["category"] for r in records}
    code, stdout, _ = aesc("table", results, "--paper")
    assert code == 0 and "bottle" in stdout


def test_command_imports_no_cluster_no_notebooks_and_no_networks(tmp_path):
    """In a process of its own, which has imported nothing before."""
    folder = saved(tmp_path, *seeds(0.95, 0.99))
    program = (
        "import sys\n"
        "from aesc.cli import main\n"
        "try:\n"
        f"    main(['table', {str(folder)!r}])\n"
        "except SystemExit as stopped:\n"
        "    assert stopped.code == 0\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "0.970" in done.stdout
    loaded = set(done.stderr.split())
    assert "pandas" in loaded
    unwanted = {"torch", "dask", "distributed", "papermill", "nbformat", "matplotlib"}
    assert not loaded & unwanted


def test_command_notes_what_is_no_record_and_what_the_data_lack(aesc, tmp_path):
    one = record().model_copy(update={"notes": "Two images have no mask."})
    (saved(tmp_path, one) / "config.json").write_text("{}")
    code, stdout, stderr = aesc("table", tmp_path)
    assert code == 0 and "config.json" in stderr and "bottle: Two images have no mask." in stderr
    assert stdout.endswith("\n- bottle: Two images have no mask.\n")

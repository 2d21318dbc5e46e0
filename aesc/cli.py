"""The ``aesc`` command: it reads arguments, calls the package, prints. Bad input exits with code 2.

Imports are inside the functions, so that ``aesc --help`` does not wait for torch.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Collection, Sequence
from pathlib import Path

from aesc.errors import InputError


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command with ``arguments`` (default: those of the process) and exit.

    Exit codes: 0 done, 1 a run failed, 2 bad input, 130 interrupted.
    """
    options = _parser().parse_args(arguments)
    try:
        code = options.command(options)
    except InputError as error:
        print(f"aesc: error: {error}", file=sys.stderr)
        code = 2
    except KeyboardInterrupt:
        print("aesc: interrupted; the same command goes on where it stopped", file=sys.stderr)
        code = 130
    sys.exit(code)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="aesc", description="Find defects by reconstruction: data, runs, tables."
    )
    commands = parser.add_subparsers(title="commands", required=True)

    data = commands.add_parser("data", help="generate the embedded data set, or fetch MVTec AD")
    data.add_argument("dataset", nargs="?", choices=("embedded", "mvtec"), default="embedded")
    data.add_argument("--size", type=int, help="embedded: image side in pixels (default: 128)")
    data.add_argument("--seed", type=int, default=0, help="embedded: seed (default: %(default)s)")
    data.add_argument("--out", type=Path, help="folder (default: embedded: the cache; mvtec: data)")
    data.add_argument(
        "--source", type=Path, help="mvtec: an archive or folder that you already have"
    )
    data.add_argument("--url", help="mvtec: another address of the archive")
    data.set_defaults(command=_data)

    run = commands.add_parser("run", help="train and evaluate one category, in its notebook")
    run.add_argument("category", help="name of the category")
    _add_settings(run)
    run.add_argument("--model", help="aesc, ae, ae_l2, ae_ssim or itae (default: aesc)")
    run.add_argument("--corruption", help="what the network unlearns (default: the model's own)")
    run.add_argument("--seed", type=int, help="seed (default: 0)")
    run.add_argument("--out", type=Path, default=Path("runs"), help="output folder (default: runs)")
    run.set_defaults(command=_run)

    sweep = commands.add_parser("sweep", help="many runs at once: categories, methods, seeds")
    sweep.add_argument("category", nargs="+", help="names, or 'all' for every category of the data")
    _add_settings(sweep)
    sweep.add_argument(
        "--models", nargs="+", default=["aesc"], help="names, or 'all' (default: aesc)"
    )
    sweep.add_argument(
        "--corruptions", nargs="+", default=[], help="for aesc and ae: names, or 'all'"
    )
    sweep.add_argument("--seeds", nargs="+", type=int, default=[0], help="seeds (default: 0)")
    sweep.add_argument(
        "--vary", nargs="+", default=[], metavar="NAME=A,B", help="another parameter and its values"
    )
    sweep.add_argument("--out", default="runs", help="folder or fsspec address (default: runs)")
    sweep.add_argument("--notebook", type=Path, help="another notebook with the same parameters")
    sweep.add_argument("--jobs", type=int, help="runs at a time (default: one per GPU or core)")
    sweep.add_argument("--scheduler", help="address of a Dask scheduler")
    sweep.add_argument("--cluster", type=Path, help="YAML file of a Dask cluster")
    sweep.add_argument("--dry-run", action="store_true", help="only list the runs")
    sweep.set_defaults(command=_sweep)

    table = commands.add_parser("table", help="table of the records in a folder")
    table.add_argument(
        "folder", nargs="?", default="runs", help="folder or fsspec address (default: runs)"
    )
    formats = ("markdown", "html", "csv", "latex")
    table.add_argument("--format", choices=formats, default="markdown", help="(default: markdown)")
    table.add_argument("--paper", action="store_true", help="set our results beside the paper's")
    table.add_argument(
        "--mixed", action="store_true", help="average even records that do not belong together"
    )
    table.add_argument("--out", type=Path, help="write to this file instead of printing")
    table.set_defaults(command=_table)

    info = commands.add_parser("info", help="versions and devices, for a bug report")
    info.set_defaults(command=_info)
    return parser


def _data(options: argparse.Namespace) -> int:
    if options.dataset == "mvtec":
        from aesc.data import fetch_mvtec

        print(fetch_mvtec(options.out or Path("data"), options.source, options.url))
        return 0
    from aesc.synthetic import CATEGORIES, SIZE, embedded

    folder = embedded(options.size or SIZE, seed=options.seed, cache=options.out)
    for name, spec in CATEGORIES.items():
        print(f"{name:10} {spec.group:8} {spec.description} Defects: {', '.join(spec.defects)}.")
    print(folder)
    return 0


def _run(options: argparse.Namespace) -> int:
    from aesc.errors import NotebookError
    from aesc.experiment import RunConfig
    from aesc.sweep import Store, run_notebook

    config = RunConfig.checked(**_settings(options, RunConfig.model_fields))
    record = Store(options.out).finished(config.name)
    state = "finished before" if record else "running"
    print(f"{config.name}: {state}", file=sys.stderr, flush=True)
    try:
        record = record or run_notebook(config, options.out)
    except NotebookError as error:
        print(f"aesc: error: {error}", file=sys.stderr)
        return 1
    for kind in record.metrics:
        print(f"{config.name}  {kind} image AUROC {record.image_metrics(kind).auroc:.3f}")
    print(f"notebook, record and weights: {options.out / config.name}.*")
    return 0


def _sweep(options: argparse.Namespace) -> int:
    from aesc.experiment import RunConfig
    from aesc.sweep import plan, sweep

    shared = _settings(options, RunConfig.model_fields.keys() - {"category"})
    configs = plan(
        options.category,
        models=options.models,
        corruptions=options.corruptions,
        seeds=options.seeds,
        vary=dict(_varied(text) for text in options.vary),
        **shared,
    )
    if options.dry_run:
        print(*(config.name for config in configs), sep="\n")
        return 0
    outcomes = sweep(
        configs,
        options.out,
        scheduler=options.scheduler,
        specification=options.cluster,
        jobs=options.jobs,
        notebook=options.notebook,
    )
    failed = [outcome for outcome in outcomes if outcome.record is None]
    print(f"{len(outcomes) - len(failed)} of {len(outcomes)} runs are finished in {options.out}")
    for outcome in failed:
        print(f"aesc: error: {outcome.config.name}: {outcome.error}", file=sys.stderr)
    return 2 if any(outcome.bad_input for outcome in failed) else int(bool(failed))


def _add_settings(parser: argparse.ArgumentParser) -> None:
    """Options that `aesc run` and `aesc sweep` share; what is not given is the preset's."""
    parser.add_argument("--data", help="dataset or category folder (default: embedded)")
    parser.add_argument("--preset", help="quick, standard or paper (default: quick)")
    parser.add_argument("--size", type=int, help="image side in pixels (default: the preset's)")
    parser.add_argument("--epochs", type=int, help="training epochs (default: the preset's)")
    parser.add_argument("--channels", type=int, help="1 grey, 3 colour (default: the model's)")
    parser.add_argument("--passes", type=int, help="dropout passes (default: 30)")
    parser.add_argument("--device", help="auto, cpu, cuda, cuda:N, mps (default: auto)")


def _settings(options: argparse.Namespace, names: Collection[str]) -> dict[str, object]:
    """The options of those names that were given."""
    return {name: v for name, v in vars(options).items() if name in names and v is not None}


def _varied(text: str) -> tuple[str, list[str]]:
    """``NAME=A,B`` as a name and its values."""
    name, equals, values = text.partition("=")
    if not (equals and values):
        raise InputError(f"--vary {text} is not possible: write NAME=A,B, such as size=64,128.")
    return name, values.split(",")


def _table(options: argparse.Namespace) -> int:
    from aesc.files import whole_file
    from aesc.sweep import Store
    from aesc.sweep.render import render
    from aesc.sweep.table import comparison_table, environment_notes, paper_records, results_table

    records = Store(options.folder).records()
    table = (comparison_table if options.paper else results_table)(records, options.mixed)
    if table.empty:
        raise InputError(
            f"{options.folder} holds no record of a category of the paper: run a category of "
            "MVTec AD first, or leave out --paper."
        )
    notes = environment_notes(paper_records(records) if options.paper else records)
    for note in notes:
        print(f"aesc: note: {note}", file=sys.stderr)
    text = render(table, options.format, notes)
    if options.out is None:
        print(text, end="")
    else:
        with whole_file(options.out) as temporary:
            temporary.write_text(text, encoding="utf-8")
        print(options.out)
    return 0


def _info(options: argparse.Namespace) -> int:
    from aesc.device import available_devices, resolve_device
    from aesc.experiment import environment

    for name, value in environment(resolve_device()).model_dump().items():
        print(f"{name:9} {value}")
    print(f"{'devices':9} {', '.join(available_devices())}")
    return 0

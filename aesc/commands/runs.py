"""The commands that train and evaluate: one run, or a sweep of many."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from aesc.commands.terminal import (
    DEVICES,
    PLACE,
    Commands,
    local_path,
    print_error,
    print_notes,
    resuming,
)
from aesc.errors import InputError

if TYPE_CHECKING:
    from aesc.experiment import RunConfig
    from aesc.records import Record, Store


def add_parsers(commands: Commands) -> None:
    """Add the parsers of this module to those of the command."""
    _add_run(commands)
    _add_sweep(commands)


def _add_run(commands: Commands) -> None:
    run = commands.add_parser("run", help="train and evaluate one category, in its notebook")
    run.add_argument("category", help="name of the category")
    _add_settings(run)
    run.add_argument("--model", help="a method that `aesc info` lists (default: aesc)")
    run.add_argument("--corruption", help="corruption to learn to undo (default: the method's own)")
    run.add_argument("--seed", type=int, help="seed (default: 0)")
    run.set_defaults(command=_run)


def _add_sweep(commands: Commands) -> None:
    sweep = commands.add_parser("sweep", help="many runs at once: categories, methods, seeds")
    sweep.add_argument("category", nargs="+", help="names, or 'all' for every category of the data")
    _add_settings(sweep)
    sweep.add_argument(
        "--models", nargs="+", help="methods that `aesc info` lists, or 'all' (default: aesc)"
    )
    sweep.add_argument(
        "--corruptions",
        nargs="+",
        help="names, or 'all', for methods that leave a choice (default: the method's own)",
    )
    sweep.add_argument("--seeds", nargs="+", type=int, help="seeds (default: 0)")
    sweep.add_argument(
        "--vary", nargs="+", default=[], metavar="NAME=A,B", help="another parameter and its values"
    )
    sweep.add_argument(
        "--notebook", type=local_path, help="another notebook with the same parameters"
    )
    sweep.add_argument(
        "--jobs", type=int, help="runs at a time (default and most: one per GPU or core)"
    )
    sweep.add_argument("--scheduler", help="address of a Dask scheduler")
    sweep.add_argument("--cluster", type=local_path, help="YAML file of a Dask cluster")
    sweep.add_argument("--dry-run", action="store_true", help="only list the runs")
    sweep.set_defaults(command=_sweep)


def _add_settings(parser: argparse.ArgumentParser) -> None:
    """Options that `aesc run` and `aesc sweep` share; what is not given is the preset's."""
    parser.add_argument("--data", help="dataset or category folder (default: embedded)")
    parser.add_argument("--preset", help="a budget that `aesc info` lists (default: quick)")
    parser.add_argument("--size", type=int, help="image side in pixels (default: the preset's)")
    parser.add_argument(
        "--tile", type=int, help="cut images into squares with sides of this many pixels"
    )
    parser.add_argument("--epochs", type=int, help="training epochs (default: the preset's)")
    parser.add_argument("--channels", type=int, help="1 grey, 3 colour (default: the method's)")
    parser.add_argument("--passes", type=int, help="dropout passes (default: 30)")
    parser.add_argument("--device", help=DEVICES)
    parser.add_argument("--out", default="runs", help=f"{PLACE} (default: runs)")


def _run(options: argparse.Namespace) -> int:
    from aesc.errors import NotebookError
    from aesc.experiment import RunConfig
    from aesc.records import Store
    from aesc.sweep import check_categories

    config = RunConfig.checked(**_settings(options, RunConfig.model_fields))
    check_categories([config])
    store = Store(options.out)
    try:
        with resuming(lambda: _is_kept([config], store)):
            record = _finished_or_run(config, store)
    except NotebookError as error:
        return print_error(str(error), code=1)
    print_notes([record])
    for kind in record.metrics:
        print(f"{config.name}  {kind} image AUROC {record.image_metrics(kind).auroc:.3f}")
    print(f"notebook, record and weights: {store.folder or store.address}/{config.name}.*")
    return 0


def _finished_or_run(config: RunConfig, store: Store) -> Record:
    """The record of a run, which is run if need be."""
    from aesc.sweep.running import run_in

    store.check()
    record = store.finished(config)
    state = "finished before" if record else "running"
    print(f"{config.name}: {state}", file=sys.stderr, flush=True)
    return record or run_in(config, store, notebook=None, progress=True)


def _is_kept(configs: Sequence[RunConfig], store: Store) -> bool:
    """Whether the same runs would find something to go on with."""
    folder = store.folder
    if folder is not None and any((folder / f"{c.name}.checkpoint").exists() for c in configs):
        return True
    with suppress(InputError):  # it is out of reach
        return any(store.finished(config) for config in configs)
    return False


def _sweep(options: argparse.Namespace) -> int:
    from aesc.experiment import RunConfig
    from aesc.records import Store
    from aesc.sweep import check_categories, plan, sweep

    several = {"models", "corruptions", "seeds"}
    shared = _settings(options, several | RunConfig.model_fields.keys() - {"category"})
    vary = dict(_varied(text) for text in options.vary)
    configs = plan(options.category, vary=vary, **shared)
    if options.dry_run:
        check_categories(configs)
        print(*(config.name for config in configs), sep="\n")
        return 0
    with resuming(lambda: _is_kept(configs, Store(options.out))):
        outcomes = sweep(
            configs,
            options.out,
            scheduler=options.scheduler,
            specification=options.cluster,
            jobs=options.jobs,
            notebook=options.notebook,
        )
    failed = [outcome for outcome in outcomes if outcome.record is None]
    print_notes(outcome.record for outcome in outcomes if outcome.record is not None)
    print(f"{len(outcomes) - len(failed)} of {len(outcomes)} runs are finished in {options.out}")
    for outcome in failed:
        print_error(f"{outcome.config.name}: {outcome.error}")
    return 2 if any(outcome.bad_input for outcome in failed) else int(bool(failed))


def _settings(options: argparse.Namespace, names: Collection[str]) -> dict[str, Any]:
    """The options of those names that were given."""
    return {name: v for name, v in vars(options).items() if name in names and v is not None}


def _varied(text: str) -> tuple[str, list[str]]:
    """``NAME=A,B`` as a name and its values."""
    name, equals, values = text.partition("=")
    if not (equals and values):
        raise InputError(f"--vary is {text!r}: write NAME=A,B, such as size=64,128.")
    return name, values.split(",")

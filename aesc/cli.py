"""The ``aesc`` command: it reads arguments, calls the package, prints. Bad input exits with code 2.

Imports are inside the functions, so that ``aesc --help`` does not wait for torch.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
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

    run = commands.add_parser("run", help="train and evaluate categories, one notebook each")
    run.add_argument("category", nargs="+", help="names, or 'all' for every category of the data")
    run.add_argument(
        "--data", default="embedded", help="dataset or category folder (default: embedded)"
    )
    run.add_argument("--preset", default="quick", help="quick, standard or paper (default: quick)")
    run.add_argument("--model", default="aesc", help="aesc or ae (default: aesc)")
    run.add_argument(
        "--corruption", default="stain", help="what the network unlearns (default: stain)"
    )
    run.add_argument("--size", type=int, help="image side in pixels (default: the preset's)")
    run.add_argument("--epochs", type=int, help="training epochs (default: the preset's)")
    run.add_argument("--channels", type=int, default=1, help="1 grey, 3 colour (default: 1)")
    run.add_argument("--passes", type=int, help="dropout passes (default: 30)")
    run.add_argument("--seed", type=int, default=0, help="seed (default: 0)")
    run.add_argument(
        "--device", default="auto", help="auto, cpu, cuda, cuda:N, mps (default: auto)"
    )
    run.add_argument("--out", type=Path, default=Path("runs"), help="output folder (default: runs)")
    run.set_defaults(command=_run)

    table = commands.add_parser("table", help="table of the records in a folder")
    table.add_argument("folder", nargs="?", type=Path, default=Path("runs"), help="(default: runs)")
    table.add_argument("--format", choices=("markdown", "csv"), default="markdown")
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
    from aesc.experiment import RunConfig
    from aesc.sweep import finished_record, run_notebook

    names = RunConfig.model_fields.keys() & vars(options).keys() - {"category"}
    values = {name: getattr(options, name) for name in names}
    configs = [RunConfig.checked(**values, category=name) for name in _categories(options)]
    failures = []
    for position, config in enumerate(configs, start=1):
        record = finished_record(config, options.out)
        state = "finished before" if record else "running"
        print(f"[{position}/{len(configs)}] {config.name}: {state}", file=sys.stderr, flush=True)
        try:
            record = record or run_notebook(config, options.out)
        except (InputError, RuntimeError) as error:
            failures.append((config, error))
            print(f"aesc: error: {error}", file=sys.stderr)
            continue
        scores = {kind: m.image["l2"].auroc for kind, m in record.metrics.items()}
        print(
            config.name,
            *(f"{kind} image AUROC {auroc:.3f}" for kind, auroc in scores.items()),
            sep="  ",
        )
    if failures and len(configs) > 1:
        print(f"{len(failures)} of {len(configs)} runs failed:", file=sys.stderr)
        for config, error in failures:
            print(f"  {config.name}: {error}", file=sys.stderr)
    return 2 if any(isinstance(error, InputError) for _, error in failures) else int(bool(failures))


def _categories(options: argparse.Namespace) -> list[str]:
    """The categories asked for, ``all`` spelled out, each once."""
    if "all" not in options.category:
        return list(dict.fromkeys(options.category))
    if options.data == "embedded":
        from aesc.synthetic import CATEGORIES

        return list(CATEGORIES)
    from aesc.data import category_names

    return category_names(options.data)


def _table(options: argparse.Namespace) -> int:
    from aesc.experiment import load_records
    from aesc.files import whole_file
    from aesc.sweep import results_table

    table = results_table(load_records(options.folder))
    text = (
        table.to_csv(index=False)
        if options.format == "csv"
        else table.to_markdown(index=False, floatfmt=".3f") + "\n"
    )
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

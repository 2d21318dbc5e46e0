"""The command that generates or fetches data."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from aesc.commands.terminal import Commands, local_path, resuming
from aesc.errors import InputError


def add_parsers(commands: Commands) -> None:
    """Add the parser of this module to those of the command."""
    data = commands.add_parser("data", help="generate the embedded data set, or fetch MVTec AD")
    data.add_argument(
        "dataset",
        nargs="?",
        choices=("embedded", "mvtec"),
        default="embedded",
        help="which one (default: embedded)",
    )
    data.add_argument("--size", type=int, help="embedded: image side in pixels (default: 128)")
    data.add_argument("--seed", type=int, help="embedded: seed (default: 0)")
    data.add_argument(
        "--out", type=local_path, help="folder (default: embedded: the cache; mvtec: data)"
    )
    data.add_argument("--source", type=local_path, help="mvtec: an archive or folder that you have")
    data.add_argument("--url", help="mvtec: another address of the archive")
    data.set_defaults(command=_data)


def _data(options: argparse.Namespace) -> int:
    other = ("size", "seed") if options.dataset == "mvtec" else ("source", "url")
    for name in other:
        if getattr(options, name) is not None:
            raise InputError(
                f"--{name} is {getattr(options, name)}: leave it out, since `aesc data "
                f"{options.dataset}` has no such choice."
            )
    progress = sys.stderr.isatty()
    if options.dataset == "mvtec":
        from aesc.data import fetch_mvtec

        folder = options.out or Path("data")
        with resuming(lambda: options.source is None):  # a download; an archive is read anew
            print(fetch_mvtec(folder, options.source, options.url, progress=progress))
        return 0
    from aesc.synthetic import CATEGORIES, SIZE, embedded

    with resuming(lambda: True):  # the categories that are whole
        folder = embedded(
            SIZE if options.size is None else options.size,
            seed=options.seed or 0,
            cache=options.out,
            progress=progress,
        )
    for name, spec in CATEGORIES.items():
        print(f"{name:10} {spec.group:8} {spec.description} Defects: {', '.join(spec.defects)}.")
    print(folder)
    return 0

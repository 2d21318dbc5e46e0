"""The command that makes a table of records."""

from __future__ import annotations

import argparse

from aesc.commands.terminal import PLACE, Commands, local_path, print_note
from aesc.errors import InputError


def add_parsers(commands: Commands) -> None:
    """Add the parser of this module to those of the command."""
    table = commands.add_parser("table", help="table of the records in a folder")
    table.add_argument("folder", nargs="?", default="runs", help=f"{PLACE} (default: runs)")
    formats = ("markdown", "html", "csv", "latex")
    table.add_argument("--format", choices=formats, default="markdown", help="(default: markdown)")
    table.add_argument("--paper", action="store_true", help="set our results beside the paper's")
    table.add_argument(
        "--mixed", action="store_true", help="average even records that do not belong together"
    )
    table.add_argument("--out", type=local_path, help="write to this file instead of printing")
    table.set_defaults(command=_table)


def _table(options: argparse.Namespace) -> int:
    from aesc.files import whole_file
    from aesc.records import (
        Store,
        comparison_table,
        paper_records,
        render,
        results_table,
        table_notes,
    )

    records, skipped = Store(options.folder).scan()
    table = (comparison_table if options.paper else results_table)(records, options.mixed)
    if table.empty:
        raise InputError(
            f"{options.folder} holds no record of a category of the paper: run a category of "
            "MVTec AD first, or leave out --paper."
        )
    notes = table_notes(paper_records(records) if options.paper else records)
    for note in [*skipped, *notes]:
        print_note(note)
    text = render(table, options.format, notes)
    if options.out is None:
        print(text, end="")
    else:
        with whole_file(options.out) as temporary:
            temporary.write_text(text, encoding="utf-8")
        print(options.out)
    return 0

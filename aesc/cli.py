"""The ``aesc`` command: it reads arguments, calls a command, exits. Bad input exits with code 2."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence

from aesc.commands import data, detectors, exports, line, runs, tables
from aesc.commands.terminal import print_error
from aesc.errors import InputError

EXTRAS = {"onnx": "export", "onnxruntime": "export", "starlette": "serve", "uvicorn": "serve"}
"""By package, the extra that installs it; ``notebooks`` where nothing is said."""

RESUMING = ("data", "run", "sweep", "fit", "watch")
"""The commands that keep what they have done."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and exit.

    Exit codes: 0 done, 1 a run failed, 2 bad input, 130 interrupted, 141 nobody reads
    the output.

    Args:
        arguments: what is typed after ``aesc``; by default that of the process.

    Example:
        >>> from contextlib import suppress
        >>> with suppress(SystemExit):
        ...     main(["sweep", "washer", "--seeds", "0", "1", "--dry-run"])
        embedded-washer-aesc-stain-quick-64px-seed0
        embedded-washer-aesc-stain-quick-64px-seed1
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # for names that are not UTF-8
    options = _parser().parse_args(arguments)
    try:
        code = options.command(options)
        sys.stdout.flush()
    except InputError as error:
        code = print_error(str(error))
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in ("", "aesc"):  # a fault of ours
            raise
        extra = EXTRAS.get(package, "notebooks")
        code = print_error(f"The package {package} is missing: pip install 'aesc[{extra}]'.")
    except BrokenPipeError:  # whoever reads the output, such as `head`, has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 141
    except KeyboardInterrupt:
        remedy = ": the same command resumes where it stopped" if options.resumes else ""
        print(f"aesc: interrupted{remedy}", file=sys.stderr)
        code = 130
    sys.exit(code)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="aesc", description="Find defects by reconstruction: data, runs, tables, detectors."
    )
    commands = parser.add_subparsers(title="commands", required=True)
    for subject in (data, runs, tables, detectors, exports, line):
        subject.add_parsers(commands)
    for name, command in commands.choices.items():
        command.set_defaults(resumes=name in RESUMING)
    return parser

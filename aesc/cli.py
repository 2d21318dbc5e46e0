"""The ``aesc`` command: it reads arguments, calls a command, exits. Bad input exits with code 2."""

from __future__ import annotations

import argparse
import errno
import io
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from aesc.commands import data, detectors, exports, fitting, line, runs, tables
from aesc.commands.terminal import InterruptedWorkError, print_error
from aesc.errors import InputError
from aesc.files import unwritable

EXTRAS = {"onnx": "export", "onnxruntime": "export", "starlette": "serve", "uvicorn": "serve"}
"""By package, the extra that installs it; ``notebooks`` where nothing is said."""

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Errors of the operating system when a stream has no more room. Those of a file name the file."""


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
    _open_streams()
    try:
        code = _called(arguments)
    except InputError as error:
        code = print_error(str(error))
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in ("", "aesc"):  # a fault of ours
            raise
        extra = EXTRAS.get(package, "notebooks")
        code = print_error(f"The package {package} is missing: pip install 'aesc[{extra}]'.")
    except BrokenPipeError:  # whoever reads the output, such as `head`, has read enough
        _drop_output()
        code = 141
    except OSError as error:
        if error.filename is not None or error.errno not in FULL:
            raise
        _drop_output()
        code = print_error(str(unwritable(Path("the output"), error)))
    except KeyboardInterrupt as error:
        if arguments is None:  # the process is this command's: nothing is left to be interrupted
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        will = f": {error}" if isinstance(error, InterruptedWorkError) else ""
        print(f"aesc: interrupted{will}", file=sys.stderr)
        code = 130
    sys.exit(code)


def _called(arguments: Sequence[str] | None) -> int:
    """Run the command; all that it printed has left the process."""
    try:
        options = _parser().parse_args(arguments)
        code: int = options.command(options)
        return code
    finally:
        sys.stdout.flush()


def _open_streams() -> None:
    """Open nothing in the place of a standard stream that is closed, as a service may have them.

    Otherwise the next file that is opened gets its number, and what is meant for the stream.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # for names that are not UTF-8


def _drop_output() -> None:
    """Have what stdout still holds, which it writes at the end, go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _Parser(argparse.ArgumentParser):
    """A parser that tells how to name a file that begins with a dash."""

    _given: Sequence[str] = ()

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        self._given = sys.argv[1:] if args is None else args
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        for name in self._given:
            if name.startswith("-") and name.strip("-") and os.path.lexists(name):
                message += f"; {name} begins with a dash: give ./{name}"
        super().error(message)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="aesc", description="Find defects by reconstruction: data, runs, tables, detectors."
    )
    commands = parser.add_subparsers(title="commands", required=True)
    for subject in (data, runs, tables, fitting, detectors, exports, line):
        subject.add_parsers(commands)
    return parser

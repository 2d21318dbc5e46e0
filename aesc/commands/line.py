"""The commands that stand beside a machine: watch, serve."""

from __future__ import annotations

import argparse
import sys
from collections import Counter

from aesc.commands.detectors import verdict_line
from aesc.commands.terminal import DEVICES, Commands, local_path, print_note, resuming
from aesc.errors import InputError


def add_parsers(commands: Commands) -> None:
    """Add the parsers of this module to those of the command."""
    watch = commands.add_parser("watch", help="score the images of a folder as they arrive")
    watch.add_argument("model", type=local_path, help="file of a detector")
    watch.add_argument("folder", type=local_path, help="folder that images arrive in")
    watch.add_argument(
        "--out", type=local_path, required=True, help="folder for results.csv, sorted/"
    )
    watch.add_argument(
        "--settle",
        type=float,
        default=0.5,
        help="seconds for which a file must not change before it is read (default: 0.5)",
    )
    watch.add_argument(
        "--interval", type=float, default=0.5, help="seconds between two looks (default: 0.5)"
    )
    watch.add_argument(
        "--existing",
        default="score",
        help="images that are there at the very first start: score or skip (default: score)",
    )
    watch.add_argument(
        "--sort",
        default="none",
        help="copy puts a copy of each image into sorted/VERDICT (default: none)",
    )
    watch.add_argument("--until", type=int, help="stop when results.csv has this many rows")
    watch.add_argument("--recursive", action="store_true", help="folders inside the folder as well")
    watch.add_argument("--json", action="store_true", help="print a line of JSON for each image")
    watch.add_argument("--device", default="auto", help=DEVICES)
    watch.set_defaults(command=_watch)

    serve = commands.add_parser("serve", help="answer over HTTP: an image in, a verdict out")
    serve.add_argument("models", nargs="+", type=local_path, help="files of detectors")
    serve.add_argument(
        "--host", default="127.0.0.1", help="address (default: 127.0.0.1, this machine alone)"
    )
    serve.add_argument("--port", type=int, default=8000, help="0 for any (default: 8000)")
    serve.add_argument(
        "--max-megabytes", type=int, default=64, help="largest body of a request (default: 64)"
    )
    serve.add_argument("--queue", type=int, default=32, help="requests that may wait (default: 32)")
    serve.add_argument("--device", default="auto", help=DEVICES)
    serve.set_defaults(command=_serve)


def _watch(options: argparse.Namespace) -> int:
    from aesc.detector import load
    from aesc.detector.report import as_json
    from aesc.watch import WatchSettings, watch

    settings = WatchSettings(
        settle=options.settle,
        interval=options.interval,
        existing=options.existing,
        sort=options.sort,
        until=options.until,
        recursive=options.recursive,
    )
    detector = load(options.model, options.device)
    counts: Counter[str] = Counter()
    with resuming(lambda: True):  # every row is on the disk
        for result in watch(detector, options.folder, options.out, settings, print_note):
            counts[result.verdict] += 1
            print(as_json(result) if options.json else verdict_line(result), flush=True)
    print(", ".join(f"{number} {verdict}" for verdict, number in counts.items()), file=sys.stderr)
    return int(counts["error"] > 0)


def _serve(options: argparse.Namespace) -> int:
    from aesc.detector import load
    from aesc.serve import LOOPBACK, ServeSettings, listening, serve

    alone = options.host in LOOPBACK
    hosts = LOOPBACK if alone else None
    settings = ServeSettings(options.max_megabytes, options.queue, hosts=hosts)
    names = [path.stem for path in options.models]
    if len(set(names)) < len(names):
        raise InputError(
            f"The models are called {', '.join(names)}: give files whose names differ, since they "
            "are asked by name."
        )
    with listening(options.host, options.port) as bound:
        detectors = {path.stem: load(path, options.device) for path in options.models}
        host, port = bound.getsockname()[:2]
        if not alone:
            print_note(f"whoever reaches {host} can ask: there is no password.")
        place = f"[{host}]" if ":" in host else host  # IPv6 has colons of its own
        print(f"serving {', '.join(names)} at http://{place}:{port}", flush=True)
        serve(detectors, bound, settings)
    return 0

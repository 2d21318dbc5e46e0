"""How long fresh interpreters take to import the package and to show the help of the command.

python -m benchmarks.startup [--quick]
"""

from __future__ import annotations

import statistics
import subprocess
import sys

from benchmarks.harness import arguments, compare, seconds, write

LONGEST_HELP = 0.5


def main() -> None:
    """Measure and write."""
    options = arguments(__doc__.splitlines()[0])
    repeats = 3 if options.quick else 11
    assert "usage: aesc" in run("-m", "aesc", "--help")
    assert run("-c", "import aesc; print(aesc.__name__)").strip() == "aesc"
    row = compare(
        "import aesc in a fresh interpreter",
        "import torch in one",
        lambda: run("-c", "import torch"),
        lambda: run("-c", "import aesc"),
        1 / 1.1,
        repeats=repeats,
    )
    help_seconds = median_seconds(repeats, "-m", "aesc", "--help")
    network_seconds = median_seconds(repeats, "-c", "import aesc.model, aesc.noise, aesc.training")
    print(f"aesc --help: {help_seconds:.3f} s (at most {LONGEST_HELP:g} s)")
    write(
        options,
        "startup",
        [row],
        help_seconds=help_seconds,
        longest_help_seconds=LONGEST_HELP,
        import_of_network_noise_and_training_over_torch=network_seconds / row.reference_seconds,
    )


def run(*words: str) -> str:
    """What a fresh interpreter prints with these arguments."""
    done = subprocess.run([sys.executable, *words], check=True, capture_output=True, text=True)
    return done.stdout


def median_seconds(repeats: int, *words: str) -> float:
    """Of fresh interpreters with these arguments."""
    return statistics.median(seconds(lambda: run(*words)) for _ in range(repeats))


if __name__ == "__main__":
    main()

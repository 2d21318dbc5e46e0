"""Every benchmark, one after the other, each in a process of its own.

    python -m benchmarks [--quick] [--threads N]

About four hours on two cores, most of them for the trainings of relit, trust and steps;
``--quick`` tries the scripts in a few minutes and keeps no result.
"""

import subprocess
import sys

NAMES = (
    "training_step",
    "alternatives",
    "inference",
    "corruption",
    "metrics",
    "reading",
    "startup",
    "growth",
    "sweep_overhead",
    "promise",
    "solar",
    "relit",
    "trust",
    "exposure",
    "steps",
    "exported",
    "practice",
    "gpu",
)


def main() -> int:
    """Return the exit code: 1 when one of them failed; the others are measured all the same."""
    failed = []
    for place, name in enumerate(NAMES, start=1):
        print(f"== benchmark {place}/{len(NAMES)}: {name}", flush=True)
        command = [sys.executable, "-m", f"benchmarks.{name}", *sys.argv[1:]]
        if subprocess.run(command, check=False).returncode:
            failed.append(name)
    if failed:
        print(f"Failed: {', '.join(failed)}; what they print above says why.", file=sys.stderr)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())

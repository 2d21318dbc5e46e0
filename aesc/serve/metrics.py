"""What the service counted, in the text format of Prometheus."""

from __future__ import annotations

from collections.abc import Mapping

from aesc.detector.result import VERDICTS
from aesc.serve.scoring import Scorer


def exposition(scorer: Scorer, refused: Mapping[int, int]) -> str:
    """All counters and gauges.

    Args:
        scorer: whose counts.
        refused: by status code, requests that were refused.
    """
    families: dict[tuple[str, str, str], list[tuple[str, float]]] = {
        ("aesc_images_total", "counter", "Images scored."): [
            (f'{{model="{_escaped(name)}",verdict="{verdict}"}}', scorer.counts[name, verdict])
            for name in scorer.detectors
            for verdict in VERDICTS
        ],
        ("aesc_seconds_total", "counter", "Time of reading and scoring."): [
            (f'{{model="{_escaped(name)}"}}', scorer.seconds[name]) for name in scorer.detectors
        ],
        ("aesc_drift_alarm", "gauge", "1 when the last images are unlike the good ones."): [
            (f'{{model="{_escaped(name)}"}}', int(drift.state.alarm))
            for name, drift in scorer.drifts.items()
        ],
        ("aesc_waiting", "gauge", "Requests that wait or are computed."): [("", scorer.waiting)],
        ("aesc_refused_total", "counter", "Requests refused, by status."): [
            (f'{{status="{status}"}}', count) for status, count in sorted(refused.items())
        ],
    }
    lines = []
    for (name, kind, text), samples in families.items():
        lines += [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]
        lines += [f"{name}{labels} {value}" for labels, value in samples]
    return "\n".join(lines) + "\n"


def _escaped(label: str) -> str:
    """A label's value as the format wants it, in UTF-8 though a file's name need not be.

    Example:
        >>> _escaped('part "A"')
        'part \\\\"A\\\\"'
    """
    label = label.encode("utf-8", "replace").decode()
    return label.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

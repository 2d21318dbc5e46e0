"""What a sweep says while it runs: a bar in a terminal, a line for each run everywhere."""

from __future__ import annotations

import sys
import threading
from collections.abc import Collection

from tqdm import tqdm

from aesc.experiment import PRESETS, RunConfig


class Progress(tqdm):
    """A bar that counts training work rather than runs, since runs differ in length.

    Args:
        configs: all runs.
        finished: those of them that need no repeating.
        shown: say anything at all. A bar is drawn in a terminal only.
    """

    def __init__(
        self, configs: Collection[RunConfig], finished: Collection[RunConfig], shown: bool
    ) -> None:
        self._over = threading.Event()
        super().__init__(
            total=sum(_work(config) for config in configs if config not in finished),
            bar_format="{percentage:3.0f}% |{bar}| {desc} [{elapsed}<{remaining}]",
            disable=not (shown and sys.stderr.isatty()),  # in a log file, lines say enough
        )
        self.shown, self.runs, self.done, self.failed = shown, len(configs), len(finished), 0
        if finished:
            self.say(f"{len(finished)} of {len(configs)} runs finished before")
        self._describe()
        if not self.disable:
            threading.Thread(target=self._tick, daemon=True).start()

    def close(self) -> None:
        """End the bar and its clock."""
        self._over.set()
        super().close()

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        if self.shown:
            self.write(text, file=sys.stderr)

    def count(self, config: RunConfig, failed: bool, summary: str) -> None:
        """Count a run that is over, and say how it went.

        Args:
            config: the run.
            failed: it gave no record.
            summary: what to say of it.
        """
        if failed:
            self.failed += 1
        else:
            self.done += 1
        self.say(f"[{self.done + self.failed}/{self.runs}] {config.name}: {summary}")
        self._describe()
        self.update(_work(config))

    def _tick(self) -> None:
        """Let the clock go on between two runs."""
        while not self._over.wait(1):
            self.refresh()

    def _describe(self) -> None:
        failed = f", {self.failed} failed" if self.failed else ""
        self.set_description_str(f"{self.done} of {self.runs} runs done{failed}")


def _work(config: RunConfig) -> int:
    """Training work of a run, in pixels: what its duration mostly depends on."""
    settings = PRESETS[config.preset].training
    side = config.tile or config.size
    return config.epochs * settings.batches * settings.batch_size * side**2

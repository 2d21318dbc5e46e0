"""A folder that a camera writes into: each image gets its verdict once.

The folder is looked at again and again, which works on network drives as well, where nobody is told
of new files. A row of ``results.csv`` is on the disk before the next image is scored, and a start
reads the rows back: so a process that was killed, at any moment, goes on where it stopped. Images
are neither moved nor changed.

Example:
    >>> import tempfile
    >>> from pathlib import Path
    >>> from shutil import copy
    >>> from aesc.detector import FitSettings, fit, good_files, survey
    >>> from aesc.synthetic import embedded
    >>> from aesc.training import TrainingSettings
    >>> good = good_files(embedded(64, names=["washer"]) / "washer")
    >>> schedule = TrainingSettings(1, 2, 4)
    >>> detector = fit(survey(good), FitSettings(size=64), schedule, progress=False)
    >>> folder, out = Path(tempfile.mkdtemp()), Path(tempfile.mkdtemp())
    >>> for path in good[:2]:
    ...     _ = copy(path, folder)
    >>> quick = WatchSettings(settle=0.01, interval=0.01, until=2)
    >>> sorted(result.image for result in watch(detector, folder, out, quick))
    ['000.png', '001.png']
    >>> len(list(watch(detector, folder, out, quick)))  # both have their row
    0
"""

from aesc.watch.loop import WatchSettings, watch
from aesc.watch.table import ResultTable

__all__ = ["ResultTable", "WatchSettings", "watch"]

"""A detector without a network, for tests of what stands around it: its score is the mean grey."""

import time
from collections.abc import Sequence

import numpy as np
from torch import nn

from aesc.detector import Calibration, Detector, Picture, Preprocessing, Result
from aesc.watch import WatchSettings, watch

QUICK = {"settle": 0.02, "interval": 0.01}


class QuickDetector(Detector):
    """Takes ``PAUSE`` seconds for an image."""

    PAUSE = 0.0

    def judge(self, pictures: Sequence[Picture], last: str = "") -> list[Result]:
        time.sleep(self.PAUSE * len(pictures))
        found = []
        for picture in pictures:
            score, calibration = float(picture.pixels.mean()), self.images
            assert calibration is not None
            verdict = "reject" if score > self.threshold else "good"
            notes = ("repeated",) if picture.digest == last else ()
            last = picture.digest
            p_value = calibration.p_value(score)
            found.append(Result(picture.name, verdict, score, self.threshold, p_value, (), notes))
        return found


class SlowDetector(QuickDetector):
    """Leaves time to be killed in."""

    PAUSE = 0.004


def quick_detector(kind: type[QuickDetector] = QuickDetector) -> QuickDetector:
    """Calibrated on greys from 0.25 to 0.75."""
    scores = Calibration.of(np.linspace(0.25, 0.75, 199))
    return kind(nn.Identity(), "aesc", Preprocessing((8, 8), 1, 255), images=scores, pixels=scores)


def watch_slowly(folder: str, out: str, until: int) -> None:
    """What a process does that is going to be killed."""
    settings = WatchSettings(**QUICK, sort="copy", until=until)
    for _ in watch(quick_detector(SlowDetector), folder, out, settings):
        pass

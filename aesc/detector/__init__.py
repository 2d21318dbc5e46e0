"""From a folder of good images to a verdict on a new part.

A detector is trained on good images, sets its threshold on others, and then says of any image
whether it looks like them, where it does not, and how often it would say so of a good one.

Example:
    >>> from aesc.detector import FitSettings, fit, good_files, survey
    >>> from aesc.synthetic import embedded
    >>> from aesc.training import TrainingSettings
    >>> good = good_files(embedded(64, names=["washer"]) / "washer")
    >>> detector = fit(
    ...     survey(good), FitSettings(size=64), TrainingSettings(1, 2, 4), progress=False
    ... )
    >>> detector.predict(good[0]).size
    (64, 64)
"""

from aesc.detector.calibration import Calibration, Promise, images_needed
from aesc.detector.detector import Detector
from aesc.detector.drift import Drift, DriftState
from aesc.detector.familiar import Familiar
from aesc.detector.fitting import fit, least_typical
from aesc.detector.inputs import Picture, Preprocessing
from aesc.detector.limit import DetectionLimit, detection_limit
from aesc.detector.region import RegionOfInterest
from aesc.detector.result import Region, Result
from aesc.detector.settings import FitSettings
from aesc.detector.storage import load, save
from aesc.detector.survey import Good, Survey, good_files, survey
from aesc.tiling import Tiling

__all__ = [
    "Calibration",
    "DetectionLimit",
    "Detector",
    "Drift",
    "DriftState",
    "Familiar",
    "FitSettings",
    "Good",
    "Picture",
    "Preprocessing",
    "Promise",
    "Region",
    "RegionOfInterest",
    "Result",
    "Survey",
    "Tiling",
    "detection_limit",
    "fit",
    "good_files",
    "images_needed",
    "least_typical",
    "load",
    "save",
    "survey",
]

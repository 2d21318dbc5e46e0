"""A detector as an ONNX file, or as a folder that needs neither torch nor this package.

Needs the packages of the extra ``export``. What is written has been run, and gives the detector's
own verdicts.

Example:
    >>> from pathlib import Path
    >>> from tempfile import mkdtemp
    >>> from aesc.detector import FitSettings, fit, good_files, survey
    >>> from aesc.synthetic import embedded
    >>> from aesc.training import TrainingSettings
    >>> good = good_files(embedded(64, names=["washer"]) / "washer")
    >>> detector = fit(
    ...     survey(good), FitSettings(size=64), TrainingSettings(1, 2, 4), progress=False
    ... )
    >>> checked = export(detector, Path(mkdtemp()) / "model.onnx", good[:2])
    >>> [each.difference < TOLERANCE for each in checked]
    [True, True]
"""

from aesc.export.bundle import bundle
from aesc.export.exporting import Checked, build, export
from aesc.export.predict import TOLERANCE, Model
from aesc.export.probes import write_probes
from aesc.export.reading import Input

__all__ = ["TOLERANCE", "Checked", "Input", "Model", "build", "bundle", "export", "write_probes"]

"""Reading a folder of images as one would write it: Pillow, numpy, a loop."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def read_folder(folder: Path, size: int) -> NDArray[np.float32]:
    """Grey images of a folder, in the order of their names: N x 1 x size x size in [0, 1]."""
    images = []
    for path in sorted(folder.glob("*.png")):
        image = Image.open(path).convert("L").resize((size, size), Image.Resampling.BILINEAR)
        images.append(np.asarray(image, dtype=np.float32) / np.float32(255))
    return np.stack(images)[:, None]

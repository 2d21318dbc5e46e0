"""The camera of the embedded categories: from a painted scene to an image and its exact mask."""

import numpy as np
from scipy import ndimage

from aesc.synthetic.fields import over
from aesc.synthetic.spec import Image, Mask


def photograph(
    rng: np.random.Generator,
    size: int,
    clean: Image,
    flawed: Image | None = None,
    noise: float = 0.012,
    closing: float = 0.012,
) -> tuple[Image, Mask]:
    """Photograph a painted scene: area mean to ``size`` pixels, sensor noise, and the exact mask.

    ``clean`` is the good scene and ``flawed`` the same scene with its defect (None for a good
    image), both painted at a whole multiple of ``size``. The mask is where the two differ before
    any noise, with gaps below ``closing`` (fraction of the side) closed and specks dropped. From
    2 pixels beyond the mask on, the image is exactly that of the good scene. ``noise`` is the
    standard deviation of the sensor noise at full brightness.
    """
    image = _reduce(clean, size)
    mask = np.zeros((size, size), dtype=bool)
    if flawed is not None:
        altered = _reduce(flawed, size)
        mask = _departure(image, altered, closing)
        fade = np.clip(1 - ndimage.distance_transform_edt(~mask) / 2, 0, 1)
        image = over(image, altered, fade)
    grain = rng.standard_normal((size, size, 1)) + 0.5 * rng.standard_normal((size, size, 3))
    return np.clip(image + noise * np.sqrt(0.2 + 0.8 * image) * grain / 1.12, 0, 1), mask


def _reduce(image: Image, size: int) -> Image:
    """Area mean of an image whose side is a multiple of ``size``, clipped to [0, 1]."""
    fold = image.shape[0] // size
    parts = [image[i::fold, j::fold] for i in range(fold) for j in range(fold)]
    return np.clip(sum(parts) / len(parts), 0.0, 1.0)


def _departure(clean: Image, flawed: Image, closing: float) -> Mask:
    """Where two images of one scene differ visibly: see :func:`photograph`."""
    size = clean.shape[0]
    difference = ndimage.gaussian_filter(np.abs(flawed - clean).max(axis=2), 0.5)
    # A subtle defect is outlined at a share of its own strength, so no defect has an empty mask.
    mask = difference > min(0.03, 0.3 * difference.max())
    radius = max(1, round(closing * size))
    padded = np.pad(mask, radius)
    ring = np.hypot(*np.ogrid[-radius : radius + 1, -radius : radius + 1]) <= radius
    closed = ndimage.binary_closing(padded, ring)[radius:-radius, radius:-radius]
    labels, count = ndimage.label(closed)
    areas = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    kept = areas >= min(0.0006 * size**2, areas.max(initial=0))
    return np.concatenate([[False], kept])[labels]

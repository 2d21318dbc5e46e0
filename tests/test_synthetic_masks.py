"""What the mask of each defect type must be: how many regions, how large."""

import numpy as np
import pytest
from scipy import ndimage

from aesc.synthetic import CATEGORIES, render_image

SHARES = {
    "cloth": {"cut": (0.02, 0.2), "missing_yarn": (0.01, 0.1), "snag": (0.05, 0.25)},
    "wood": {"knot": (0.02, 0.35), "split": (0.01, 0.06), "dent": (0.005, 0.05)},
    "terrazzo": {"crack": (0.01, 0.08), "lost_chips": (0.005, 0.15), "repair": (0.02, 0.2)},
    "bottle": {"oval": (0.1, 0.3), "crack": (0.005, 0.03), "chip": (0.004, 0.05)},
    "washer": {"crack": (0.005, 0.03), "dent": (0.004, 0.03)},
    "screw": {"burr": (0.003, 0.02), "bent": (0.03, 0.15)},
}
"""Share of the image for defects whose size is known from what they are; (0.002, 0.3) for others.

Wood's knot is the largest: it pushes the grain aside, and all of it is its trace. The oval
bottle differs from a round one along its whole wall.
"""

REGIONS = 5
"""At most: patches of rust, of bleeding print, or wires that are bent where they cross."""

ONE_THING = {"crack", "split", "burr", "chip", "snapped", "bridge", "broken"}
"""Defects that are one connected thing by their nature: all but a shadow or a splinter of their
mask is one region. A dent is not: it is its lit side and its dark side."""


@pytest.mark.parametrize(
    ("name", "defect"), [(n, d) for n, spec in CATEGORIES.items() for d in spec.defects]
)
def test_mask_is_what_the_defect_is(name, defect):
    low, high = SHARES.get(name, {}).get(defect, (0.002, 0.3))
    for index in range(10):
        image, mask = render_image(name, "test", defect, index, size=64)
        labels, regions = ndimage.label(mask, np.ones((3, 3)))
        largest = np.bincount(labels[labels > 0]).max()
        assert low <= mask.mean() <= high, (index, mask.mean())
        assert regions <= REGIONS, index
        assert defect not in ONE_THING or largest >= 0.9 * mask.sum(), (index, largest)
        assert image.min() >= 0 and image.max() <= 1

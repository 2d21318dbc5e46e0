"""The embedded data set: ten small generated categories with exact masks, the same for each seed.

Their defects come from other families than the training corruptions of :mod:`aesc.noise`:
testing on the shapes that a network was trained to remove would prove nothing.
"""

from aesc.synthetic.generate import (
    CATEGORIES,
    COUNTS,
    SIZE,
    VERSION,
    Counts,
    category_spec,
    embedded,
    good_images,
    render_category,
    render_image,
)
from aesc.synthetic.spec import Image, Mask, Spec

__all__ = [
    "CATEGORIES",
    "COUNTS",
    "SIZE",
    "VERSION",
    "Counts",
    "Image",
    "Mask",
    "Spec",
    "category_spec",
    "embedded",
    "good_images",
    "render_category",
    "render_image",
]

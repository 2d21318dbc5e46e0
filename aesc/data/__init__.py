"""Reading data: image files, category folders, and the MVTec AD data set."""

from aesc.data.category import Category, load_category
from aesc.data.images import MAX_PIXELS, read_image, read_mask
from aesc.data.layout import GOOD, category_names, resolve_category
from aesc.data.mvtec import (
    MVTEC_LICENCE,
    MVTEC_PAGE,
    MVTEC_SHA256,
    MVTEC_URL,
    fetch_mvtec,
)

__all__ = [
    "GOOD",
    "MAX_PIXELS",
    "MVTEC_LICENCE",
    "MVTEC_PAGE",
    "MVTEC_SHA256",
    "MVTEC_URL",
    "Category",
    "category_names",
    "fetch_mvtec",
    "load_category",
    "read_image",
    "read_mask",
    "resolve_category",
]

"""Reading data: image files, category folders, and the MVTec AD data set."""

from aesc.data.cache import image_cache
from aesc.data.category import MAX_VALIDATION, Category, load_category
from aesc.data.images import MAX_PIXELS, read_image, read_mask
from aesc.data.layout import GOOD, category_names, resolve_category
from aesc.data.mvtec import (
    MVTEC_LICENCE,
    MVTEC_PAGE,
    MVTEC_SHA256,
    MVTEC_URL,
    fetch_mvtec,
)
from aesc.data.stream import ImageStream

__all__ = [
    "GOOD",
    "MAX_PIXELS",
    "MAX_VALIDATION",
    "MVTEC_LICENCE",
    "MVTEC_PAGE",
    "MVTEC_SHA256",
    "MVTEC_URL",
    "Category",
    "ImageStream",
    "category_names",
    "fetch_mvtec",
    "image_cache",
    "load_category",
    "read_image",
    "read_mask",
    "resolve_category",
]

"""Reading data: image files, category folders, and the MVTec AD data set."""

from aesc.data.cache import image_cache
from aesc.data.category import MAX_VALIDATION, Category, load_category, split
from aesc.data.fingerprint import content_fingerprint, quick_fingerprint
from aesc.data.folders import (
    category_files,
    category_name,
    category_names,
    check_scorable,
    resolve_category,
)
from aesc.data.images import MAX_PIXELS, read_image
from aesc.data.layout import LAYOUTS, Layout, MVTecLayout, PlainLayout
from aesc.data.listing import GOOD, CategoryFiles, SourceFile
from aesc.data.mask_images import read_mask
from aesc.data.mvtec import (
    MVTEC_CATEGORIES,
    MVTEC_LICENCE,
    MVTEC_PAGE,
    MVTEC_SHA256,
    MVTEC_URL,
    fetch_mvtec,
)
from aesc.data.reading import ReadOptions
from aesc.data.stream import ImageStream

__all__ = [
    "GOOD",
    "LAYOUTS",
    "MAX_PIXELS",
    "MAX_VALIDATION",
    "MVTEC_CATEGORIES",
    "MVTEC_LICENCE",
    "MVTEC_PAGE",
    "MVTEC_SHA256",
    "MVTEC_URL",
    "Category",
    "CategoryFiles",
    "ImageStream",
    "Layout",
    "MVTecLayout",
    "PlainLayout",
    "ReadOptions",
    "SourceFile",
    "category_files",
    "category_name",
    "category_names",
    "check_scorable",
    "content_fingerprint",
    "fetch_mvtec",
    "image_cache",
    "load_category",
    "quick_fingerprint",
    "read_image",
    "read_mask",
    "resolve_category",
    "split",
]

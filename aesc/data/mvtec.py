"""The MVTec AD data set: from a folder, from a local archive, or downloaded and checked.

Bergmann, Fauser, Sattlegger, Steger: MVTec AD, a comprehensive real-world dataset for unsupervised
anomaly detection, CVPR 2019.
"""

from __future__ import annotations

import os
from pathlib import Path

from aesc._checks import quoted
from aesc.data.archive import extract, write_errors
from aesc.data.folders import absolute
from aesc.data.layout import MVTecLayout
from aesc.data.listing import folders
from aesc.data.transfer import check_digest, download
from aesc.errors import InputError
from aesc.paths import is_folder

MVTEC_CATEGORIES = (
    *("bottle", "cable", "capsule", "carpet", "grid", "hazelnut", "leather", "metal_nut"),
    *("pill", "screw", "tile", "toothbrush", "transistor", "wood", "zipper"),
)
"""Names of its fifteen categories, by which a folder is recognised as this data set."""

MVTEC_PAGE = "https://www.mvtec.com/company/research/datasets/mvtec-ad"
"""Official page, where the archive can be had by hand."""

MVTEC_URL = (
    "https://www.mydrive.ch/shares/150996/b52ecdcbf521176e9db9c731f2304b27/download/"
    "420938113-1629960298/mvtec_anomaly_detection.tar.xz"
)
"""Address of the archive (about 5 GB); it moves now and then, hence ``AESC_MVTEC_URL``."""

MVTEC_SHA256 = "cf4313b13603bec67abb49ca959488f7eedce2a9f7795ec54446c649ac98cd3d"
"""SHA-256 of the archive."""

MVTEC_LICENCE = (
    "MVTec AD is licensed CC BY-NC-SA 4.0 (no commercial use; credit MVTec Software GmbH; share "
    f"alike): {MVTEC_PAGE}"
)

_ARCHIVE = "mvtec_anomaly_detection.tar.xz"
_BY_HAND = f"get {_ARCHIVE} by hand from {MVTEC_PAGE} and pass that file as source"


def fetch_mvtec(
    destination: str | Path,
    source: str | Path | None = None,
    url: str | None = None,
    sha256: str = MVTEC_SHA256,
    progress: bool = True,
) -> Path:
    """Return a folder that holds the categories of MVTec AD, downloading it if need be.

    The licence is printed. A download goes to a ``.part`` file beside ``destination``, and the next
    call resumes it where it broke off; it is deleted once it is extracted. An archive of that
    name that lies there already is used in its place, and kept. Extraction fills a temporary
    folder that is then renamed, so ``destination`` is whole or absent; temporary folders of
    processes that were killed are removed.

    Args:
        destination: dataset folder to make; if it already holds all of `MVTEC_CATEGORIES` it is
            returned as it is.
        source: an extracted dataset folder, which is returned as it is, or a local archive, whose
            checksum is looked at in any case; None downloads.
        url: address of the archive; None takes the environment variable ``AESC_MVTEC_URL``, and
            without it ``MVTEC_URL``.
        sha256: SHA-256 the archive must have, in hex digits.
        progress: show bars with bytes and time left.

    Returns:
        The absolute path of the dataset folder.

    Raises:
        InputError: the source, the download or the archive is unusable, or ``destination`` cannot
            be written or holds something else.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     (Path(folder) / "bottle" / "train" / "good").mkdir(parents=True)
        ...     fetch_mvtec("unused", source=folder) == Path(folder)
        MVTec AD is licensed CC BY-NC-SA 4.0 (no commercial use; credit MVTec Software GmbH; share \
alike): https://www.mvtec.com/company/research/datasets/mvtec-ad
        True
    """
    destination = absolute(destination)
    origin = None if source is None else absolute(source)
    print(MVTEC_LICENCE)
    if origin is not None and is_folder(origin):
        return _checked_source(origin)
    ready = _is_ready(destination)
    beside = destination.parent / _ARCHIVE
    archive = beside if origin is None else origin
    if origin is not None or (beside.exists() and not ready):
        check_digest(archive, sha256, progress, _BY_HAND)
    elif not ready:
        download(_address(url), archive, sha256, progress, _BY_HAND)
        _extract(archive, destination, progress)
        archive.unlink()
        return destination
    return destination if ready else _extract(archive, destination, progress)


def _extract(archive: Path, destination: Path, progress: bool) -> Path:
    return extract(archive, destination, _is_whole, progress, _BY_HAND)


def _is_ready(destination: Path) -> bool:
    """Whether the data set is there already.

    Raises:
        InputError: the destination is in use for something else.
    """
    with write_errors(destination):
        if os.path.lexists(destination) and not is_folder(destination):
            kind = "a file" if destination.exists() else "a link that leads nowhere"
            raise InputError(f"{destination} is {kind}: give a folder that is new or empty.")
        found = _categories(destination)
        if _is_whole(destination):
            return True
        if found:
            raise InputError(
                f"{destination} holds {', '.join(found)} and not all of MVTec AD: pass it as "
                "source to use it as it is, or give a folder that is new or empty."
            )
        if destination.exists() and any(destination.iterdir()):
            raise InputError(
                f"{destination} holds other files than MVTec AD: give a folder that is new or "
                "empty, on the command line with --out."
            )
        destination.parent.mkdir(parents=True, exist_ok=True)
    return False


def _categories(folder: Path) -> list[str]:
    """Which categories of MVTec AD a folder holds."""
    found = {inside.name for inside in folders(folder) if MVTecLayout().matches(inside)}
    return [name for name in MVTEC_CATEGORIES if name in found]


def _is_whole(folder: Path) -> bool:
    return len(_categories(folder)) == len(MVTEC_CATEGORIES)


def _checked_source(folder: Path) -> Path:
    if not _categories(folder):
        raise InputError(
            f"{folder} holds none of the categories of MVTec AD (bottle, cable and so on): give "
            "the folder or the archive of the data set as a whole."
        )
    return folder


def _address(url: str | None) -> str:
    address = url or os.environ.get("AESC_MVTEC_URL") or MVTEC_URL
    if not address.startswith(("http://", "https://")):
        raise InputError(f"{quoted(address)} is not an http or https address: {_BY_HAND}.")
    return address

"""Extracting the archive of MVTec AD: whole or not at all, and nothing outside its folder."""

import errno
import hashlib
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from mvtec_fakes import BY_HAND, CONTENT, SHA256, beside, check_whole, member, tar_bytes

from aesc.data import fetch_mvtec, mvtec
from aesc.errors import InputError


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """The destination; whatever a call leaves behind shows up beside it."""
    return tmp_path / "data" / "mvtec_ad"


def extract(place: Path, content: bytes) -> None:
    local = place.parent.parent / "local.tar.xz"
    local.write_bytes(content)
    fetch_mvtec(place, local, sha256=hashlib.sha256(content).hexdigest(), progress=False)


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_local_archive_is_extracted_and_kept(place, tmp_path, mode):
    local, content = tmp_path / "archive.tar", tar_bytes(mode=mode)
    local.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest().upper()
    place.mkdir(parents=True)  # an empty destination is as good as none
    assert fetch_mvtec(place, local, sha256=digest, progress=False) == place
    check_whole(place)
    assert local.read_bytes() == content and beside(place) == ["mvtec_ad"]
    assert (place.stat().st_mode & 0o777) == (place.parent.stat().st_mode & 0o777)


def test_local_archive_with_the_wrong_checksum_or_missing(place, tmp_path):
    local = tmp_path / "archive.tar"
    with pytest.raises(InputError, match=rf"archive\.tar cannot be read.*{BY_HAND}"):
        fetch_mvtec(place, local, sha256=SHA256, progress=False)
    local.write_bytes(CONTENT[:-1])
    with pytest.raises(InputError, match=rf"archive\.tar is damaged.*SHA-256.*{SHA256}.*{BY_HAND}"):
        fetch_mvtec(place, local, sha256=SHA256, progress=False)
    assert not place.exists()


@pytest.mark.parametrize(
    "harmful",
    [
        member("../outside"),
        member("bottle/../../outside"),
        member("/tmp/outside"),
        member("..\\outside"),
        member("C:\\outside"),
        member("bottle/link", tarfile.SYMTYPE, "../../outside"),
        member("bottle/link", tarfile.SYMTYPE, "/etc"),
        member("bottle/link", tarfile.LNKTYPE, "../outside"),
        member("bottle/device", tarfile.CHRTYPE),
        member("bottle/pipe", tarfile.FIFOTYPE),
    ],
    ids=lambda info: f"{info.type.decode()} {info.name} {info.linkname}",
)
def test_harmful_member_is_named_before_anything_is_extracted(
    place, tmp_path, monkeypatch, harmful
):
    written: list[str] = []
    monkeypatch.setattr(mvtec, "_write_member", lambda *_: written.append("something"))
    with pytest.raises(InputError) as caught:
        extract(place, tar_bytes(harmful))
    assert repr(harmful.name) in str(caught.value) and "nothing was extracted" in str(caught.value)
    assert written == [] and beside(place) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "local.tar.xz"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[: len(content) // 2],
        lambda content: content[:500] + bytes(64) + content[564:],
        lambda _: b"no archive at all",
        lambda _: b"",
        lambda _: tar_bytes(mode="w")[:5000],
        lambda _: tar_bytes(mode="w:gz")[:2000],
        lambda _: tar_bytes(mode="w:bz2")[:200] + bytes(5000),
    ],
    ids=["half", "hole", "text", "empty", "half tar", "half gz", "hole in bz2"],
)
def test_damaged_archive(place, damage: Callable[[bytes], bytes]):
    with pytest.raises(InputError, match=rf"local\.tar\.xz is a damaged archive.*{BY_HAND}"):
        extract(place, damage(CONTENT))
    assert beside(place) == []


def test_archive_of_something_else_leaves_nothing(place):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:xz") as tar:
        tar.addfile(member("readme.txt"))
    with pytest.raises(InputError, match="holds no category folder"):
        extract(place, buffer.getvalue())
    assert beside(place) == []


@pytest.mark.parametrize(
    ("problem", "expected", "message"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), InputError, "disk of .* is full; free"),
        (OSError(errno.EROFS, "Read-only file system"), InputError, "cannot be written .Read-only"),
        (PermissionError(errno.EACCES, "Permission denied"), InputError, "cannot be written"),
        (KeyboardInterrupt(), KeyboardInterrupt, None),
    ],
    ids=["full", "read-only", "not allowed", "interrupted"],
)
def test_extraction_that_breaks_off_leaves_nothing(place, monkeypatch, problem, expected, message):
    write, calls = mvtec._write_member, []

    def second_fails(*arguments: object) -> None:
        calls.append(arguments)
        if len(calls) == 2:
            raise problem
        write(*arguments)

    monkeypatch.setattr(mvtec, "_write_member", second_fails)
    with pytest.raises(expected, match=message):
        extract(place, CONTENT)
    assert len(calls) == 2 and beside(place) == []
    monkeypatch.undo()
    extract(place, CONTENT)
    check_whole(place)

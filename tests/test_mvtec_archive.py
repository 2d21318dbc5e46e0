"""Extracting the archive of MVTec AD: whole or not at all, and nothing outside its folder."""

import errno
import hashlib
import io
import lzma
import random
import subprocess
import sys
import tarfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from mvtec_fakes import BY_HAND, CONTENT, SHA256, beside, check_whole, member, tar_bytes

from aesc.data import archive, fetch_mvtec
from aesc.errors import InputError


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """The destination; whatever a call leaves behind shows up beside it."""
    return tmp_path / "data" / "mvtec_ad"


def extract(place: Path, content: bytes) -> None:
    local = place.parent.parent / "local.tar.xz"
    local.parent.mkdir(parents=True, exist_ok=True)
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


def test_a_link_to_an_empty_folder_is_filled_and_stays(place, tmp_path):
    (tmp_path / "disk/empty").mkdir(parents=True)
    place.parent.mkdir(exist_ok=True)
    place.symlink_to(tmp_path / "disk/empty")
    extract(place, tar_bytes())
    check_whole(tmp_path / "disk/empty")
    assert place.is_symlink()


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
    monkeypatch.setattr(archive, "_write_member", lambda *_: written.append("something"))
    with pytest.raises(InputError) as caught:
        extract(place, tar_bytes(harmful))
    assert repr(harmful.name) in str(caught.value) and "nothing was extracted" in str(caught.value)
    assert written == [] and beside(place) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "local.tar.xz"]


def bomb(**headers: str) -> bytes:
    """A small archive with one member of 3 GB, or that says it has one."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:xz", format=tarfile.PAX_FORMAT) as tar:
        info = member("bottle/train/good/000.png")
        info.pax_headers = headers
        tar.addfile(info)
    return buffer.getvalue()


def zeros(kind: bytes) -> bytes:
    """A member of 300 MB of zeros, which xz shrinks to 45 kB."""
    info = member("bottle/train/good/000.png", kind)
    info.size = 300 * 10**6
    return lzma.compress(info.tobuf() + bytes(info.size), preset=0)


@pytest.mark.parametrize(
    "content",
    [
        zeros(tarfile.REGTYPE),
        zeros(tarfile.GNUTYPE_LONGNAME),
        zeros(tarfile.XHDTYPE),
        bomb(**{"GNU.sparse.major": "0", "GNU.sparse.size": "3000000000", "GNU.sparse.map": "0,1"}),
        tar_bytes(*[member(f"bottle/{i}", tarfile.DIRTYPE) for i in range(12_000)]),
    ],
    ids=["file", "long name", "extended header", "sparse file", "members"],
)
def test_an_archive_that_grows_without_end_is_refused_early(place, content):
    tracemalloc.start()
    with pytest.raises(
        InputError, match=r"local\.tar\.xz (holds more than|is a damaged|has the m)"
    ):
        extract(place, content)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 60 * 2**20 and beside(place) == []


def sign_headers(content: bytearray) -> None:
    """Give the headers of a plain archive the checksums of what they say now."""
    for start in range(0, len(content) - 511, 512):
        if content[start + 257 : start + 262] == b"ustar":
            content[start + 148 : start + 156] = b" " * 8
            content[start + 148 : start + 156] = b"%06o\0 " % sum(content[start : start + 512])


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_a_mutated_archive_is_extracted_or_refused_in_one_sentence(place, mode):
    """Bytes changed, cut and repeated, in headers most of all; the checksums are made to fit."""
    rng, content = random.Random(mode), tar_bytes(mode=mode)
    for trial in range(25):
        mutated = bytearray(content)
        for _ in range(rng.choice([1, 3, 30])):
            at = rng.randrange(512 * rng.choice([1, 8, len(content) // 512 + 1])) % len(mutated)
            if rng.random() < 0.7:
                mutated[at] = rng.choice([0, 0x20, 0x2D, 0x35, 0x78, 0x67, 0x80, 0xFF])
            else:
                mutated[at : at + rng.randrange(600)] = mutated[: rng.randrange(600)]
        if mode == "w":
            sign_headers(mutated)
        try:
            extract(place.with_name(f"{trial}") / "mvtec_ad", bytes(mutated))
        except InputError as error:
            assert "\n" not in str(error) and str(error).endswith(".") and len(str(error)) < 1500


def test_headers_nested_without_end_are_refused(place):
    """tarfile calls itself for every extended header."""
    header = member("x", tarfile.XHDTYPE).tobuf(tarfile.USTAR_FORMAT)
    with pytest.raises(
        InputError, match=r"local\.tar\.xz is a damaged archive \(maximum recursion"
    ):
        extract(place, header * 5000)


HALF = """
import sys, time
from pathlib import Path
from aesc.files import scratch_folder
with scratch_folder(Path(sys.argv[1])) as scratch:
    (scratch / "half.png").write_bytes(b"half")
    print(scratch, flush=True)
    time.sleep(60)
"""


def test_what_a_killed_process_left_is_removed_and_what_a_living_one_holds_is_not(place):
    place.parent.mkdir()
    mine = place.parent / ".mvtec_ad-notes"
    mine.write_text("not ours")
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", HALF, str(place)], stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    try:
        dead, living = (Path(process.stdout.readline().strip()) for process in processes)
        processes[0].kill()
        processes[0].wait()
        assert dead.is_dir() and living.is_dir()
        extract(place, CONTENT)
        assert not dead.exists() and (living / "half.png").exists() and mine.exists()
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    check_whole(place)


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
    with pytest.raises(InputError, match="does not hold what was expected"):
        extract(place, buffer.getvalue())
    assert beside(place) == []


@pytest.mark.parametrize(
    ("problem", "expected", "message"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), InputError, "disk of .* is full: free"),
        (OSError(errno.EROFS, "Read-only file system"), InputError, "cannot be written .Read-only"),
        (PermissionError(errno.EACCES, "Permission denied"), InputError, "cannot be written"),
        (KeyboardInterrupt(), KeyboardInterrupt, None),
    ],
    ids=["full", "read-only", "not allowed", "interrupted"],
)
def test_extraction_that_breaks_off_leaves_nothing(place, monkeypatch, problem, expected, message):
    write, calls = archive._write_member, []

    def second_fails(*arguments: object) -> None:
        calls.append(arguments)
        if len(calls) == 2:
            raise problem
        write(*arguments)

    monkeypatch.setattr(archive, "_write_member", second_fails)
    with pytest.raises(expected, match=message):
        extract(place, CONTENT)
    assert len(calls) == 2 and beside(place) == []
    monkeypatch.undo()
    extract(place, CONTENT)
    check_whole(place)

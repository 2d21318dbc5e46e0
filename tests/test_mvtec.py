"""Fetching MVTec AD: from a local folder, and from a server on this machine."""

import errno
import socket
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from mvtec_fakes import ARCHIVE, BY_HAND, CONTENT, SHA256, Server, beside, check_whole, tar_bytes

from aesc.data import MVTEC_LICENCE, MVTEC_PAGE, archive, fetch_mvtec, load_category, transfer
from aesc.errors import InputError

fetch = partial(fetch_mvtec, sha256=SHA256, progress=False)


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.http.shutdown()
    server.http.server_close()
    thread.join()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The destination; whatever a call leaves behind shows up beside it."""
    monkeypatch.delenv("AESC_MVTEC_URL", raising=False)
    return tmp_path / "data" / "mvtec_ad"


def part_of(place: Path, content: bytes) -> Path:
    place.parent.mkdir()
    part = place.parent / f"{ARCHIVE}.part"
    part.write_bytes(content)
    return part


def test_download_is_checked_extracted_and_tidied_up(server, place, capsys):
    assert fetch(place, url=server.url) == place
    check_whole(place)
    assert beside(place) == ["mvtec_ad"] and server.requests == [None]
    assert capsys.readouterr().out == MVTEC_LICENCE + "\n"
    assert "CC BY-NC-SA 4.0" in MVTEC_LICENCE and MVTEC_PAGE in MVTEC_LICENCE
    assert len(load_category(place / "bottle", size=8).train) == 2


def test_data_set_that_is_there_is_not_fetched_again(server, place):
    for _ in range(2):
        assert fetch(place, url=server.url) == place
    assert len(server.requests) == 1


def test_progress_is_shown_in_bytes(server, place, capsys):
    fetch(place, url=server.url, progress=True)
    shown = capsys.readouterr().err
    for title in (f"Downloading {ARCHIVE}", "Checking SHA-256", "Extracting"):
        assert f"{title}: 100%" in shown, shown
    assert "B/s" in shown, shown


def test_address_from_the_environment_gives_way_to_the_argument(server, place, monkeypatch):
    monkeypatch.setenv("AESC_MVTEC_URL", server.url)
    fetch(place)
    assert len(server.requests) == 1
    monkeypatch.setenv("AESC_MVTEC_URL", "http://127.0.0.1:1/never-asked")
    fetch(place.with_name("second"), url=server.url)
    assert len(server.requests) == 2


def test_download_that_broke_off_goes_on_from_there(server, place):
    server.stop_at = 1000
    with pytest.raises(InputError, match=rf"broke off at 1000 of {len(CONTENT)} bytes"):
        fetch(place, url=server.url)
    assert (place.parent / f"{ARCHIVE}.part").read_bytes() == CONTENT[:1000]
    server.stop_at = None
    fetch(place, url=server.url)
    check_whole(place)
    assert server.requests == [None, "bytes=1000-"] and beside(place) == ["mvtec_ad"]


def test_server_that_falls_silent(server, place, monkeypatch):
    monkeypatch.setattr(transfer, "_TIMEOUT", 0.2)
    server.stop_at = 1000
    server.hang_up.clear()
    with pytest.raises(InputError, match=r"broke off \(.*timed out.*\): run it again"):
        fetch(place, url=server.url)
    server.hang_up.set()
    server.stop_at = None
    fetch(place, url=server.url)
    check_whole(place)


def test_server_without_range_starts_over(server, place):
    server.ranges = False
    part_of(place, b"other bytes")
    fetch(place, url=server.url)
    check_whole(place)
    assert server.requests == ["bytes=11-"]


def test_part_that_is_already_complete(server, place):
    part_of(place, CONTENT)
    fetch(place, url=server.url)
    check_whole(place)
    assert server.requests == [f"bytes={len(CONTENT)}-"]


@pytest.mark.parametrize("start", [b"", b"part of another file"])
def test_wrong_checksum_is_deleted_so_that_the_next_call_starts_afresh(server, place, start):
    part = part_of(place, start)
    server.body = tar_bytes() + b"!"
    with pytest.raises(InputError, match=f"not the archive expected.*deleted.*{BY_HAND}"):
        fetch(place, url=server.url)
    assert not part.exists() and not place.exists()
    server.body = CONTENT
    fetch(place, url=server.url)
    check_whole(place)


def test_archive_found_beside_the_destination_is_used_and_kept(server, place):
    place.parent.mkdir()
    (place.parent / ARCHIVE).write_bytes(b"damaged")
    with pytest.raises(InputError, match=f"{ARCHIVE} is damaged or another file"):
        fetch(place, url=server.url)
    (place.parent / ARCHIVE).write_bytes(CONTENT)
    fetch(place, url=server.url)
    check_whole(place)
    assert server.requests == [] and beside(place) == ["mvtec_ad", ARCHIVE]


def test_download_is_kept_when_its_extraction_fails(server, place, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(archive, "_write_member", full)
    with pytest.raises(InputError, match="is full: free some space"):
        fetch(place, url=server.url)
    assert beside(place) == [ARCHIVE]
    monkeypatch.undo()
    fetch(place, url=server.url)
    check_whole(place)
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [403, 404, 500])
def test_dead_link(server, place, status):
    server.status = status
    with pytest.raises(InputError, match=rf"127\.0\.0\.1.* answered {status} .*{BY_HAND}"):
        fetch(place, url=server.url)
    assert beside(place) == []


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/html; charset=utf-8", b"moved"),
        ("application/octet-stream", b"\n <!DOCTYPE html><html>moved</html>"),
    ],
)
def test_web_page_in_place_of_the_archive_leaves_the_part_alone(server, place, content_type, body):
    server.content_type, server.body, server.ranges = content_type, body, False
    part = part_of(place, CONTENT[:1000])
    with pytest.raises(InputError, match=f"is a web page, not the archive: {BY_HAND}"):
        fetch(place, url=server.url)
    assert part.read_bytes() == CONTENT[:1000]


def test_nobody_answers(place):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/x"
        with pytest.raises(InputError, match=f"cannot be reached.*{BY_HAND}"):
            fetch(place, url=url)


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/x", "file:///etc/hostname", "archive.tar.xz"])
def test_address_of_another_kind(place, url):
    with pytest.raises(InputError, match=f"is not an http or https address: {BY_HAND}"):
        fetch(place, url=url)


def test_local_folder_is_returned_after_a_check(place, tmp_path, capsys):
    folder = tmp_path / "extracted"
    folder.mkdir()
    with pytest.raises(InputError, match="extracted holds none of the categories of MVTec AD"):
        fetch(place, folder)
    (folder / "bottle/train/good").mkdir(parents=True)
    capsys.readouterr()
    assert fetch(place, folder) == folder
    assert MVTEC_LICENCE in capsys.readouterr().out and not place.exists()


def test_disk_full_while_downloading_keeps_the_part(server, place, monkeypatch):
    part = part_of(place, CONTENT[:1000])

    def full(*_: object, **__: object) -> Iterator[bytes]:
        yield CONTENT[1000:2000]
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(transfer, "_blocks", full)
    with pytest.raises(InputError, match="is full: free some space"):
        fetch(place, url=server.url)
    assert part.read_bytes() == CONTENT[:2000]


def test_destination_in_use_for_something_else(server, place, tmp_path):
    place.mkdir(parents=True)
    (place / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="mvtec_ad holds other files than MVTec AD: give a folder"):
        fetch(place, url=server.url)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="file is a file"):
        fetch(tmp_path / "file", url=server.url)
    (tmp_path / "link").symlink_to("link")
    with pytest.raises(InputError, match="link is a link that leads nowhere: give a folder"):
        fetch(tmp_path / "link", url=server.url)
    with pytest.raises(InputError, match="cannot be written"):
        fetch(tmp_path / "file/below/it", url=server.url)
    assert server.requests == [] and (place / "thesis.txt").read_text() == "mine"


def test_an_own_data_set_is_not_taken_for_mvtec_ad(server, place):
    """Any folder with train/good inside was; nothing was fetched, and a source was ignored."""
    (place / "shoe/train/good").mkdir(parents=True)
    with pytest.raises(InputError, match=r"mvtec_ad holds other files than MVTec AD.*--out"):
        fetch(place, url=server.url)
    with pytest.raises(InputError, match="mvtec_ad holds none of the categories of MVTec AD"):
        fetch(place.with_name("new"), place)
    (place / "pill/train/good").mkdir(parents=True)
    with pytest.raises(InputError, match="holds pill and not all of MVTec AD: pass it as source"):
        fetch(place, url=server.url)
    assert fetch(place.with_name("new"), place) == place and server.requests == []


def test_a_source_is_looked_at_though_the_data_set_is_there(server, place, tmp_path):
    fetch(place, url=server.url)
    source = tmp_path / "archive.tar.xz"
    with pytest.raises(InputError, match=rf"archive\.tar\.xz cannot be read.*{BY_HAND}"):
        fetch(place, source)
    source.write_bytes(CONTENT[:-1])
    with pytest.raises(InputError, match=rf"archive\.tar\.xz is damaged.*{BY_HAND}"):
        fetch(place, source)
    source.write_bytes(CONTENT)
    assert fetch(place, source) == place
    check_whole(place)

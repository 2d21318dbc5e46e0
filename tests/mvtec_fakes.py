"""What the tests of fetching MVTec AD share: a small archive, a server that gives it, checks."""

import hashlib
import io
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
from PIL import Image

from aesc.data import MVTEC_CATEGORIES

ARCHIVE = "mvtec_anomaly_detection.tar.xz"
BY_HAND = "get .* by hand from https://www.mvtec.com/company/research/datasets/mvtec-ad and pass"


NAMES = [f"bottle/train/good/{index:03}.png" for index in range(3)] + [
    f"{name}/train/good/000.png" for name in MVTEC_CATEGORIES if name != "bottle"
]


def noise_png(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (40, 40), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "png")
    return buffer.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def tar_bytes(*extra: tarfile.TarInfo, mode: str = "w:xz") -> bytes:
    """An archive with three good images of one category, one of the others, members to add."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as tar:
        tar.addfile(member("bottle", tarfile.DIRTYPE))
        for index, name in enumerate(NAMES):
            content = noise_png(index)
            image = member(name)
            image.size = len(content)
            tar.addfile(image, io.BytesIO(content))
        for info in extra:
            tar.addfile(info)
    return buffer.getvalue()


CONTENT = tar_bytes()
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def check_whole(folder: Path) -> None:
    files = {path for path in folder.rglob("*") if path.is_file()}
    assert files == {folder / name for name in NAMES}
    assert all((folder / n).read_bytes() == noise_png(i) for i, n in enumerate(NAMES))


def beside(place: Path) -> list[str]:
    return sorted(path.name for path in place.parent.iterdir())


class Server:
    """A server on 127.0.0.1 that gives one body, and what it was asked."""

    def __init__(self) -> None:
        self.body, self.ranges, self.status, self.content_type = CONTENT, True, 200, "application/x"
        self.stop_at: int | None = None
        self.hang_up = threading.Event()  # after the body; the client may wait for more until then
        self.hang_up.set()
        self.requests: list[str | None] = []
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                owner.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/{ARCHIVE}"

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        asked = handler.headers.get("Range")
        self.requests.append(asked)
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and self.ranges else 0
        status = 206 if start else self.status
        if start >= len(self.body):
            handler.send_error(416)
            return
        handler.send_response(status)
        handler.send_header("Content-Type", self.content_type)
        handler.send_header("Content-Length", str(len(self.body) - start))
        if start:
            last = len(self.body) - 1
            handler.send_header("Content-Range", f"bytes {start}-{last}/{len(self.body)}")
        handler.end_headers()
        handler.wfile.write(self.body[start : self.stop_at])
        self.hang_up.wait(10)

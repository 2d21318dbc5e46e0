"""A service in a thread, and what tests ask of it."""

import re
import struct
import threading
import time
import zlib
from pathlib import Path

import httpx
import uvicorn

from aesc.detector import Detector
from aesc.serve import ServeSettings, create_app, listening

PATIENT = 60  # seconds, for a machine that does something else as well


class Service:
    """A service in a thread, at a free port."""

    def __init__(self, detectors: dict[str, Detector], settings: ServeSettings | None = None):
        self.bound = listening("127.0.0.1", 0)
        app = create_app(detectors, settings)
        self.server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self.bound]})
        self.thread.start()
        self.port = self.bound.getsockname()[1]
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=PATIENT)
        end = time.monotonic() + PATIENT
        while not self.server.started:
            assert time.monotonic() < end
            time.sleep(0.01)

    def close(self) -> None:
        self.client.close()
        self.server.should_exit = True
        self.thread.join(PATIENT)
        self.bound.close()


def image(folder: Path, index: int = 0) -> bytes:
    return (folder / f"{index:03}.png").read_bytes()


def declared(side: int) -> bytes:
    """The beginning of a PNG that says that it is so large."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"0" * 100))


def metric(client: httpx.Client, line: str) -> float:
    text = client.get("/metrics").text
    found = re.findall(rf"^{re.escape(line)} (\S+)$", text, re.MULTILINE)
    return float(found[0]) if found else 0.0

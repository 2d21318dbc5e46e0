"""How long an engineer waits: fit, predict, a folder, memory, the service.

python -m benchmarks.practice [--quick] [--threads N]

These are times of this machine, not ratios: the goals say what was promised for two cores.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast

import httpx
import numpy as np
import psutil
import torch
from PIL import Image

from aesc.detector import Detector, save
from aesc.model import AESc
from benchmarks.exported import detector, good_images
from benchmarks.harness import arguments, write
from benchmarks.harness import seconds as seconds_of


def main() -> None:
    """Measure, print and write."""
    options = arguments(__doc__.splitlines()[0])
    few = options.quick
    with tempfile.TemporaryDirectory() as name:
        room = Path(name)
        large = detector(256, (1024, 1024))
        measured = [
            _told("quick fit of 100 images of 1000 x 1000 px", fit_seconds(room), "s", 120),
            _told("aesc predict of one image, cold start", predict_seconds(room, large), "s", 4),
            _told("images a second of a network of 256 px alone", network_rate(large), "1/s"),
            _told(
                "images a second of a folder of 256 px, the same network",
                folder_rate(room, large, 256, 40 if few else 400), "1/s", 60,
            ),
            _told(
                "images a second of a folder of 512 px, the same network",
                folder_rate(room, large, 512, 40 if few else 400), "1/s",
            ),
            _told(
                "growth of memory over 10 000 images, network of 64 px",
                growth_megabytes(detector(64, (64, 64)), 500 if few else 10_000), "MB", 50,
            ),
            *service(room, 20 if few else 300, 3 if few else 60),
        ]  # fmt: skip
    write(options, "practice", [], measured=measured)


def _told(what: str, value: float, unit: str, goal: float | None = None) -> dict[str, object]:
    """A measurement beside its goal: at most for times, at least for rates."""
    wanted = "" if goal is None else f" (goal: {goal:g})"
    print(f"{what}: {value:.3g} {unit}{wanted}", flush=True)
    return {"what": what, "value": value, "unit": unit, "goal": goal}


def fit_seconds(room: Path) -> float:
    """The command, from a folder of files to a detector and its page."""
    for index, pixels in enumerate(good_images((1000, 1000), 100)):
        path = room / "good" / f"{index:03}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(path)
    return _command("fit", room / "good", "--out", room / "part.aesc")


def predict_seconds(room: Path, found: Detector) -> float:
    """The command on one image: start of Python, torch and all."""
    save(found, room / "large.aesc")
    image = room / "good" / "000.png"
    return min(_command("predict", room / "large.aesc", image) for _ in range(3))


def _command(*arguments: object) -> float:
    command = [sys.executable, "-m", "aesc", *map(str, arguments)]
    return seconds_of(lambda: subprocess.run(command, check=True, capture_output=True))


def folder_rate(room: Path, found: Detector, side: int, count: int) -> float:
    """Files decoded by threads while the network computes."""
    paths = []
    for index, pixels in enumerate(good_images((side, side), count)):
        paths.append(room / str(side) / f"{index:04}.png")
        paths[-1].parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(paths[-1])
    list(found.stream(paths[:16]))
    started = time.perf_counter()
    assert sum(1 for _ in found.stream(paths)) == count
    return count / (time.perf_counter() - started)


def network_rate(found: Detector) -> float:
    """What a folder can reach at most on this machine."""
    network = cast(AESc, found.model).for_inference()
    images = torch.rand(16, 1, 256, 256)
    with torch.inference_mode():
        network(images)
        return 16 / min(seconds_of(lambda: network(images)) for _ in range(10))


def growth_megabytes(found: Detector, count: int) -> float:
    """What the process holds more after all images than after the first tenth of them."""
    rng = np.random.default_rng(0)
    process, before = psutil.Process(), 0

    def images() -> Iterator[np.ndarray]:
        for _ in range(count):
            yield rng.integers(0, 256, (64, 64), np.uint8)

    for index, _ in enumerate(found.stream(images())):
        if index == count // 10:
            before = process.memory_info().rss
    return (process.memory_info().rss - before) / 1e6


def service(room: Path, requests: int, seconds: float) -> list[dict[str, object]]:
    """``aesc serve`` in a process of its own: one client, then many at once for a while."""
    command = [sys.executable, "-m", "aesc", "serve", str(room / "large.aesc"), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            told = re.search(r"http://\S+", process.stdout.readline())
            assert told is not None, "the service tells no address"
            url = f"{told[0].rstrip('/')}/score"
            content = (room / "512" / "0000.png").read_bytes()
            with httpx.Client(timeout=60) as client:
                times = [
                    seconds_of(lambda: client.post(url, content=content).raise_for_status())
                    for _ in range(requests)
                ]
            p95 = 1000 * float(np.quantile(times[1:], 0.95))
            return [
                _told("service, 512 px, one client: 95 % of the answers within", p95, "ms", 60),
                *crowd(process.pid, url, content, seconds),
            ]
        finally:
            process.terminate()


def crowd(
    pid: int, url: str, content: bytes, seconds: float, clients: int = 64
) -> list[dict[str, object]]:
    """So many clients who ask again at once, and what the service holds more afterwards.

    What it takes to meet so many for the first time, for a tenth of the time, is not counted.
    """
    _asked(url, content, seconds / 10, clients)
    service = psutil.Process(pid)
    before = service.memory_info().rss
    statuses = _asked(url, content, seconds, clients)
    growth = (service.memory_info().rss - before) / 1e6
    other = sum(status not in (200, 503) for status in statuses)
    return [
        _told(f"{clients} clients: answers a second", statuses.count(200) / seconds, "1/s"),
        _told(f"{clients} clients: share told to wait", statuses.count(503) / len(statuses), ""),
        _told(f"{clients} clients: any other answer", other, "", 0),
        _told(f"{clients} clients: growth of memory", growth, "MB", 50),
    ]  # fmt: skip


def _asked(url: str, content: bytes, seconds: float, clients: int) -> list[int]:
    """Statuses of the answers to clients who ask for so long."""
    end = time.monotonic() + seconds

    def ask(_: int) -> list[int]:
        statuses = []
        with httpx.Client(timeout=60) as client:
            while time.monotonic() < end:
                statuses.append(client.post(url, content=content).status_code)
                if statuses[-1] == 503:
                    time.sleep(1)
        return statuses

    with ThreadPoolExecutor(clients) as pool:
        return [status for each in pool.map(ask, range(clients)) for status in each]


if __name__ == "__main__":
    main()

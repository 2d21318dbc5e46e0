"""The service when many ask at once, slowly, or with ill will."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest
from detectors import good_folder, small_detector
from quick_detector import SlowDetector, quick_detector
from services import PATIENT, Service, declared, image, metric

from aesc.detector import Detector
from aesc.serve import LOOPBACK, ServeSettings
from aesc.serve.scoring import READERS, Scorer


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return good_folder(tmp_path_factory.mktemp("good"), count=24)


@pytest.fixture(scope="module")
def detector(folder) -> Detector:
    return small_detector(folder)


@pytest.fixture(scope="module")
def service(detector) -> Iterator[Service]:
    running = Service({"part": detector}, ServeSettings(max_megabytes=1))
    yield running
    running.close()


def test_image_that_is_refused_by_its_header_does_not_wait_for_those_that_are_computed(
    detector, folder, monkeypatch
):
    """The computing thread is held until the refusal is here."""
    refused_already = threading.Event()
    judge = Detector.judge

    def held(self, pictures, last=""):
        assert refused_already.wait(PATIENT)
        return judge(self, pictures, last)

    monkeypatch.setattr(Detector, "judge", held)
    service = Service({"part": detector})
    try:
        with ThreadPoolExecutor(1) as pool:
            url = f"http://127.0.0.1:{service.port}/score"
            waiting = pool.submit(httpx.post, url, content=image(folder), timeout=PATIENT)
            assert service.client.post("/score", content=declared(60_000)).status_code == 422
            refused_already.set()
            assert waiting.result().status_code == 200
    finally:
        refused_already.set()
        service.close()


def test_a_web_page_whose_name_leads_here_is_refused(detector, folder):
    service = Service({"part": detector}, ServeSettings(hosts=LOOPBACK))
    try:
        evil = {"host": "evil.example:80"}
        answer = service.client.post("/score", content=image(folder), headers=evil)
        assert answer.status_code == 400 and "evil.example" in answer.json()["error"]
        assert service.client.get("/model", headers=evil).status_code == 400
        good = {"host": f"localhost:{service.port}"}
        answer = service.client.post("/score", content=image(folder), headers=good)
        assert answer.status_code == 200
    finally:
        service.close()


def test_time_of_waiting_does_not_count(folder):
    """Threads cannot work for longer, all together, than as many times the time that passed."""
    scorer, count, content = Scorer({"part": quick_detector(SlowDetector)}, 100), 50, image(folder)

    async def ask() -> float:
        started = time.perf_counter()
        await asyncio.gather(*(scorer.score("part", [("x", content)]) for _ in range(count)))
        return time.perf_counter() - started

    passed = asyncio.run(ask())
    scorer.close()
    assert count * SlowDetector.PAUSE <= scorer.seconds["part"] <= (READERS + 1) * passed


def test_bodies_of_all_requests_together_are_bounded(detector):
    service = Service({"part": detector}, ServeSettings(max_megabytes=1, queue=100))
    sockets = []
    try:
        for _ in range(12):  # eleven and a bit of the largest size, none of them complete
            slow = socket.create_connection(("127.0.0.1", service.port), timeout=PATIENT)
            slow.sendall(b"POST /score HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n")
            slow.sendall(b"x" * 999_000)
            sockets.append(slow)
        end = time.monotonic() + PATIENT
        while metric(service.client, 'aesc_refused_total{status="503"}') < 3:
            assert time.monotonic() < end
            time.sleep(0.05)
    finally:
        for slow in sockets:
            slow.close()
        service.close()


def test_queue_that_is_full_says_when_to_come_again(detector, folder):
    service = Service({"part": detector}, ServeSettings(queue=2))
    content = image(folder)

    def ask(_: int) -> httpx.Response:
        return httpx.post(
            f"http://127.0.0.1:{service.port}/score", content=content, timeout=PATIENT
        )

    try:
        with ThreadPoolExecutor(24) as pool:
            answers = list(pool.map(ask, range(96)))
        statuses = {answer.status_code for answer in answers}
        assert statuses == {200, 503}
        busy = next(answer for answer in answers if answer.status_code == 503)
        assert busy.headers["retry-after"] == "1" and "waiting" in busy.json()["error"]
        scores = {answer.json()["score"] for answer in answers if answer.status_code == 200}
        assert len(scores) == 1
        assert metric(service.client, "aesc_waiting") == 0
        assert service.client.get("/ready").json() == {"ready": True}
    finally:
        service.close()


def test_client_that_sends_slowly_holds_nobody_up(service, folder):
    with socket.create_connection(("127.0.0.1", service.port)) as slow:
        slow.sendall(b"POST /score HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\nx")
        for _ in range(3):
            assert service.client.post("/score", content=image(folder)).status_code == 200
            slow.sendall(b"x")


def test_hundreds_of_requests_leave_nothing_behind(service, folder):
    psutil = pytest.importorskip("psutil")
    process, content = psutil.Process(), image(folder)
    for _ in range(50):
        service.client.post("/score", content=content)
    before = process.memory_info().rss
    for _ in range(300):
        service.client.post("/score", content=content)
    assert process.memory_info().rss - before < 50e6


def test_scores_do_not_depend_on_who_else_asks(service, detector, folder):
    paths = sorted(folder.glob("*.png"))[:8]
    wanted = {path.name: detector.predict(path).score for path in paths}

    def ask(path: Path) -> tuple[str, float]:
        url = f"http://127.0.0.1:{service.port}/score"
        answer = httpx.post(url, content=path.read_bytes(), timeout=PATIENT)
        return path.name, answer.json()["score"]

    with ThreadPoolExecutor(8) as pool:
        found = dict(pool.map(ask, paths))
    assert found == pytest.approx(wanted)
    assert np.isfinite(list(found.values())).all()

"""The service, asked by a real client over a real socket."""

import asyncio
import base64
import contextlib
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from detectors import good_folder, refused, small_detector
from services import Service, declared, image, metric

from aesc.detector import Detector
from aesc.detector import save as save_detector
from aesc.serve import LOOPBACK, ServeSettings, create_app, listening
from aesc.serve.metrics import exposition
from aesc.serve.scoring import Scorer


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


@pytest.fixture
def client(service) -> httpx.Client:
    return service.client


def test_score_is_that_of_the_detector(client, detector, folder):
    answer = client.post("/score", params={"name": "x"}, content=image(folder)).json()
    result = detector.predict(folder / "000.png")
    assert answer["score"] == pytest.approx(result.score)
    assert (answer["verdict"], answer["image"], answer["model"]) == (result.verdict, "x", "part")
    assert answer["p_value"] == result.p_value and "map" not in answer


def test_batch_scores_each_and_one_bad_file_is_one_error(client, detector, folder):
    contents = [image(folder, 0), b"no image", image(folder, 1)]
    images = [{"content": base64.b64encode(content).decode()} for content in contents]
    images[2]["name"] = "second"
    results = client.post("/batch", json={"images": images}).json()["results"]
    assert [r["verdict"] == "error" for r in results] == [False, True, False]
    assert results[2]["image"] == "second" and results[1]["score"] is None
    assert results[0]["score"] == pytest.approx(detector.predict(folder / "000.png").score)


def test_names_that_are_not_utf8_come_back_as_they_are(detector, folder):
    name, model = "\udcff.png", "part\udcff"
    content = base64.b64encode(image(folder)).decode()
    service = Service({model: detector}, ServeSettings(hosts=LOOPBACK))
    try:
        body = json.dumps({"images": [{"name": name, "content": content}]})
        kind = {"content-type": "application/json"}
        answer = service.client.post("/batch", content=body, headers=kind)
        assert answer.status_code == 200 and answer.json()["model"] == model
        assert [each["image"] for each in answer.json()["results"]] == [name]
        sentence = service.client.post("/score", params={"model": "x"}, content=b"x").json()[
            "error"
        ]
        assert model in sentence
        assert model in service.client.get("/model").json()
        assert metric(service.client, 'aesc_images_total{model="part?",verdict="good"}') == 1
    finally:
        service.close()


def test_counters_keep_all_their_digits(detector):
    scorer = Scorer({"part": detector}, 1)
    scorer.counts["part", "good"], scorer.seconds["part"] = 1_234_567, 1234567.891
    lines = exposition(scorer, {422: 10_000_001}).splitlines()
    assert 'aesc_images_total{model="part",verdict="good"} 1234567' in lines
    assert 'aesc_seconds_total{model="part"} 1234567.891' in lines
    assert 'aesc_refused_total{status="422"} 10000001' in lines


@pytest.mark.parametrize(
    ("request_", "status", "words"),
    [
        ({"content": b"no image"}, 422, "image"),
        ({"content": b""}, 422, "empty"),
        ({"content": b"x", "headers": {"content-type": "text/html"}}, 415, "text/html"),
        ({"content": b"x" * 1_000_001}, 413, "larger than 1 MB"),
        ({"content": b"x", "params": {"model": "other"}}, 404, "choose one of part"),
    ],
    ids=["no image", "empty", "type", "large", "model"],
)
def test_what_cannot_be_scored_is_refused_in_a_sentence(client, request_, status, words):
    answer = client.post("/score", **request_)
    sentence = answer.json()["error"]
    assert answer.status_code == status and words in sentence
    assert sentence.endswith(".") and "\n" not in sentence


def test_body_of_unknown_length_is_cut_off_at_the_limit(client):
    sent = []

    def parts() -> Iterator[bytes]:
        for _ in range(10_000):  # 10 GB in all
            sent.append(1)
            yield b"x" * 10**6

    with contextlib.suppress(httpx.HTTPError):  # the service may hang up while we are sending
        assert client.post("/score", content=parts()).status_code == 413
    assert len(sent) < 1000


@pytest.mark.parametrize(
    "body",
    [
        *(b"{", b'{"images": 3}', b'{"images": []}', b'{"images": [{"content": "?"}]}'),
        b"[" * 200_000,
    ],
    ids=["half", "number", "none", "content", "deep"],
)
def test_body_that_is_no_batch_is_refused(client, body):
    answer = client.post("/batch", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422 and answer.json()["error"].endswith(".")


def test_image_that_declares_60000_pixels_a_side_is_refused_by_its_header(client):
    started = time.perf_counter()
    answer = client.post("/score", content=declared(60_000))
    assert answer.status_code == 422 and "60000 x 60000" in answer.json()["error"]
    assert time.perf_counter() - started < 5  # decoded, it would be 3.6 GB


def test_batch_needs_a_content_type_that_a_foreign_page_cannot_send_unasked(client):
    answer = client.post("/batch", content=b"{}", headers={"content-type": "text/plain"})
    assert answer.status_code == 415 and "application/json" in answer.json()["error"]


@pytest.mark.parametrize(("method", "path"), [("GET", "/score"), ("GET", "/nothing")])
def test_wrong_way_in_names_the_right_ones(client, method, path):
    answer = client.request(method, path)
    assert answer.status_code in (404, 405)
    assert f"{method} {path} is not here" in answer.json()["error"]


def test_counts_model_health_and_description(client, detector, folder):
    line = 'aesc_images_total{model="part",verdict="error"}'
    before = metric(client, line)
    client.post("/score", content=b"no image")
    assert metric(client, line) == before + 1
    assert metric(client, 'aesc_seconds_total{model="part"}') > 0
    assert metric(client, 'aesc_refused_total{status="422"}') >= 1
    assert client.get("/health").json() == {"status": "ok"}
    model = client.get("/model").json()["part"]
    assert model["threshold"] == detector.threshold
    assert model["card"]["seed"] == 0 and "rejected" in model["promises"][0]
    described = client.get("/openapi.json").json()
    for path, methods in described["paths"].items():
        for method in methods:
            answer = client.request(method, path)
            assert answer.status_code not in (404, 405), path


def test_one_of_several_models_is_asked_by_name(detector, folder):
    lenient = detector.calibrate(sorted(folder.glob("*.png")), false_rejects=0.5, review=0.6)
    service = Service({"a": detector, "b": lenient})
    try:
        answer = service.client.post("/score", content=image(folder))
        assert answer.status_code == 404 and "choose one of a, b" in answer.json()["error"]
        answer = service.client.post("/score", params={"model": "b"}, content=image(folder))
        assert answer.json()["threshold"] == lenient.threshold
    finally:
        service.close()


def test_command_refuses_bad_input_before_it_loads(aesc, detector, tmp_path):
    model = tmp_path / "part.aesc"
    save_detector(detector, model)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, _, error = aesc("serve", model, "--port", port)
        assert code == 2 and f"port is {port}" in error and "choose another" in error
    code, _, error = aesc("serve", model, model, "--port", 0)
    assert code == 2 and "names differ" in error
    code, _, error = aesc("serve", model, "--port", 0, "--queue", 0)
    assert code == 2 and "queue is 0" in error
    code, _, error = aesc("serve", tmp_path / "none.aesc", "--port", 0)
    assert code == 2 and "There is no detector" in error


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a..b", "", "ä" * 70])
def test_a_host_that_is_none_is_named(host):
    refused(lambda: listening(host, 0), f"host is {host!r}: give a name")


def test_an_answer_does_not_wait_for_an_acknowledgement():
    """Nagle's algorithm would hold back the second part of each answer for 40 ms."""

    async def accepted():
        option = asyncio.get_running_loop().create_future()

        def meet(reader, writer):
            sock = writer.get_extra_info("socket")
            option.set_result(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        server = await asyncio.start_server(meet, sock=bound)
        async with server:
            _, writer = await asyncio.open_connection(*bound.getsockname())
            found = await option
            writer.close()
        return found

    bound = listening("127.0.0.1", 0)
    assert asyncio.run(accepted()) != 0


def test_detector_without_a_threshold_is_refused(detector):
    from dataclasses import replace

    refused(lambda: create_app({"x": replace(detector, images=None)}), "no threshold")


def test_settings_out_of_range_are_refused():
    for name in ("max_megabytes", "queue", "batch"):
        refused(lambda name=name: ServeSettings(**{name: 0}), f"{name} is 0")

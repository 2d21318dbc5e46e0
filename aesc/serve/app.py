"""The service as an ASGI application: routes, limits, and what goes wrong in one sentence each."""

from __future__ import annotations

import asyncio
import base64
import json
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from aesc._checks import quoted, whole
from aesc.detector import Detector, Result
from aesc.detector.report import promises
from aesc.serve.answer import Answer
from aesc.serve.description import describe
from aesc.serve.hosts import AskedAs
from aesc.serve.metrics import exposition
from aesc.serve.scoring import Busy, Scorer

IMAGE_TYPES = ("image/", "application/octet-stream")
"""What the content type of an image may begin with."""

PATIENCE = 60
"""Seconds within which the body of a request must be here."""

BODIES = 8
"""Bodies of the largest size that all requests together may hold in memory."""


@dataclass(frozen=True)
class ServeSettings:
    """Limits of the service.

    Attributes:
        max_megabytes: largest body of a request, in units of 10**6 bytes.
        queue: requests that may wait or be computed; the next one is answered with 503.
        batch: images in one request.
        hosts: names by which the service may be asked; None for any. Where it is for this machine
            alone, a page on the internet whose name leads here must not reach it
            (`aesc.serve.hosts.LOOPBACK`).

    Raises:
        InputError: a number that is not positive and whole.
    """

    max_megabytes: int = 64
    queue: int = 32
    batch: int = 64
    hosts: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        for name in ("max_megabytes", "queue", "batch"):
            whole(name, getattr(self, name))


def create_app(
    detectors: Mapping[str, Detector], settings: ServeSettings | None = None
) -> Starlette:
    """The application.

    Args:
        detectors: calibrated ones, by the name under which they are asked.
        settings: limits.

    Raises:
        InputError: a detector without a threshold.
    """
    return _Service(Scorer(detectors, (settings or ServeSettings()).queue), settings).app


class _Service:
    def __init__(self, scorer: Scorer, settings: ServeSettings | None) -> None:
        self._scorer, self._settings = scorer, settings or ServeSettings()
        self._refused: Counter[int] = Counter()
        self._held = 0  # bytes of all bodies that are being received or scored
        routes = [
            Route("/score", self._score, methods=["POST"]),
            Route("/batch", self._batch, methods=["POST"]),
            Route("/health", self._health),
            Route("/ready", self._ready),
            Route("/model", self._model),
            Route("/metrics", self._metrics),
            Route("/openapi.json", self._openapi),
        ]
        handlers: dict[Any, Any] = {HTTPException: self._refuse}
        hosts = self._settings.hosts
        asked_as = [] if hosts is None else [Middleware(AskedAs, hosts=hosts)]
        self.app = Starlette(
            routes=routes,
            exception_handlers=handlers,
            lifespan=self._lifespan,
            middleware=asked_as,
        )

    @asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        yield
        self._scorer.close()

    async def _score(self, request: Request) -> Response:
        name = self._asked(request)
        kind = request.headers.get("content-type", IMAGE_TYPES[1])
        if not kind.lower().startswith(IMAGE_TYPES):
            raise HTTPException(415, f"The content type is {quoted(kind)}: send an image file.")
        async with self._body(request) as content:
            image = (request.query_params.get("name", "image"), content)
            (result,) = await self._scored(name, [image])
        if result.verdict == "error":
            raise HTTPException(422, result.notes[0])
        return Answer(result.to_dict() | {"model": name})

    async def _batch(self, request: Request) -> Response:
        name = self._asked(request)
        kind = request.headers.get("content-type", "nothing")
        if not kind.lower().startswith("application/json"):
            raise HTTPException(415, f"The content type is {quoted(kind)}: send application/json.")
        async with self._body(request) as content:
            results = await self._scored(name, _images(content, self._settings.batch))
        return Answer({"model": name, "results": [result.to_dict() for result in results]})

    async def _scored(self, name: str, images: list[tuple[str, bytes]]) -> list[Result]:
        try:
            return await self._scorer.score(name, images)
        except Busy as error:
            sentence = f"{self._settings.queue} requests are waiting: try again in a second."
            raise HTTPException(503, sentence, {"Retry-After": "1"}) from error

    def _asked(self, request: Request) -> str:
        """Name of the detector that a request is for."""
        names = list(self._scorer.detectors)
        name = request.query_params.get("model", names[0] if len(names) == 1 else "")
        if name not in names:
            asked = f"model is {quoted(name)}" if name else "No model is named"
            raise HTTPException(404, f"{asked}: choose one of {', '.join(names)}.")
        return name

    @asynccontextmanager
    async def _body(self, request: Request) -> AsyncIterator[bytes]:
        """The body, refused as soon as it is known to be too large, alone or with the others."""
        limit = self._settings.max_megabytes * 10**6
        declared = request.headers.get("content-length", "")
        if declared.isdigit() and int(declared) > limit:
            raise HTTPException(413, self._too_large())
        parts: list[bytes] = []
        try:
            await asyncio.wait_for(self._receive(request, parts, limit), PATIENCE)
            if not any(parts):
                raise HTTPException(422, "The body is empty: send an image file.")
            yield b"".join(parts)
        except ClientDisconnect as error:
            raise HTTPException(400, "The body ended early: send it again.") from error
        except asyncio.TimeoutError as error:  # another class before Python 3.11
            raise HTTPException(408, f"The body took over {PATIENCE} s: send it again.") from error
        finally:
            self._held -= sum(map(len, parts))

    async def _receive(self, request: Request, parts: list[bytes], limit: int) -> None:
        async for part in request.stream():
            parts.append(part)
            self._held += len(part)
            if sum(map(len, parts)) > limit:  # the rest is not waited for
                raise HTTPException(413, self._too_large(), {"Connection": "close"})
            if self._held > BODIES * limit:
                sentence = "Other requests take all the room: try again in a second."
                raise HTTPException(503, sentence, {"Retry-After": "1", "Connection": "close"})

    def _too_large(self) -> str:
        return f"The body is larger than {self._settings.max_megabytes} MB: send less at once."

    async def _health(self, request: Request) -> Response:
        return Answer({"status": "ok"})

    async def _ready(self, request: Request) -> Response:
        full = self._scorer.waiting >= self._settings.queue
        return Answer({"ready": not full}, 503 if full else 200)

    async def _model(self, request: Request) -> Response:
        found = {
            name: {
                "threshold": detector.threshold,
                "promises": promises(detector),
                "drift": str(self._scorer.drifts[name].state),
                "card": detector.card,
            }
            for name, detector in self._scorer.detectors.items()
        }
        return Answer(json.loads(json.dumps(found, default=str)))

    async def _metrics(self, request: Request) -> Response:
        text = exposition(self._scorer, self._refused)
        return PlainTextResponse(text, media_type="text/plain; version=0.0.4")

    async def _openapi(self, request: Request) -> Response:
        return Answer(describe(list(self._scorer.detectors)))

    async def _refuse(self, request: Request, error: HTTPException) -> Response:
        self._refused[error.status_code] += 1
        sentence = error.detail
        if error.status_code == 405 or request.scope.get("endpoint") is None:
            sentence = (
                f"{request.method} {request.url.path} is not here: ask POST /score or /batch, or "
                "GET /health, /ready, /model, /metrics or /openapi.json."
            )
        return Answer({"error": sentence}, error.status_code, error.headers)


def _images(body: bytes, most: int) -> list[tuple[str, bytes]]:
    """Name and content of the images of a batch: JSON with a list of base64."""
    form = 'give {"images": [{"name": "...", "content": "base64"}]}'
    try:
        items = json.loads(body)["images"]
        images = [
            (str(item.get("name", "image")), base64.b64decode(item["content"], validate=True))
            for item in items
        ]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise HTTPException(422, f"The body is no batch of images: {form}.") from error
    if not 1 <= len(images) <= most:
        raise HTTPException(422, f"The batch holds {len(images)} images: give 1 to {most}.")
    return images

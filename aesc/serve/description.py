"""The service described in OpenAPI, for programs that write clients."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from aesc.detector.result import VERDICTS

_NUMBER: dict[str, Any] = {"type": ["number", "null"]}
_BOX = {"type": "integer", "description": "in pixels of the original image"}


def describe(models: Sequence[str]) -> dict[str, Any]:
    """The description.

    Args:
        models: names of the detectors.

    Example:
        >>> sorted(describe(["part"])["paths"])
        ['/batch', '/health', '/metrics', '/model', '/ready', '/score']
    """
    model = {
        "name": "model",
        "in": "query",
        "required": len(models) > 1,
        "schema": {"type": "string", "enum": list(models)},
    }
    name = {"name": "name", "in": "query", "schema": {"type": "string"}}
    result = {"$ref": "#/components/schemas/Result"}
    many = {"type": "object", "properties": {"results": {"type": "array", "items": result}}}
    image = {"schema": {"type": "string", "format": "binary"}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "aesc serve", "version": version("aesc")},
        "paths": {
            "/score": _post(
                "Score one image.",
                [model, name],
                {"image/*": image, "application/octet-stream": image},
                result,
            ),
            "/batch": _post(
                "Score several images.",
                [model],
                {"application/json": {"schema": {"$ref": "#/components/schemas/Batch"}}},
                many,
            ),
            "/health": _get("Whether the process lives."),
            "/ready": _get("Whether a request would be taken; 503 when the queue is full."),
            "/model": _get("Card, threshold, promises and drift of each detector."),
            "/metrics": _get("Counters, in the text format of Prometheus."),
        },
        "components": {"schemas": {"Result": _result(), "Batch": _batch(), "Error": _error()}},
    }


def _post(
    summary: str, parameters: list[dict[str, Any]], content: dict[str, Any], answer: dict[str, Any]
) -> dict[str, Any]:
    wrong = {
        "404": "No such model.",
        "413": "The body is too large.",
        "415": "No image file.",
        "422": "An image that cannot be read.",
        "503": "The queue is full; Retry-After says when to come again.",
    }
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    responses = {
        "200": {"description": "Scored.", "content": {"application/json": {"schema": answer}}},
        **{status: {"description": text, "content": error} for status, text in wrong.items()},
    }
    body = {"required": True, "content": content}
    return {
        "post": {
            "summary": summary,
            "parameters": parameters,
            "requestBody": body,
            "responses": responses,
        }
    }


def _get(summary: str) -> dict[str, Any]:
    return {"get": {"summary": summary, "responses": {"200": {"description": "As said."}}}}


def _result() -> dict[str, Any]:
    sides = {side: _BOX for side in ("x", "y", "width", "height", "area")}
    region = {"type": "object", "properties": {**sides, "peak": {"type": "number"}}}
    return {
        "type": "object",
        "properties": {
            "image": {"type": "string"},
            "verdict": {"enum": list(VERDICTS)},
            "score": _NUMBER,
            "threshold": _NUMBER,
            "p_value": _NUMBER,
            "regions": {"type": "array", "items": region},
            "notes": {"type": "array", "items": {"type": "string"}},
            "seconds": {"type": "number"},
        },
    }


def _batch() -> dict[str, Any]:
    content = {"type": "string", "contentEncoding": "base64"}
    properties = {"name": {"type": "string"}, "content": content}
    item = {"type": "object", "required": ["content"], "properties": properties}
    return {"type": "object", "properties": {"images": {"type": "array", "items": item}}}


def _error() -> dict[str, Any]:
    return {"type": "object", "properties": {"error": {"type": "string"}}}

"""Answers in JSON, whatever the names in them hold."""

from __future__ import annotations

import json
from typing import Any

from starlette.responses import JSONResponse


class Answer(JSONResponse):
    """JSON in ASCII: a name need not be UTF-8, and comes back escaped.

    Example:
        >>> Answer({"image": "\\udcff.png"}).body
        b'{"image":"\\\\udcff.png"}'
    """

    def render(self, content: Any) -> bytes:
        """The body."""
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii")

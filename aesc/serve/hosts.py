"""By which names the service may be asked."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from aesc.serve.answer import Answer

LOOPBACK = ("localhost", "127.0.0.1", "::1")
"""Names of this machine for itself."""


class AskedAs:
    """Refuses requests to another host, such as those of a web page whose name was led here.

    Args:
        app: the application behind it.
        hosts: names and addresses, without ports.
    """

    def __init__(self, app: ASGIApp, hosts: Sequence[str]) -> None:
        self._app, self._hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "http":
            name = host_name(Headers(scope=scope).get("host", ""))
            if name not in self._hosts:
                sentence = f"The host is {name!r}: ask by one of {', '.join(self._hosts)}."
                await Answer({"error": sentence}, 400)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def host_name(header: str) -> str:
    """The name in a Host header, without the port.

    Example:
        >>> host_name("localhost:8000"), host_name("[::1]:8000"), host_name("127.0.0.1")
        ('localhost', '::1', '127.0.0.1')
    """
    if header.startswith("["):
        return header[1:].partition("]")[0]
    return header.partition(":")[0].lower()

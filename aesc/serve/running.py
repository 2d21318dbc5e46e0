"""From a port to a running service."""

from __future__ import annotations

import socket
from collections.abc import Mapping

import uvicorn

from aesc._checks import quoted, whole
from aesc.detector import Detector
from aesc.errors import InputError
from aesc.serve.app import ServeSettings, create_app

SLOW = 30
"""Seconds for which an idle connection is kept."""


def listening(host: str, port: int) -> socket.socket:
    """A socket that is bound, so that a port in use is told before anything is loaded.

    Args:
        host: name or address of this machine; ``127.0.0.1`` is reached from it alone.
        port: 0 for any that is free.

    Raises:
        InputError: a port out of range or in use, or no address of this machine.

    Example:
        >>> bound = listening("127.0.0.1", 0)
        >>> bound.getsockname()[0]
        '127.0.0.1'
        >>> bound.close()
    """
    whole("port", port, 0, 65535)
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        # Of a socket that does not name its protocol, asyncio leaves Nagle's algorithm on, and
        # each answer waits 40 ms for the client's delayed acknowledgement.
        bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    except (OSError, UnicodeError) as error:  # the latter of what no name can be, such as a..b
        raise InputError(
            f"host is {quoted(host)}: give a name or address of this machine."
        ) from error
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise InputError(
            f"port is {port} on {host}: it cannot be used ({error.strerror}), so choose another "
            "one."
        ) from error
    return bound


def serve(
    detectors: Mapping[str, Detector], bound: socket.socket, settings: ServeSettings | None = None
) -> None:
    """Serve until interrupted; what is being computed is finished first.

    A client that begins a request and never ends its headers keeps its connection for as long as it
    likes: the server library, uvicorn, has a deadline for idle connections and none for headers,
    which reach the application when they are whole. It costs a socket. Where strangers can connect,
    put a proxy with such a deadline in front.

    Args:
        detectors: calibrated ones, by name.
        bound: from `listening`.
        settings: limits.

    Raises:
        InputError: a detector without a threshold.
    """
    app = create_app(detectors, settings)
    config = uvicorn.Config(
        app, log_level="warning", timeout_keep_alive=SLOW, timeout_graceful_shutdown=SLOW
    )
    uvicorn.Server(config).run(sockets=[bound])
